//! Answers as text for people. Every function takes a response and returns a string.

pub mod accounting;
pub mod connections;
pub mod growth;
pub mod nodes;
pub mod page;
pub mod ranges;
pub mod series;
pub mod spark;
pub mod stack;
pub mod status;
pub mod target;
pub mod targets;
