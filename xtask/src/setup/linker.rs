//! bpf-linker: on the PATH, or built into `target/tools`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::{apt, toolchain::Found};
use crate::{cargo, shell, workspace};

/// The release that is built when none is there.
pub(crate) const VERSION: &str = "0.13.0";

/// The same as (major, minor): the oldest that fits.
const OLDEST: (u32, u32) = (0, 13);

/// The majors of LLVM that this release can be built with, newest first.
const LLVM: [u32; 3] = [23, 22, 21];

/// Finds a linker that is new enough and whose LLVM reads what the compiler's writes.
pub(crate) fn find(compiler: Option<&Found>) -> Option<PathBuf> {
    let own = workspace::tools().join("bin/bpf-linker");
    [Some(own), shell::find("bpf-linker")]
        .into_iter()
        .flatten()
        .find(|path| fits(path, compiler))
}

/// The packages that building one needs.
pub(crate) fn packages(compiler: Option<&Found>) -> Result<Vec<String>> {
    if llvm_config(compiler).is_some() {
        return Ok(Vec::new());
    }
    let oldest = compiler.map_or(0, Found::llvm);
    let known = || {
        LLVM.iter()
            .filter(|major| **major >= oldest)
            .map(|major| format!("llvm-{major}-dev"))
            .find(|package| apt::has(package))
    };
    let package = known().or_else(|| {
        if shell::is_root() {
            apt::update().ok()?;
        }
        known()
    });
    match package {
        Some(package) => Ok(vec![package]),
        None => bail!(
            "bpf-linker is missing and needs the development files of LLVM {LLVM:?} (not older \
             than the compiler's, {oldest}) to be built; no package brings them here. Install \
             them, or put a released bpf-linker {VERSION} on the PATH."
        ),
    }
}

/// Builds the linker into `target/tools`.
pub(crate) fn install(compiler: Option<&Found>) -> Result<()> {
    let (major, config) = llvm_config(compiler).context("no llvm-config that fits")?;
    let prefix = shell::output(Command::new(config).arg("--prefix"))?;
    let prefix = PathBuf::from(prefix.trim());
    let mut command = cargo::command();
    command
        .args(["install", "bpf-linker", "--version", VERSION, "--quiet"])
        .args(["--no-default-features", "--features"])
        .arg(format!("llvm-{major}"))
        .arg("--root")
        .arg(workspace::tools())
        .env("CARGO_TARGET_DIR", workspace::tools().join("build"))
        // The build looks for LLVM in both ways.
        .env("LLVM_PREFIX", &prefix)
        .env("PATH", shell::path_with(&[prefix.join("bin")])?);
    shell::run_quietly(&mut command)
}

fn llvm_config(compiler: Option<&Found>) -> Option<(u32, PathBuf)> {
    let oldest = compiler.map_or(0, Found::llvm);
    LLVM.iter()
        .filter(|major| **major >= oldest)
        .find_map(|major| Some((*major, shell::find(&format!("llvm-config-{major}"))?)))
}

fn fits(linker: &Path, compiler: Option<&Found>) -> bool {
    let new_enough = shell::probe(Command::new(linker).arg("--version"))
        .and_then(|text| parse_version(&text))
        .is_some_and(|version| version >= OLDEST);
    let libraries = shell::probe(Command::new("ldd").arg(linker)).unwrap_or_default();
    let reads = match (linked_llvm(&libraries), compiler) {
        (Some(own), Some(compiler)) => own >= compiler.llvm(),
        // Released linkers carry LLVM inside; which one can't be told.
        _ => true,
    };
    new_enough && reads
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.trim().strip_prefix("bpf-linker ")?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// The major version in `libLLVM.so.22.1` or `libLLVM-19.so.1`.
fn linked_llvm(libraries: &str) -> Option<u32> {
    let name = libraries
        .split_whitespace()
        .find_map(|word| word.strip_prefix("libLLVM"))?;
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    digits[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_the_linker_says() {
        assert_eq!(parse_version("bpf-linker 0.13.0\n"), Some((0, 13)));
        assert_eq!(parse_version("ld 2.40"), None);
        assert!(parse_version("bpf-linker 0.9.14").is_some_and(|old| old < OLDEST));
    }

    #[test]
    fn both_names_of_the_library_are_understood() {
        assert_eq!(
            linked_llvm("\tlibLLVM.so.22.1 => /usr/lib/x (0x1)"),
            Some(22)
        );
        assert_eq!(
            linked_llvm("\tlibLLVM-19.so.1 => /usr/lib/x (0x1)"),
            Some(19)
        );
        assert_eq!(linked_llvm("\tlibc.so.6 => /lib/libc.so.6"), None);
    }
}
