//! A stretch of one address space whose pages are all alike.

use super::Owner;
use crate::event::Backing;
use crate::ids::BootTime;

/// What the pages of a range are. What cannot be (an owner of a file's pages, say) cannot be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Private, anonymous, writable, and not given back.
    Live {
        /// Who committed it.
        owner: Owner,
        /// When.
        since: BootTime,
    },
    /// Private, anonymous, writable; its pages were given back.
    Released,
    /// Private and anonymous, but not writable.
    Reserved,
    /// A private mapping of a file.
    File {
        /// `PROT_WRITE`.
        writable: bool,
    },
    /// Shared memory of any kind.
    Shared {
        /// `PROT_WRITE`.
        writable: bool,
        /// Where its first byte would lie. All that one shmat mapped has the same base, and
        /// shmdt finds by it what belongs together (as the kernel does). Wraps.
        base: u64,
    },
}

impl Content {
    /// What a fresh mapping at `start` holds.
    pub(super) fn fresh(
        backing: Backing,
        writable: bool,
        start: u64,
        owner: Owner,
        since: BootTime,
    ) -> Self {
        match (backing, writable) {
            (Backing::Anonymous, true) => Self::Live { owner, since },
            (Backing::Anonymous, false) => Self::Reserved,
            (Backing::File, writable) => Self::File { writable },
            (Backing::Shared, writable) => Self::Shared {
                writable,
                base: start,
            },
        }
    }

    /// After mprotect. Memory that becomes writable is committed by `owner`; what was writable
    /// already keeps its owner.
    pub(super) fn protected(self, writable: bool, owner: Owner, since: BootTime) -> Self {
        match (self, writable) {
            (Self::Live { .. } | Self::Released, false) => Self::Reserved,
            (Self::Reserved, true) => Self::Live { owner, since },
            (Self::File { .. }, writable) => Self::File { writable },
            (Self::Shared { base, .. }, writable) => Self::Shared { writable, base },
            (same, _) => same,
        }
    }

    /// After its pages were given back.
    pub(super) fn released(self) -> Self {
        match self {
            Self::Live { .. } => Self::Released,
            same => same,
        }
    }

    /// What mremap adds behind it.
    pub(super) fn grown(self, owner: Owner, since: BootTime) -> Self {
        match self {
            Self::Live { .. } | Self::Released => Self::Live { owner, since },
            same => same,
        }
    }

    /// The same, `distance` further up (wraps).
    pub(super) fn moved(self, distance: u64) -> Self {
        match self {
            Self::Shared { writable, base } => Self::Shared {
                writable,
                base: base.wrapping_add(distance),
            },
            same => same,
        }
    }

    pub(super) fn backing(self) -> Backing {
        match self {
            Self::Live { .. } | Self::Released | Self::Reserved => Backing::Anonymous,
            Self::File { .. } => Backing::File,
            Self::Shared { .. } => Backing::Shared,
        }
    }

    pub(super) fn is_writable(self) -> bool {
        match self {
            Self::Live { .. } | Self::Released => true,
            Self::Reserved => false,
            Self::File { writable } | Self::Shared { writable, .. } => writable,
        }
    }

    pub(super) fn is_committed(self) -> bool {
        matches!(self, Self::Live { .. } | Self::Released)
    }

    pub(super) fn owner(self) -> Option<Owner> {
        match self {
            Self::Live { owner, .. } => Some(owner),
            _ => None,
        }
    }
}

/// The value in the map from first addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// First address after it.
    pub(super) end: u64,
    pub(super) content: Content,
}

const _: () = assert!(size_of::<Range>() == 40);

/// A range as others see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeView {
    /// First address.
    pub start: u64,
    /// First address after it.
    pub end: u64,
    /// What backs it.
    pub backing: Backing,
    /// `PROT_WRITE`.
    pub writable: bool,
    /// Committed, but given back.
    pub released: bool,
    /// Who committed it, and when; nobody unless it is live.
    pub live: Option<(Owner, BootTime)>,
}

impl RangeView {
    pub(super) fn new(start: u64, range: Range) -> Self {
        let content = range.content;
        Self {
            start,
            end: range.end,
            backing: content.backing(),
            writable: content.is_writable(),
            released: content == Content::Released,
            live: match content {
                Content::Live { owner, since } => Some((owner, since)),
                _ => None,
            },
        }
    }
}
