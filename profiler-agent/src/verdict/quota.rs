//! How many lineages there may be of those who make them at will: processes of the host, whose names and
//! programs are their own choice, and what users and containers make below their own. Beyond that they
//! push out each other's, not those of the system's containers and units.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use serde::{Deserialize, Serialize};

/// A quarter of all.
const LINEAGES_MAX: usize = 1_024;

/// Lineages that are remembered, by whose they are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Quota {
    by_lineage: BTreeMap<String, Owned>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Owned {
    owner: String,
    /// When a life of it ended last, in series time.
    ended: u64,
}

impl Quota {
    /// A life of this lineage ended, and is remembered. Returns the lineage that has to go for it: the
    /// oldest of who has the most.
    pub(super) fn ended(&mut self, lineage: &str, owner: &str, time: u64) -> Option<String> {
        let owned = Owned {
            owner: owner.to_owned(),
            ended: time,
        };
        self.by_lineage.insert(lineage.to_owned(), owned);
        if self.by_lineage.len() <= LINEAGES_MAX {
            return None;
        }
        let gone = self.oldest_of_most()?;
        self.by_lineage.remove(&gone);
        Some(gone)
    }

    /// What the engine remembers no more counts no more.
    pub(super) fn retain(&mut self, remembered: impl Fn(&str) -> bool) {
        self.by_lineage.retain(|lineage, _| remembered(lineage));
    }

    fn oldest_of_most(&self) -> Option<String> {
        let mut counts = HashMap::<&str, usize>::new();
        for owned in self.by_lineage.values() {
            *counts.entry(&owned.owner).or_default() += 1;
        }
        let count = |owned: &Owned| counts.get(owned.owner.as_str()).copied();
        let all = self.by_lineage.iter();
        let gone = all.max_by_key(|(_, owned)| (count(owned), Reverse(owned.ended)));
        gone.map(|(lineage, _)| lineage.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_the_most_loses_its_oldest() {
        let mut quota = Quota::default();
        assert_eq!(quota.ended("another's", "user-2.slice", 0), None);
        let mut gone = Vec::new();
        for number in 1..2_000_u64 {
            gone.extend(quota.ended(&number.to_string(), "user-1.slice", number));
        }
        assert_eq!(gone.len(), 2_000 - LINEAGES_MAX);
        assert_eq!(gone[..2], ["1", "2"]);
        quota.retain(|lineage| lineage == "another's");
        assert_eq!(quota.by_lineage.len(), 1);
    }
}
