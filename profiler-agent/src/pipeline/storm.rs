//! Which processes storm: more operations a second than the agent should follow.

use std::collections::HashSet;

use super::budget::fair_share;

/// What a process did in the last second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The process.
    pub pid: u32,
    /// Its operations: those that were seen, those that were lost, and what costly ones among
    /// them took beside that.
    pub operations: u64,
}

/// What changes for a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// From now on its operations are counted only.
    Cut(u32),
    /// It has calmed down.
    Restore(u32),
}

/// Watches demand by process.
#[derive(Debug)]
pub struct Storms {
    per_second: u64,
    cut: HashSet<u32>,
}

impl Storms {
    /// A process storms from `per_second` operations a second on, and is calm below half of it.
    pub fn new(per_second: u64) -> Self {
        Self {
            per_second: per_second.max(2),
            cut: HashSet::new(),
        }
    }

    /// Forgets a process that has ended.
    pub fn forget(&mut self, pid: u32) {
        self.cut.remove(&pid);
    }

    /// Takes what each process did in the last second. When the ring has overflowed, those that
    /// demand more than their share of what can be followed are cut too, although each alone is
    /// below the bound: else many could blind the agent for the rest of the host.
    pub fn second(&mut self, demands: &[Demand], overflowed: bool) -> Vec<Verdict> {
        let calm = self.per_second / 2;
        let share = overflowed
            .then(|| {
                fair_share(
                    demands.iter().map(|demand| demand.operations),
                    self.per_second,
                )
            })
            .flatten();
        let limit = share.unwrap_or(self.per_second).min(self.per_second);
        let mut verdicts = Vec::new();
        let mut restored = self.cut.clone();
        for demand in demands {
            if demand.operations >= calm {
                restored.remove(&demand.pid);
            }
            if demand.operations >= limit && self.cut.insert(demand.pid) {
                verdicts.push(Verdict::Cut(demand.pid));
            }
        }
        for pid in restored {
            self.cut.remove(&pid);
            verdicts.push(Verdict::Restore(pid));
        }
        verdicts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(pid: u32, operations: u64) -> Demand {
        Demand { pid, operations }
    }

    #[test]
    fn a_storm_is_cut_and_restored_when_it_is_over() {
        let mut storms = Storms::new(1000);
        assert!(storms.second(&[demand(1, 999)], false).is_empty());
        assert_eq!(storms.second(&[demand(1, 1000)], false), [Verdict::Cut(1)]);
        assert!(storms.second(&[demand(1, 5000)], false).is_empty());
        assert!(storms.second(&[demand(1, 500)], false).is_empty());
        assert_eq!(
            storms.second(&[demand(1, 499)], false),
            [Verdict::Restore(1)]
        );
        assert_eq!(storms.second(&[demand(1, 1000)], false), [Verdict::Cut(1)]);
        assert_eq!(storms.second(&[], false), [Verdict::Restore(1)]);
    }

    #[test]
    fn many_below_the_bound_are_cut_when_the_ring_overflows() {
        let mut storms = Storms::new(1000);
        let crowd = [demand(1, 800), demand(2, 800), demand(3, 10)];
        assert!(storms.second(&crowd, false).is_empty());
        assert_eq!(
            storms.second(&crowd, true),
            [Verdict::Cut(1), Verdict::Cut(2)]
        );
    }
}
