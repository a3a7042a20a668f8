//! Helpers of the integration tests: an agent under test, programs under observation, the
//! kernel's own account of their memory, and how the two are compared.
//!
//! The test binary runs as root and finds what it needs by its surroundings, so that it can be
//! copied into a small VM: see [`surroundings`].

#![forbid(unsafe_code)]

pub mod agent;
pub mod client;
pub mod collector;
pub mod command;
pub mod compare;
pub mod connections;
pub mod fixture;
pub mod fleet;
pub mod memory_cgroup;
pub mod program;
pub mod python;
pub mod rows;
pub mod service;
pub mod smaps;
pub mod sockets;
pub mod surroundings;
pub mod trial;
pub mod workload;

pub use agent::Agent;
pub use client::Client;
pub use collector::Collector;
pub use program::Program;
pub use trial::{Outcome, Verdict, skip, trial};
