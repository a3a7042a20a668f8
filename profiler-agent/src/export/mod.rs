//! Answers leave the agent here: `profiler.v1.Query` on a TCP port and a Unix socket, with the
//! standard health and reflection services beside it.
//!
//! A question about now goes to the pipeline's thread over a bounded channel ([`Ask`]) and is
//! answered from a fresh snapshot; one about the past from the shared
//! [`History`](crate::profile::History). Frames are named last, for the rows that are sent only.

mod accounting;
mod connections;
mod functions;
mod live;
mod moments;
mod names;
mod node;
mod query;
mod ranges;
mod selector;
mod server;
mod status;
mod targets;
#[cfg(test)]
mod tests;
mod time;
mod top;
mod unix_socket;

pub use accounting::{CapabilityFacts, LossFacts, StatusFacts};
pub use live::{Ask, Fresh, RangesAnswer};
pub use names::NameStacks;
pub use query::{QueryService, Sources};
pub use server::{BindError, Listen, Listeners};
pub use time::Clock;
