//! Measurements. They print and claim little: `cargo test -p profiler-collector --release --
//! --ignored --nocapture figures`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::Place;
use crate::store::{
    RunId, Store as _, WallTime, Write,
    conformance::fixtures::{EVERYTHING, at, batch, stack},
};

/// A run of many.
fn run(number: u64) -> RunId {
    let mut id = [9; 16];
    id[..8].copy_from_slice(&number.to_le_bytes());
    RunId(id)
}

/// A batch of the size that a node with 2,000 stacks makes: 20 KiB, and 4 KiB for a difference.
fn usual(number: u64, sequence: u64) -> Write {
    let whole = sequence % 6 == 1;
    let time = at(10 * sequence.cast_signed());
    let mut write = batch(run(number), sequence, time, whole);
    let mut state = number << 32 | sequence;
    let noise = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as u8
    });
    let size = if whole { 20 << 10 } else { 4 << 10 };
    write.batch.as_mut().expect("a batch").parts[1].data = noise.take(size).collect();
    write
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn states_of_100_runs() {
    let place = Place::new();
    for sequence in 1..=360 {
        let writes = (0..100).map(|number| usual(number, sequence));
        place
            .store
            .write(writes.collect())
            .await
            .expect("it is written");
    }
    let runs: Vec<_> = (0..100).map(run).collect();
    let mut times = Vec::new();
    for minute in 1..=50 {
        let moment = WallTime(at(60 * minute).0);
        let begun = Instant::now();
        let states = place.store.states(&runs, moment, at(0), &EVERYTHING);
        let states = states.await.expect("states");
        times.push(begun.elapsed());
        assert!(
            states.iter().all(|state| state.len() == 6),
            "a whole one and 5 differences"
        );
    }
    times.sort_unstable();
    println!(
        "states of 100 runs, 6 batches each: median {:?}, at most {:?}",
        times[25], times[49]
    );
    let begun = Instant::now();
    let runs = place.store.runs().await.expect("runs").len();
    println!("runs: {runs} in {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn writing_with_many_agents() {
    for agents in [1, 10, 50, 200] {
        let place = Place::new();
        let store = Arc::new(place.store);
        let begun = Instant::now();
        let agents: Vec<_> = (0..agents)
            .map(|agent| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    let mut sequence = 0;
                    while begun.elapsed() < Duration::from_secs(5) {
                        sequence += 1;
                        store
                            .write(vec![usual(agent, sequence)])
                            .await
                            .expect("it is written");
                    }
                    sequence
                })
            })
            .collect();
        let (count, mut batches) = (agents.len(), 0);
        for agent in agents {
            batches += agent.await.expect("an agent");
        }
        let seconds = begun.elapsed().as_secs_f64();
        let bytes = store.status().await.expect("status").bytes;
        println!(
            "{count} agents: {:.0} batches/s, {} bytes each on disk",
            batches as f64 / seconds,
            bytes / batches,
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn definitions_of_many_stacks() {
    let place = Place::new();
    let begun = Instant::now();
    for hundred in 0..100 {
        let writes = (1..=100).map(|place| stack(run(1), hundred * 100 + place, 30));
        place
            .store
            .write(writes.collect())
            .await
            .expect("it is written");
    }
    let written = begun.elapsed();
    let numbers: Vec<u64> = (1..=2000).collect();
    let begun = Instant::now();
    let stacks = place
        .store
        .numbers(run(1), &numbers)
        .await
        .expect("numbers");
    let known = begun.elapsed();
    let begun = Instant::now();
    let stacks: Vec<_> = stacks.into_iter().map(|(_, stack)| stack).collect();
    let stacks = place.store.stacks(&stacks).await.expect("stacks");
    println!(
        "10,000 stacks of 30 new frames written in {written:?}; {} numbers in {known:?}, their \
         stacks in {:?}",
        stacks.len(),
        begun.elapsed(),
    );
    let bytes = place.store.status().await.expect("status").bytes;
    println!("{} bytes a stack with its frames", bytes / 10_000);
}
