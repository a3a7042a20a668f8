//! Capabilities, by what each is for.

use super::{HostRoot, Outcome};

/// One of the kernel's capabilities.
struct Capability {
    name: &'static str,
    bit: u32,
    purpose: &'static str,
    /// `CAP_SYS_ADMIN` does as well.
    in_admin: bool,
}

const ADMIN: u32 = 21;

const NEEDED: [Capability; 4] = [
    Capability {
        name: "CAP_BPF",
        bit: 39,
        purpose: "to load BPF programs and maps",
        in_admin: true,
    },
    Capability {
        name: "CAP_PERFMON",
        bit: 38,
        purpose: "to attach them to tracepoints and read memory in them",
        in_admin: true,
    },
    Capability {
        name: "CAP_SYS_PTRACE",
        bit: 19,
        purpose: "to read /proc/PID/maps and memory of other users' processes",
        in_admin: false,
    },
    Capability {
        name: "CAP_DAC_READ_SEARCH",
        bit: 2,
        purpose: "to read tracefs, executables and perf maps whatever their mode",
        in_admin: false,
    },
];

const CHECKPOINT_RESTORE: u32 = 40;

pub(super) fn check(root: &HostRoot) -> Outcome {
    let Some(effective) = effective(root) else {
        return Outcome::Failed(
            "CapEff in /proc/self/status cannot be read. Mount the host's proc file system at \
             /proc"
                .to_owned(),
        );
    };
    let missing: Vec<String> = NEEDED
        .iter()
        .filter(|needed| !holds(effective, needed))
        .map(describe)
        .collect();
    if missing.is_empty() {
        return Outcome::Passed(format!("{effective:#x}"));
    }
    Outcome::Failed(format!(
        "missing {}. Start the agent as root, or give it these (in a container: --cap-add or \
         securityContext.capabilities; as a service: AmbientCapabilities)",
        missing.join(", ")
    ))
}

/// `/proc/PID/map_files` leads to the files of other mount namespaces and to deleted ones.
pub(super) fn check_map_files(root: &HostRoot) -> Outcome {
    let may = |bit: u32| effective(root).is_some_and(|effective| effective & (1 << bit) != 0);
    if may(CHECKPOINT_RESTORE) || may(ADMIN) {
        Outcome::Passed("map_files can be opened".to_owned())
    } else {
        Outcome::Limited(
            "without CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN, functions of deleted executables \
             and libraries are not named"
                .to_owned(),
        )
    }
}

fn holds(effective: u64, needed: &Capability) -> bool {
    let own = effective & (1 << needed.bit) != 0;
    own || (needed.in_admin && effective & (1 << ADMIN) != 0)
}

fn describe(needed: &Capability) -> String {
    let or = if needed.in_admin {
        " or CAP_SYS_ADMIN"
    } else {
        ""
    };
    format!("{}{or} ({})", needed.name, needed.purpose)
}

fn effective(root: &HostRoot) -> Option<u64> {
    let status = root.read("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}
