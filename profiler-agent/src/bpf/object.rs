//! The kernel programs, as bytes.

/// The ELF object that `cargo xtask build` makes of `profiler-ebpf`. Empty when the agent was
/// compiled before it was there; the agent then says so and stops.
pub const OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/profiler.bpf.o"));
