//! The engine for ClickHouse: its SQL on ClickHouse of today, its client on a real, old server.
//! docs/clickhouse.md says what that shows and what it does not.

mod chdb;
mod child;
mod client;
mod definitions;
mod old_server;
mod retention;
mod store;
mod trial;

use libtest_mimic::{Arguments, run};

fn main() {
    let arguments = Arguments::from_args();
    let trials = [
        client::trials(),
        store::trials(),
        retention::trials(),
        definitions::trials(),
    ];
    run(&arguments, trials.into_iter().flatten().collect()).exit();
}
