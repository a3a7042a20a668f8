//! Where kernel structures have their fields, from the running kernel's BTF and tracefs.

use std::{fs, path::Path};

use anyhow::{Context as _, bail};
use profiler_common::config::{Offsets, SocketOffsets, TouchSettings, VictimOffsets};

use super::{
    btf::Types,
    plan::{FIRST_TOUCH, OOM_KILLS, SOCKET_STATES},
};

const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// What was found, and what the kernel lacks, by the capability that is of no use without it.
pub(super) struct Found {
    pub(super) offsets: Offsets,
    pub(super) missing: Vec<(&'static str, anyhow::Error)>,
    /// What is read at first touches; how they are sampled is not filled in.
    pub(super) touch: TouchSettings,
}

/// Reads all of [`Offsets`]. The fields of the plain tracepoint stay 0 where tracefs has none.
///
/// # Errors
/// No BTF, or a field that this kernel does not have and that is needed in any case.
pub(super) fn read(tracefs: Option<&Path>) -> anyhow::Result<Found> {
    let bytes = fs::read(VMLINUX).with_context(|| {
        format!("read {VMLINUX}: the kernel must be built with CONFIG_DEBUG_INFO_BTF")
    })?;
    let types = Types::parse(bytes).with_context(|| format!("understand {VMLINUX}"))?;
    let mut offsets = Offsets {
        task_mm: field(&types, "task_struct", &["mm"])?,
        task_tgid: field(&types, "task_struct", &["tgid"])?,
        task_pid: field(&types, "task_struct", &["pid"])?,
        task_comm: field(&types, "task_struct", &["comm"])?,
        task_signal: field(&types, "task_struct", &["signal"])?,
        task_fsbase: field(&types, "task_struct", &["thread", "fsbase"])?,
        signal_live: field(&types, "signal_struct", &["live"])?,
        mm_start_brk: field(&types, "mm_struct", &["start_brk"])?,
        mm_start_stack: field(&types, "mm_struct", &["start_stack"])?,
        ..Offsets::default()
    };
    let mut missing = Vec::new();
    match sockets(&types) {
        Ok(found) => offsets.socket = found,
        Err(error) => missing.push((SOCKET_STATES, error)),
    }
    match victims(&types) {
        Ok(found) => offsets.victim = found,
        Err(error) => missing.push((OOM_KILLS, error)),
    }
    if let Some(tracefs) = tracefs {
        let path = tracefs.join("events/task/task_newtask/format");
        let format =
            fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        offsets.newtask_pid = record_field(&format, "pid")?;
        offsets.newtask_comm = record_field(&format, "comm")?;
        offsets.newtask_flags = record_field(&format, "clone_flags")?;
    }
    let touch = touch(&types).unwrap_or_else(|error| {
        missing.push((FIRST_TOUCH, error));
        TouchSettings::default()
    });
    Ok(Found {
        offsets,
        missing,
        touch,
    })
}

/// The tracepoint passes a pid, and from Linux 6.9 on (stable kernels later than that, too) a task.
fn victims(types: &Types) -> anyhow::Result<VictimOffsets> {
    const RECORD: &str = "trace_event_raw_mark_victim";
    Ok(VictimOffsets {
        mm_anon: anonymous_pages(types).unwrap_or(0),
        passes_task: u32::from(types.passes_pointer("mark_victim")?),
        pid: field(types, RECORD, &["pid"])?,
        anon_rss: field(types, RECORD, &["anon_rss"]).unwrap_or(0),
    })
}

fn touch(types: &Types) -> anyhow::Result<TouchSettings> {
    let pages = ["_nr_pages", "_folio_nr_pages"];
    let pages = pages
        .iter()
        .find_map(|name| field(types, "folio", &[name]).ok());
    Ok(TouchSettings {
        vma_mm: field(types, "vm_area_struct", &["vm_mm"])?,
        page_flags: field(types, "page", &["flags"])?,
        page_head: types.enumerator("pageflags", "PG_head")?,
        folio_pages: pages.unwrap_or(0),
        ..TouchSettings::default()
    })
}

/// Where `mm_struct` has its count of anonymous pages: a plain number, since Linux 6.2 the sum of a
/// counter by processor.
fn anonymous_pages(types: &Types) -> anyhow::Result<u32> {
    /// `MM_ANONPAGES`.
    const PLACE: u32 = 1;
    let mm = |path: &[&str]| field(types, "mm_struct", path);
    if let Ok(counts) = mm(&["rss_stat", "count"]) {
        return Ok(counts + PLACE * 8);
    }
    let counter = PLACE * types.size("percpu_counter")?;
    Ok(mm(&["rss_stat"])? + counter + field(types, "percpu_counter", &["count"])?)
}

fn sockets(types: &Types) -> anyhow::Result<SocketOffsets> {
    let sock = |path: &[&str]| field(types, "sock", path);
    let common = |name| sock(&["__sk_common", name]);
    Ok(SocketOffsets {
        cookie: common("skc_cookie")?,
        family: common("skc_family")?,
        state: common("skc_state")?,
        local_port: common("skc_num")?,
        peer_port: common("skc_dport")?,
        local_v4: common("skc_rcv_saddr")?,
        peer_v4: common("skc_daddr")?,
        // Kernels without IPv6 have no such sockets.
        local_v6: common("skc_v6_rcv_saddr").unwrap_or(0),
        peer_v6: common("skc_v6_daddr").unwrap_or(0),
        net: sock(&["__sk_common", "skc_net", "net"])?,
        net_inode: field(types, "net", &["ns", "inum"])?,
        kind: sock(&["sk_type"])?,
        protocol: sock(&["sk_protocol"])?,
        shutdown: sock(&["sk_shutdown"])?,
        error: sock(&["sk_err"])?,
        receive_queue: sock(&["sk_backlog", "rmem_alloc"])?,
        send_queue: sock(&["sk_wmem_queued"])?,
        of_socket: field(types, "socket", &["sk"])?,
        unix_address: field(types, "unix_sock", &["addr"])?,
        unix_peer: field(types, "unix_sock", &["peer"])?,
        unix_length: field(types, "unix_address", &["len"])?,
        unix_name: field(types, "unix_address", &["name"])?,
        task_flags: field(types, "task_struct", &["flags"])?,
        task_io_uring: field(types, "task_struct", &["io_uring"]).unwrap_or(0),
        receive_parameters: types.parameters("tcp_recvmsg")?,
    })
}

/// Offset in bytes of a path of fields.
fn field(types: &Types, structure: &str, path: &[&str]) -> anyhow::Result<u32> {
    let bits = types.offset(structure, path)?;
    if bits % 8 != 0 {
        bail!(
            "field {} of struct {structure} is a bit field",
            path.join(".")
        );
    }
    Ok(bits / 8)
}

/// Offset of a field in a tracepoint's `format`, from a line such as
/// `field:char comm[16]; offset:12; size:16; signed:0;` (with tabs between).
fn record_field(format: &str, name: &str) -> anyhow::Result<u32> {
    for line in format.lines() {
        let mut parts = line.trim().split(';');
        let Some(declaration) = parts.next().and_then(|part| part.strip_prefix("field:")) else {
            continue;
        };
        let last = declaration.rsplit(' ').next().unwrap_or_default();
        if last.split('[').next() != Some(name) {
            continue;
        }
        let offset = parts.find_map(|part| part.trim().strip_prefix("offset:"));
        if let Some(offset) = offset.and_then(|offset| offset.parse().ok()) {
            return Ok(offset);
        }
    }
    bail!("the tracepoint task:task_newtask has no field {name} on this kernel")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_fields_of_a_record() {
        let format = "name: task_newtask\nID: 104\nformat:\n\
            \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\
            \n\tfield:pid_t pid;\toffset:8;\tsize:4;\tsigned:1;\n\
            \tfield:char comm[16];\toffset:12;\tsize:16;\tsigned:0;\n\
            \tfield:unsigned long clone_flags;\toffset:32;\tsize:8;\tsigned:0;\n";
        assert_eq!(record_field(format, "pid").unwrap(), 8);
        assert_eq!(record_field(format, "comm").unwrap(), 12);
        assert_eq!(record_field(format, "clone_flags").unwrap(), 32);
        let missing = record_field(format, "nothing").unwrap_err().to_string();
        assert!(missing.contains("nothing"), "{missing}");
    }

    #[test]
    fn reads_this_kernel() {
        if !Path::new(VMLINUX).exists() {
            eprintln!("skipped: this kernel has no BTF");
            return;
        }
        let Found {
            offsets,
            missing,
            touch,
        } = read(None).unwrap();
        assert!(missing.is_empty(), "{missing:?}");
        assert!(offsets.victim.pid >= 8 && offsets.victim.mm_anon > 0);
        assert!(touch.page_head > 0 && touch.page_head < 64);
        assert!(touch.vma_mm > 0);
        assert!(offsets.socket.local_port != offsets.socket.peer_port);
        assert!((4..=6).contains(&offsets.socket.receive_parameters));
        assert!(offsets.task_fsbase > offsets.task_mm);
        assert!(offsets.task_pid != offsets.task_tgid);
        assert!(offsets.mm_start_stack > offsets.mm_start_brk);
    }
}
