//! Where kernel structures have their fields, from the running kernel's BTF and tracefs.

use std::{fs, path::Path};

use anyhow::{Context as _, bail};
use profiler_common::config::{Offsets, SocketOffsets};

use super::btf::Types;

const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// What was found, and what the kernel lacks for connections to be followed.
pub(super) struct Found {
    pub(super) offsets: Offsets,
    pub(super) without_sockets: Option<anyhow::Error>,
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
    let mut without_sockets = None;
    match sockets(&types) {
        Ok(found) => offsets.socket = found,
        Err(error) => without_sockets = Some(error),
    }
    if let Some(tracefs) = tracefs {
        let path = tracefs.join("events/task/task_newtask/format");
        let format =
            fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        offsets.newtask_pid = record_field(&format, "pid")?;
        offsets.newtask_comm = record_field(&format, "comm")?;
        offsets.newtask_flags = record_field(&format, "clone_flags")?;
    }
    Ok(Found {
        offsets,
        without_sockets,
    })
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
            without_sockets,
        } = read(None).unwrap();
        assert!(without_sockets.is_none(), "{without_sockets:?}");
        assert!(offsets.socket.local_port != offsets.socket.peer_port);
        assert!((4..=6).contains(&offsets.socket.receive_parameters));
        assert!(offsets.task_fsbase > offsets.task_mm);
        assert!(offsets.task_pid != offsets.task_tgid);
        assert!(offsets.mm_start_stack > offsets.mm_start_brk);
    }
}
