//! What user space tells the kernel programs: constants set at load, and a policy by process.

/// Where the fields of kernel structures lie, from the running kernel's BTF. Bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Offsets {
    /// `task_struct.mm`
    pub task_mm: u32,
    /// `task_struct.tgid`
    pub task_tgid: u32,
    /// `task_struct.pid`
    pub task_pid: u32,
    /// `task_struct.comm`
    pub task_comm: u32,
    /// `task_struct.signal`
    pub task_signal: u32,
    /// `task_struct.thread.fsbase`
    pub task_fsbase: u32,
    /// `signal_struct.live`
    pub signal_live: u32,
    /// `mm_struct.start_brk`
    pub mm_start_brk: u32,
    /// `mm_struct.start_stack`
    pub mm_start_stack: u32,
    /// `pid` in the record of the tracepoint `task:task_newtask`.
    pub newtask_pid: u32,
    /// `comm` in that record.
    pub newtask_comm: u32,
    /// `clone_flags` in that record.
    pub newtask_flags: u32,
    /// Of sockets; zeros where they are not served.
    pub socket: SocketOffsets,
    /// Of the OOM killer's victims.
    pub victim: VictimOffsets,
}

/// What is read when the OOM killer chooses a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct VictimOffsets {
    /// The count of anonymous pages in `mm_struct.rss_stat`; 0 where it is not to be found.
    pub mm_anon: u32,
    /// 1: the tracepoint `oom:mark_victim` passes a `task_struct`; 0: it passes a pid.
    pub passes_task: u32,
    /// `pid` in that tracepoint's record.
    pub pid: u32,
    /// `anon_rss` (KiB) in that record; 0 on kernels that do not tell it.
    pub anon_rss: u32,
}

/// Addresses of kernel functions; zeros where they are not to be had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Code {
    /// First address.
    pub start: u64,
    /// The first address behind it.
    pub end: u64,
}

/// What is read of sockets and of the threads that use them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SocketOffsets {
    /// `sock.__sk_common.skc_cookie`
    pub cookie: u32,
    /// `sock.__sk_common.skc_family`
    pub family: u32,
    /// `sock.__sk_common.skc_state`
    pub state: u32,
    /// `sock.__sk_common.skc_num`
    pub local_port: u32,
    /// `sock.__sk_common.skc_dport`
    pub peer_port: u32,
    /// `sock.__sk_common.skc_rcv_saddr`
    pub local_v4: u32,
    /// `sock.__sk_common.skc_daddr`
    pub peer_v4: u32,
    /// `sock.__sk_common.skc_v6_rcv_saddr`; 0 on a kernel without IPv6.
    pub local_v6: u32,
    /// `sock.__sk_common.skc_v6_daddr`; 0 on a kernel without IPv6.
    pub peer_v6: u32,
    /// `sock.__sk_common.skc_net.net`
    pub net: u32,
    /// `net.ns.inum`
    pub net_inode: u32,
    /// `sock.sk_type`
    pub kind: u32,
    /// `sock.sk_protocol`
    pub protocol: u32,
    /// `sock.sk_shutdown`
    pub shutdown: u32,
    /// `sock.sk_err`
    pub error: u32,
    /// `sock.sk_backlog.rmem_alloc`
    pub receive_queue: u32,
    /// `sock.sk_wmem_queued`
    pub send_queue: u32,
    /// `socket.sk`
    pub of_socket: u32,
    /// `unix_sock.addr`
    pub unix_address: u32,
    /// `unix_sock.peer`
    pub unix_peer: u32,
    /// `unix_address.len`
    pub unix_length: u32,
    /// `unix_address.name`
    pub unix_name: u32,
    /// `task_struct.flags`
    pub task_flags: u32,
    /// `task_struct.io_uring`; 0 on a kernel without it.
    pub task_io_uring: u32,
    /// Parameters of the kernel's `tcp_recvmsg`: six before Linux 5.19.
    pub receive_parameters: u32,
}

/// How first touches of pages are sampled, and what is read at them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct TouchSettings {
    /// Secret of this run: a process must not know which of its pages are sampled.
    pub seed: u64,
    /// [`crate::sampling::touch_inclusion`] of one page at the shortest interval of this run.
    pub threshold: u32,
    /// `vm_area_struct.vm_mm`
    pub vma_mm: u32,
    /// `page.flags`, which is a folio's as well.
    pub page_flags: u32,
    /// `PG_head`: the bit of a page with others behind it.
    pub page_head: u32,
    /// `folio._nr_pages`; 0 on kernels whose folios do not say it.
    pub folio_pages: u32,
    /// Always 0.
    pub padding: u32,
    /// Bytes of `CAPTURES` from which on touches get no stack: the rest is for operations.
    pub captures_high_water: u64,
}

/// Constants of one run, set before the programs are loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Settings {
    /// See [`Offsets`].
    pub offsets: Offsets,
    /// The agent itself, never observed (its helper processes are ignored by policy).
    pub agent_tgid: u32,
    /// [`POLICY_OBSERVE`] or [`POLICY_IGNORE`]: for processes without an entry in `POLICY`.
    pub default_policy: u32,
    /// Always 0.
    pub padding: u32,
    /// First touches of pages.
    pub touch: TouchSettings,
    /// Bytes of `EVENTS` from which on only lives and victims are written.
    pub events_high_water: u64,
    /// `out_of_memory`, which has a victim chosen.
    pub out_of_memory: Code,
    /// `mark_oom_victim`, which gives a victim the last reserves.
    pub mark_victim: Code,
    /// `mem_cgroup_out_of_memory`, which calls it when the limit of a cgroup is reached.
    pub limit_reached: Code,
}

/// Every operation is an event.
pub const POLICY_OBSERVE: u32 = 0;
/// Nothing but life records.
pub const POLICY_IGNORE: u32 = 1;
/// The process storms: its operations are counted, not sent.
pub const POLICY_COUNT: u32 = 2;

/// One process, in the map `PROCESSES` (key: tgid).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ProcessEntry {
    /// `POLICY_*`; written by user space only.
    pub policy: u32,
    /// Always 0.
    pub padding: u32,
    /// Operations that were not sent: the ring was full, or they are only counted.
    pub lost: u64,
    /// The program break after the last `brk(2)`; 0 before the first.
    pub program_break: u64,
    /// Mean number of committed bytes between two captures; 0: the one of all processes.
    /// Written by user space only.
    pub capture_interval: u64,
}

/// Most processes that the map `PROCESSES` holds.
pub const PROCESSES_MAX: u32 = 65_536;

const _: () = {
    use core::mem::size_of;
    assert!(size_of::<Offsets>() == 164);
    assert!(size_of::<TouchSettings>() == 40);
    assert!(size_of::<Settings>() == 272);
    assert!(size_of::<ProcessEntry>() == 32);
};
