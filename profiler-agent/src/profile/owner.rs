//! Which rows of growth an owner's bytes go to, and how much a captured byte stands for.

use profiler_common::sampling;
use profiler_query::model::{BehalfKey, OwnerKey};

use crate::{
    connection::{Behalf, Whom},
    ledger::Owner,
};

impl From<Behalf> for BehalfKey {
    fn from(behalf: Behalf) -> Self {
        match behalf.whom() {
            Whom::Connection(cookie) => Self::Connection(cookie),
            Whom::Nobody => Self::Nobody,
            Whom::Helper => Self::Helper,
            Whom::Ring => Self::Ring,
            Whom::Folded => Self::Folded,
        }
    }
}

/// The row by owner that bytes go to, and what each of them stands for; none for those that
/// were not captured.
pub fn row_of(owner: Owner) -> Option<(OwnerKey, Weight)> {
    let whole = |key| Some((key, Weight::ONE));
    match owner {
        Owner::Stack {
            stack, inclusion, ..
        } => Some((OwnerKey::Stack(stack), Weight::of_inclusion(inclusion))),
        Owner::Unsampled { .. } => None,
        // The stack is lost, its bytes and those that it stands for are not.
        Owner::Lost { inclusion, .. } => {
            Some((OwnerKey::Unattributed, Weight::of_inclusion(inclusion)))
        }
        Owner::PreExisting => whole(OwnerKey::PreExisting),
        Owner::ExecImage => whole(OwnerKey::ExecImage),
        Owner::Unattributed => whole(OwnerKey::Unattributed),
        Owner::Folded => whole(OwnerKey::Folded),
    }
}

/// The row by owner that bytes go to.
pub(super) fn own_row(owner: Owner) -> Option<OwnerKey> {
    row_of(owner).map(|(owner, _)| owner)
}

/// Every row that bytes go to which a child has from its parent: those of connections are not
/// kept apart, since they would outlive their connection.
pub(super) fn rows_of_child(owner: Owner) -> impl Iterator<Item = (OwnerKey, Weight)> {
    let rows = rows_of(owner).filter(|(key, _)| !matches!(key, OwnerKey::OnConnection(..)));
    rows.map(|(key, weight)| match key {
        OwnerKey::Behalf(BehalfKey::Connection(_)) => (OwnerKey::Behalf(BehalfKey::Folded), weight),
        key => (key, weight),
    })
}

/// Every row that bytes of this owner go to.
pub(super) fn rows_of(owner: Owner) -> impl Iterator<Item = (OwnerKey, Weight)> {
    let behalf = owner.behalf();
    let by_behalf = behalf.map(|behalf| (OwnerKey::Behalf(behalf.into()), Weight::ONE));
    let on_connection = match (owner, behalf.and_then(Behalf::connection)) {
        (
            Owner::Stack {
                stack, inclusion, ..
            },
            Some(cookie),
        ) => Some((
            OwnerKey::OnConnection(cookie, stack),
            Weight::of_inclusion(inclusion),
        )),
        _ => None,
    };
    [row_of(owner), by_behalf, on_connection]
        .into_iter()
        .flatten()
}

/// It always finds room: there are few of its kind.
pub(super) fn is_few(owner: OwnerKey) -> bool {
    !matches!(
        owner,
        OwnerKey::Stack(_)
            | OwnerKey::OnConnection(..)
            | OwnerKey::Behalf(BehalfKey::Connection(_) | BehalfKey::Peer(_))
    )
}

/// First touches are booked in such rows.
pub(super) fn has_touchers(owner: OwnerKey) -> bool {
    matches!(
        owner,
        OwnerKey::Stack(_) | OwnerKey::Unattributed | OwnerKey::Folded
    )
}

/// Where bytes go for which there is no row.
pub(super) fn fallback(owner: OwnerKey) -> Option<OwnerKey> {
    match owner {
        OwnerKey::Behalf(_) => Some(OwnerKey::Behalf(BehalfKey::Folded)),
        OwnerKey::OnConnection(..) => None,
        _ => Some(OwnerKey::Folded),
    }
}

/// How many bytes a captured byte stands for, in units of 2^-16.
///
/// A fixed-point number and not a float, so that weighted bytes of whole pages add up exactly:
/// what is allocated and freed again in other pieces comes out as zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight(u64);

/// Weighted bytes are counted in sixteenths of a byte: `page * 2^-16` is a whole number of them.
const UNITS_PER_BYTE: u64 = 16;

impl Weight {
    /// A byte that stands for itself.
    pub const ONE: Self = Self(1 << 16);

    /// The weight of what was captured with the chance `inclusion` (units of 2^-32).
    pub fn of_inclusion(inclusion: u32) -> Self {
        Self((sampling::weight(inclusion) * 65_536.0).round() as u64)
    }

    /// `bytes` times the weight, in [`Units`].
    pub fn of(self, bytes: u64) -> Units {
        let units = (u128::from(bytes) * u128::from(self.0)) >> 12;
        Units(u64::try_from(units).unwrap_or(u64::MAX))
    }
}

/// Weighted bytes, in sixteenths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Units(u64);

impl Units {
    /// Whole bytes, rounded down.
    pub fn bytes(self) -> u64 {
        self.0 / UNITS_PER_BYTE
    }

    /// Their sum, at most `u64::MAX` units (an exbibyte).
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left after taking `other` away, and never less than nothing.
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_freed_in_pieces_cancel_exactly() {
        for inclusion in [1, 3, 1_000_003, 262_144_000, u32::MAX - 1, u32::MAX] {
            let weight = Weight::of_inclusion(inclusion);
            let whole = weight.of(4096 * 1013);
            let mut left = whole;
            for pages in [1, 12, 1000] {
                left = left.minus(weight.of(4096 * pages));
            }
            assert_eq!(left, Units(0), "inclusion {inclusion}");
        }
    }

    #[test]
    fn weighs_as_the_inverse_of_the_chance() {
        assert_eq!(Weight::of_inclusion(u32::MAX), Weight::ONE);
        assert_eq!(Weight::ONE.of(123).bytes(), 123);
        assert_eq!(Weight::of_inclusion(1 << 31).of(4096).bytes(), 8192);
        assert_eq!(Weight::of_inclusion(1 << 28).of(4096).bytes(), 65_536);
        assert_eq!(Weight::of_inclusion(0).of(4096).bytes(), 0);
        assert_eq!(Weight::of_inclusion(1).of(u64::MAX), Units(u64::MAX));
    }
}
