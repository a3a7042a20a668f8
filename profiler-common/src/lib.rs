//! The ABI between the kernel programs and the agent: fixed-width integers, explicit padding,
//! sizes and offsets asserted. Nothing here allocates, and nothing crosses the boundary as an
//! enum or a `bool`: user space decodes and rejects (`profiler-agent/src/event.rs`).

#![cfg_attr(not(test), no_std)]

pub mod config;
pub mod counter;
pub mod event;
pub mod sampling;
pub mod socket;

#[cfg(feature = "user")]
mod pod;
