//! The kernel's own figures of memory: of containers and units from their memory cgroups (v1, v2, and
//! v1 beside a v2 tree), of processes in neither from `/proc`. No smaps.
//!
//! Paths come from the kernel: the mounts that `/proc/self/mountinfo` tells, and the cgroup of a
//! process that was checked to be still the one that it was taken for. Files are read up to a bound.
//! What cannot be read is absent and counted; it is never taken for zero.

mod figures;
mod files;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod group;
mod limit;
mod losses;
mod place;
mod process;
mod rank;
mod reader;
pub mod reconcile;
mod stat;
#[cfg(test)]
mod tests;
mod tree;

pub use figures::{Events, Figures, Limit, Pressure, ProcessFigures, Source};
pub use group::{
    GROUPS_MAX, Group, Groups, HOST_PROCESSES_MAX, Member, SeriesKey, TENANT_GROUPS_MAX,
    is_in_group, tenant,
};
pub use losses::ResidentLosses;
pub use reader::Reader;
