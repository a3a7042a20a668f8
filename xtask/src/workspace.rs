//! Where things are.

use std::path::{Path, PathBuf};

/// The workspace root.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Tools that are built from source, in the layout of `cargo install --root`.
pub(crate) fn tools() -> PathBuf {
    root().join("target/tools")
}

/// The directory of the kernel object and of what its build leaves behind.
pub(crate) fn bpf() -> PathBuf {
    root().join("target/bpf")
}

/// The kernel object that the agent embeds.
pub(crate) fn kernel_object() -> PathBuf {
    bpf().join("profiler.bpf.o")
}
