//! Who may talk to whom: TLS, client certificates, bearer tokens, and which listeners are allowed.
//!
//! A server asks [`listen::allowed`] before it binds, hands its listener to [`server::incoming`],
//! and puts a [`token::Guard`] before its services. A client describes itself in
//! [`client::Settings`]. Certificates, keys and tokens are files; they are read again when they
//! change.

#![forbid(unsafe_code)]

mod address;
mod certificate;
pub mod client;
mod files;
pub mod listen;
mod pem;
pub mod server;
mod stream;
pub mod token;

pub use certificate::Certificate;
pub use files::FileError;
