//! Records of the two ring buffers.
//!
//! `EVENTS` carries [`VmRecord`], [`LifeRecord`], [`VictimRecord`] and
//! [`SocketRecord`](crate::socket::SocketRecord) in the order in which they happened;
//! `CAPTURES` carries [`CaptureHead`] followed by a slice of the user stack. A capture is
//! submitted before the event that names it.

/// [`Header::kind`] of a [`VmRecord`].
pub const KIND_VM: u16 = 1;
/// [`Header::kind`] of a [`LifeRecord`].
pub const KIND_LIFE: u16 = 2;
/// [`Header::kind`] of a capture.
pub const KIND_CAPTURE: u16 = 3;
/// [`Header::kind`] of a [`VictimRecord`].
pub const KIND_VICTIM: u16 = 5;
/// [`Header::kind`] of a [`TouchRecord`].
pub const KIND_TOUCH: u16 = 6;

/// `mmap(2)`: `address` is the result, `length`, `protection`, `flags`.
pub const OP_MMAP: u16 = 1;
/// `munmap(2)`: `address`, `length`.
pub const OP_MUNMAP: u16 = 2;
/// `mremap(2)`: `address` and `length` are the old range, `extra` the new length, `result` the new
/// address, `flags` as passed.
pub const OP_MREMAP: u16 = 3;
/// `brk(2)`: `result` is the new break, `address` the start of the heap (`mm->start_brk`).
pub const OP_BRK: u16 = 4;
/// `mprotect(2)` and `pkey_mprotect(2)`: `address`, `length`, `protection`.
pub const OP_MPROTECT: u16 = 5;
/// `madvise(2)` with an advice that gives memory back: `address`, `length`, `flags` the advice.
pub const OP_MADVISE: u16 = 6;
/// `shmat(2)`: `address` is the result.
pub const OP_SHMAT: u16 = 7;
/// `shmdt(2)`: `address`.
pub const OP_SHMDT: u16 = 8;

/// A new thread or process: `peer_tgid`, `peer_tid` name the child, `flags` the clone flags.
pub const OP_FORK: u16 = 16;
/// A successful `execve(2)`; `name` is the new name.
pub const OP_EXEC: u16 = 17;
/// The last thread of a process has ended.
pub const OP_EXIT: u16 = 18;

/// The OOM killer chose a process.
pub const OP_VICTIM: u16 = 48;

/// It is not known what had run out.
pub const CONSTRAINT_UNKNOWN: u32 = 0;
/// The limit of a cgroup was reached.
pub const CONSTRAINT_LIMIT: u32 = 1;
/// The host, or the part of it that the process may use, had no memory left.
pub const CONSTRAINT_HOST: u32 = 2;

/// [`VictimRecord::anon_bytes`] that could not be read.
pub const ANON_UNKNOWN: u64 = u64::MAX;
/// A page got memory of its own, or is about to.
pub const OP_TOUCH: u16 = 64;

/// [`Header::capture`] of an event that was to be captured and could not be.
pub const CAPTURE_LOST: u32 = u32::MAX;

/// What every record starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Header {
    /// `KIND_*`.
    pub kind: u16,
    /// `OP_*`.
    pub operation: u16,
    /// Process id in the initial pid namespace.
    pub tgid: u32,
    /// Nanoseconds of `CLOCK_BOOTTIME`.
    pub time: u64,
    /// Inode of the process's directory in the cgroup v2 tree.
    pub cgroup: u64,
    /// Thread id in the initial pid namespace.
    pub tid: u32,
    /// Number of the capture that belongs to this event; 0: none; [`CAPTURE_LOST`].
    pub capture: u32,
}

/// One operation on an address space, at its return to user space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct VmRecord {
    /// `kind` is [`KIND_VM`].
    pub header: Header,
    /// The system call's result: an address, 0, or a negative errno.
    pub result: i64,
    /// See the operation.
    pub address: u64,
    /// See the operation; bytes.
    pub length: u64,
    /// See the operation.
    pub extra: u64,
    /// `PROT_*` as passed.
    pub protection: u32,
    /// `MAP_*`, `MREMAP_*` or `MADV_*` as passed.
    pub flags: u32,
    /// Chance that this event had to be captured, in units of 2^-32; the weight of a captured
    /// event is its inverse. [`crate::sampling::ALWAYS`] stands for 1.
    pub inclusion: u32,
    /// `socket::THREAD_*` of the thread.
    pub thread: u32,
    /// Cookie of the socket that the thread received from last, and has not waited for events
    /// since; 0: none.
    pub connection: u64,
    /// Calls that had received from that socket by then.
    pub connection_calls: u64,
    /// Bytes that had been received from it by then.
    pub connection_bytes: u64,
}

