//! Answers in other tools' formats (pprof, OTLP Profiles, folded stacks, flame graphs, JSON), and
//! the words and units in which client and pages show them. Every function takes values and returns
//! values.

#![forbid(unsafe_code)]

pub mod accounting;
pub mod class;
pub mod connection;
pub mod flame;
pub mod folded;
pub mod frame;
pub mod json;
pub mod otlp;
pub mod pprof;
pub mod text;
pub mod time;
pub mod units;

/// Why an answer could not be put in a format.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A picture of nothing.
    #[error("nothing to draw: no growth matches")]
    NoGrowth,
    /// The flame graph could not be written.
    #[error("cannot draw: {0}")]
    Draw(std::io::Error),
    /// Two moments could not be put side by side.
    #[error("cannot compare: {0}")]
    Compare(std::io::Error),
    /// The message does not fit its own descriptor.
    #[error("cannot print as JSON: {0}")]
    Json(String),
}
