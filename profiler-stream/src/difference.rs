//! Two sorted tables, side by side.

use std::{cmp::Ordering, iter::from_fn};

/// What became of one entry.
pub(crate) enum Change<'a, T> {
    New(&'a T),
    /// As it was and as it is.
    Kept(&'a T, &'a T),
    Gone(&'a T),
}

/// All entries of both, in the order of their keys, by which both are sorted.
pub(crate) fn changes<'a, T, K: Ord>(
    mut old: &'a [T],
    mut new: &'a [T],
    key: impl Fn(&T) -> K,
) -> impl Iterator<Item = Change<'a, T>> {
    from_fn(move || {
        let order = match (old.first(), new.first()) {
            (Some(was), Some(is)) => key(was).cmp(&key(is)),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        Some(match order {
            Ordering::Less => Change::Gone(old.split_off_first()?),
            Ordering::Greater => Change::New(new.split_off_first()?),
            Ordering::Equal => Change::Kept(old.split_off_first()?, new.split_off_first()?),
        })
    })
}
