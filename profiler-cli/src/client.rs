//! The connection to an agent or a collector.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use hyper_util::rt::TokioIo;
use profiler_net::client::{self as net, Bearer, Channel, ConnectError, Settings, Target};
use profiler_proto::v1::{
    DiffRequest, DiffResponse, GetStatusRequest, GetStatusResponse, ListConnectionsRequest,
    ListConnectionsResponse, ListNodesRequest, ListNodesResponse, ListOomKillsRequest,
    ListOomKillsResponse, ListRangesRequest, ListRangesResponse, ListResidentRequest,
    ListResidentResponse, ListSeriesRequest, ListSeriesResponse, ListTargetsRequest,
    ListTargetsResponse, ListVerdictsRequest, ListVerdictsResponse, TopRequest, TopResponse,
    VerdictChange, WatchVerdictsRequest, query_client::QueryClient,
};
use tokio::net::UnixStream;
use tonic::{
    Code, Response, Status, Streaming, service::interceptor::InterceptedService,
    transport::Endpoint as Transport,
};
use tower::service_fn;

use crate::{
    args::AccessArgs,
    failure::{Failure, RUNNING, deepest},
};

const AGENT_SOCKET: &str = "/run/profiler/agent.sock";
const AGENT_ADDRESS: &str = "127.0.0.1:7741";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// 10,000 rows of deep stacks with long names take tens of MiB; more than this is a fault.
const LARGEST_RESPONSE: usize = 256 << 20;

/// Where to ask, and how to be let in there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Where.
    pub place: Place,
    /// Certificates and token; a Unix socket needs none.
    pub access: AccessArgs,
}

/// Where to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The agent of this host: its socket if that can be used, else its port on loopback.
    Local,
    /// `http://HOST:PORT` or `https://HOST:PORT`.
    Tcp(String),
    /// A Unix socket.
    Unix(PathBuf),
}

const FORMS: &str = "allowed: https://HOST:PORT, http://HOST:PORT, HOST:PORT or unix:/PATH";

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::Local);
        }
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.starts_with('/') {
                Ok(Self::Unix(path.into()))
            } else {
                Err(format!("the path of a socket starts with /; {FORMS}"))
            };
        }
        let url = if text.contains("://") {
            text.to_owned()
        } else {
            format!("http://{text}")
        };
        let target: Target = url.parse().map_err(|_| format!("no endpoint; {FORMS}"))?;
        let scheme = if target.tls { "https" } else { "http" };
        Ok(Self::Tcp(format!("{scheme}://{}", target.authority)))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("the local agent"),
            Self::Tcp(url) => f.write_str(url),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A connected client. Clones share the connection.
#[derive(Clone)]
pub struct Client {
    query: QueryClient<Channel>,
    endpoint: String,
}

impl Client {
    /// Connects, or says everything that was tried.
    pub async fn connect(endpoint: &Endpoint) -> Result<Self, Failure> {
        let candidates = match &endpoint.place {
            Place::Local => vec![
                Place::Unix(AGENT_SOCKET.into()),
                Place::Tcp(format!("http://{AGENT_ADDRESS}")),
            ],
            named => vec![named.clone()],
        };
        let settings = endpoint.settings();
        let mut tried = Vec::new();
        for candidate in candidates {
            match channel(&candidate, &settings).await {
                Ok(channel) => return Ok(Self::over(channel, &candidate)),
                Err(ConnectError::Unreachable(reason)) => {
                    tried.push(format!("{candidate} ({reason})"));
                }
                // Says itself what to do.
                Err(error) => return Err(Failure::new(format!("{candidate}: {error}"))),
            }
        }
        Err(Failure::with_hint(
            format!("no answer from {}", tried.join(", nor from ")),
            RUNNING,
        ))
    }

    fn over(channel: Channel, place: &Place) -> Self {
        Self {
            query: QueryClient::new(channel).max_decoding_message_size(LARGEST_RESPONSE),
            endpoint: place.to_string(),
        }
    }

    /// The endpoint that answered.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// How the agent is.
    pub async fn status(&mut self) -> Result<GetStatusResponse, Failure> {
        let answer = self.query.get_status(GetStatusRequest {}).await;
        self.checked(answer)
    }

    /// What is observed.
    pub async fn targets(
        &mut self,
        request: ListTargetsRequest,
    ) -> Result<ListTargetsResponse, Failure> {
        let answer = self.query.list_targets(request).await;
        self.checked(answer)
    }

    /// Growth at one moment.
    pub async fn top(&mut self, request: TopRequest) -> Result<TopResponse, Failure> {
        let answer = self.query.top(request).await;
        self.checked(answer)
    }

    /// Growth at one moment on behalf of one connection; none where that is not known any more.
    pub async fn top_of_connection(
        &mut self,
        request: TopRequest,
    ) -> Result<Option<TopResponse>, Failure> {
        match self.query.top(request).await {
            Err(status) if status.code() == Code::NotFound => Ok(None),
            answer => self.checked(answer).map(Some),
        }
    }

    /// Connections, their classes, and how much could be joined to them.
    pub async fn connections(
        &mut self,
        request: ListConnectionsRequest,
    ) -> Result<ListConnectionsResponse, Failure> {
        let answer = self.query.list_connections(request).await;
        self.checked(answer)
    }

    /// Growth between two moments.
    pub async fn diff(&mut self, request: DiffRequest) -> Result<DiffResponse, Failure> {
        let answer = self.query.diff(request).await;
        self.checked(answer)
    }

