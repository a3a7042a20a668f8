//! The collector: takes what agents stream, keeps it, answers `profiler.v1.Query` over all nodes,
//! and shows web pages.

#![forbid(unsafe_code)]

pub mod clock;
pub mod config;
pub mod daemon;
pub mod fleet;
pub mod ingest;
pub mod keeper;
pub mod metrics;
pub mod otlp;
pub mod query;
pub mod store;
pub mod web;
