//! Frames as the unwinder finds them, and how a stack can end.

pub use framehop::FrameAddress;

use super::intern::FrameId;

/// Why a stack was not followed to its root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Truncation {
    /// The captured part of the stack ends before the root.
    SliceEnd,
    /// A function has neither an unwind table nor a usable frame pointer.
    NoUnwindInfo,
    /// The stack points to memory that was not captured.
    Unreadable,
    /// More frames than are kept.
    DepthLimit,
    /// The stack does not advance.
    Loop,
    /// An address that cannot be code or stack.
    BadAddress,
    /// The process's mappings could not be read: it has ended.
    NoMappings,
    /// The unwinder failed inside.
    Failed,
}

impl Truncation {
    /// All of them, in the order of their values.
    pub const ALL: [Self; 8] = [
        Self::SliceEnd,
        Self::NoUnwindInfo,
        Self::Unreadable,
        Self::DepthLimit,
        Self::Loop,
        Self::BadAddress,
        Self::NoMappings,
        Self::Failed,
    ];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::SliceEnd => "stack_slice_end",
            Self::NoUnwindInfo => "stack_no_unwind_info",
            Self::Unreadable => "stack_unreadable",
            Self::DepthLimit => "stack_depth_limit",
            Self::Loop => "stack_loop",
            Self::BadAddress => "stack_bad_address",
            Self::NoMappings => "stack_no_mappings",
            Self::Failed => "stack_unwinder_failed",
        }
    }

    /// For people.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::SliceEnd => "stacks deeper than the part that is captured",
            Self::NoUnwindInfo => {
                "stacks through a function without unwind table and frame pointer"
            }
            Self::Unreadable => "stacks that lead to memory that was not captured",
            Self::DepthLimit => "stacks with more than 512 frames",
            Self::Loop => "stacks that do not advance",
            Self::BadAddress => "stacks with an address that cannot be code",
            Self::NoMappings => "stacks of processes that had ended before they were unwound",
            Self::Failed => "stacks at which the unwinder failed",
        }
    }
}

/// How a stack ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// At the root of the thread: the unwind table says so, or the last return address is 0.
    Root,
    /// Before it.
    Truncated(Truncation),
}

/// Registers of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRegisters {
    /// Stack pointer.
    pub sp: u64,
    /// Frame pointer (rbp), whether or not the function uses it as one.
    pub fp: u64,
}

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Instruction pointer of the leaf and of what a signal interrupted, else a return address.
    pub address: FrameAddress,
    /// Its code.
    pub code: FrameId,
    /// `None` for frames that only the kernel's walk knows.
    pub registers: Option<FrameRegisters>,
}
