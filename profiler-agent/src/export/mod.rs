//! Answers leave the agent here: `profiler.v1.Query` on a TCP port and a Unix socket, with the
//! standard health and reflection services beside it.
//!
//! A question about now goes to the pipeline's thread over a bounded channel ([`Ask`]) and is
//! answered from a fresh snapshot; one about the past from the shared
//! [`History`](crate::profile::History). The answers themselves are made by
//! [`profiler_query::answer`], from what is gathered here.
//!
//! What the pipeline keeps goes to every [`Exporter`] as well: see [`stream`].

mod accounting;
mod connections;
mod exporter;
mod gather;
mod growth;
mod live;
mod moments;
mod names;
mod node;
mod over_time;
mod query;
mod ranges;
mod server;
mod status;
pub mod stream;
#[cfg(test)]
mod tests;
mod time;
mod unix_socket;
mod unknown;
mod verdicts;

pub(crate) use connections::classes;

pub use accounting::{CapabilityFacts, LossFacts, StatusFacts};
pub use exporter::{Exporter, Kill, Moment};
pub use live::{Ask, Fresh, RangesAnswer};
pub use node::{boot_id, node_facts};
pub use query::{QueryService, Sources};
pub use server::{Access, BindError, Listen, Listeners};
pub use time::Clock;
