//! The collector answers a client that shares no code with ours, as the agent does.

use std::{fs, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use profiler_tests::{
    Collector, Outcome, Verdict,
    agent::Address,
    command::{Finished, profiler_at},
    python,
    service::Service,
    skip,
    surroundings::{self, Scratch, eventually},
};
use serde_json::Value;

use super::{agent, trial};
use crate::clients::comparable;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial(
        "collector::python_gets_the_same_answer",
        Duration::from_secs(400),
        python_gets_the_same_answer,
    )]
}

fn python_gets_the_same_answer() -> Outcome {
    let Some(protos) = surroundings::proto() else {
        return skip("the .proto files are not here");
    };
    let interpreter = match python::with_grpc()? {
        Ok(interpreter) => interpreter,
        Err(reason) => return skip(reason),
    };
    let collector = Collector::start(&[])?;
    let agent = agent(Address::new()?, &collector.place().url(), &[])?;
    let mut service = Service::start()?;
    service.serve(50)?;
    let pid = service.pid().to_string();
    let ours = eventually(Duration::from_secs(30), || settled(&collector, &service))?;

    let scratch = Scratch::new()?;
    let script = scratch.path().join("query_client.py");
    fs::write(&script, include_str!("../../fixtures/query_client.py"))?;
    let mut command = Command::new(&interpreter);
    command
        .args([&script, &protos, scratch.path()])
        .args([format!("127.0.0.1:{}", collector.place().port), pid]);
    let output = Finished::run(command, Duration::from_secs(60))?
        .succeeded()
        .context("the Python client")?;
    let theirs: Value = serde_json::from_str(&output)?;
    check_services(&theirs)?;
    let (ours, theirs) = (comparable(&ours)?, comparable(&theirs["top"])?);
    ensure!(
        ours == theirs,
        "ours:\n{}\ntheirs:\n{}",
        ours.join("\n"),
        theirs.join("\n")
    );
    service.finish()?;
    agent.stop()?;
    collector.stop()?;
    Ok(Verdict::Passed)
}

/// What our client prints, once all that the service did is known.
fn settled(collector: &Collector, service: &Service) -> Result<Value> {
    let pid = service.pid().to_string();
    let arguments = ["top", "--pid", &pid, "--limit", "1000", "--format", "json"];
    let output = profiler_at(&collector.place().url(), &arguments)?.succeeded()?;
    let answer: Value = serde_json::from_str(&output)?;
    // 64-bit numbers are text in JSON.
    let live = answer["rows"][0]["committedLiveBytes"].as_str();
    let live: u64 = live.context("no rows yet")?.parse()?;
    ensure!(
        live >= service.kept,
        "{live} bytes of {} live",
        service.kept
    );
    Ok(answer)
}

fn check_services(theirs: &Value) -> Result<()> {
    ensure!(
        theirs["health"] == "SERVING",
        "health: {}",
        theirs["health"]
    );
    let services = theirs["services"].as_array().context("no services")?;
    for service in [
        "profiler.v1.Query",
        "profiler.v1.Ingest",
        "grpc.health.v1.Health",
    ] {
        ensure!(
            services.iter().any(|name| name == service),
            "{service} is not among {services:?}"
        );
    }
    ensure!(
        theirs["methods"] == theirs["own_methods"],
        "reflection says {}",
        theirs["methods"]
    );
    Ok(())
}
