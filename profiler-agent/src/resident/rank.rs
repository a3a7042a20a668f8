//! What is read where there is too much: the largest by the kernel's own figures. Live bytes of a ledger
//! are committed, not touched, and anybody can have many for nothing: they say no more than what of the
//! unknown is tried first.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use super::{Group, SeriesKey};

/// One place of so many is for what is not among the largest, in turn: it may have become so.
const TRIED: usize = 8;

/// What is known of groups that live.
#[derive(Debug, Default)]
pub(super) struct Ranks {
    round: u64,
    known: HashMap<SeriesKey, Known>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    /// When it was read last, or first seen.
    round: u64,
    /// Of the last reading; none: it was never read.
    bytes: Option<u64>,
}

impl Ranks {
    /// A round begins, with these groups alive.
    pub(super) fn begin(&mut self, living: &HashSet<&SeriesKey>) {
        self.round += 1;
        self.known.retain(|key, _| living.contains(key));
        let round = self.round;
        for key in living {
            if !self.known.contains_key(*key) {
                self.known
                    .insert((*key).clone(), Known { round, bytes: None });
            }
        }
    }

    /// It was read in this round; 0 bytes if that failed.
    pub(super) fn note(&mut self, key: &SeriesKey, bytes: u64) {
        let known = Known {
            round: self.round,
            bytes: Some(bytes),
        };
        self.known.insert(key.clone(), known);
    }

    /// Takes out what is too much, and returns how many that are.
    pub(super) fn cut(&self, groups: &mut Vec<Group>, most: usize) -> usize {
        let left_out = groups.len().saturating_sub(most);
        if left_out == 0 {
            return 0;
        }
        groups.sort_by_cached_key(|group| Reverse(self.bytes(group)));
        let read = groups.iter().take_while(|one| self.bytes(one).is_some());
        let largest = read.count().min(most - most / TRIED);
        // Who has waited longest: what is new can be made at will, and so can live bytes.
        groups[largest..].sort_by_cached_key(|group| {
            let round = self.known.get(&group.key).map(|known| known.round);
            (round.unwrap_or(self.round), Reverse(group.live))
        });
        groups.truncate(most);
        left_out
    }

    fn bytes(&self, group: &Group) -> Option<u64> {
        self.known.get(&group.key)?.bytes
    }
}
