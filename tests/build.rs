//! Compiles the fixture programs into `OUT_DIR/fixtures`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

/// A fixture: the program's name, its source, and how it is compiled.
struct Fixture {
    name: &'static str,
    /// Files, with a blank between them.
    sources: &'static str,
    flags: &'static [&'static str],
    /// Without it the tests that need it say that they were skipped.
    optional: bool,
}

const fn needed(
    name: &'static str,
    sources: &'static str,
    flags: &'static [&'static str],
) -> Fixture {
    Fixture {
        name,
        sources,
        flags,
        optional: false,
    }
}

const fn optional(
    name: &'static str,
    sources: &'static str,
    flags: &'static [&'static str],
) -> Fixture {
    Fixture {
        name,
        sources,
        flags,
        optional: true,
    }
}

/// No frame pointers, as Debian builds its own programs.
const FAST: &[&str] = &["-O2", "-fomit-frame-pointer", "-g", "-pthread"];

/// Programs with sockets.
const SOCKETS: &[&str] = &[
    "-O2",
    "-fomit-frame-pointer",
    "-g",
    "-pthread",
    "-Wall",
    "-Wextra",
];

const FIXTURES: &[Fixture] = &[
    needed(
        "vmops",
        "vmops.c vmops_map.c vmops_move.c vmops_process.c",
        FAST,
    ),
    needed("stacks", "stacks.c", FAST),
    needed("stacks-unoptimized", "stacks.c", &["-O0", "-g", "-pthread"]),
    needed(
        "stacks-stripped",
        "stacks.c",
        &[
            "-O2",
            "-fomit-frame-pointer",
            "-s",
            "-pthread",
            "-Wl,--build-id",
        ],
    ),
    optional(
        "stacks-static",
        "stacks.c",
        &["-O2", "-fomit-frame-pointer", "-g", "-static", "-pthread"],
    ),
    optional(
        "stacks-static-pie",
        "stacks.c",
        &[
            "-O2",
            "-fomit-frame-pointer",
            "-g",
            "-static-pie",
            "-pthread",
        ],
    ),
    optional("stacks-cpp", "stacks_cpp.cpp", FAST),
    optional(
        "stacks-rust",
        "stacks_rust.rs",
        &["--edition=2024", "-O", "-g"],
    ),
    needed("jit", "jit.c", FAST),
    needed("rate", "rate.c", FAST),
    needed("touch", "touch.c", FAST),
    needed("storm", "storm.c", FAST),
    needed("churn", "churn.c", FAST),
    needed("leak", "leak.c", FAST),
    needed("grow", "grow.c", FAST),
    needed("oom_grow", "oom_grow.c", FAST),
    optional(
        "oom_grow-static",
        "oom_grow.c",
        &["-O2", "-fomit-frame-pointer", "-g", "-static", "-pthread"],
    ),
    needed("sleeper", "sleeper.c", FAST),
    needed("jail", "jail.c", FAST),
    needed("conn_server", "conn_server.c conn_memory.c", SOCKETS),
    needed("conn_client", "conn_client.c", SOCKETS),
    needed("conn_pass", "conn_pass.c", SOCKETS),
    needed("conn_processes", "conn_processes.c", SOCKETS),
    needed("conn_dup", "conn_dup.c", SOCKETS),
    needed("conn_threads", "conn_threads.c", SOCKETS),
    needed("conn_udp", "conn_udp.c", SOCKETS),
    needed("conn_unix", "conn_unix.c", SOCKETS),
    needed("conn_netns", "conn_netns.c", SOCKETS),
    optional("conn_uring", "conn_uring.c", SOCKETS),
    optional(
        "compat32",
        "compat32.c",
        &[
            "-m32",
            "-O1",
            "-nostdlib",
            "-static",
            "-ffreestanding",
            "-fno-pic",
            "-no-pie",
            "-fno-stack-protector",
            "-fcf-protection=none",
        ],
    ),
];

fn compiler(sources: &str) -> String {
    let (variable, default) = match Path::new(sources).extension().and_then(|it| it.to_str()) {
        Some("cpp") => ("CXX", "c++"),
        Some("rs") => ("RUSTC", "rustc"),
        _ => ("CC", "cc"),
    };
    println!("cargo::rerun-if-env-changed={variable}");
    env::var(variable).unwrap_or_else(|_| default.into())
}

fn compile(fixture: &Fixture, directory: &Path, into: &Path) -> Result<()> {
    let compiler = compiler(fixture.sources);
    let output = Command::new(&compiler)
        .args(fixture.flags)
        .args(fixture.sources.split(' ').map(|file| directory.join(file)))
        .arg("-o")
        .arg(into.join(fixture.name))
        .output()
        .with_context(|| {
            format!(
                "cannot run `{compiler}`, which compiles the fixture programs: install a C \
                 compiler (Debian: apt install gcc libc6-dev) or name one in CC"
            )
        })?;
    if !output.status.success() {
        bail!(
            "{compiler} could not compile {}: {}",
            fixture.sources,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

fn main() -> Result<()> {
    let directory = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("fixtures");
    let into = PathBuf::from(env::var("OUT_DIR")?).join("fixtures");
    println!("cargo::rerun-if-changed=fixtures");
    println!("cargo::rustc-env=FIXTURES={}", into.display());
    fs::create_dir_all(&into)?;
    for fixture in FIXTURES {
        match compile(fixture, &directory, &into) {
            Ok(()) => {}
            Err(error) if fixture.optional => {
                let first = format!("{error:#}").lines().take(2).collect::<String>();
                println!("cargo::warning=fixture {} left out: {first}", fixture.name);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
