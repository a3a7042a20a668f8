//! Agents and collectors together: the real programs, as an operator runs them.

mod certificates;
mod clickhouse;
mod equal;
mod foreign;
mod questions;
mod replay;
mod restarts;
mod same;
mod secure;
mod stored;
mod web;

use std::{path::Path, time::Duration};

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use profiler_tests::{
    Agent, Outcome, agent::Address, skip, surroundings, surroundings::eventually,
};

pub(crate) fn trials() -> Vec<Trial> {
    [
        equal::trials(),
        restarts::trials(),
        secure::trials(),
        foreign::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A test that is skipped where there is no collector, as on a machine that only got an agent.
fn trial(
    name: &'static str,
    limit: Duration,
    body: impl FnOnce() -> Outcome + Send + 'static,
) -> Trial {
    profiler_tests::trial(name, limit, || match surroundings::collector() {
        Ok(_) => body(),
        Err(reason) => skip(format!("{reason:#}")),
    })
}

/// An agent that takes a snapshot each second and sends it to `collector`, whatever that answers.
/// Its spool is in the address's directory.
fn agent(address: Address, collector: &str, others: &[&str]) -> Result<Agent> {
    let spool = spool(&address);
    let spool = spool.display().to_string();
    let streaming = [
        "--snapshot-interval",
        "1s",
        "--collector",
        collector,
        "--spool",
        &spool,
    ];
    Agent::start_at(address, &[&streaming, others].concat())
}

/// Where that agent keeps what no collector has.
fn spool(address: &Address) -> std::path::PathBuf {
    address.directory().join("spool")
}

/// Waits until the agent says so of its stream; returns all that it says.
fn says(agent: &Agent, limit: Duration, words: &[&str]) -> Result<String> {
    let mut client = agent.client()?;
    eventually(limit, || {
        let notes = client.status()?.notes.join("\n");
        for word in words {
            ensure!(
                notes.contains(word),
                "no {word:?} among the notes:\n{notes}"
            );
        }
        Ok(notes)
    })
}

/// For arguments.
fn text(path: &Path) -> String {
    path.display().to_string()
}
