//! The agent from start to end: takes its listeners, attaches to the kernel, runs the pipeline's
//! thread beside the query service, and takes everything down again.
//!
//! Shutdown, in order: the service stops accepting and finishes what it answers, the pipeline's
//! thread is told to stop and keeps a last snapshot, and with it the kernel side is dropped, which
//! detaches every program; nothing is pinned. The thread that judges writes its state. Where a
//! collector is configured, what was kept is written to the spool, and the sender gets a moment to
//! send it. The symbolizer's child ends with its socket.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use profiler_common::config::POLICY_OBSERVE;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot},
};
use tracing::{debug, error, info, warn};

use crate::{
    bpf,
    config::{Config, Plan},
    export::{
        self, Ask, Clock, Exporter, Listen, Listeners, QueryService, Sources,
        stream::{StreamExporter, Streaming},
    },
    filter::Filter,
    health::HealthRules,
    pipeline::{Links, Pipeline, Settings},
    privileges::{self, HostRoot, Outcome},
    profile::{History, HistoryLimits, NodeFacts, TableLimits},
    stack::{
        Limits, ProcFs, Resolver, Stacks,
        symbol::{Symbolizer, WorkerConfig},
    },
    verdict,
};

/// Questions that wait for the pipeline's thread; more wait with their askers.
const ASKS_MAX: usize = 64;
/// Operations a second from which on a process is only counted. A loop of mmap and munmap makes
/// about twice as many on one core.
const STORM_PER_SECOND: u64 = 200_000;
/// Ranges in all ledgers together: about 64 MB.
const RANGES_MAX: usize = 1 << 20;

