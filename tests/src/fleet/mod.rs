//! Agents without a kernel side: they see a made-up workload and stream it as agents do, through the
//! same spool and sender.

mod agent;
mod workload;

pub use agent::{SimulatedAgent, name};
pub use workload::Workload;
