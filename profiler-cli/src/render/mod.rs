//! Answers as text for people. Every function takes a response and returns a string.

pub mod accounting;
pub mod canary;
pub mod connections;
pub mod growth;
pub mod nodes;
pub mod page;
pub mod plot;
pub mod ranges;
pub mod series;
pub(crate) mod soak;
pub mod spark;
pub mod stack;
pub mod status;
pub mod target;
pub mod targets;
pub mod verdict;
