//! Keeps the number of ranges bounded, at the price of detail and never of committed bytes.
//!
//! The kernel bounds mappings (`vm.max_map_count`), but one mapping can have an owner for each of
//! its pages, and every other page given back. Beyond [`RANGES_MAX`] neighbours are joined: first
//! those of one owner and different age, then those of different owners, then what was given back
//! with what was not. What is left after that are mappings, and the kernel's to bound.

use std::collections::BTreeMap;

use super::range::{Content, Range};
use super::space::AddressSpace;
use super::{Change, Owner};

/// Ranges above which an address space is folded: about 8 MB.
pub(super) const RANGES_MAX: usize = 131_072;

/// What was given up to stay within the bound, since the process was first seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    /// Ranges that took over the age of an older neighbour.
    pub ages: u64,
    /// Ranges that lost their owner to [`Owner::Folded`].
    pub owners: u64,
    /// Ranges that had been given back and are [`Owner::Folded`]'s now.
    pub released: u64,
}

#[derive(Clone, Copy)]
enum Step {
    Ages,
    Owners,
    Released,
}

impl AddressSpace {
    /// Folds as little as leaves room for a while.
    pub(super) fn bound(&mut self, changes: &mut Vec<Change>) {
        if self.ranges.len() <= self.fold_above {
            return;
        }
        let enough = self.fold_above - self.fold_above / 4;
        for step in [Step::Ages, Step::Owners, Step::Released] {
            self.fold(step, changes);
            if self.ranges.len() <= enough {
                return;
            }
        }
        // Folding takes time in proportion: not again before there is something to gain.
        self.fold_above = self.ranges.len().saturating_mul(2);
    }

    fn fold(&mut self, step: Step, changes: &mut Vec<Change>) {
        let mut folded: Vec<(u64, Range)> = Vec::with_capacity(self.ranges.len());
        for (start, range) in std::mem::take(&mut self.ranges) {
            let below = folded.last_mut().filter(|(_, below)| below.end == start);
            let joined = below.and_then(|(at, below)| {
                let content = step.join(below.content, range.content)?;
                Some((*at, below, content))
            });
            let Some((at, below, content)) = joined else {
                folded.push((start, range));
                continue;
            };
            let (lower, upper) = (below.content, range.content);
            let (lower_bytes, upper_bytes) = (start - at, range.end - start);
            *below = Range {
                end: range.end,
                content,
            };
            for (bytes, before) in [(lower_bytes, lower), (upper_bytes, upper)] {
                self.account(bytes, Some(before), Some(content), changes);
                self.folded.note(before, content);
            }
        }
        self.ranges = BTreeMap::from_iter(folded);
    }
}

impl Step {
    /// What two neighbours are together, if this step joins them.
    fn join(self, lower: Content, upper: Content) -> Option<Content> {
        if lower == upper {
            return Some(lower);
        }
        match (lower, upper) {
            (
                Content::Live { owner, since },
                Content::Live {
                    owner: other,
                    since: later,
                },
            ) => {
                let owner = match self {
                    _ if owner == other => owner,
                    Self::Ages => return None,
                    Self::Owners | Self::Released => Owner::Folded,
                };
                let since = since.min(later);
                Some(Content::Live { owner, since })
            }
            (Content::Live { since, .. }, Content::Released)
            | (Content::Released, Content::Live { since, .. }) => matches!(self, Self::Released)
                .then_some(Content::Live {
                    owner: Owner::Folded,
                    since,
                }),
            _ => None,
        }
    }
}

impl Folded {
    fn note(&mut self, before: Content, after: Content) {
        match (before.owner(), after.owner()) {
            _ if before == after => {}
            (Some(before), Some(after)) if before == after => self.ages += 1,
            (Some(_), _) => self.owners += 1,
            (None, _) => self.released += 1,
        }
    }
}
