//! Integration tests on the running kernel, as root, one after the other; one module for each
//! capability. `profiler_tests::surroundings` says how they find what they need.

mod bad_input;
mod clients;
mod collector;
mod connections;
mod filters;
mod ledger;
mod lifecycle;
mod load;
mod oom;
mod query;
mod real_programs;
mod requests;
mod shutdown;
mod stacks;
mod touch;
mod verdict;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each test has the machine to itself: loads would disturb each other.
    arguments.test_threads = Some(1);
    let trials = [
        ledger::trials(),
        lifecycle::trials(),
        stacks::trials(),
        touch::trials(),
        filters::trials(),
        query::trials(),
        requests::trials(),
        clients::trials(),
        bad_input::trials(),
        shutdown::trials(),
        real_programs::trials(),
        load::trials(),
        oom::trials(),
        connections::trials(),
        collector::trials(),
        verdict::trials(),
    ]
    .into_iter()
    .flatten()
    .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
