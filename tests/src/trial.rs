//! A test: it passes, fails, or says why it cannot run here; it never hangs.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::Result;
use libtest_mimic::{Completion, Failed, Trial};

use crate::{program, surroundings::patience};

/// How a test ended that did not fail.
#[derive(Debug)]
pub enum Verdict {
    /// As it should.
    Passed,
    /// It could not run here, for this reason.
    Skipped(String),
}

/// What a test returns.
pub type Outcome = Result<Verdict>;

/// Ends a test that cannot run here.
pub fn skip(reason: impl Into<String>) -> Outcome {
    Ok(Verdict::Skipped(reason.into()))
}

/// A test with a time limit.
pub fn trial(
    name: &str,
    limit: Duration,
    body: impl FnOnce() -> Outcome + Send + 'static,
) -> Trial {
    let label = name.to_owned();
    Trial::ignorable_test(name, move || complete(&label, run(limit, body)))
}

fn complete(name: &str, outcome: Outcome) -> std::result::Result<Completion, Failed> {
    match outcome {
        Ok(Verdict::Passed) => Ok(Completion::Completed),
        Ok(Verdict::Skipped(reason)) => {
            // The harness has begun the line with the test's name.
            println!("\nskipped: {name}: {reason}");
            Ok(Completion::ignored_with(reason))
        }
        Err(error) => Err(format!("{error:#}").into()),
    }
}

fn run(limit: Duration, body: impl FnOnce() -> Outcome + Send + 'static) -> Outcome {
    if !rustix::process::geteuid().is_root() {
        return skip("needs root");
    }
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let outcome = catch_unwind(AssertUnwindSafe(body))
            .unwrap_or_else(|_| Err(anyhow::anyhow!("the test panicked; see above")));
        // Nobody listens after the time limit.
        let _late = sender.send(outcome);
    });
    match receiver.recv_timeout(patience(limit)) {
        Ok(outcome) => outcome,
        Err(RecvTimeoutError::Disconnected) => Err(anyhow::anyhow!("the test left no outcome")),
        Err(RecvTimeoutError::Timeout) => {
            // Its children keep it waiting: without them it comes to its end.
            program::end_all();
            let late = receiver.recv_timeout(Duration::from_secs(20));
            program::end_all();
            match late {
                Ok(Err(error)) => Err(error.context(format!("not done within {limit:?}"))),
                _ => Err(anyhow::anyhow!("not done within {limit:?}")),
            }
        }
    }
}
