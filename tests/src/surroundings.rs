//! Where the tests find what they need.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `PROFILER_AGENT` | the agent | beside the test binary: release, then debug |
//! | `PROFILER_CLI` | the client | likewise |
//! | `PROFILER_TEST_COLLECTOR` | the collector (`PROFILER_COLLECTOR` is the agent's own) | likewise |
//! | `PROFILER_FIXTURES` | directory of compiled fixtures | where the build script put them |
//! | `PROFILER_PROTO` | directory of the .proto files | in the source tree |
//! | `PROFILER_PLAN` | `auto`, `fexit` or `tracepoint` | `auto` |
//! | `PROFILER_TEST_REPETITIONS` | how often a judgement is asked for, with fresh processes | 3 |
//! | `PROFILER_TEST_SCALE` | below 1: slow machine; shorter loads, more patience | 1 |

use std::{
    env,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

/// The directory of cargo's profile (`target/debug`) that holds the test binary, if it does.
fn profile_directory() -> Option<PathBuf> {
    let binary = env::current_exe().ok()?;
    let deps = binary.parent()?;
    Some(deps.parent()?.to_path_buf())
}

/// Cargo's target directory.
pub fn target_directory() -> Option<PathBuf> {
    Some(profile_directory()?.parent()?.to_path_buf())
}

fn binary(variable: &str, name: &str) -> Result<PathBuf> {
    if let Some(path) = env::var_os(variable) {
        let path = PathBuf::from(path);
        if !path.is_file() {
            bail!("{variable} names {}, which is not a file", path.display());
        }
        return Ok(path);
    }
    let target = target_directory().with_context(|| format!("set {variable}"))?;
    ["release", "debug"]
        .iter()
        .map(|profile| target.join(profile).join(name))
        .find(|path| path.is_file())
        .with_context(|| {
            format!(
                "{name} is in neither {0}/release nor {0}/debug: build it or set {variable}",
                target.display()
            )
        })
}

/// The agent under test.
pub fn agent() -> Result<PathBuf> {
    binary("PROFILER_AGENT", "profiler-agent")
}

/// The client under test.
pub fn cli() -> Result<PathBuf> {
    binary("PROFILER_CLI", "profiler")
}

/// The collector under test.
pub fn collector() -> Result<PathBuf> {
    binary("PROFILER_TEST_COLLECTOR", "profiler-collector")
}

/// A compiled fixture. `None`: this one could not be compiled where the tests were built.
pub fn fixture(name: &str) -> Option<PathBuf> {
    let directory =
        env::var_os("PROFILER_FIXTURES").map_or_else(|| env!("FIXTURES").into(), PathBuf::from);
    Some(directory.join(name)).filter(|path| path.is_file())
}

/// The directory of the .proto files, where the source tree is at hand.
pub fn proto() -> Option<PathBuf> {
    let directory = env::var_os("PROFILER_PROTO").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto"),
        PathBuf::from,
    );
    Some(directory).filter(|path| path.join("profiler/v1/query.proto").is_file())
}

/// How the agent is to attach.
pub fn plan() -> String {
    env::var("PROFILER_PLAN").unwrap_or_else(|_| "auto".into())
}

/// Speed of this machine relative to the one that the loads are made for, above 0 and at most 1.
pub fn scale() -> f64 {
    env::var("PROFILER_TEST_SCALE")
        .ok()
        .and_then(|text| text.parse::<f64>().ok())
        .filter(|scale| scale.is_finite() && *scale > 0.0)
        .map_or(1.0, |scale| scale.clamp(0.01, 1.0))
}

/// How often each judgement is asked for.
pub fn repetitions() -> u32 {
    env::var("PROFILER_TEST_REPETITIONS")
        .ok()
        .and_then(|text| text.parse().ok())
        .map_or(3, |count: u32| count.max(1))
}

/// A time limit for this machine: longer where it is slow, up to five times.
pub fn patience(limit: Duration) -> Duration {
    limit.mul_f64((1.0 / scale()).min(5.0))
}

/// A program of the system, looked up in `PATH`.
pub fn installed(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
}

/// Calls `attempt` until it gives a value or time is up; then its last error is returned.
pub fn eventually<T>(limit: Duration, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let end = Instant::now() + patience(limit);
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(error) if Instant::now() >= end => {
                return Err(error.context(format!("still so after {limit:?}")));
            }
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// A directory that goes with its owner.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new empty directory below the system's temporary one.
    pub fn new() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("profiler-test-{}-{number}", process::id()));
        std::fs::create_dir(&path).with_context(|| format!("create {}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} stays behind: {error}", self.0.display());
        }
    }
}
