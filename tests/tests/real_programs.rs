//! Real programs: the ledger within 1% of smaps, whether they started under observation or before.

use std::time::Duration;

use libtest_mimic::Trial;
use profiler_tests::{Agent, Outcome, Verdict, compare, skip, trial, workload::Kind};

const KINDS: [Kind; 4] = [Kind::Node, Kind::Python, Kind::Redis, Kind::Java];

pub(crate) fn trials() -> Vec<Trial> {
    let limit = Duration::from_secs(100);
    KINDS
        .into_iter()
        .flat_map(|kind| {
            let name = kind.program();
            [
                trial(
                    &format!("real_programs::{name}_started_under_observation"),
                    limit,
                    move || observed(kind),
                ),
                trial(
                    &format!("real_programs::{name}_there_before"),
                    limit,
                    move || there_before(kind),
                ),
            ]
        })
        .collect()
}

/// Runtimes go on with small things at rest.
const REST: Duration = Duration::from_secs(5);

fn observed(kind: Kind) -> Outcome {
    let agent = Agent::start(&[])?;
    let Some(workload) = kind.start()? else {
        return not_installed(agent, kind);
    };
    compare::await_within(&mut agent.client()?, workload.pid(), REST)?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn there_before(kind: Kind) -> Outcome {
    let Some(workload) = kind.start()? else {
        return skip(format!("{} is not installed", kind.program()));
    };
    let agent = Agent::start(&[])?;
    compare::await_within(&mut agent.client()?, workload.pid(), REST)?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn not_installed(agent: Agent, kind: Kind) -> Outcome {
    agent.stop()?;
    skip(format!("{} is not installed", kind.program()))
}
