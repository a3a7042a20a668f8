//! The processes of the host: who runs, in which address space, in which container, and what is
//! to be done about it at each event.

mod adopt;
mod events;
mod facts;
mod life;
pub mod maps;
mod proc_fs;
mod queue;
mod step;
mod table;

#[cfg(test)]
mod bench;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod invariant_tests;
#[cfg(test)]
mod life_tests;
#[cfg(test)]
mod state_tests;

pub use facts::{Facts, Width, started};
pub use life::{Policy, Process, SpaceId, State};
pub use proc_fs::{ProcFile, ProcFs, ProcSource};
pub use step::{Step, Why};
pub use table::{Counts, Place, ProcessCounters, ProcessTable, Settings};
