//! Puts the kernel object, built by another toolchain, where the agent embeds it from.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// Names the object to embed in place of the one that `cargo xtask build` makes.
const OVERRIDE: &str = "PROFILER_BPF_OBJECT";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed={OVERRIDE}");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    let embedded = out.join("profiler.bpf.o");
    let object = match env::var_os(OVERRIDE) {
        Some(path) => PathBuf::from(path),
        None => default_object()?,
    };

    if object.is_file() {
        println!("cargo::rerun-if-changed={}", object.display());
        fs::copy(&object, &embedded)?;
    } else {
        // A path that does not exist would run this script at every build: watch its directory.
        if let Some(directory) = object.parent().filter(|directory| directory.is_dir()) {
            println!("cargo::rerun-if-changed={}", directory.display());
        }
        println!(
            "cargo::warning=the agent is built without its kernel programs and can observe \
             nothing: {} is missing. Run `cargo xtask build`.",
            object.display()
        );
        fs::write(&embedded, [])?;
    }
    Ok(())
}

/// Where `cargo xtask build` leaves the object. The directory is made, so that it can be watched.
fn default_object() -> io::Result<PathBuf> {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?;
    let workspace = Path::new(&manifest)
        .parent()
        .ok_or(io::ErrorKind::NotFound)?;
    let directory = workspace.join("target/bpf");
    fs::create_dir_all(&directory)?;
    Ok(directory.join("profiler.bpf.o"))
}
