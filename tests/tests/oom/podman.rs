//! A container as podman runs it. Its storage and state are the test's own.

use std::{fs, path::Path, process::Command};

use profiler_tests::surroundings::{self, Scratch, installed};

use super::*;

/// What the container is called.
fn name() -> String {
    format!("profiler-test-{}", std::process::id())
}

/// Podman with a directory of its own.
fn podman(program: &Path, scratch: &Path) -> Command {
    let mut command = Command::new(program);
    for (option, directory) in [
        ("--root", "root"),
        ("--runroot", "run"),
        ("--tmpdir", "tmp"),
    ] {
        command.arg(option).arg(scratch.join(directory));
    }
    command.args(["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"]);
    command.args(["--events-backend", "file", "--runtime", "runc"]);
    command
}

/// A container with the limit; its id stands in `id` once it runs.
fn container(program: &Path, scratch: &Path, speed: u32) -> Result<(Fixture, String)> {
    let id = scratch.join("id");
    if id.exists() {
        fs::remove_file(&id)?;
    }
    let mut command = podman(program, scratch);
    command.args(["run", "--interactive", "--rm", "--name", &name()]);
    command.args([
        "--network",
        "host",
        "--memory",
        "64m",
        "--memory-swap",
        "64m",
    ]);
    command.args([
        "--ulimit",
        "nofile=20000:20000",
        "--ulimit",
        "nproc=20000:20000",
    ]);
    command.arg("--cidfile").arg(&id);
    command.arg("--rootfs").arg(scratch.join("rootfs"));
    command.args(["/oom_grow", &speed.to_string()]);
    let mut container = Fixture::of(command)?;
    container.report()?;
    Ok((container, fs::read_to_string(id)?))
}

/// What stays behind of a test that failed half-way.
struct Removed<'a>(&'a Path, &'a Path);

impl Drop for Removed<'_> {
    fn drop(&mut self) {
        let mut command = podman(self.0, self.1);
        command.args(["rm", "--force", "--ignore", "--time", "1", &name()]);
        // There is nothing to remove after a test that passed.
        let _ = command.output();
    }
}

pub(super) fn of_a_container() -> Outcome {
    let (Some(program), Some(_)) = (installed("podman"), installed("runc")) else {
        return skip("podman or runc is not installed (Debian: apt install podman runc)");
    };
    let Some(grow) = surroundings::fixture("oom_grow-static") else {
        return skip("the fixture could not be linked statically");
    };
    let scratch = Scratch::new()?;
    fs::create_dir(scratch.path().join("rootfs"))?;
    fs::copy(grow, scratch.path().join("rootfs/oom_grow"))?;
    let _removed = Removed(&program, scratch.path());
    let agent = lives::agent()?;
    let mut client = agent.client()?;
    for _ in 0..lives::RESTARTS {
        let (mut victim, id) = container(&program, scratch.path(), lives::speed())?;
        run_to_its_end(&mut victim)?;
        let kill = kill_of(&mut client, |kill| {
            let target = kill.target.as_ref();
            target.is_some_and(|target| target.container_id == id)
        })?;
        check(&kill)?;
        let kind = kill.target.context("no target")?.container_kind;
        ensure!(kind == "podman", "kind {kind:?}");
    }
    let (mut fourth, id) = container(&program, scratch.path(), lives::speed() / 2)?;
    fourth.go()?;
    lives::is_masked_leak(&mut client, |target| target.container_id == id)?;
    drop(fourth);
    agent.stop()?;
    Ok(Verdict::Passed)
}
