//! Growth by connection: sockets and their lives, the join, what becomes of the memory.

mod churn;
mod join;
mod lives;
mod node;
mod owners;
mod patterns;

use std::time::Duration;

use libtest_mimic::Trial;
use profiler_tests::{Outcome, skip, surroundings};

pub(crate) fn trials() -> Vec<Trial> {
    [
        lives::trials(),
        owners::trials(),
        join::trials(),
        node::trials(),
        churn::trials(),
        patterns::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A test with a time limit that needs the hooks on sockets.
fn trial(name: &str, limit: Duration, body: impl FnOnce() -> Outcome + Send + 'static) -> Trial {
    profiler_tests::trial(name, limit, || {
        if surroundings::plan() == "tracepoint" {
            return skip("sockets are not followed under this plan");
        }
        body()
    })
}
