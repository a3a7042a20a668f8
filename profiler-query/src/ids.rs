//! Names for things. None is used twice in an agent's run; in an answer of many agents they are the
//! answer's own.

/// One life of a process: from its fork or exec (or from the agent's start) to its exec or exit.
/// A pid that comes again, or a process that changes its program, gets a new handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessHandle(pub u32);

/// An interned call stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StackId(pub u32);

/// Nanoseconds of `CLOCK_BOOTTIME`, the clock of the kernel's events and of `/proc/PID/stat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BootTime(pub u64);

/// The kernel's cookie of a socket: unique until the host is rebooted. Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cookie(pub u64);

/// Totals of connections to one peer that are no longer kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(pub u32);
