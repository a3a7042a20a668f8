//! Which run of each agent stands for its node at a moment.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::store::{Retention, Run, RunFacts, WallTime};

const MINUTE: Duration = Duration::from_secs(60);

/// What is known of nodes at a moment before anything is read of them.
#[derive(Debug, Default)]
pub(crate) struct Chosen<'a> {
    /// The last run of each agent that had begun, if it may not have been silent by then. In the
    /// order of (node, agent).
    pub(crate) runs: Vec<&'a Run>,
    /// Nodes with runs that had begun, of which none is chosen.
    pub(crate) silent: BTreeSet<&'a str>,
}

/// Chooses from `runs`.
pub(crate) fn choose<'a>(
    runs: &'a [Run],
    at: WallTime,
    patience: impl Fn(&Run) -> Duration,
) -> Chosen<'a> {
    let mut agents: BTreeMap<(&str, &[u8]), &Run> = BTreeMap::new();
    let begun = runs.iter().filter(|run| run.first <= at);
    for run in begun {
        let agent = (run.facts.node.as_str(), run.facts.agent_id.as_slice());
        let last = agents.entry(agent).or_insert(run);
        if run.first > last.first {
            *last = run;
        }
    }
    let nodes: BTreeSet<&str> = agents.keys().map(|(node, _)| *node).collect();
    let heard = agents
        .into_values()
        .filter(|run| run.last >= before(at, patience(run)));
    let heard = one_of_each_host(heard);
    let heard_of: BTreeSet<&str> = heard.iter().map(|run| run.facts.node.as_str()).collect();
    Chosen {
        silent: nodes.difference(&heard_of).copied().collect(),
        runs: heard,
    }
}

/// An agent that lost its id is another one on the same boot of the same node, which must not count
/// twice: the run that began last stands for it. Runs come in the order of nodes.
fn one_of_each_host<'a>(runs: impl Iterator<Item = &'a Run>) -> Vec<&'a Run> {
    let mut kept: Vec<&Run> = Vec::new();
    for run in runs {
        let mut of_node = kept.iter_mut().rev();
        let of_node = of_node
            .by_ref()
            .take_while(|other| other.facts.node == run.facts.node);
        let mut same = of_node.filter(|other| same_host(&other.facts, &run.facts));
        match same.next() {
            Some(other) if run.first > other.first => *other = run,
            Some(_) => {}
            None => kept.push(run),
        }
    }
    kept
}

/// Whether two runs watched the same boot of a node.
pub(crate) fn same_host(one: &RunFacts, other: &RunFacts) -> bool {
    !one.boot_id.is_empty() && one.node == other.node && one.boot_id == other.boot_id
}

/// How old the last batch of a run may be at a moment: what its interval makes of it and, where
/// batches are thinned out, what may be missing of them.
pub(crate) fn patience(run: &Run, at: WallTime, now: WallTime, retention: &Retention) -> Duration {
    let usual = MINUTE.max(run.facts.interval.saturating_mul(3));
    usual.saturating_add(step(before(at, usual), now, retention))
}

/// From one batch to the next that is kept of this time.
fn step(time: WallTime, now: WallTime, retention: &Retention) -> Duration {
    let age = Duration::from_nanos(u64::try_from(now.0.saturating_sub(time.0)).unwrap_or(0));
    match age {
        age if age <= retention.full => Duration::ZERO,
        age if age <= retention.minutes => MINUTE,
        age if age <= retention.quarters => MINUTE * 15,
        _ => MINUTE * 180,
    }
}

/// A moment before another.
pub(crate) fn before(time: WallTime, by: Duration) -> WallTime {
    let by = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
    WallTime(time.0.saturating_sub(by))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{RunFacts, RunId};

    const SECOND: i64 = 1_000_000_000;

    fn run(node: &str, agent: u8, number: u8, first: i64, last: i64) -> Run {
        Run {
            id: RunId([number; 16]),
            facts: RunFacts {
                agent_id: vec![agent; 16],
                node: node.to_owned(),
                interval: Duration::from_secs(10),
                ..RunFacts::default()
            },
            first: WallTime(first * SECOND),
            last: WallTime(last * SECOND),
            batches: 1,
            thinned: 0,
            last_sequence: 1,
        }
    }

    fn chosen(runs: &[Run], at: i64, now: i64) -> (Vec<u8>, Vec<String>) {
        let (at, now) = (WallTime(at * SECOND), WallTime(now * SECOND));
        let retention = Retention::default();
        let chosen = choose(runs, at, |run| patience(run, at, now, &retention));
        let ids = chosen.runs.iter().map(|run| run.id.0[0]);
        let silent = chosen.silent.iter().map(|node| (*node).to_owned());
        (ids.collect(), silent.collect())
    }

    #[test]
    fn the_last_run_that_had_begun_stands_for_its_agent() {
        let runs = [
            run("a", 1, 1, 0, 100),
            run("a", 1, 2, 110, 300),
            run("b", 2, 3, 0, 300),
        ];
        assert_eq!(chosen(&runs, 90, 300), (vec![1, 3], vec![]));
        assert_eq!(chosen(&runs, 105, 300), (vec![1, 3], vec![]));
        assert_eq!(chosen(&runs, 110, 300), (vec![2, 3], vec![]));
    }

    #[test]
    fn a_node_is_silent_after_a_minute_without_batches() {
        let runs = [run("a", 1, 1, 0, 100), run("b", 2, 2, 0, 200)];
        assert_eq!(chosen(&runs, 160, 200), (vec![1, 2], vec![]));
        assert_eq!(chosen(&runs, 161, 200), (vec![2], vec!["a".to_owned()]));
    }

    #[test]
    fn a_node_with_a_new_agent_is_not_silent() {
        let runs = [run("a", 1, 1, 0, 100), run("a", 2, 2, 150, 400)];
        assert_eq!(chosen(&runs, 400, 400), (vec![2], vec![]));
    }

    #[test]
    fn an_agent_that_lost_its_id_counts_once() {
        let mut runs = [run("a", 2, 1, 0, 100), run("a", 1, 2, 90, 300)];
        for run in &mut runs {
            run.facts.boot_id = "boot".to_owned();
        }
        assert_eq!(chosen(&runs, 110, 300), (vec![2], vec![]));
        assert_eq!(chosen(&runs, 80, 300), (vec![1], vec![]));
        runs[1].facts.boot_id = "other".to_owned();
        assert_eq!(chosen(&runs, 110, 300), (vec![2, 1], vec![]));
    }

    #[test]
    fn where_batches_are_thinned_out_the_last_may_be_older() {
        let day = 24 * 3600;
        let runs = [run("a", 1, 1, 0, 1000)];
        assert_eq!(chosen(&runs, 1000 + 900, 2 * day), (vec![1], vec![]));
        let silent = vec!["a".to_owned()];
        assert_eq!(chosen(&runs, 1000 + 900, 1900), (vec![], silent));
    }
}
