//! What a guest is given to run.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::{initramfs::Archive, log};
use crate::{
    build::{self, Binaries, Profile},
    shell,
    test::integration,
    workspace,
};

/// Programs and files for a guest.
pub(crate) struct Payload {
    program: PathBuf,
    tests: Option<Tests>,
}

struct Tests {
    binaries: Binaries,
    fixtures: PathBuf,
}

impl Payload {
    /// One program alone.
    pub(crate) fn program(path: &Path) -> Self {
        Self {
            program: path.to_path_buf(),
            tests: None,
        }
    }

    /// The integration tests with everything that they use.
    pub(crate) fn tests() -> Result<Self> {
        let binaries = build::binaries(Profile::Release)?;
        let tests = integration::program()?;
        Ok(Self {
            program: tests.program,
            tests: Some(Tests {
                binaries,
                fixtures: tests.fixtures,
            }),
        })
    }

    /// A root file system that runs the program under a plan.
    pub(crate) fn initramfs(&self, plan: &str, filters: &[String]) -> Result<Vec<u8>> {
        let mut archive = Archive::default();
        archive.console()?;
        for directory in ["/proc", "/sys", "/tmp", "/run", "/root", "/etc", "/var/tmp"] {
            archive.directory(Path::new(directory))?;
        }
        let busybox = shell::find("busybox").context("busybox is missing")?;
        archive.program(&busybox, Path::new("/bin/busybox"))?;
        archive.link(Path::new("/bin/sh"), "busybox")?;
        archive.program(&self.program, Path::new("/bin/guest-program"))?;
        if let Some(tests) = &self.tests {
            archive.program(&tests.binaries.agent, Path::new("/bin/profiler-agent"))?;
            archive.program(&tests.binaries.client, Path::new("/bin/profiler"))?;
            archive.tree(&tests.fixtures, Path::new("/fixtures"))?;
            archive.tree(&workspace::root().join("proto"), Path::new("/proto"))?;
        }
        let init = init(plan, filters);
        archive.file(Path::new("/init"), 0o755, init.as_bytes())?;
        archive.finish()
    }
}

/// The guest's first process. cgroups are v2 alone; tracefs is left to the agent. The program runs
/// once for each filter, or once without any.
fn init(plan: &str, filters: &[String]) -> String {
    let runs: String = if filters.is_empty() {
        "guest-program 2>&1 || status=$?\n".into()
    } else {
        filters
            .iter()
            .map(|filter| filter.replace('\'', r"'\''"))
            .map(|filter| format!("guest-program '{filter}' 2>&1 || status=$?\n"))
            .collect()
    };
    format!(
        "#!/bin/busybox sh
export PATH=/bin HOME=/root
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo '+memory +pids' > /sys/fs/cgroup/cgroup.subtree_control
ip link set lo up
hostname guest
export PROFILER_PLAN={plan} PROFILER_TEST_SCALE=0.2
export PROFILER_AGENT=/bin/profiler-agent PROFILER_CLI=/bin/profiler
export PROFILER_FIXTURES=/fixtures PROFILER_PROTO=/proto
echo \"{begin}$(uname -r)\"
status=0
{runs}echo \"{end}$status\"
reboot -f
",
        begin = log::BEGIN,
        end = log::END,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_runs_for_each_filter_as_it_is() {
        let init = init("fexit", &["it's".into(), "$(reboot)".into()]);
        assert!(init.contains(r"guest-program 'it'\''s' 2>&1"));
        assert!(init.contains("guest-program '$(reboot)' 2>&1"));
        assert!(init.contains("PROFILER_PLAN=fexit "));
        assert!(super::init("fexit", &[]).contains("guest-program 2>&1"));
    }
}