/// A sampled page of a process was touched for the first time, as far as the kernel side can tell: it
/// is user space that knows which pages were touched before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct TouchRecord {
    /// `kind` is [`KIND_TOUCH`].
    pub header: Header,
    /// An address in the page; the first one where `pages` is known.
    pub address: u64,
    /// Pages that the kernel mapped at once; 0: not known.
    pub pages: u32,
    /// Chance that this touch had to be sampled, in units of 2^-32.
    pub inclusion: u32,
}

/// A process or thread began, changed its program, or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct LifeRecord {
    /// `kind` is [`KIND_LIFE`].
    pub header: Header,
    /// The child of a fork.
    pub peer_tgid: u32,
    /// The child of a fork.
    pub peer_tid: u32,
    /// `CLONE_*` of a fork.
    pub flags: u64,
    /// The kernel's `comm` of the process (of the child, for a fork), padded with NUL.
    pub name: [u8; 16],
}

/// The OOM killer chose a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct VictimRecord {
    /// `kind` is [`KIND_VICTIM`]. Process, thread and cgroup are those whose demand could not be
    /// met, which need not be the victim's.
    pub header: Header,
    /// The victim's process id; a thread's of it where the kernel told no more.
    pub pid: u32,
    /// `CONSTRAINT_*`.
    pub constraint: u32,
    /// The victim's resident anonymous memory, or [`ANON_UNKNOWN`].
    pub anon_bytes: u64,
    /// The victim's `comm`, padded with NUL; empty where it could not be read.
    pub name: [u8; 16],
}

/// Most return addresses that the kernel's frame-pointer walk gives.
pub const CHAIN_FRAMES: usize = 127;

/// General registers at the entry of the system call, in the order of x86-64's `struct pt_regs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the names of the registers")]
pub struct Registers {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub bp: u64,
    pub bx: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub ax: u64,
    pub cx: u64,
    pub dx: u64,
    pub si: u64,
    pub di: u64,
    pub orig_ax: u64,
    pub ip: u64,
    pub cs: u64,
    pub flags: u64,
    pub sp: u64,
    pub ss: u64,
}

/// A captured user stack. `slice_length` bytes follow, the first of them from `slice_base`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct CaptureHead {
    /// `kind` is [`KIND_CAPTURE`], `capture` this capture's number.
    pub header: Header,
    /// The registers with which the thread entered the kernel.
    pub registers: Registers,
    /// Address of the slice's first byte: the stack pointer, rounded down to a page.
    pub slice_base: u64,
    /// Bytes of the slice; a multiple of [`SLICE_CHUNK`].
    pub slice_length: u32,
    /// Bytes in `chain` that are in use (eight a frame).
    pub chain_bytes: u32,
    /// The frame-pointer walk: the instruction pointer, then return addresses, leaf first.
    pub chain: [u64; CHAIN_FRAMES],
}

/// The stack is read in pieces of this many bytes, up to the first that cannot be read.
pub const SLICE_CHUNK: usize = 4096;
/// Size classes of a slice, in chunks. A ring buffer wants constant sizes.
pub const SLICE_CLASSES: [usize; 4] = [2, 4, 8, 15];

const _: () = {
    use core::mem::{offset_of, size_of};
    assert!(size_of::<Header>() == 32);
    assert!(size_of::<VmRecord>() == 104);
    assert!(offset_of!(VmRecord, inclusion) == 72);
    assert!(offset_of!(VmRecord, connection) == 80);
    assert!(size_of::<LifeRecord>() == 64);
    assert!(offset_of!(LifeRecord, name) == 48);
    assert!(size_of::<VictimRecord>() == 64);
    assert!(offset_of!(VictimRecord, pid) == 32);
    assert!(offset_of!(VictimRecord, anon_bytes) == 40);
    assert!(offset_of!(VictimRecord, name) == 48);
    assert!(size_of::<TouchRecord>() == 48);
    assert!(offset_of!(TouchRecord, inclusion) == 44);
    assert!(size_of::<Registers>() == 168);
    assert!(offset_of!(Registers, sp) == 152);
    assert!(offset_of!(CaptureHead, slice_base) == 200);
    assert!(offset_of!(CaptureHead, chain) == 216);
    assert!(size_of::<CaptureHead>() == 1232);
};
