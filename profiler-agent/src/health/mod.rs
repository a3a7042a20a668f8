//! Whether a container should be left to run: for liveness probes and load balancers.
//!
//! A probe that fails has its container killed, so the burden of proof lies with the agent: what is not
//! known, or not known any more, is healthy, with the state `unknown` and the reason. [`Probe`]
//! decides, reading by reading; [`http`] and [`grpc`] answer from whatever is behind [`Verdicts`].
//!
//! The listener is on loopback by default and asks nobody who they are. Elsewhere too its answers tell
//! little: state and time to the limit of what the asker can name by its id or uid.

pub mod grpc;
pub mod http;
mod hysteresis;
mod lookup;
#[cfg(test)]
mod tests;

pub use hysteresis::{Growth, HealthReading, HealthRules, Probe, state_name};
pub use lookup::{Health, Lookup, Verdicts};
