//! Answers as text for people. Every function takes a response and returns a string.

pub mod accounting;
pub mod connection;
pub mod connections;
pub mod growth;
pub mod ranges;
pub mod stack;
pub mod status;
pub mod targets;
