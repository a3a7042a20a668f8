//! Requests that make no sense are refused with the code that says why.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use libtest_mimic::Trial;
use pbjson_types::Timestamp;
use profiler_proto::v1::{DiffRequest, Selector, TopRequest};
use profiler_tests::{
    Agent, Outcome, Verdict,
    client::{Answer, now},
    fixture::Fixture,
    surroundings::eventually,
    trial,
};
use tonic::Code;

pub(crate) fn trials() -> Vec<Trial> {
    let limit = Duration::from_secs(60);
    vec![
        trial("requests::top", limit, top),
        trial("requests::diff", limit, diff),
        trial("requests::ranges", limit, ranges),
    ]
}

fn at(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanos: 0 }
}

fn refused<T>(what: &str, answer: Answer<T>, codes: &[Code]) -> Result<()> {
    match answer {
        Ok(_) => bail!("{what}: was answered"),
        Err(status) => {
            ensure!(
                codes.contains(&status.code()),
                "{what}: refused with {status:?}, not {codes:?}"
            );
            ensure!(
                !status.message().is_empty(),
                "{what}: refused without a word"
            );
            Ok(())
        }
    }
}

const INVALID: &[Code] = &[Code::InvalidArgument];
const NOT_KEPT: &[Code] = &[Code::OutOfRange];
const EITHER: &[Code] = &[Code::InvalidArgument, Code::OutOfRange];

fn top() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let mut ask = |what: &str, change: &dyn Fn(&mut TopRequest), codes: &[Code]| {
        let mut request = TopRequest::default();
        change(&mut request);
        refused(what, client.top(request), codes)
    };
    ask("limit", &|top| top.limit = 10_001, INVALID)?;
    ask("grouping", &|top| top.by = 99, INVALID)?;
    ask("order", &|top| top.order = -1, INVALID)?;
    ask("the past", &|top| top.at = Some(at(1)), NOT_KEPT)?;
    ask("since the past", &|top| top.since = Some(at(1)), NOT_KEPT)?;
    let nonsense = Timestamp {
        seconds: i64::MAX,
        nanos: -1,
    };
    ask("not a time", &|top| top.at = Some(nonsense), EITHER)?;
    let short = Selector {
        containers: vec!["ab".into()],
        ..Default::default()
    };
    ask(
        "short prefix",
        &|top| top.selector = Some(short.clone()),
        INVALID,
    )?;
    ensure!(client.serving(), "the agent does not serve any more");
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn diff() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    let now = now()?;
    let cases = [
        ("no start", None, None, INVALID),
        ("of the past", Some(at(1)), None, NOT_KEPT),
        ("backwards", Some(now), Some(at(now.seconds - 3600)), EITHER),
    ];
    for (what, from, to, codes) in cases {
        let request = DiffRequest {
            from,
            to,
            ..Default::default()
        };
        refused(what, client.diff(request), codes)?;
    }
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn ranges() -> Outcome {
    let agent = Agent::start(&[])?;
    let mut client = agent.client()?;
    refused(
        "no process",
        client.ranges(0),
        &[Code::NotFound, Code::InvalidArgument],
    )?;
    refused(
        "no such process",
        client.ranges(u32::MAX),
        &[Code::NotFound, Code::InvalidArgument],
    )?;
    let mut gone = Fixture::start("sleeper", &[])?;
    gone.report()?;
    let pid = gone.pid();
    gone.finish()?;
    eventually(Duration::from_secs(5), || {
        refused(
            "process that is gone",
            client.ranges(pid),
            &[Code::NotFound],
        )
    })?;
    agent.stop()?;
    Ok(Verdict::Passed)
}
