//! Who a row of growth belongs to.

use crate::ids::{Cookie, PeerId, StackId};

/// The owner of a row. The rows of a process divide its growth in two ways: by who demanded it
/// (estimates, since stacks are sampled), and by on whose behalf (exact). `OnConnection` divides a
/// connection's part by stack once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OwnerKey {
    /// A captured call stack. Bytes whose stack was not captured have no row: the weights of the
    /// captured ones carry them.
    Stack(StackId),
    /// There before observation began.
    PreExisting,
    /// Set up by the kernel in execve.
    ExecImage,
    /// Appeared without an event that was seen.
    Unattributed,
    /// A stack, but a table was full when it came.
    Folded,
    /// On whose behalf an event demanded it.
    Behalf(BehalfKey),
    /// A captured call stack of a thread that served this connection.
    OnConnection(Cookie, StackId),
}

/// On whose behalf the growth of a row was demanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BehalfKey {
    /// A connection.
    Connection(Cookie),
    /// Connections to one peer that are over and hold nothing.
    Peer(PeerId),
    /// Connections of ended processes, and those for which there was no room.
    Folded,
    /// Of a thread that served none.
    Nobody,
    /// Of a helper thread of the runtime.
    Helper,
    /// Of a thread that received by io_uring.
    Ring,
}

impl OwnerKey {
    /// It is one of the rows by owner.
    pub fn is_by_owner(self) -> bool {
        !matches!(self, Self::Behalf(_) | Self::OnConnection(..))
    }

    /// The stack, if it is one.
    pub fn stack(self) -> Option<StackId> {
        match self {
            Self::Stack(stack) | Self::OnConnection(_, stack) => Some(stack),
            _ => None,
        }
    }
}
