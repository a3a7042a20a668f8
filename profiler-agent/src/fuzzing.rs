//! What the fuzz targets reach that is private otherwise: each function hands bytes from outside
//! to a decoder and uses what it made of them. Panics are the findings.

pub use crate::bpf::fuzzing::btf;
pub use crate::resident::fuzzing::{cgroup_directory, memory_stat};
pub use crate::stack::fuzzing::{elf, perf_map};
pub use crate::stack::symbol::fuzzing::reply;
pub use crate::verdict::fuzzing::mounts;
