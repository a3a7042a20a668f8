//! Names for things. None is used twice in an agent's run.

pub use profiler_query::ids::{BootTime, Cookie, PeerId, ProcessHandle, StackId};

/// An ELF file that was seen mapped as code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleId(pub u32);
