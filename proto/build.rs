//! Compiles the .proto files with protox, so that no `protoc` has to be installed.

use std::{env, fs, path::PathBuf};

use anyhow::Context as _;
use prost::Message as _;

fn main() -> anyhow::Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let files = [
        "profiler/v1/ingest.proto",
        "profiler/v1/query.proto",
        "profiler/v1/connection.proto",
        "profiler/v1/growth.proto",
        "profiler/v1/target.proto",
        "profiler/v1/verdict.proto",
        "pprof/profile.proto",
    ];
    println!("cargo::rerun-if-changed=profiler");
    println!("cargo::rerun-if-changed=pprof");

    let descriptors = protox::compile(files, [&root]).context("compile the .proto files")?;
    let encoded = descriptors.encode_to_vec();
    fs::write(out.join("descriptors.bin"), &encoded)?;

    tonic_prost_build::configure()
        .compile_well_known_types(true)
        .extern_path(".google.protobuf", "::pbjson_types")
        .compile_fds(descriptors)?;
    pbjson_build::Builder::new()
        .ignore_unknown_fields()
        .register_descriptors(&encoded)?
        .build(&[".profiler.v1"])?;
    Ok(())
}
