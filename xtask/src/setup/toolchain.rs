//! The Rust compiler for the kernel programs: it must be able to build `core` for a BPF target.

use std::{
    env, fmt, iter,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, bail};

use super::{apt, os};
use crate::shell;

/// Debian's packages, best first: the ones that follow Firefox's needs are the newest in a stable
/// release. Older than `OLDEST` is of no use.
const DEBIAN: &[[&str; 3]] = &[
    ["rustc-web", "cargo-web", "rust-web-src"],
    ["rustc", "cargo", "rust-src"],
];

/// The oldest compiler that compiles aya-ebpf, as (major, minor).
const OLDEST: (u32, u32) = (1, 87);

/// What a machine without apt needs.
pub(crate) const RUSTUP_WAY: &[&str] = &[
    "rustup toolchain install nightly --component rust-src",
    "cargo install bpf-linker --version 0.13.0",
];

/// A toolchain that is there and complete.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    way: Way,
    version: Version,
}

#[derive(Debug, PartialEq, Eq)]
enum Way {
    /// Compiler and cargo in `/usr/bin`.
    Debian,
    /// rustup's nightly.
    Rustup,
}

/// What `rustc -vV` says.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    release: (u32, u32),
    llvm: u32,
}

impl Found {
    /// The major version of the compiler's LLVM. The linker's must not be older.
    pub(crate) fn llvm(&self) -> u32 {
        self.version.llvm
    }

    /// A call of this toolchain's cargo that sees nothing of the toolchain which runs this program.
    pub(crate) fn cargo(&self, linker: &Path) -> Result<Command> {
        let directory = linker.parent().map(Path::to_path_buf);
        let own = match self.way {
            Way::Debian => Some(PathBuf::from("/usr/bin")),
            Way::Rustup => None,
        };
        let first: Vec<PathBuf> = own.into_iter().chain(directory).collect();
        let mut command = match self.way {
            Way::Debian => Command::new("/usr/bin/cargo"),
            Way::Rustup => {
                let mut command = Command::new("rustup");
                command.args(["run", "nightly", "cargo"]);
                command
            }
        };
        for name in foreign_variables() {
            command.env_remove(name);
        }
        command.env("PATH", shell::path_with(&first)?);
        if self.way == Way::Debian {
            command
                .env("RUSTC", "/usr/bin/rustc")
                .env("RUSTC_BOOTSTRAP", "1");
        }
        Ok(command)
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.way {
            Way::Debian => "Debian's packages",
            Way::Rustup => "rustup's nightly",
        };
        let (major, minor) = self.version.release;
        write!(f, "{way}, rustc {major}.{minor} on LLVM {}", self.llvm())
    }
}

/// The toolchain that is there: Debian's, or else rustup's.
pub(crate) fn find() -> Option<Found> {
    debian().or_else(rustup)
}

/// The packages that bring one.
pub(crate) fn packages() -> Result<Vec<String>> {
    let release = os::Release::read();
    if !apt::is_there() {
        bail!(
            "{} has no apt. Run:\n  {}",
            release.name(),
            RUSTUP_WAY.join("\n  ")
        );
    }
    let known = || {
        DEBIAN
            .iter()
            .find(|packages| packages.iter().all(|package| apt::has(package)))
    };
    let found = known().or_else(|| {
        // A fresh image comes without the lists of packages.
        if shell::is_root() {
            apt::update().ok()?;
        }
        known()
    });
    match found {
        Some(packages) => Ok(packages.iter().map(|name| (*name).to_owned()).collect()),
        None => bail!(
            "{} has no package with the Rust library's source ({}). Run:\n  {}",
            release.name(),
            DEBIAN.iter().map(|p| p[2]).collect::<Vec<_>>().join(", "),
            RUSTUP_WAY.join("\n  ")
        ),
    }
}

fn debian() -> Option<Found> {
    let version = version(&mut Command::new("/usr/bin/rustc"))?;
    let complete = Path::new("/usr/bin/cargo").exists() && has_source(Path::new("/usr"));
    (complete && version.release >= OLDEST).then_some(Found {
        way: Way::Debian,
        version,
    })
}

fn rustup() -> Option<Found> {
    let nightly = || {
        let mut command = Command::new("rustup");
        command.args(["run", "nightly", "rustc"]);
        for name in foreign_variables() {
            command.env_remove(name);
        }
        command
    };
    let sysroot = shell::probe(nightly().args(["--print", "sysroot"]))?;
    if !has_source(Path::new(sysroot.trim())) {
        return None;
    }
    Some(Found {
        way: Way::Rustup,
        version: version(&mut nightly())?,
    })
}

fn has_source(sysroot: &Path) -> bool {
    sysroot
        .join("lib/rustlib/src/rust/library/core/src/lib.rs")
        .is_file()
}

fn version(rustc: &mut Command) -> Option<Version> {
    parse_version(&shell::probe(rustc.arg("-vV"))?)
}

fn parse_version(text: &str) -> Option<Version> {
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key))
            .map(str::trim)
    };
    let mut release = value("release:")?.split('.').map(str::parse);
    Some(Version {
        release: (release.next()?.ok()?, release.next()?.ok()?),
        llvm: value("LLVM version:")?.split('.').next()?.parse().ok()?,
    })
}

/// Variables through which the surrounding cargo and rustup would reach into another build.
fn foreign_variables() -> impl Iterator<Item = String> {
    const NAMED: &[&str] = &[
        "CARGO",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_TARGET_DIR",
        "LD_LIBRARY_PATH",
        "RUSTC",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_WRAPPER",
        "RUSTDOC",
        "RUSTFLAGS",
        "RUSTUP_TOOLCHAIN",
        "RUST_RECURSION_COUNT",
    ];
    let set_by_prefix = env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| {
            [
                "CARGO_BUILD_",
                "CARGO_PROFILE_",
                "CARGO_MANIFEST_",
                "CARGO_PKG_",
                "CARGO_TARGET_",
            ]
            .iter()
            .any(|prefix| name.starts_with(prefix))
        });
    NAMED
        .iter()
        .map(|name| (*name).to_owned())
        .chain(iter::once("RUSTC_BOOTSTRAP".to_owned()))
        .chain(set_by_prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_rustc_says() {
        let text = "rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)\n\
                    host: x86_64-unknown-linux-gnu\nrelease: 1.96.0\nLLVM version: 22.1.8\n";
        assert_eq!(
            parse_version(text),
            Some(Version {
                release: (1, 96),
                llvm: 22
            })
        );
    }

    #[test]
    fn a_nightly_has_a_suffix() {
        let text = "release: 1.98.0-nightly\nLLVM version: 23.0.0\n";
        assert_eq!(parse_version(text).map(|v| v.release), Some((1, 98)));
    }

    #[test]
    fn a_compiler_that_says_something_else_is_none() {
        assert_eq!(parse_version("gcc 12"), None);
        assert_eq!(parse_version("release: x.y\nLLVM version: 1"), None);
    }
}
