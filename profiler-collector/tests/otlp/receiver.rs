//! A receiver that does as it is told, and an exporter to it.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use opentelemetry_proto::tonic::collector::profiles::v1development::{
    ExportProfilesPartialSuccess, ExportProfilesServiceRequest, ExportProfilesServiceResponse,
    profiles_service_server::{ProfilesService, ProfilesServiceServer},
};
use profiler_collector::otlp::{Counters, Exporter, Limits, Settings};
use profiler_formats::otlp::Interval;
use tokio::{net::TcpListener, task::AbortHandle};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, metadata::MetadataMap, transport::Server};

use crate::fixture::{Agent, BEGIN, MIB, SECOND, Table, World};

/// What it does with the next request; it takes those that nothing is said of.
pub(crate) enum Answer {
    Refuse(Status),
    Partial(i64, &'static str),
    /// Takes it, after this time.
    Slow(Duration),
}

/// One request as it came.
pub(crate) struct Came {
    pub(crate) at: Instant,
    pub(crate) metadata: MetadataMap,
    pub(crate) request: ExportProfilesServiceRequest,
    pub(crate) taken: bool,
}

/// Clones share everything.
#[derive(Clone, Default)]
pub(crate) struct Receiver {
    script: Arc<Mutex<VecDeque<Answer>>>,
    came: Arc<Mutex<Vec<Came>>>,
}

#[tonic::async_trait]
impl ProfilesService for Receiver {
    async fn export(
        &self,
        request: Request<ExportProfilesServiceRequest>,
    ) -> Result<Response<ExportProfilesServiceResponse>, Status> {
        let answer = self.script.lock().expect("the script").pop_front();
        self.came.lock().expect("what came").push(Came {
            at: Instant::now(),
            metadata: request.metadata().clone(),
            request: request.into_inner(),
            taken: !matches!(answer, Some(Answer::Refuse(_))),
        });
        let mut response = ExportProfilesServiceResponse::default();
        match answer {
            Some(Answer::Refuse(status)) => return Err(status),
            Some(Answer::Partial(rejected_profiles, message)) => {
                response.partial_success = Some(ExportProfilesPartialSuccess {
                    rejected_profiles,
                    error_message: message.to_owned(),
                });
            }
            Some(Answer::Slow(time)) => tokio::time::sleep(time).await,
            None => {}
        }
        Ok(Response::new(response))
    }
}

impl Receiver {
    pub(crate) fn that(script: impl IntoIterator<Item = Answer>) -> Self {
        Self {
            script: Arc::new(Mutex::new(script.into_iter().collect())),
            ..Self::default()
        }
    }

    /// Until the runtime ends.
    pub(crate) async fn listen(&self, at: SocketAddr) -> SocketAddr {
        let listener = TcpListener::bind(at).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let service = ProfilesServiceServer::new(self.clone());
        let server = Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        address
    }

    pub(crate) fn came<T>(&self, look: impl Fn(&Came) -> T) -> Vec<T> {
        let came = self.came.lock().expect("what came");
        came.iter().map(look).collect()
    }
}

/// Any port.
pub(crate) fn anywhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A port at which nobody answers.
pub(crate) async fn nowhere() -> SocketAddr {
    let listener = TcpListener::bind(anywhere()).await.expect("a port");
    listener.local_addr().expect("an address")
}

/// Short times, for tests.
pub(crate) fn settings(to: SocketAddr) -> Settings {
    Settings {
        endpoint: format!("http://{to}"),
        ca: None,
        header_file: None,
        interval: Duration::from_secs(60),
        limits: Limits {
            request: Duration::from_secs(2),
            wait_first: Duration::from_millis(20),
            wait_longest: Duration::from_secs(2),
            ..Limits::default()
        },
    }
}

/// Two nodes with two processes in all, that have grown within the second minute. The exporter
/// sends from now on.
pub(crate) struct Fleet {
    pub(crate) exporter: Arc<Exporter>,
    pub(crate) counters: Counters,
    sending: AbortHandle,
    _world: World,
}

/// Profiles that there are in each interval of that fleet.
pub(crate) const PROFILES: u64 = 4;

impl Drop for Fleet {
    fn drop(&mut self) {
        self.sending.abort();
    }
}

impl Fleet {
    pub(crate) async fn exporting(settings: Settings) -> Self {
        let world = World::new();
        for (number, node) in [(1, "node-1"), (2, "node-2")] {
            let mut agent = Agent::new(node, number, 1, 0);
            let pid = 100 + u32::from(number);
            for minute in 0..4_u64 {
                let table = Table::default()
                    .process(1, pid, "host")
                    .stack(5, (4 + minute) * MIB, MIB)
                    .stack(6, 10 * MIB, 0);
                agent.send(&world, &table.0, 10 + minute * 60, true).await;
            }
        }
        let counters = Counters::default();
        let query = Arc::new(world.service(200));
        let exporter = Arc::new(Exporter::new(query, settings, counters.clone()));
        let sender = Arc::clone(&exporter);
        let sending = tokio::spawn(async move { sender.send().await });
        Self {
            exporter,
            counters,
            sending: sending.abort_handle(),
            _world: world,
        }
    }

    /// Of minute 0, 1 or 2.
    pub(crate) async fn export(&self, minute: u64) {
        let from = BEGIN + (15 + minute * 60) * SECOND;
        let to = from + 60 * SECOND;
        let asked = self.exporter.ask(Interval { from, to }).await;
        asked.expect("nodes are known");
        assert_eq!(self.counters.questions_failed.get(), 0);
    }
}

/// Waits until it is so.
pub(crate) async fn until(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it did not come");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
