//! What could not be read.

use crate::export::LossFacts;

/// Counted since the agent started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResidentLosses {
    /// Readings of a container, unit or process that is there and could not be read.
    pub unread: u64,
    /// Single figures that the kernel should tell and did not, or that could not be understood.
    pub figures: u64,
    /// Containers, units and processes that were not read since there are too many, in the last
    /// round.
    pub left_out: u64,
    /// Rounds in which no tree of memory cgroups was found.
    pub without_cgroups: u64,
}

impl ResidentLosses {
    /// As answers show them.
    pub fn facts(&self) -> Vec<LossFacts> {
        let fact = |cause, count, meaning| LossFacts {
            cause,
            count,
            meaning,
        };
        vec![
            fact(
                "resident_unread",
                self.unread,
                "readings of the kernel's own figures that failed: a container's series has a gap there",
            ),
            fact(
                "resident_figures_unread",
                self.figures,
                "single figures of a reading that could not be read or understood: they are absent",
            ),
            fact(
                "resident_left_out",
                self.left_out,
                "containers, units and processes without a series, since there are too many: the \
                 largest have one",
            ),
            fact(
                "resident_without_cgroups",
                self.without_cgroups,
                "rounds in which no tree of memory cgroups was found: all is summed over processes, \
                 without limits, and no probe fails",
            ),
        ]
    }
}
