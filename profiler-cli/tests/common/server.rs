//! The server in a thread, and the client as a child process.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use profiler_net::{
    server::{Limits, Tls, incoming},
    token::{Guard, Policy, Tokens},
};
use profiler_proto::v1::query_server::QueryServer;
use tokio::{net, sync::oneshot};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;

use super::{Canned, Role};

/// A server that ends when it is dropped.
pub(crate) struct Fake {
    /// `--endpoint` for it.
    pub(crate) endpoint: String,
    asked: Arc<Mutex<Vec<String>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

enum Place {
    Tcp(std::net::SocketAddr, Option<Tls>),
    Unix(PathBuf),
}

impl Fake {
    /// On a free port of loopback.
    pub(crate) fn tcp() -> Self {
        Self::on_port(0)
    }

    /// On this port of loopback.
    pub(crate) fn on_port(port: u16) -> Self {
        let place = Place::Tcp(([127, 0, 0, 1], port).into(), None);
        Self::start(place, Guard::open(), Role::Agent)
    }

    /// A collector, on a free port of loopback.
    pub(crate) fn collector() -> Self {
        Self::of_role(Role::Collector)
    }

    /// An agent from before there were collectors, on a free port of loopback.
    pub(crate) fn old() -> Self {
        Self::of_role(Role::OldAgent)
    }

    fn of_role(role: Role) -> Self {
        let place = Place::Tcp(([127, 0, 0, 1], 0).into(), None);
        Self::start(place, Guard::open(), role)
    }

    /// On a free port of loopback, for those with one of these tokens.
    pub(crate) fn guarded(tls: Option<Tls>, tokens: Option<Tokens>) -> Self {
        let guard = Guard::new(Policy {
            tokens,
            certificates: false,
            open: |_| false,
        });
        Self::start(
            Place::Tcp(([127, 0, 0, 1], 0).into(), tls),
            guard,
            Role::Agent,
        )
    }

    /// On a Unix socket.
    pub(crate) fn unix(path: &Path) -> Self {
        Self::start(Place::Unix(path.to_owned()), Guard::open(), Role::Agent)
    }

    fn start(place: Place, guard: Guard, role: Role) -> Self {
        let canned = Canned {
            role,
            began: std::time::Instant::now(),
            asked: Arc::default(),
        };
        let asked = Arc::clone(&canned.asked);
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let query = guard.before(QueryServer::new(canned));
                let server = Server::builder().add_service(query);
                // Not graceful: connections end at once, as when an agent is killed.
                let serving = async {
                    match place {
                        Place::Tcp(address, tls) => {
                            let listener = net::TcpListener::bind(address).await.unwrap();
                            let scheme = if tls.is_some() { "https://" } else { "" };
                            let address = listener.local_addr().unwrap();
                            ready.send(format!("{scheme}{address}")).unwrap();
                            let incoming = incoming(listener, tls, Limits::default());
                            server.serve_with_incoming(incoming).await
                        }
                        Place::Unix(path) => {
                            let listener = net::UnixListener::bind(&path).unwrap();
                            ready.send(format!("unix:{}", path.display())).unwrap();
                            server
                                .serve_with_incoming(UnixListenerStream::new(listener))
                                .await
                        }
                    }
                };
                tokio::select! {
                    served = serving => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        Self {
            endpoint: is_ready.recv().unwrap(),
            asked,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// What it was asked, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Runs the client against it.
    pub(crate) fn run(&self, line: &str) -> Ran {
        let mut words = vec!["--endpoint", &self.endpoint];
        words.extend(line.split_whitespace());
        run(&words)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the client did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Ran {
    /// Standard output of a run that went well.
    #[track_caller]
    pub(crate) fn text(&self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        String::from_utf8(self.out.clone()).unwrap()
    }

    /// Standard error of a run that failed as errors do, with nothing on standard output.
    #[track_caller]
    pub(crate) fn error(&self) -> &str {
        assert_eq!(self.code, 3, "{self:?}");
        assert!(self.out.is_empty(), "{self:?}");
        &self.err
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: output.stdout,
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// The client, not yet started, in an environment of its own.
pub(crate) fn client(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_profiler"));
    command
        .args(words)
        .env_remove("PROFILER_ENDPOINT")
        .env_remove("PROFILER_TOKEN_FILE")
        .env_remove("PROFILER_TLS_CA")
        .env("TZ", "UTC")
        .stdin(Stdio::null());
    command
}

/// Runs the client to its end.
pub(crate) fn run(words: &[&str]) -> Ran {
    client(words).output().unwrap().into()
}

/// A port of loopback on which something answers that is no gRPC server.
pub(crate) fn not_grpc() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        }
    });
    endpoint
}

/// A port of loopback on which nothing listens.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
