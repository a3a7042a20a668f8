//! The listening side: TLS from files, and connections that have passed their handshake.

mod connection;
mod incoming;
mod places;
mod plain;
mod tls;

pub use connection::{Connection, Peer};
pub use incoming::{Counts, Incoming, Limits, incoming};
pub use tls::{ClientCertificates, Tls, TlsFiles};
