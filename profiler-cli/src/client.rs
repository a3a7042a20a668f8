//! The connection to an agent or a collector.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use hyper_util::rt::TokioIo;
use profiler_proto::v1::{
    DiffRequest, DiffResponse, GetStatusRequest, GetStatusResponse, ListConnectionsRequest,
    ListConnectionsResponse, ListRangesRequest, ListRangesResponse, ListTargetsRequest,
    ListTargetsResponse, TopRequest, TopResponse, query_client::QueryClient,
};
use tokio::net::UnixStream;
use tonic::{
    Code, Response, Status,
    transport::{Channel, Endpoint as Transport},
};
use tower::service_fn;

use crate::failure::{Failure, RUNNING, deepest};

const AGENT_SOCKET: &str = "/run/profiler/agent.sock";
const AGENT_ADDRESS: &str = "127.0.0.1:7741";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// 10,000 rows of deep stacks with long names take tens of MiB; more than this is a fault.
const LARGEST_RESPONSE: usize = 256 << 20;

/// Where to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The agent of this host: its socket if that can be used, else its port on loopback.
    Local,
    /// `host:port`.
    Tcp(String),
    /// A Unix socket.
    Unix(PathBuf),
}

const FORMS: &str = "allowed: http://HOST:PORT, HOST:PORT or unix:/PATH";

impl FromStr for Endpoint {
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
        if text.starts_with("https://") {
            return Err(format!("this client does not speak TLS; {FORMS}"));
        }
        let authority = text.strip_prefix("http://").unwrap_or(text);
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let parsed = http_authority(authority).ok_or_else(|| format!("no endpoint; {FORMS}"))?;
        Ok(Self::Tcp(parsed))
    }
}

/// Host and port, both required.
fn http_authority(text: &str) -> Option<String> {
    let authority: tonic::codegen::http::uri::Authority = text.parse().ok()?;
    let port = authority.port_u16()?;
    if port == 0 || authority.host().is_empty() || text.contains('@') {
        return None;
    }
    Some(authority.to_string())
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("the local agent"),
            Self::Tcp(authority) => write!(f, "http://{authority}"),
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
        let candidates = match endpoint {
            Endpoint::Local => vec![
                Endpoint::Unix(AGENT_SOCKET.into()),
                Endpoint::Tcp(AGENT_ADDRESS.into()),
            ],
            named => vec![named.clone()],
        };
        let mut tried = Vec::new();
        for candidate in candidates {
            match channel(&candidate).await {
                Ok(channel) => return Ok(Self::over(channel, &candidate)),
                Err(error) => tried.push(format!("{candidate} ({error})")),
            }
        }
        Err(Failure::with_hint(
            format!("no answer from {}", tried.join(", nor from ")),
            RUNNING,
        ))
    }

    fn over(channel: Channel, endpoint: &Endpoint) -> Self {
        Self {
            query: QueryClient::new(channel).max_decoding_message_size(LARGEST_RESPONSE),
            endpoint: endpoint.to_string(),
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

    /// The ledger of one process.
    pub async fn ranges(
        &mut self,
        request: ListRangesRequest,
    ) -> Result<ListRangesResponse, Failure> {
        let answer = self.query.list_ranges(request).await;
        self.checked(answer)
    }

    fn checked<M>(&self, answer: Result<Response<M>, Status>) -> Result<M, Failure> {
        match answer {
            Ok(response) => Ok(response.into_inner()),
            Err(status) => Err(Failure::from_status(&status, &self.endpoint)),
        }
    }
}

async fn channel(endpoint: &Endpoint) -> Result<Channel, String> {
    let authority = match endpoint {
        Endpoint::Tcp(authority) => authority.as_str(),
        // A socket has no host, but HTTP/2 wants one.
        _ => "localhost",
    };
    let transport = Transport::from_shared(format!("http://{authority}"))
        .map_err(|error| error.to_string())?
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT);
    let connecting = async {
        match endpoint {
            Endpoint::Unix(path) => {
                let path = path.clone();
                let connector = service_fn(move |_| {
                    let path = path.clone();
                    async move { UnixStream::connect(path).await.map(TokioIo::new) }
                });
                transport.connect_with_connector(connector).await
            }
            _ => transport.connect().await,
        }
    };
    // The transport's own limit leaves out the lookup of a host name.
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(error)) => Err(deepest(&error, &error.to_string())),
        Err(_) => Err(format!(
            "no connection within {} s",
            CONNECT_TIMEOUT.as_secs()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_in_their_three_forms() {
        let tcp = |text: &str| Ok(Endpoint::Tcp(text.into()));
        assert_eq!("".parse(), Ok(Endpoint::Local));
        assert_eq!("http://node-1:7741".parse(), tcp("node-1:7741"));
        assert_eq!("http://node-1:7741/".parse(), tcp("node-1:7741"));
        assert_eq!("127.0.0.1:1".parse(), tcp("127.0.0.1:1"));
        assert_eq!("[::1]:7741".parse(), tcp("[::1]:7741"));
        let socket = Ok(Endpoint::Unix("/run/a.sock".into()));
        assert_eq!("unix:/run/a.sock".parse(), socket);
        assert_eq!("unix:///run/a.sock".parse(), socket);
    }

    #[test]
    fn wrong_endpoints_say_what_is_allowed() {
        for text in [
            "node-1",
            "unix:agent.sock",
            "https://a:1",
            "a:b",
            ":7741",
            "u@h:1",
            "h:0",
        ] {
            let error = text.parse::<Endpoint>().unwrap_err();
            assert!(error.contains("allowed:"), "{text}: {error}");
        }
    }
}