/// Runs until SIGINT or SIGTERM. `reload` reads the configuration again, at SIGHUP.
///
/// # Errors
/// Whatever is missing on this host, with what to do about it; a listener that cannot be had.
pub fn run(config: &Config, reload: &dyn Fn() -> anyhow::Result<Config>) -> anyhow::Result<()> {
    let tracefs = prepare()?;
    let listen = Listen {
        tcp: config.listen,
        unix: config.socket.clone(),
        access: config.access.clone(),
        http: config.verdicts.http,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(4)
        .enable_all()
        .build()
        .context("start the runtime of the query service")?;
    runtime.block_on(async {
        // First, so that a second agent stops before it has touched the kernel.
        let listeners = Listeners::bind(&listen).await?;
        let kernel = bpf::start(&kernel_options(config), tracefs.as_deref())?;
        for served in &kernel.served {
            info!(
                capability = served.name,
                way = served.chosen.map_or("none", |way| way.name()),
                "attached"
            );
            for refused in &served.refused {
                info!(capability = served.name, %refused, "not used");
            }
        }
        let mut core = Core::start(kernel, config)?;
        let address = listeners.tcp_address().map(|address| address.to_string());
        let http = listeners.http_address().map(|address| address.to_string());
        info!(tcp = address, socket = ?config.socket, http, "answering");
        let outcome = serve(
            listeners,
            core.service.clone(),
            (core.ended, &mut core.judging),
            &core.filter,
            &core.board,
            reload,
        )
        .await;
        core.stop.store(true, Ordering::Relaxed);
        let joined = core
            .thread
            .join()
            .map_err(|_| anyhow!("the pipeline's thread failed"));
        info!("detached from the kernel");
        core.judging.finish().await;
        if let Some(streaming) = core.streaming {
            streaming.finish().await;
        }
        outcome.and(joined)
    })
}

/// Checks the host, and finds or mounts tracefs. Before any thread is started.
fn prepare() -> anyhow::Result<Option<PathBuf>> {
    let checks = privileges::check_host(&HostRoot::default());
    for check in &checks {
        match check.outcome {
            Outcome::Passed(_) => debug!("{check}"),
            Outcome::Limited(_) | Outcome::Failed(_) => warn!("{check}"),
        }
    }
    privileges::require(&checks)?;
    privileges::raise_open_files();
    match privileges::ensure_tracefs() {
        Ok(source) => Ok(Some(source.path)),
        Err(problem) => {
            // fexit and BTF tracepoints do without it.
            warn!("no tracefs, so that plain tracepoints cannot be used: {problem:#}");
            Ok(None)
        }
    }
}

/// The pipeline's thread and what leads to it.
struct Core {
    thread: JoinHandle<()>,
    stop: Arc<AtomicBool>,
    ended: oneshot::Receiver<()>,
    filter: Arc<Mutex<Option<Filter>>>,
    service: QueryService,
    board: Arc<verdict::Shared>,
    judging: verdict::Judging,
    /// To a collector, if one is configured.
    streaming: Option<Streaming>,
}

impl Core {
    fn start(kernel: bpf::Kernel, config: &Config) -> anyhow::Result<Self> {
        let (asks, asked) = mpsc::channel::<Ask>(ASKS_MAX);
        let stop = Arc::new(AtomicBool::new(false));
        let filter = Arc::new(Mutex::new(None));
        let history = Arc::new(Mutex::new(History::new(history_limits(config))));
        let stacks = Stacks::new(Box::new(ProcFs), Limits::default());
        let names = resolver(&stacks)?;
        let judged = verdict_settings(config, kernel.hears_of_oom_kills());
        let sources = Sources {
            asks,
            history: Arc::clone(&history),
            names: Arc::new(names.clone()),
            clock: Clock::System,
            node: Arc::new(export::node_facts(config.node.as_deref(), &config.labels)),
            verdicts: judged.board(Clock::System),
        };
        let (judged, judging) = verdict::start(&judged, &sources)?;
        let (exporter, streaming) = stream(config, &sources)?.unzip();
        let exporter = exporter.map(|exporter| Box::new(exporter) as Box<dyn Exporter>);
        let mut exporters: Vec<Box<dyn Exporter>> = vec![Box::new(judged)];
        exporters.extend(exporter);
        let board = Arc::clone(&sources.verdicts);
        let links = Links {
            asks: asked,
            stop: Arc::clone(&stop),
            filter: Arc::clone(&filter),
            history,
            exporters,
        };
        let pipeline = Pipeline::new(
            kernel,
            (stacks, names),
            Filter::new(&config.filter)?,
            settings(config, &sources.node),
            links,
        )?;
        let (alive, ended) = oneshot::channel::<()>();
        let thread = thread::Builder::new()
            .name("pipeline".to_owned())
            .spawn(move || {
                // Dropped when the thread ends, also by a panic: then the agent ends too.
                let _alive = alive;
                pipeline.run();
            })
            .context("start the pipeline's thread")?;
        Ok(Self {
            thread,
            stop,
            ended,
            filter,
            service: QueryService::new(sources),
            board,
            judging,
            streaming,
        })
    }
}

/// What streams to a collector. Nothing of it is there when none is configured.
fn stream(
    config: &Config,
    sources: &Sources,
) -> anyhow::Result<Option<(StreamExporter, Streaming)>> {
    if config.collectors.endpoints.is_empty() {
        return Ok(None);
    }
    let interval = config.snapshot_interval;
    export::stream::start(&config.collectors, sources, interval).map(Some)
}

fn kernel_options(config: &Config) -> bpf::Options {
    bpf::Options {
        choice: match config.plan {
            Plan::Auto => bpf::plan::Choice::Auto,
            Plan::Fexit => bpf::plan::Choice::Fexit,
            Plan::Tracepoint => bpf::plan::Choice::Tracepoint,
        },
        event_ring_bytes: config.event_ring,
        capture_ring_bytes: config.capture_ring,
        capture_interval: config.capture_interval,
        default_policy: POLICY_OBSERVE,
    }
}

fn settings(config: &Config, node: &Arc<NodeFacts>) -> Settings {
    Settings {
        capture_interval: config.capture_interval,
        captures_per_second: u64::from(config.capture_budget),
        storm_per_second: STORM_PER_SECOND,
        snapshot_interval: config.snapshot_interval,
        table: TableLimits::default(),
        ranges_max: RANGES_MAX,
        node: Arc::clone(node),
    }
}

fn verdict_settings(config: &Config, hears_of_kills: bool) -> verdict::Settings {
    verdict::Settings {
        hears_of_kills,
        window: config.verdicts.window,
        state: config.verdicts.state.clone(),
        health: HealthRules {
            share: f64::from(config.verdicts.health_share) / 100.0,
            lead: config.verdicts.health_lead,
            interval: config.snapshot_interval,
        },
    }
}

fn history_limits(config: &Config) -> HistoryLimits {
    HistoryLimits {
        fine: nanoseconds(config.history_fine),
        coarse: nanoseconds(config.history_coarse),
        budget: usize::try_from(config.history_budget).unwrap_or(usize::MAX),
        ..HistoryLimits::default()
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn resolver(stacks: &Stacks) -> anyhow::Result<Resolver> {
    let started = Arc::new(|pid| tracing::debug!(pid, "symbolizer started"));
    let worker =
        WorkerConfig::own_executable(started).context("find the agent's own executable")?;
    Ok(stacks.resolver(Arc::new(Symbolizer::new(worker))))
}

/// Serves until a signal, or until one of the threads has ended.
async fn serve(
    listeners: Listeners,
    service: QueryService,
    (mut ended, judging): (oneshot::Receiver<()>, &mut verdict::Judging),
    filter: &Mutex<Option<Filter>>,
    board: &verdict::Shared,
    reload: &dyn Fn() -> anyhow::Result<Config>,
) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = listeners.serve(service, async move {
        let _ = stopped.await;
    });
    let mut serving = std::pin::pin!(serving);
    loop {
        tokio::select! {
            // It ends by itself only when a listener fails.
            outcome = &mut serving => return outcome,
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            _ = hangup.recv() => replace_filter(filter, reload),
            _ = &mut ended => {
                return Err(anyhow!("the pipeline's thread has ended; see the log above"));
            }
            () = judging.ended() => {
                return Err(anyhow!("the thread that judges has ended; see the log above"));
            }
        }
    }
    // Those who watch would hold up the end.
    board.close();
    // Gone already if the service has failed meanwhile.
    let _ = stop.send(());
    serving.await
}

fn replace_filter(filter: &Mutex<Option<Filter>>, reload: &dyn Fn() -> anyhow::Result<Config>) {
    match reload().and_then(|config| Ok(Filter::new(&config.filter)?)) {
        Ok(new) => {
            *filter
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(new);
            info!("filters reloaded");
        }
        Err(problem) => error!("filters not reloaded, the old ones stay: {problem:#}"),
    }
}
