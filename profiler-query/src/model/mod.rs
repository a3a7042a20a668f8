//! What an answer is made of: the growth table at one moment, with the processes in it.
//!
//! Times are [`BootTime`]s: nanoseconds of one clock. On an agent that is the host's boot clock; in
//! answers over many hosts it is wall clock time, in nanoseconds since 1970.

mod endpoint;
mod facts;
mod growth;
mod owner;
mod snapshot;

pub use endpoint::{Address, Endpoint, Traffic};
pub use facts::{ContainerFacts, NodeFacts, TargetInfo, TargetState};
pub use growth::{Growth, ProcessGrowth};
pub use owner::{BehalfKey, OwnerKey};
pub use snapshot::{ProcessEntry, Row, RowKey, Snapshot, Totals};
