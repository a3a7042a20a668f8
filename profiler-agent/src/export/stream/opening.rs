//! The spool is opened, and with it begin writing and sending.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use pbjson_types::Timestamp;
use profiler_proto::v1;
use profiler_stream::{
    sender::{FromSpool, Identity, Sender, Settings},
    spool::{self, Spool, SpoolError, random_id},
};
use tokio::{runtime::Handle, task::JoinHandle as Task};

use super::{connect::Secured, now::Now, report::Report, writer::Writer};
use crate::{
    config::Collectors,
    export::{Sources, live::Live, node::Node},
};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is needed to open the spool, now or later.
pub(super) struct Opening {
    collectors: Collectors,
    sources: Sources,
    interval: Duration,
    /// When observation began.
    started: Timestamp,
    runtime: Handle,
    report: Arc<Report>,
    sending: Sending,
}

/// The task that sends, once there is one.
#[derive(Clone, Default)]
pub(super) struct Sending(Arc<Mutex<Option<Task<()>>>>);

impl Sending {
    pub(super) fn take(&self) -> Option<Task<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, task: Task<()>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }
}

impl Opening {
    /// Needs a tokio runtime.
    pub(super) fn new(
        collectors: &Collectors,
        sources: &Sources,
        interval: Duration,
        report: Arc<Report>,
        sending: Sending,
    ) -> Self {
        let clocks = sources.clock.read();
        Self {
            collectors: collectors.clone(),
            sources: sources.clone(),
            interval,
            started: clocks.to_wall(clocks.now),
            runtime: Handle::current(),
            report,
            sending,
        }
    }

    /// Opens the spool, and begins to send what is in it.
    pub(super) fn open(&self) -> Result<Writer, SpoolError> {
        let settings = spool::Settings {
            bytes_max: self.collectors.spool_bytes,
            age_max: self.collectors.spool_age,
            ..spool::Settings::default()
        };
        let spool = Arc::new(Spool::open(&self.collectors.spool, settings)?);
        let node = Node::read(Some(&self.sources.node.name));
        let writer = spool.writer(&self.run(&spool, &node)?)?;
        let sender = self.sender(&spool);
        self.report.opened(sender.watch(), spool);
        self.sending.set(self.runtime.spawn(sender.run()));
        let names = Arc::clone(&self.sources.names);
        let report = Arc::clone(&self.report);
        Ok(Writer::new(
            writer,
            names,
            self.now(node),
            report,
            self.interval,
        ))
    }

    fn sender(&self, spool: &Arc<Spool>) -> Sender<FromSpool> {
        let endpoints = self.collectors.endpoints.iter();
        let endpoints = endpoints.map(|endpoint| endpoint.url.clone());
        Sender::new(
            Settings::new(endpoints.collect()),
            Identity {
                agent_version: VERSION.to_owned(),
                node: self.sources.node.name.clone(),
                agent_id: spool.agent_id(),
            },
            Box::new(Secured::new(&self.collectors)),
            FromSpool::new(Arc::clone(spool)),
        )
    }

    fn now(&self, node: Node) -> Now {
        Now {
            live: Live::new(self.sources.asks.clone()),
            history: Arc::clone(&self.sources.history),
            node,
            clock: self.sources.clock,
            runtime: self.runtime.clone(),
            verdicts: Arc::clone(&self.sources.verdicts),
        }
    }

    fn run(&self, spool: &Spool, node: &Node) -> Result<v1::Run, SpoolError> {
        let facts = &self.sources.node;
        Ok(v1::Run {
            run_id: random_id()?.to_vec(),
            agent_id: spool.agent_id().to_vec(),
            node: facts.name.clone(),
            boot_id: node.boot_id.clone(),
            agent_version: VERSION.to_owned(),
            kernel: node.kernel.clone(),
            started: Some(self.started),
            labels: facts.labels.clone().into_iter().collect(),
            interval_ms: u32::try_from(self.interval.as_millis()).unwrap_or(u32::MAX),
        })
    }
}
