//! Answers to `profiler.v1.Query`, made from snapshots: the same on an agent, for its node, and on a
//! collector, for many. Pure: values in, values out.

#![forbid(unsafe_code)]

pub mod answer;
pub mod ids;
pub mod model;
#[cfg(test)]
mod testing;
