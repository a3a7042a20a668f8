//! One simulated agent.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use pbjson_types::Timestamp;
use profiler_proto::v1;
use profiler_query::{
    ids::{BootTime, StackId},
    model::NodeFacts,
};
use profiler_stream::{
    define::Dictionary,
    encode::{Encoder, stack_number},
    sender::{FromSpool, Identity, Plain, Sender, Settings},
    spool::{self, Spool, Writer},
};

use super::Workload;

/// A batch is whole at least each so many.
const WHOLE_EVERY: u32 = 6;
/// How long the host of a simulated agent has been up when it starts.
const UPTIME: Duration = Duration::from_secs(3600);

/// An agent that sees a [`Workload`].
pub struct SimulatedAgent {
    workload: Workload,
    spool: Arc<Spool>,
    writer: Writer,
    encoder: Encoder,
    dictionary: Dictionary,
    sequence: u64,
    since_whole: u32,
    started: Instant,
}

/// The name of the node of a simulated agent, from which its seed can be told.
pub fn name(seed: u64) -> String {
    format!("simulated-{seed}")
}

impl SimulatedAgent {
    /// A new run of the agent whose spool is in `folder`.
    ///
    /// # Errors
    /// The spool cannot be used.
    pub fn start(seed: u64, stacks: u32, folder: &Path, interval: Duration) -> Result<Self> {
        let spool = Spool::open(folder, spool::Settings::default());
        let spool = Arc::new(spool.context("open the spool")?);
        let run = v1::Run {
            run_id: spool::random_id()?.to_vec(),
            agent_id: spool.agent_id().to_vec(),
            node: name(seed),
            boot_id: format!("boot-{seed}"),
            agent_version: "simulated".to_owned(),
            kernel: "simulated".to_owned(),
            started: Some(now()),
            interval_ms: u32::try_from(interval.as_millis()).unwrap_or(u32::MAX),
            ..v1::Run::default()
        };
        let node = NodeFacts {
            name: name(seed),
            ..NodeFacts::default()
        };
        Ok(Self {
            workload: Workload {
                seed,
                node: Arc::new(node),
                stacks,
            },
            writer: spool.writer(&run)?,
            spool,
            encoder: Encoder::new(),
            dictionary: Dictionary::new(),
            sequence: 0,
            since_whole: 0,
            started: Instant::now(),
        })
    }

    /// What sends its spool to a collector; to be run on a tokio runtime.
    pub fn sender(&self, collector: &str) -> Sender<FromSpool> {
        let identity = Identity {
            agent_version: "simulated".to_owned(),
            node: self.workload.node.name.clone(),
            agent_id: self.spool.agent_id(),
        };
        let settings = Settings {
            backoff: (Duration::from_millis(50), Duration::from_secs(2)),
            ..Settings::new(vec![collector.to_owned()])
        };
        Sender::new(
            settings,
            identity,
            Box::new(Plain),
            FromSpool::new(Arc::clone(&self.spool)),
        )
    }

    /// Takes a snapshot and keeps it in the spool; what cannot be kept is counted there.
    pub fn tick(&mut self) {
        let begins = self.writer.begins_file();
        if begins {
            self.dictionary = Dictionary::new();
        }
        let whole = begins || self.since_whole + 1 >= WHOLE_EVERY;
        self.since_whole = if whole { 0 } else { self.since_whole + 1 };
        self.sequence += 1;
        let time = self.started.elapsed() + UPTIME;
        let time = BootTime(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        let snapshot = self.workload.snapshot(self.sequence, time);
        self.define();
        let batch = self.encoder.batch(&snapshot, now(), whole, Vec::new());
        // Counted by the spool, and the next batch begins a file.
        let _ = self.writer.append_batch(&batch);
    }

    fn define(&mut self) {
        for stack in (0..self.workload.stacks).map(StackId) {
            let number = stack_number(stack);
            if !self.dictionary.knows(number) {
                let frames = self.workload.frames(stack);
                assert!(
                    self.dictionary.define(number, &frames, false),
                    "the dictionary holds the workload's stacks"
                );
            }
        }
        while let Some(definitions) = self.dictionary.take() {
            self.writer.append_definitions(definitions);
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.unwrap_or_default();
    Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanos: since.subsec_nanos().try_into().unwrap_or(0),
    }
}
