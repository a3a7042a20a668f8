//! The privileged daemon: events from the kernel in, named answers out.
//!
//! The modules stand in the order in which data flows; ARCHITECTURE.md follows one event through
//! them. `profile`, `ledger` and `touch` are pure: values in, values out.

#![deny(unsafe_code)]

pub mod ids;

pub mod config;
pub mod connection;
pub mod privileges;

pub mod bpf;
pub mod event;

pub mod container;
pub mod filter;
pub mod process;

pub mod ledger;
pub mod stack;
pub mod touch;

pub mod profile;

pub mod resident;

pub mod pipeline;

pub mod export;
pub mod health;
pub mod verdict;

pub mod daemon;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
