//! Sockets, their lives, and the memory that was demanded on their behalf. Pure: entries of the
//! kernel's table and changes of the ledgers come in, rows of answers come out; times come with
//! the values.
//!
//! - [`Behalf`] is what a thread served when it demanded memory.
//! - [`SocketFacts`] is a checked entry of the kernel's table.
//! - [`ConnectionTable`] keeps connections while they are open, and after that as long as memory is
//!   charged to them; then it folds them into totals by peer ([`Peer`]).
//! - [`Connections`] is the table at one moment, with the evidence from which
//!   `profiler_analysis::pattern` judges each [`ClassKey`].

mod behalf;
mod class;
mod curve;
mod facts;
mod peer;
mod record;
mod runtime;
mod table;
mod view;

pub use behalf::{Behalf, Whom};
pub use class::ClassKey;
pub use curve::CurvePoint;
pub use facts::{Address, End, Endpoint, Kind, Protocol, Role, SocketFacts, Traffic};
pub use peer::{Peer, PeerId, PeerKey};
pub use record::Connection;
pub use runtime::HelperThreads;
pub use table::{ConnectionTable, Fold, Limits, TableCounters};
pub use view::{Class, Connections};
