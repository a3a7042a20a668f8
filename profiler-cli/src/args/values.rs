//! What flags choose from.

use clap::ValueEnum;
use profiler_proto::v1::{GroupBy, OrderBy};

/// What a row stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// A call stack of a process (sampled, weighted to be unbiased)
    #[default]
    Stack,
    /// A process (exact)
    Process,
    /// A container (exact)
    Container,
    /// A function in whichever stack (sampled)
    Function,
    /// A connection, or what stands for growth on behalf of none (exact)
    Connection,
    /// A node (exact)
    Node,
}

impl By {
    /// As the wire carries it.
    pub fn to_wire(self) -> i32 {
        let by = match self {
            Self::Stack => GroupBy::Stack,
            Self::Process => GroupBy::Process,
            Self::Container => GroupBy::Container,
            Self::Function => GroupBy::Function,
            Self::Connection => GroupBy::Connection,
            Self::Node => GroupBy::Node,
        };
        by.into()
    }

    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stack => "stack",
            Self::Process => "process",
            Self::Container => "container",
            Self::Function => "function",
            Self::Connection => "connection",
            Self::Node => "node",
        }
    }
}

/// What comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// Bytes still there; in a diff their growth
    #[default]
    Live,
    /// Bytes demanded
    Allocated,
    /// Bytes given back
    Freed,
    /// Captured events
    Events,
    /// Bytes touched first that are resident
    Resident,
}

impl Order {
    /// As the wire carries it.
    pub fn to_wire(self) -> i32 {
        let order = match self {
            Self::Live => OrderBy::Live,
            Self::Allocated => OrderBy::Allocated,
            Self::Freed => OrderBy::Freed,
            Self::Events => OrderBy::Events,
            Self::Resident => OrderBy::Resident,
        };
        order.into()
    }

    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Allocated => "allocated",
            Self::Freed => "freed",
            Self::Events => "events",
            Self::Resident => "resident",
        }
    }
}

/// A table, or the response itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Table,
    /// The proto3 JSON mapping of the response
    Json,
}

/// A table, the response itself, or folded stacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TopFormat {
    /// For people
    #[default]
    Table,
    /// The proto3 JSON mapping of the response
    Json,
    /// One line a stack, root first, with its live bytes (only by stack)
    Folded,
}

/// Formats for other tools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Gzip'd pprof: committed_live, committed_allocated, events
    #[default]
    Pprof,
    /// One line a stack, root first, with its bytes
    Folded,
    /// The proto3 JSON mapping of the response
    Json,
}

/// What stands at the root of a flame graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FlameBy {
    /// The process
    #[default]
    Stack,
    /// The connection: the 64 largest, the rest under one root
    Connection,
}

/// Which bytes a graph shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Value {
    /// Still there
    #[default]
    Live,
    /// Demanded, whether given back or not
    Allocated,
}

impl Value {
    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Allocated => "allocated",
        }
    }
}

impl From<Value> for profiler_formats::folded::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Live => Self::Live,
            Value::Allocated => Self::Allocated,
        }
    }
}
