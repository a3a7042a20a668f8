//! `connections`: which of them, in which order, taken together by what.

use clap::{Args, ValueEnum, builder::NonEmptyStringValueParser, value_parser};
use profiler_proto::v1::{
    ConnectionFold, ConnectionKind, ConnectionOrder, ConnectionProtocol, ConnectionRole,
    ConnectionState, ListConnectionsRequest,
};

use super::{Format, MOST_ROWS, PageArgs, SelectArgs};

/// `connections`
#[derive(Args, Debug)]
pub struct ConnectionsArgs {
    /// Layout of the answer
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Show all columns, and don't cut long lines to the width of the terminal
    #[arg(long)]
    pub no_truncate: bool,
    /// Print the curve of each connection: live bytes over calls
    #[arg(long, conflicts_with = "fold")]
    pub points: bool,
    /// Which processes.
    #[command(flatten)]
    pub select: SelectArgs,
    /// Which of their connections.
    #[command(flatten)]
    pub narrow: NarrowArgs,
    /// What comes first
    #[arg(long, value_enum, default_value_t, help_heading = "Shape")]
    pub sort: Sort,
    /// Most rows to show
    #[arg(long, value_name = "ROWS", default_value_t = 20, help_heading = "Shape",
          value_parser = value_parser!(u32).range(1..=i64::from(MOST_ROWS)))]
    pub limit: u32,
    /// Which page.
    #[command(flatten)]
    pub page: PageArgs,
    /// Take connections of one process together by these
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        value_delimiter = ',',
        help_heading = "Shape"
    )]
    pub fold: Vec<Fold>,
}

/// Narrows connections. Values of one flag are alternatives; flags narrow each other.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Connections")]
pub struct NarrowArgs {
    /// Open or closed
    #[arg(
        long = "state",
        value_name = "STATE",
        value_enum,
        value_delimiter = ','
    )]
    pub states: Vec<State>,
    /// This side connected, or accepted
    #[arg(long = "role", value_name = "ROLE", value_enum, value_delimiter = ',')]
    pub roles: Vec<Role>,
    /// Sort of socket
    #[arg(long = "kind", value_name = "KIND", value_enum, value_delimiter = ',')]
    pub kinds: Vec<Kind>,
    /// What the first bytes told
    #[arg(
        long = "protocol",
        value_name = "PROTOCOL",
        value_enum,
        value_delimiter = ','
    )]
    pub protocols: Vec<Protocol>,
    /// Peer's address without its port, a network such as 10.0.0.0/8, or a Unix path (repeatable)
    #[arg(long = "peer", value_name = "PEER", value_parser = NonEmptyStringValueParser::new())]
    pub peers: Vec<String>,
    /// Server's port, whichever side it is on (repeatable)
    #[arg(long = "port", value_name = "PORT", value_parser = value_parser!(u16).range(1..))]
    pub ports: Vec<u16>,
    /// Cookie of a socket (repeatable)
    #[arg(long = "cookie", value_name = "COOKIE", value_parser = value_parser!(u64).range(1..))]
    pub cookies: Vec<u64>,
    /// Only those for which memory was demanded
    #[arg(long)]
    pub growing: bool,
}

impl ConnectionsArgs {
    /// As the wire carries it.
    pub fn to_wire(&self) -> ListConnectionsRequest {
        let narrow = &self.narrow;
        ListConnectionsRequest {
            selector: self.select.to_wire(),
            states: narrow.states.iter().map(|state| state.to_wire()).collect(),
            roles: narrow.roles.iter().map(|role| role.to_wire()).collect(),
            kinds: narrow.kinds.iter().map(|kind| kind.to_wire()).collect(),
            protocols: narrow.protocols.iter().map(|one| one.to_wire()).collect(),
            peers: narrow.peers.clone(),
            ports: narrow.ports.iter().map(|port| (*port).into()).collect(),
            cookies: narrow.cookies.clone(),
            with_growth: narrow.growing,
            order: self.sort.to_wire(),
            limit: self.limit,
            page_token: self.page.token.clone(),
            with_points: self.points,
            fold: self.fold.iter().map(|fold| fold.to_wire()).collect(),
        }
    }
}

/// Whether it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum State {
    /// It has not
    Open,
    /// It has
    Closed,
}

impl State {
    fn to_wire(self) -> i32 {
        let state = match self {
            Self::Open => ConnectionState::Open,
            Self::Closed => ConnectionState::Closed,
        };
        state.into()
    }
}

/// Which side this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// This side connected
    Client,
    /// This side accepted
    Server,
}

impl Role {
    fn to_wire(self) -> i32 {
        let role = match self {
            Self::Client => ConnectionRole::Client,
            Self::Server => ConnectionRole::Server,
        };
        role.into()
    }
}

/// Sort of socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// TCP over IPv4 or IPv6
    Tcp,
    /// UDP
    Udp,
    /// Unix stream or seqpacket
    Unix,
}

impl Kind {
    fn to_wire(self) -> i32 {
        let kind = match self {
            Self::Tcp => ConnectionKind::Tcp,
            Self::Udp => ConnectionKind::Udp,
            Self::Unix => ConnectionKind::Unix,
        };
        kind.into()
    }
}

/// What the first bytes told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// A request or status line of HTTP/1
    Http1,
    /// HTTP/2
    Http2,
    /// A TLS handshake: what is inside is not seen
    Tls,
}

impl Protocol {
    fn to_wire(self) -> i32 {
        let protocol = match self {
            Self::Http1 => ConnectionProtocol::Http1,
            Self::Http2 => ConnectionProtocol::Http2,
            Self::Tls => ConnectionProtocol::Tls,
        };
        protocol.into()
    }
}

/// What comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// Bytes still there
    #[default]
    Live,
    /// Bytes demanded
    Allocated,
    /// Live bytes over receiving calls
    Slope,
    /// Bytes received
    Received,
    /// Receiving calls
    Calls,
    /// Bytes sent
    Sent,
    /// Oldest first
    Age,
    /// Kernel memory of the queues
    Queues,
}

impl Sort {
    fn to_wire(self) -> i32 {
        let order = match self {
            Self::Live => ConnectionOrder::Live,
            Self::Allocated => ConnectionOrder::Allocated,
            Self::Slope => ConnectionOrder::Slope,
            Self::Received => ConnectionOrder::ReceivedBytes,
            Self::Calls => ConnectionOrder::ReceivedCalls,
            Self::Sent => ConnectionOrder::SentBytes,
            Self::Age => ConnectionOrder::Age,
            Self::Queues => ConnectionOrder::Queues,
        };
        order.into()
    }
}

/// What connections are taken together by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Fold {
    /// Client or server
    Role,
    /// The peer's address without its port
    Peer,
    /// The server's port
    Port,
    /// Age bands
    Age,
    /// What the first bytes told
    Protocol,
}

impl Fold {
    fn to_wire(self) -> i32 {
        let fold = match self {
            Self::Role => ConnectionFold::Role,
            Self::Peer => ConnectionFold::Peer,
            Self::Port => ConnectionFold::Port,
            Self::Age => ConnectionFold::Age,
            Self::Protocol => ConnectionFold::Protocol,
        };
        fold.into()
    }
}
