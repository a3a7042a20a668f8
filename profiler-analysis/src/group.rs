//! Rows put together: by any key, or by function over whole stacks.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
};

use crate::Figures;

/// Adds up the figures of rows with equal keys.
pub fn sum_by<K: Eq + Hash>(rows: impl IntoIterator<Item = (K, Figures)>) -> HashMap<K, Figures> {
    let mut sums: HashMap<K, Figures> = HashMap::new();
    for (key, figures) in rows {
        sums.entry(key).or_default().add(&figures);
    }
    sums
}

/// Growth of one function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FunctionFigures {
    /// Of the stacks in which it occurs, each counted once however often it recurs in it.
    pub inclusive: Figures,
    /// Of the stacks whose leaf it is.
    pub own: Figures,
}

/// Adds up stacks by the functions that occur in them. Each row gives its functions leaf first.
pub fn by_function<K: Copy + Eq + Hash>(
    stacks: impl IntoIterator<Item = (Figures, impl IntoIterator<Item = K>)>,
) -> HashMap<K, FunctionFigures> {
    let mut sums: HashMap<K, FunctionFigures> = HashMap::new();
    let mut met = HashSet::new();
    for (figures, functions) in stacks {
        met.clear();
        for function in functions {
            let leaf = met.is_empty();
            if met.insert(function) {
                let sum = sums.entry(function).or_default();
                sum.inclusive.add(&figures);
                if leaf {
                    sum.own.add(&figures);
                }
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(live: u64) -> Figures {
        Figures {
            live,
            ..Figures::default()
        }
    }

    #[test]
    fn recursion_counts_once_and_only_the_leaf_owns() {
        let sums = by_function([
            (live(10), vec!["leaf", "a", "a", "main"]),
            (live(5), vec!["a", "leaf", "a", "main"]),
            (live(1), vec![]),
        ]);
        let figures = |name| (sums[name].inclusive.live, sums[name].own.live);
        assert_eq!(figures("leaf"), (15, 10));
        assert_eq!(figures("a"), (15, 5));
        assert_eq!(figures("main"), (15, 0));
        assert_eq!(sums.len(), 3);
    }

    #[test]
    fn sums_by_key() {
        let sums = sum_by([("x", live(1)), ("y", live(2)), ("x", live(4))]);
        assert_eq!((sums["x"].live, sums["y"].live), (5, 2));
    }
}
