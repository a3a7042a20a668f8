//! What the kernel side shares with the agent.

use aya_ebpf::{
    bindings::BPF_RB_NO_WAKEUP,
    macros::{btf_map, map},
    maps::{Array, HashMap, PerCpuArray, RingBuf},
};
use profiler_common::{
    config::{
        Code, Offsets, PROCESSES_MAX, ProcessEntry, Settings, SocketOffsets, TouchSettings,
        VictimOffsets,
    },
    counter,
    socket::{LISTENERS_MAX, SOCKETS_MAX, SocketEntry, ThreadEntry, TrafficEntry},
};

use crate::local_storage::{SocketStorage, TaskStorage};

/// Operations, lives, ends of sockets and victims, in the order in which they happened.
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(8 << 20, 0);

/// Captured stacks.
#[map]
pub static CAPTURES: RingBuf = RingBuf::with_byte_size(8 << 20, 0);

/// Policy and losses by process.
#[map]
pub static PROCESSES: HashMap<u32, ProcessEntry> = HashMap::with_max_entries(PROCESSES_MAX, 0);

/// `counter::COUNTERS`.
#[map]
pub static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(counter::COUNT, 0);

/// Captures made on this CPU: their numbers come from it.
#[map]
pub static CAPTURE_NUMBERS: PerCpuArray<u32> = PerCpuArray::with_max_entries(1, 0);

/// Mean interval in bytes between two captures; the agent changes it while we run.
#[map]
pub static CAPTURE_INTERVAL: Array<u64> = Array::with_max_entries(1, 0);

/// Sockets that are open, by cookie.
#[map]
pub static SOCKETS: HashMap<u64, SocketEntry> = HashMap::with_max_entries(SOCKETS_MAX, 0);

/// TCP ports that are listened on: network namespace and port, in one word.
#[map]
pub static LISTENERS: HashMap<u64, u8> = HashMap::with_max_entries(LISTENERS_MAX, 0);

/// Number of the pass over all descriptors that runs, or ran last.
#[map]
pub static PASS: Array<u32> = Array::with_max_entries(1, 0);

/// What passed over each TCP socket.
#[btf_map]
pub static TRAFFIC: SocketStorage<TrafficEntry> = SocketStorage::new();

/// Sockets without states of their own in `SOCKETS`; the agent sets it right each time it counts.
#[map]
pub static STATELESS: Array<u64> = Array::with_max_entries(1, 0);

/// What each thread serves.
#[btf_map]
pub static THREADS: TaskStorage<ThreadEntry> = TaskStorage::new();

/// Flag of every submit: the reader looks by time. A wake-up by event costs more than all the rest.
pub const NO_WAKEUP: u64 = BPF_RB_NO_WAKEUP as u64;

/// Set by the agent before loading.
#[unsafe(no_mangle)]
pub static SETTINGS: Settings = Settings {
    offsets: Offsets {
        task_mm: 0,
        task_tgid: 0,
        task_pid: 0,
        task_comm: 0,
        task_signal: 0,
        task_fsbase: 0,
        signal_live: 0,
        mm_start_brk: 0,
        mm_start_stack: 0,
        newtask_pid: 0,
        newtask_comm: 0,
        newtask_flags: 0,
        socket: SocketOffsets {
            cookie: 0,
            family: 0,
            state: 0,
            local_port: 0,
            peer_port: 0,
            local_v4: 0,
            peer_v4: 0,
            local_v6: 0,
            peer_v6: 0,
            net: 0,
            net_inode: 0,
            kind: 0,
            protocol: 0,
            shutdown: 0,
            error: 0,
            receive_queue: 0,
            send_queue: 0,
            of_socket: 0,
            unix_address: 0,
            unix_peer: 0,
            unix_length: 0,
            unix_name: 0,
            task_flags: 0,
            task_io_uring: 0,
            receive_parameters: 0,
        },
        victim: VictimOffsets {
            mm_anon: 0,
            passes_task: 0,
            pid: 0,
            anon_rss: 0,
        },
    },
    agent_tgid: 0,
    default_policy: 0,
    padding: 0,
    touch: TouchSettings {
        seed: 0,
        threshold: 0,
        vma_mm: 0,
        page_flags: 0,
        page_head: 0,
        folio_pages: 0,
        padding: 0,
        captures_high_water: 0,
    },
    events_high_water: 0,
    out_of_memory: Code { start: 0, end: 0 },
    mark_victim: Code { start: 0, end: 0 },
    limit_reached: Code { start: 0, end: 0 },
};

/// One of the settings of this run.
macro_rules! setting {
    ($($field:ident).+) => {
        // SAFETY: a valid static; volatile, because its value changes between compiling and
        // loading. Field by field: a read of the whole would be made whole.
        unsafe { core::ptr::read_volatile(&raw const $crate::maps::SETTINGS.$($field).+) }
    };
}
pub(crate) use setting;
