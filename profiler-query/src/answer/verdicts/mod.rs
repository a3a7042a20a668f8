//! Answers from what was found before: verdicts, OOM kills and resident figures. Each is made from a
//! request, chooses from all that there are, puts them into their order and cuts.
//!
//! A target of a verdict is a container or unit (without a pid), or a process that is in neither. A
//! process inside of a container chooses that container: [`Scope`].

mod kills;
mod list;
mod points;
mod resident;
mod scope;
#[cfg(test)]
mod tests;
mod watch;

pub use kills::ListOomKills;
pub use list::{ListVerdicts, worst_first};
pub use points::fewer;
pub use resident::{ListResident, ResidentBy};
pub use scope::{Scope, is_group, is_whole};
pub use watch::WatchVerdicts;
