//! The collector from start to end: opens the store, takes its listeners, serves, and takes
//! everything down again.
//!
//! Shutdown, in order: both listeners stop accepting and streams of agents are ended, open answers
//! get a few seconds; what waits in the store's writer is made durable when the store is dropped.

mod grpc;
mod pages;
mod security;
mod store;

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use profiler_net::server::{Limits, incoming};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tracing::{info, warn};

use crate::{
    config::Config,
    ingest::{self, Changes, Counters, IngestService},
    keeper::{self, Kept},
    metrics::Metrics,
    otlp::{self, Exporter},
    query::{Clock, QueryService},
    store::Store,
};
use security::Doors;

pub use store::{backup, check};

/// What is still being answered at shutdown gets so much time.
const GRACE: Duration = Duration::from_secs(5);

/// Runs until SIGINT or SIGTERM.
///
/// # Errors
/// The store cannot be opened, a listener cannot be had or is not allowed, a file of certificates
/// or tokens cannot be used.
pub fn run(config: &Config) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    let outcome = runtime.block_on(serve(config));
    // Questions that run on blocking threads are not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

async fn serve(config: &Config) -> Result<()> {
    raise_open_files();
    let doors = Doors::new(config)?;
    // First, so that a second collector stops before it has touched the store.
    let grpc = listen(config.listen).await?;
    let web = match config.web {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let store = store::open(config).await?;
    let (stop, stopped) = watch::channel(false);
    let parts = Parts::new(store, config, stopped.clone());
    let limits = Limits::default();
    let grpc = grpc::serve(
        incoming(grpc, doors.tls.clone(), room_for_agents(config, limits)),
        &doors,
        &parts,
        stopped.clone(),
    );
    let pages = async {
        match web {
            Some(web) => {
                let web = incoming(web, doors.tls.clone(), limits);
                pages::serve(web, &doors, &parts, stopped).await
            }
            None => Ok(()),
        }
    };
    info!(
        grpc = %config.listen, web = ?config.web, tls = doors.tls.is_some(), store = ?config.store,
        "collecting"
    );
    let keeping = keeper::keep(
        Arc::clone(&parts.store),
        config.retention.clone(),
        Arc::clone(&parts.kept),
    );
    let serving = async { tokio::try_join!(grpc, pages) };
    let exporting = async {
        match &parts.exporter {
            Some(exporter) => exporter.run().await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(serving, keeping, exporting);
    tokio::select! {
        // They end by themselves only when something fails.
        ended = &mut serving => return ended.map(|_| ()),
        () = &mut keeping => {}
        () = &mut exporting => {}
        signal = ended() => signal?,
    }
    // Gone already if the services have failed meanwhile.
    let _ = stop.send(true);
    match tokio::time::timeout(GRACE, serving).await {
        Ok(outcome) => outcome.map(|_| ()),
        Err(_) => {
            warn!("answers and streams that were open still are cut off");
            Ok(())
        }
    }
}

/// The listener of agents takes a connection for each stream that may be open, and those of people
/// beside them.
fn room_for_agents(config: &Config, limits: Limits) -> Limits {
    Limits {
        connections: limits.connections.max(config.ingest.streams * 2),
        per_address: limits.per_address + config.ingest.streams_per_peer,
        ..limits
    }
}

/// Each agent is a file to this process, and the usual soft limit is 1,024.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        warn!(%error, open_files = ?limit.current, "the limit of open files could not be raised");
    }
}

/// What the services are made from.
struct Parts {
    store: Arc<dyn Store>,
    kept: Arc<Kept>,
    ingest: IngestService,
    query: QueryService,
    metrics: Arc<Metrics>,
    exporter: Option<Exporter>,
}

impl Parts {
    fn new(store: Arc<dyn Store>, config: &Config, stopped: watch::Receiver<bool>) -> Self {
        let counters = Arc::<Counters>::default();
        let kept = Arc::<Kept>::default();
        let changes = Changes::default();
        let query = QueryService::new(
            Arc::clone(&store),
            config.cost_limits(),
            config.retention.clone(),
            Clock::System,
        )
        .with_changes(changes.clone(), stopped.clone());
        let mut metrics = Metrics::new(
            Arc::new(query.clone()),
            Arc::clone(&store),
            Arc::clone(&counters),
            Arc::clone(&kept),
        );
        let mut exporter = None;
        if let Some(settings) = config.otlp.clone() {
            let counters = otlp::Counters::default();
            metrics = metrics.with_otlp(counters.clone());
            exporter = Some(Exporter::new(Arc::new(query.clone()), settings, counters));
        }
        let limits = ingest::Limits {
            keep: config.retention.coarse,
            ..config.ingest
        };
        Self {
            ingest: IngestService::new(Arc::clone(&store), limits, counters, changes, stopped),
            metrics: Arc::new(metrics),
            exporter,
            query,
            store,
            kept,
        }
    }
}

async fn listen(address: std::net::SocketAddr) -> Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    listener.with_context(|| match address.port() {
        0 => format!("can't listen on {address}"),
        port => format!(
            "can't listen on {address}; if port {port} is in use, another collector may be running: \
             stop it, or give this one another address"
        ),
    })
}

async fn ended() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is the end as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
