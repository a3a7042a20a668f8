//! The two clients: ours, with every verb, and one that shares no code with it.

use std::{fs, io::Read as _, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use flate2::read::GzDecoder;
use libtest_mimic::Trial;
use profiler_proto::pprof::Profile;
use profiler_tests::{
    Agent, Outcome, Verdict,
    command::{Finished, profiler, profiler_json},
    python,
    service::{KEEPING, Service, near, row_of},
    skip,
    surroundings::{self, Scratch, eventually},
    trial,
};
use prost::Message as _;
use serde_json::Value;

pub(crate) fn trials() -> Vec<Trial> {
    let limit = Duration::from_secs(60);
    vec![
        trial("clients::ours_has_every_verb", limit, every_verb),
        trial("clients::flame_graph", limit, flame_graph),
        trial("clients::pprof", limit, pprof),
        trial(
            "clients::python_gets_the_same_answer",
            Duration::from_secs(300),
            python_gets_the_same_answer,
        ),
    ]
}

/// A service that rests, and an agent that has seen all of its requests.
fn served() -> Result<(Agent, Service)> {
    let agent = Agent::start(&[])?;
    let mut service = Service::start()?;
    service.serve(50)?;
    let mut client = agent.client()?;
    eventually(Duration::from_secs(3), || {
        let rows = client.stacks(service.pid())?;
        let live = row_of(&rows, &KEEPING)?.committed_live_bytes;
        ensure!(
            near(live, service.kept),
            "{live} bytes of {} live",
            service.kept
        );
        Ok(())
    })?;
    Ok((agent, service))
}

/// Runs a verb on the service's process.
fn ask(agent: &Agent, service: &Service, verb: &str) -> Result<String> {
    let pid = service.pid().to_string();
    let arguments: Vec<&str> = verb.split(' ').chain(["--pid", &pid]).collect();
    profiler(agent, &arguments)?
        .succeeded()
        .with_context(|| format!("profiler {}", arguments.join(" ")))
}

fn every_verb() -> Outcome {
    let (agent, service) = served()?;
    let cases = [
        ("targets", "leak"),
        ("top", "session_cache_insert"),
        ("top --by function", "handle_request"),
        ("top --by process", "leak"),
        ("top --by container", ""),
        (
            "top --format folded",
            "main;handle_request;session_cache_insert",
        ),
        ("ranges", ""),
        ("watch --count 2 --interval 1s --plain", "leak"),
    ];
    for (verb, word) in cases {
        let output = ask(&agent, &service, verb)?;
        ensure!(
            !output.is_empty() && output.contains(word),
            "profiler {verb} does not say {word:?}:\n{output}"
        );
    }
    let status = profiler(&agent, &["status"])?.succeeded()?;
    ensure!(
        status.contains("commit") && status.contains("observes"),
        "profiler status:\n{status}"
    );
    let status = profiler_json(&agent, &["status"])?;
    ensure!(
        status["agentPid"].as_u64() == Some(u64::from(agent.pid())),
        "not the JSON mapping: {status}"
    );
    service.finish()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn flame_graph() -> Outcome {
    let (agent, service) = served()?;
    let scratch = Scratch::new()?;
    let graph = scratch.path().join("graph.svg");
    ask(&agent, &service, &format!("flame -o {}", graph.display()))?;
    let svg = fs::read_to_string(&graph)?;
    ensure!(
        svg.contains("<svg") && svg.contains("session_cache_insert"),
        "no flame graph in {} bytes",
        svg.len()
    );
    service.finish()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn pprof() -> Outcome {
    let (agent, service) = served()?;
    let scratch = Scratch::new()?;
    let profile = scratch.path().join("profile.pb.gz");
    ask(
        &agent,
        &service,
        &format!("export --format pprof -o {}", profile.display()),
    )?;
    check_profile(&fs::read(&profile)?, service.kept)?;
    service.finish()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn check_profile(compressed: &[u8], kept: u64) -> Result<()> {
    let mut bytes = Vec::new();
    GzDecoder::new(compressed)
        .read_to_end(&mut bytes)
        .context("not gzip")?;
    let profile = Profile::decode(bytes.as_slice()).context("not pprof")?;
    let text = |index: i64| {
        usize::try_from(index)
            .ok()
            .and_then(|index| profile.string_table.get(index))
            .map_or("", String::as_str)
    };
    let live = profile
        .sample_type
        .iter()
        .position(|kind| text(kind.r#type) == "committed_live" && text(kind.unit) == "bytes")
        .context("no sample type committed_live/bytes")?;
    let sum: i64 = profile
        .sample
        .iter()
        .filter_map(|sample| sample.value.get(live))
        .sum();
    ensure!(
        u64::try_from(sum).is_ok_and(|sum| near(sum, kept)),
        "{sum} bytes in the profile of {kept}"
    );
    ensure!(
        profile
            .function
            .iter()
            .any(|function| text(function.name) == "session_cache_insert"),
        "the function is not named"
    );
    ensure!(
        profile
            .mapping
            .iter()
            .any(|mapping| text(mapping.filename).ends_with("leak")),
        "the module is not named"
    );
    Ok(())
}

/// Rows as a set, without what changes by the second.
pub(crate) fn comparable(answer: &Value) -> Result<Vec<String>> {
    let rows = answer["rows"]
        .as_array()
        .with_context(|| format!("no rows in {answer}"))?;
    let mut texts: Vec<String> = rows
        .iter()
        .cloned()
        .map(|mut row| {
            if let Some(fields) = row.as_object_mut() {
                fields.remove("oldestLiveAgeSeconds");
                fields.remove("newestLiveAgeSeconds");
            }
            row.to_string()
        })
        .collect();
    texts.sort_unstable();
    Ok(texts)
}

fn python_gets_the_same_answer() -> Outcome {
    let Some(protos) = surroundings::proto() else {
        return skip("the .proto files are not here");
    };
    let interpreter = match python::with_grpc()? {
        Ok(interpreter) => interpreter,
        Err(reason) => return skip(reason),
    };
    let (agent, service) = served()?;
    let scratch = Scratch::new()?;
    let pid = service.pid();
    let script = scratch.path().join("query_client.py");
    fs::write(&script, include_str!("../fixtures/query_client.py"))?;
    let ours = profiler_json(
        &agent,
        &["top", "--pid", &pid.to_string(), "--limit", "1000"],
    )?;
    for target in [
        format!("127.0.0.1:{}", agent.address().port),
        format!("unix:{}", agent.address().socket().display()),
    ] {
        let mut command = Command::new(&interpreter);
        command
            .arg(&script)
            .arg(&protos)
            .arg(scratch.path())
            .arg(&target)
            .arg(pid.to_string());
        let output = Finished::run(command, Duration::from_secs(60))?
            .succeeded()
            .with_context(|| format!("the Python client at {target}"))?;
        let theirs: Value = serde_json::from_str(&output)?;
        ensure!(
            theirs["health"] == "SERVING",
            "health: {}",
            theirs["health"]
        );
        let services = theirs["services"].as_array().context("no services")?;
        for service in ["profiler.v1.Query", "grpc.health.v1.Health"] {
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
        let (ours, theirs) = (comparable(&ours)?, comparable(&theirs["top"])?);
        ensure!(
            !ours.is_empty() && ours == theirs,
            "through {target} ours:\n{}\ntheirs:\n{}",
            ours.join("\n"),
            theirs.join("\n")
        );
    }
    service.finish()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}
