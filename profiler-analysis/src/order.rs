//! The largest rows first.

use crate::Figures;

/// What "large" means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Bytes that are there at the end.
    Live,
    /// By how much those grew.
    Growth,
    /// Bytes demanded.
    Allocated,
    /// Bytes given back.
    Freed,
    /// Captured events.
    Events,
    /// Bytes touched first that are resident at the end.
    Resident,
}

impl Order {
    fn rank(self, figures: &Figures) -> i128 {
        match self {
            Self::Live => figures.live.into(),
            Self::Growth => figures.live_delta.into(),
            Self::Allocated => figures.allocated.into(),
            Self::Freed => figures.freed.into(),
            Self::Events => figures.events.into(),
            Self::Resident => figures.resident.unwrap_or(0).into(),
        }
    }
}

/// The `limit` largest rows, largest first. Rows of equal size stand in the order of `tie`, so that
/// the same input always gives the same answer.
pub fn largest<T, K: Ord>(
    mut rows: Vec<T>,
    order: Order,
    limit: usize,
    figures: impl Fn(&T) -> &Figures,
    tie: impl Fn(&T) -> K,
) -> Vec<T> {
    let compare = |one: &T, other: &T| {
        let by_size = order.rank(figures(other)).cmp(&order.rank(figures(one)));
        by_size.then_with(|| tie(one).cmp(&tie(other)))
    };
    if limit == 0 {
        return Vec::new();
    }
    if rows.len() > limit {
        rows.select_nth_unstable_by(limit - 1, compare);
        rows.truncate(limit);
    }
    rows.sort_unstable_by(compare);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<(u32, Figures)> {
        let row = |name, live, live_delta, allocated| {
            let figures = Figures {
                live,
                live_delta,
                allocated,
                ..Figures::default()
            };
            (name, figures)
        };
        vec![
            row(4, 10, -5, 7),
            row(2, 10, 3, 9),
            row(1, 30, 0, 1),
            row(3, 10, 8, 8),
        ]
    }

    fn names(order: Order, limit: usize) -> Vec<u32> {
        let rows = largest(rows(), order, limit, |row| &row.1, |row| row.0);
        rows.into_iter().map(|row| row.0).collect()
    }

    #[test]
    fn largest_first_with_stable_ties() {
        assert_eq!(names(Order::Live, 10), [1, 2, 3, 4]);
        assert_eq!(names(Order::Growth, 10), [3, 2, 1, 4]);
        assert_eq!(names(Order::Allocated, 10), [2, 3, 4, 1]);
        assert_eq!(names(Order::Events, 10), [1, 2, 3, 4]);
    }

    #[test]
    fn a_limit_keeps_the_head_of_the_full_order() {
        for limit in 0..5 {
            let full = names(Order::Live, 10);
            assert_eq!(names(Order::Live, limit), full[..limit.min(4)]);
        }
    }
}
