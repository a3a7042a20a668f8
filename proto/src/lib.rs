//! Package `profiler.v1`: messages, clients and servers generated from the .proto files
//! beside this crate, with the proto3 JSON mapping as `serde` implementations.

#![forbid(unsafe_code)]
#![expect(
    missing_docs,
    clippy::pedantic,
    clippy::large_enum_variant,
    reason = "generated code; its documentation stands in the .proto files"
)]

/// The encoded `FileDescriptorSet`, for gRPC server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// `profiler.v1`.
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/profiler.v1.rs"));
    include!(concat!(env!("OUT_DIR"), "/profiler.v1.serde.rs"));
}

/// `perftools.profiles`: the pprof format, as published by github.com/google/pprof.
pub mod pprof {
    include!(concat!(env!("OUT_DIR"), "/perftools.profiles.rs"));
}
