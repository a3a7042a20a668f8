//! Bytes from the rings become typed events. Nothing here trusts a length, a tag or an address;
//! what does not decode is rejected with its reason and counted by the caller.

mod decode;

use profiler_common::{event as abi, socket::SocketEntry};

pub use decode::{decode, decode_capture};

use crate::ids::{BootTime, Cookie};

/// What decoding refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Fewer bytes than the record's kind has.
    #[error("record of {got} bytes where {want} are needed")]
    Short {
        /// Bytes at hand.
        got: usize,
        /// Bytes needed.
        want: usize,
    },
    /// A kind or operation that this version does not know.
    #[error("unknown record kind {kind}, operation {operation}")]
    Unknown {
        /// `KIND_*`
        kind: u16,
        /// `OP_*`
        operation: u16,
    },
    /// A length inside the record points outside of it.
    #[error("a length of {0} points outside the record")]
    Length(u64),
    /// A value that its field does not have.
    #[error("a field holds {0}, which is none of its values")]
    Value(u64),
    /// An address range that no user process can have.
    #[error("address range {start:#x}+{length:#x} is not a user range")]
    Range {
        /// First address.
        start: u64,
        /// Bytes.
        length: u64,
    },
}

/// Who did it, when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// Thread id in the initial pid namespace.
    pub tid: u32,
    /// When the operation returned.
    pub time: BootTime,
    /// Inode of the cgroup v2 directory.
    pub cgroup: u64,
}

/// One event of the ordered ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An address space changed.
    Vm(VmEvent),
    /// A thread or process was made by `origin`.
    Fork {
        /// The parent.
        origin: Origin,
        /// The child's process id; the parent's own for a thread.
        child: u32,
        /// Parent and child share one address space (`CLONE_VM`), as after vfork.
        shares_memory: bool,
        /// The child's name.
        name: Name,
    },
    /// The process runs another program now.
    Exec {
        /// The process.
        origin: Origin,
        /// Its new name.
        name: Name,
    },
    /// The last thread of the process has ended.
    Exit {
        /// The process.
        origin: Origin,
    },
    /// A socket is over.
    Closed(SocketEnd),
    /// The OOM killer chose a process.
    Victim(Victim),
    /// A sampled page was touched.
    Touch(TouchEvent),
}

/// Whom the OOM killer chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Victim {
    /// When.
    pub time: BootTime,
    /// Process id in the initial pid namespace, or the id of one of its threads.
    pub pid: u32,
    /// What there was no more of, if that is sure.
    pub constraint: Option<Constraint>,
    /// Its resident anonymous memory, if that could be read.
    pub anon_bytes: Option<u64>,
    /// Its name; empty if it could not be read.
    pub name: Name,
}

/// What there was no more of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Constraint {
    /// A cgroup had reached its limit.
    Cgroup,
    /// The host, or the part of it that the process may use, had no memory left.
    Host,
}

impl Constraint {
    /// As answers have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cgroup => "cgroup",
            Self::Host => "host",
        }
    }
}

/// The end of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketEnd {
    /// When.
    pub time: BootTime,
    /// Which.
    pub cookie: Cookie,
    /// What the kernel side knew of it, unchecked.
    pub entry: SocketEntry,
}

/// A touch of a sampled page, which need not be the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TouchEvent {
    /// Who and when.
    pub origin: Origin,
    /// First address of the page.
    pub address: u64,
    /// Bytes that were mapped from there on, if that is known.
    pub bytes: Option<u64>,
    /// Its chance of being sampled, in units of 2^-32.
    pub inclusion: u32,
    /// Whether its stack was captured.
    pub capture: Captured,
}

/// The kernel's 16-byte `comm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name(pub [u8; 16]);

impl Name {
    /// As text; bytes that are not UTF-8 become U+FFFD.
    pub fn to_text(self) -> String {
        let end = self.0.iter().position(|&byte| byte == 0).unwrap_or(16);
        String::from_utf8_lossy(&self.0[..end]).into_owned()
    }
}

/// An operation on an address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VmEvent {
    /// Who and when.
    pub origin: Origin,
    /// What.
    pub operation: Operation,
    /// Whether its stack was captured.
    pub capture: Captured,
    /// Its chance of being captured, in units of 2^-32 (`profiler_common::sampling`).
    pub inclusion: u32,
    /// What the thread served.
    pub served: Served,
}

/// What a thread serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// The socket that it received from last, if it has not waited for events since.
    pub connection: Option<Cookie>,
    /// Calls that had received from that socket by then.
    pub calls: u64,
    /// Bytes that had been received from it.
    pub bytes: u64,
    /// `profiler_common::socket::THREAD_*`.
    pub thread: u32,
}

/// Whether an operation's stack was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Captured {
    /// It was not its turn.
    No,
    /// Under this number.
    Yes(u32),
    /// It was its turn, and there was no room.
    Lost,
}

/// What backs a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backing {
    /// Private and anonymous: committed when writable.
    Anonymous,
    /// A private mapping of a file.
    File,
    /// Shared memory of any kind.
    Shared,
}

/// What an operation did, as the kernel did it. Addresses are page-aligned, lengths rounded up to
/// whole pages (4 KiB), ranges lie below 2^56 and do not wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// mmap, shmat: the range is a fresh mapping now, whatever was there before.
    Map {
        /// First address.
        start: u64,
        /// Bytes.
        length: u64,
        /// What backs it.
        backing: Backing,
        /// `PROT_WRITE`.
        writable: bool,
    },
    /// munmap.
    Unmap {
        /// First address.
        start: u64,
        /// Bytes.
        length: u64,
    },
    /// shmdt: the shared mapping that starts here is gone; its length is the ledger's to know.
    Detach {
        /// First address.
        start: u64,
    },
    /// mremap.
    Remap {
        /// Old first address.
        old_start: u64,
        /// Old bytes (0 duplicates a shared mapping).
        old_length: u64,
        /// New first address.
        new_start: u64,
        /// New bytes.
        new_length: u64,
        /// `MREMAP_DONTUNMAP`: the old range stays mapped and is empty.
        keep_old: bool,
    },
    /// brk: the heap lies in `start..end` now; `start == end` is an empty heap.
    Break {
        /// `mm->start_brk`, rounded up to a page.
        start: u64,
        /// The new break, rounded up to a page.
        end: u64,
    },
    /// mprotect, pkey_mprotect.
    Protect {
        /// First address.
        start: u64,
        /// Bytes.
        length: u64,
        /// `PROT_WRITE`.
        writable: bool,
    },
    /// madvise with DONTNEED, DONTNEED_LOCKED, FREE or REMOVE: pages were given back; parts of the
    /// range that are not mapped are passed over.
    Release {
        /// First address.
        start: u64,
        /// Bytes.
        length: u64,
    },
    /// A call failed half-way: what it left in this range is not known from the event.
    Suspect {
        /// First address.
        start: u64,
        /// Bytes.
        length: u64,
    },
}

/// A captured stack, borrowed from the ring.
#[derive(Clone, Copy, Debug)]
pub struct Capture<'a> {
    /// Whose.
    pub origin: Origin,
    /// The number by which its event names it.
    pub number: u32,
    /// Registers at the entry of the system call.
    pub registers: abi::Registers,
    /// Frame-pointer walk as little-endian u64, leaf first: the instruction pointer, then return
    /// addresses.
    pub chain: &'a [u8],
    /// Address of the first byte of `slice`.
    pub slice_base: u64,
    /// The user stack from `slice_base` upwards; it may start below the stack pointer.
    pub slice: &'a [u8],
}
