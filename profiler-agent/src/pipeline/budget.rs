//! Keeps captures within a budget by raising the mean interval of those processes that use most
//! of it. By process, so that one that demands without end does not blur the stacks of another.

use std::collections::HashMap;

use profiler_common::sampling::INTERVAL_MAX;

/// A process's new mean interval in bytes between captures; `None` goes back to the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adjusted {
    /// The process.
    pub pid: u32,
    /// Its interval.
    pub interval: Option<u64>,
}

/// What has to change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adjustments {
    /// A new default interval, in bytes.
    pub default: Option<u64>,
    /// Of single processes.
    pub processes: Vec<Adjusted>,
}

/// Mean intervals that differ from the default.
#[derive(Debug)]
pub struct CaptureBudget {
    /// As configured.
    configured: u64,
    /// In force for processes that are not raised: above `configured` while a crowd of short-lived
    /// processes uses up the budget.
    default_interval: u64,
    per_window: u64,
    raised: HashMap<u32, u64>,
}

impl CaptureBudget {
    /// At most `per_window` captures over all processes in the time between two looks, in the long
    /// run.
    pub fn new(default_interval: u64, per_window: u64) -> Self {
        let configured = default_interval.max(1);
        Self {
            configured,
            default_interval: configured,
            per_window: per_window.max(1),
            raised: HashMap::new(),
        }
    }

    /// Processes whose interval is above the default.
    pub fn raised(&self) -> usize {
        self.raised.len()
    }

    /// The default interval in force.
    pub fn default_interval(&self) -> u64 {
        self.default_interval
    }

    /// The interval of a process.
    pub fn interval(&self, pid: u32) -> u64 {
        let raised = self.raised.get(&pid).copied();
        raised.unwrap_or(self.default_interval)
    }

    /// Forgets a process that has ended.
    pub fn forget(&mut self, pid: u32) {
        self.raised.remove(&pid);
    }

    /// Takes the captures since the last look by process; gives what has to change. Processes that
    /// have ended meanwhile cannot be slowed down one by one: their successors are, by the default.
    pub fn window(
        &mut self,
        captures: &HashMap<u32, u64>,
        lives: impl Fn(u32) -> bool,
    ) -> Adjustments {
        let mut adjustments = Adjustments::default();
        let (mut alive, mut ended) = (Vec::new(), 0);
        for (&pid, &count) in captures {
            if lives(pid) {
                alive.push((pid, count));
            } else {
                ended += count;
            }
        }
        if ended > self.per_window {
            let factor = ended.div_ceil(self.per_window).next_power_of_two();
            self.default_interval = self
                .default_interval
                .saturating_mul(factor)
                .min(INTERVAL_MAX);
            adjustments.default = Some(self.default_interval);
        }
        let left = self
            .per_window
            .saturating_sub(ended)
            .max(self.per_window / 2);
        let share = fair_share(alive.iter().map(|(_, count)| *count), left);
        if let Some(share) = share.map(|share| share.max(1)) {
            for &(pid, count) in alive.iter().filter(|(_, count)| *count > share) {
                let factor = count.div_ceil(share).next_power_of_two();
                let raised = self.interval(pid).saturating_mul(factor).min(INTERVAL_MAX);
                self.raised.insert(pid, raised);
                adjustments.processes.push(Adjusted {
                    pid,
                    interval: Some(raised),
                });
            }
        } else if captures.values().sum::<u64>() <= self.per_window / 4 {
            self.relax(&mut adjustments);
        }
        adjustments
    }

    /// There is room: intervals go back, step by step.
    fn relax(&mut self, adjustments: &mut Adjustments) {
        if self.default_interval > self.configured {
            self.default_interval = (self.default_interval / 2).max(self.configured);
            adjustments.default = Some(self.default_interval);
        }
        let default = self.default_interval;
        self.raised.retain(|&pid, interval| {
            *interval /= 2;
            let stays = *interval > default;
            let interval = stays.then_some(*interval);
            adjustments.processes.push(Adjusted { pid, interval });
            stays
        });
    }
}

/// The most captures a process may make so that all fit into `budget`; `None` when they do.
pub(super) fn fair_share(counts: impl Iterator<Item = u64>, budget: u64) -> Option<u64> {
    let mut counts: Vec<u64> = counts.collect();
    counts.sort_unstable();
    let mut left = budget;
    for (place, &count) in counts.iter().enumerate() {
        let others = (counts.len() - place) as u64;
        if count > left / others {
            return Some(left / others);
        }
        left -= count;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(_: u32) -> bool {
        true
    }

    #[test]
    fn within_the_budget_nothing_changes() {
        let mut budget = CaptureBudget::new(65_536, 500);
        let adjusted = budget.window(&HashMap::from([(1, 200), (2, 300)]), all);
        assert_eq!(adjusted, Adjustments::default());
    }

    #[test]
    fn only_those_above_their_share_are_raised() {
        let mut budget = CaptureBudget::new(65_536, 500);
        let adjusted = budget.window(&HashMap::from([(1, 100), (2, 4000)]), all);
        let expected = Adjusted {
            pid: 2,
            interval: Some(65_536 * 16),
        };
        assert_eq!(adjusted.processes, [expected]);
        assert_eq!(adjusted.default, None);
        assert_eq!(budget.interval(1), 65_536);
    }

    #[test]
    fn a_calm_process_goes_back_to_the_default() {
        let mut budget = CaptureBudget::new(65_536, 500);
        let _ = budget.window(&HashMap::from([(2, 2000)]), all);
        assert_eq!(budget.interval(2), 65_536 * 4);
        let _ = budget.window(&HashMap::from([(2, 1)]), all);
        let back = budget.window(&HashMap::new(), all);
        let expected = Adjusted {
            pid: 2,
            interval: None,
        };
        assert_eq!(back.processes, [expected]);
        assert_eq!(budget.raised(), 0);
    }

    #[test]
    fn a_crowd_of_ended_processes_raises_the_default() {
        let mut budget = CaptureBudget::new(65_536, 500);
        let crowd: HashMap<u32, u64> = (0..1000).map(|pid| (pid, 2)).collect();
        let adjusted = budget.window(&crowd, |_| false);
        assert_eq!(adjusted.default, Some(65_536 * 4));
        assert!(adjusted.processes.is_empty());
        assert_eq!(budget.raised(), 0);
        let calm = budget.window(&HashMap::new(), all);
        assert_eq!(calm.default, Some(65_536 * 2));
        let _ = budget.window(&HashMap::new(), all);
        assert_eq!(budget.window(&HashMap::new(), all).default, None);
    }

    #[test]
    fn the_interval_is_bounded() {
        let mut budget = CaptureBudget::new(65_536, 1);
        for _ in 0..100 {
            let _ = budget.window(&HashMap::from([(2, u64::MAX / 4)]), all);
        }
        assert_eq!(budget.interval(2), INTERVAL_MAX);
    }
}
