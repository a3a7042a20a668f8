use std::os::unix::fs::symlink;

use super::*;

/// A host made of files, removed in the end.
struct Fake {
    directory: PathBuf,
}

impl Fake {
    /// A host on which everything is as it should be.
    fn new(name: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("privileges-{name}-{}", std::process::id()));
        let fake = Self { directory };
        fake.write("proc/self/status", "Name:\tx\nCapEff:\t000001ffffffffff\n");
        fake.write("sys/kernel/btf/vmlinux", "");
        fake.write(
            "sys/kernel/security/lockdown",
            "[none] integrity confidentiality\n",
        );
        fake.link("pid", INITIAL_PID);
        fake.link("user", INITIAL_USER);
        fake.link("cgroup", INITIAL_CGROUP);
        fake
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.directory.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn link(&self, name: &str, inode: u64) {
        let directory = self.directory.join("proc/self/ns");
        fs::create_dir_all(&directory).unwrap();
        let link = directory.join(name);
        drop(fs::remove_file(&link));
        symlink(format!("{name}:[{inode}]"), link).unwrap();
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.directory.join(path)).unwrap();
    }

    fn checks(&self) -> Vec<Check> {
        check_host(&HostRoot::new(&self.directory))
    }

    fn error(&self) -> String {
        require(&self.checks()).unwrap_err().to_string()
    }

    fn line(&self, name: &str) -> String {
        let checks = self.checks();
        checks
            .iter()
            .find(|check| check.name == name)
            .unwrap()
            .to_string()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.directory));
    }
}

#[test]
fn a_host_as_it_should_be() {
    let fake = Fake::new("good");
    assert_eq!(require(&fake.checks()), Ok(()));
    assert!(
        fake.checks()
            .iter()
            .all(|check| matches!(check.outcome, Outcome::Passed(_)))
    );
    assert_eq!(fake.line("lockdown"), "lockdown: ok (none)");
}

#[test]
fn missing_capabilities_are_named_with_their_purpose() {
    let fake = Fake::new("caps");
    fake.write("proc/self/status", "CapEff:\t0000000000000000\n");
    assert_eq!(
        fake.error(),
        "this host cannot be profiled:\n  capabilities: missing CAP_BPF or CAP_SYS_ADMIN (to load \
         BPF programs and maps), CAP_PERFMON or CAP_SYS_ADMIN (to attach them to tracepoints and \
         read memory in them), CAP_SYS_PTRACE (to read /proc/PID/maps and memory of other users' \
         processes), CAP_DAC_READ_SEARCH (to read tracefs, executables and perf maps whatever \
         their mode). Start the agent as root, or give it these (in a container: --cap-add or \
         securityContext.capabilities; as a service: AmbientCapabilities)"
    );
    assert!(
        fake.line("symbol files")
            .starts_with("symbol files: limited: without CAP_CHECKPOINT")
    );
    // SYS_ADMIN stands for BPF and PERFMON, not for SYS_PTRACE.
    fake.write("proc/self/status", "CapEff:\t0000000000200004\n");
    let error = fake.error();
    assert!(error.contains("missing CAP_SYS_PTRACE (to read"), "{error}");
    assert!(
        !error.contains("CAP_BPF") && !error.contains("CAP_DAC"),
        "{error}"
    );
    // BPF, PERFMON, SYS_PTRACE and DAC_READ_SEARCH are enough.
    fake.write("proc/self/status", "CapEff:\t000000c000080004\n");
    assert_eq!(require(&fake.checks()), Ok(()));
    fake.write("proc/self/status", "CapEff:\tnonsense\n");
    assert!(
        fake.error()
            .contains("CapEff in /proc/self/status cannot be read")
    );
}

#[test]
fn namespaces_that_hide_the_host() {
    let fake = Fake::new("namespaces");
    fake.link("pid", 4_026_532_000);
    assert_eq!(
        fake.error(),
        "this host cannot be profiled:\n  pid namespace: the agent runs in a pid namespace of its \
         own and would not find the processes that the kernel tells it about. Start it on the \
         host, or with --pid=host (Docker, Podman) or hostPID: true (Kubernetes)"
    );
    fake.remove("proc/self/ns/pid");
    assert!(fake.error().contains("/proc/self/ns/pid cannot be read"));
    fake.link("pid", INITIAL_PID);
    fake.link("user", 4_026_532_001);
    assert!(
        fake.error()
            .contains("user namespace: the agent runs in a user namespace of its own")
    );
    fake.link("user", INITIAL_USER);
    fake.link("cgroup", 4_026_532_002);
    assert_eq!(require(&fake.checks()), Ok(()));
    assert!(
        fake.line("cgroup namespace")
            .contains("limited: the agent runs in a cgroup namespace")
    );
}

#[test]
fn a_kernel_without_btf() {
    let fake = Fake::new("btf");
    fake.remove("sys/kernel/btf/vmlinux");
    assert_eq!(
        fake.error(),
        "this host cannot be profiled:\n  btf: /sys/kernel/btf/vmlinux is not there: this kernel \
         does not describe its types. A kernel built with CONFIG_DEBUG_INFO_BTF=y is needed \
         (Debian 11, Ubuntu 20.10, RHEL 8.2 and later have it); in a container, /sys has to be \
         mounted"
    );
}

#[test]
fn lockdown_states() {
    let fake = Fake::new("lockdown");
    fake.write(
        "sys/kernel/security/lockdown",
        "none [integrity] confidentiality\n",
    );
    assert_eq!(require(&fake.checks()), Ok(()));
    assert!(
        fake.line("lockdown")
            .starts_with("lockdown: limited: the kernel is locked down to \"integrity\"")
    );
    fake.write(
        "sys/kernel/security/lockdown",
        "none integrity [confidentiality]\n",
    );
    assert!(
        fake.error()
            .contains("lockdown: the kernel is locked down to \"confidentiality\"")
    );
    fake.write("sys/kernel/security/lockdown", "");
    assert_eq!(fake.line("lockdown"), "lockdown: ok (unknown)");
    fake.remove("sys/kernel/security/lockdown");
    assert!(fake.line("lockdown").starts_with("lockdown: ok (unknown: "));
}

#[test]
fn all_failures_are_told_at_once() {
    let fake = Fake::new("many");
    fake.write("proc/self/status", "CapEff:\t0\n");
    fake.link("pid", 7);
    fake.remove("sys/kernel/btf/vmlinux");
    assert_eq!(fake.error().lines().count(), 4);
}

#[test]
fn the_limit_of_open_files_goes_up_to_the_hard_one() {
    let raised = raise_open_files();
    assert_eq!(raised, getrlimit(Resource::Nofile).maximum);
}
