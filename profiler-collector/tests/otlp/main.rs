//! Export over OTLP, from a store to receivers: one in Python made from the published proto, which
//! looks at every byte, and one that fails in all the ways that receivers do.

#[expect(dead_code, reason = "shared with the tests of ClickHouse")]
#[path = "../clickhouse/child.rs"]
mod child;
mod failing;
#[expect(dead_code, reason = "shared with the tests of questions")]
#[path = "../query/fixture.rs"]
mod fixture;
mod python;
mod receiver;
mod sending;
#[path = "../clickhouse/trial.rs"]
mod trial;

use libtest_mimic::{Arguments, run};

fn main() {
    let arguments = Arguments::from_args();
    let trials = [failing::trials(), sending::trials(), python::trials()];
    run(&arguments, trials.into_iter().flatten().collect()).exit();
}
