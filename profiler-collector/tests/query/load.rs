//! How long answers take over many nodes and a day. Wants a release build, and gigabytes of disk:
//! `cargo test --release -p profiler-collector --test query -- --ignored --nocapture load`

use std::time::{Duration, Instant};

use profiler_collector::{query::QueryService, store::Store as _};
use profiler_proto::v1::{self, GroupBy, query_server::Query as _};
use rustix::time::{ClockId, Timespec, clock_gettime};
use tonic::Request;

use crate::fixture::{Agent, Table, World, at, wall};

const NODES: u8 = 100;
const PROCESSES: u32 = 20;
const STACKS: u32 = 2000;
const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * MINUTE;
const QUESTIONS: usize = 50;
/// The last batch.
const END: u64 = DAY + 50;

/// Rows whose figures are spread over some orders of magnitude; `change` moves a tenth of them.
fn table(node: u64, change: u64) -> Table {
    let mut table = Table::default();
    for process in 1..=PROCESSES {
        table = table.process(process, 1000 + process, "docker-web");
        for stack in 0..STACKS / PROCESSES {
            let stack = process * 1000 + stack;
            let seed = u64::from(stack) * 0x9e37_79b9 + node * 0x85eb_ca6b;
            let moved = if (seed + change).is_multiple_of(10) {
                change
            } else {
                0
            };
            let random = (seed + moved).wrapping_mul(0x5851_f42d_4c95_7f2d);
            let size = random >> (40 + (random & 15));
            table = table.stack(stack, size + moved * 4096, size / 3);
        }
    }
    table
}

/// A whole batch each minute, differences in the first and the last one.
async fn send_a_day(world: &World, number: u8) {
    let node = u64::from(number);
    let mut agent = Agent::new(&format!("node-{number:03}"), number, 1, 0);
    let send = async |write| world.store.write(vec![write]).await.expect("written");
    for second in (0..MINUTE).step_by(10) {
        let change = table(node, second / 10);
        send(agent.write(&change.0, second, second == 0, Vec::new())).await;
    }
    // One for each half of the day.
    let patterns = [7, 8].map(|change| {
        let table = table(node, change);
        agent.write(&table.0, MINUTE, true, Vec::new())
    });
    let minutes: Vec<u64> = (1..24 * 60).collect();
    for some in minutes.chunks(60) {
        let writes = some.iter().map(|minute| {
            let mut write = patterns[usize::from(*minute > 12 * 60)].clone();
            let batch = write.batch.as_mut().expect("a batch");
            let later = (minute - 1) * MINUTE;
            batch.sequence = minute * 6 + 1;
            batch.time = at(MINUTE + later);
            batch.boot_nanoseconds += later * 1_000_000_000;
            if *minute > 1 {
                (write.frames, write.stacks, write.numbers) = Default::default();
            }
            write
        });
        let writes = writes.collect();
        world.store.write(writes).await.expect("written");
    }
    for second in (DAY..=END).step_by(10) {
        let change = table(node, 10 + (second - DAY) / 10);
        let mut write = agent.write(&change.0, second, second == DAY, Vec::new());
        let batch = write.batch.as_mut().expect("a batch");
        batch.sequence = (second - DAY) / 10 + DAY / 10 + 1;
        send(write).await;
    }
}

/// The median and the largest but one in a hundred.
fn quantiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let place = |share: f64| (times.len() as f64 * share).ceil() as usize - 1;
    format!(
        "p50 {:.1?}, p99 {:.1?} of {}",
        times[place(0.5)],
        times[place(0.99)],
        times.len()
    )
}

async fn ask(service: &QueryService, request: v1::TopRequest) -> Duration {
    let by_container = request.by() == GroupBy::Container;
    let start = Instant::now();
    let answer = service.top(Request::new(request)).await.expect("an answer");
    let took = start.elapsed();
    let rows = answer.into_inner().rows;
    if !by_container {
        assert_eq!(rows.len(), 50);
        assert!(rows.iter().all(|row| !row.frames.is_empty()));
    }
    took
}

async fn measure(what: &str, service: &QueryService, request: impl Fn(u64) -> v1::TopRequest) {
    let mut times = Vec::new();
    let before = clock_gettime(ClockId::ProcessCPUTime);
    for question in 0..QUESTIONS as u64 {
        times.push(ask(service, request(question)).await);
    }
    let after = clock_gettime(ClockId::ProcessCPUTime);
    let milliseconds = |time: Timespec| time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6;
    // What does not depend on who else uses the machine.
    let cost = (milliseconds(after) - milliseconds(before)) / QUESTIONS as f64;
    let first = times[0];
    let quantiles = quantiles(times);
    println!("{what}: first {first:.1?}, {quantiles}, {cost:.0} ms of CPU time each");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes gigabytes and measures: wants a release build"]
async fn load_of_a_hundred_nodes_and_a_day() {
    let world = World::new();
    let start = Instant::now();
    for number in 1..=NODES {
        send_a_day(&world, number).await;
    }
    let status = world.store.status().await.expect("a status");
    println!(
        "{} batches of {} runs in {} MB, written in {:.0?}",
        status.batches,
        status.runs,
        status.bytes >> 20,
        start.elapsed()
    );
    assert_eq!(status.newest, Some(wall(END)));
    let top = |by: GroupBy| v1::TopRequest {
        by: by.into(),
        ..v1::TopRequest::default()
    };
    let since = |by| v1::TopRequest {
        since: at(50),
        ..top(by)
    };
    let service = world.service(END + 5);
    measure("now", &service, |_| top(GroupBy::Stack)).await;
    measure("since 24 h ago", &service, |_| since(GroupBy::Stack)).await;
    measure("by container since 24 h ago", &service, |_| {
        since(GroupBy::Container)
    })
    .await;
    measure("at 50 other times", &service, |question| v1::TopRequest {
        at: at(600 + question * 1600),
        ..top(GroupBy::Stack)
    })
    .await;
    measure("between 50 other times", &service, |question| {
        v1::TopRequest {
            since: at(300 + question * 700),
            at: at(DAY / 2 + MINUTE + question * 800),
            ..top(GroupBy::Stack)
        }
    })
    .await;
    measure("by function", &service, |_| top(GroupBy::Function)).await;
}