    /// Memory over time.
    pub async fn series(
        &mut self,
        request: ListSeriesRequest,
    ) -> Result<ListSeriesResponse, Failure> {
        let answer = self.query.list_series(request).await;
        self.checked(answer)
    }

    /// Nodes, and how far each has been heard of.
    pub async fn nodes(&mut self, request: ListNodesRequest) -> Result<ListNodesResponse, Failure> {
        let answer = self.query.list_nodes(request).await;
        self.checked(answer)
    }

    /// The ledger of one process.
    pub async fn ranges(
        &mut self,
        request: ListRangesRequest,
    ) -> Result<ListRangesResponse, Failure> {
        let answer = self.query.list_ranges(request).await;
        self.checked(answer)
    }

    /// Whether memory grows without end.
    pub async fn verdicts(
        &mut self,
        request: ListVerdictsRequest,
    ) -> Result<ListVerdictsResponse, Failure> {
        let answer = self.query.list_verdicts(request).await;
        self.checked(answer)
    }

    /// The same as a stream of changes.
    pub async fn verdict_changes(
        &mut self,
        request: WatchVerdictsRequest,
    ) -> Result<Streaming<VerdictChange>, Failure> {
        let answer = self.query.watch_verdicts(request).await;
        self.checked(answer)
    }

    /// The next change; none where the stream has ended.
    pub async fn next_change(
        &self,
        changes: &mut Streaming<VerdictChange>,
    ) -> Result<Option<VerdictChange>, Failure> {
        let next = changes.message().await;
        self.checked(next.map(Response::new))
    }

    /// Processes that the kernel killed for want of memory.
    pub async fn oom_kills(
        &mut self,
        request: ListOomKillsRequest,
    ) -> Result<ListOomKillsResponse, Failure> {
        let answer = self.query.list_oom_kills(request).await;
        self.checked(answer)
    }

    /// The kernel's own figures.
    pub async fn resident(
        &mut self,
        request: ListResidentRequest,
    ) -> Result<ListResidentResponse, Failure> {
        let answer = self.query.list_resident(request).await;
        self.checked(answer)
    }

    fn checked<M>(&self, answer: Result<Response<M>, Status>) -> Result<M, Failure> {
        let status = match answer {
            Ok(response) => return Ok(response.into_inner()),
            Err(status) => status,
        };
        Err(match net::refusal(&status) {
            Some(refusal) => Failure::new(format!("{}: {refusal}", self.endpoint)),
            None => Failure::from_status(&status, &self.endpoint),
        })
    }
}

impl Endpoint {
    /// For any place; that is filled in later.
    fn settings(&self) -> Settings {
        let access = self.access.clone();
        let mut settings = Settings {
            token_file: access.token_file,
            insecure_token: access.insecure_token,
            connect_timeout: CONNECT_TIMEOUT,
            request_timeout: Some(REQUEST_TIMEOUT),
            ..Settings::new("")
        };
        // The agent of this host is asked in clear text: what is set for others is none of its
        // business.
        if self.place != Place::Local {
            settings.ca = access.tls_ca;
            settings.cert = access.tls_cert;
            settings.key = access.tls_key;
            settings.server_name = access.tls_server_name;
        }
        settings
    }
}

async fn channel(place: &Place, settings: &Settings) -> Result<Channel, ConnectError> {
    match place {
        Place::Tcp(url) => {
            let settings = Settings {
                endpoint: url.clone(),
                ..settings.clone()
            };
            net::connect(&settings).await
        }
        Place::Unix(path) => over_socket(path.clone()).await,
        Place::Local => Err(ConnectError::Settings("no single place".to_owned())),
    }
}

async fn over_socket(path: PathBuf) -> Result<Channel, ConnectError> {
    // A socket has no host, but HTTP/2 wants one.
    let transport = Transport::from_static("http://localhost")
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT);
    let connector = service_fn(move |_| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    let channel = transport.connect_with_connector(connector).await;
    let channel =
        channel.map_err(|error| ConnectError::Unreachable(deepest(&error, &error.to_string())))?;
    Ok(InterceptedService::new(channel, Bearer::none()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_in_their_forms() {
        let tcp = |text: &str| Ok(Place::Tcp(text.into()));
        assert_eq!("".parse(), Ok(Place::Local));
        assert_eq!("http://node-1:7741".parse(), tcp("http://node-1:7741"));
        assert_eq!("http://node-1:7741/".parse(), tcp("http://node-1:7741"));
        assert_eq!("https://[::1]:7751/".parse(), tcp("https://[::1]:7751"));
        assert_eq!("127.0.0.1:1".parse(), tcp("http://127.0.0.1:1"));
        assert_eq!("[::1]:7741".parse(), tcp("http://[::1]:7741"));
        let socket = Ok(Place::Unix("/run/a.sock".into()));
        assert_eq!("unix:/run/a.sock".parse(), socket);
        assert_eq!("unix:///run/a.sock".parse(), socket);
    }

    #[test]
    fn wrong_endpoints_say_what_is_allowed() {
        for text in [
            "node-1",
            "unix:agent.sock",
            "https://a",
            "ftp://a:1",
            "http://a:1/x",
            "a:b",
            ":7741",
            "u@h:1",
            "h:0",
        ] {
            let error = text.parse::<Place>().unwrap_err();
            assert!(error.contains("allowed:"), "{text}: {error}");
        }
    }
}
