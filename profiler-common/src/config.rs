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
    /// Bytes of `EVENTS` from which on only life records are written.
    pub events_high_water: u64,
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
    assert!(size_of::<Offsets>() == 148);
    assert!(size_of::<Settings>() == 168);
    assert!(size_of::<ProcessEntry>() == 32);
};
