//! On whose behalf memory is demanded.

use profiler_common::socket::{THREAD_IO_URING, THREAD_RECEIVES, THREAD_WAITS};

use crate::{event::Served, ids::Cookie};

/// What the thread that demanded memory served. Eight bytes, since each range of a ledger has one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Behalf(u64);

/// A [`Behalf`], spelled out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Whom {
    /// The connection that it received from last, without having waited for events since.
    Connection(Cookie),
    /// No connection.
    Nobody,
    /// It is a helper thread of the runtime.
    Helper,
    /// It received by io_uring: any of the completions may be meant.
    Ring,
    /// A connection that is not kept apart, for lack of room.
    Folded,
}

impl Behalf {
    /// See [`Whom::Nobody`].
    pub const NOBODY: Self = Self(0);
    /// See [`Whom::Helper`]. The kernel counts cookies up from 1.
    pub const HELPER: Self = Self(u64::MAX);
    /// See [`Whom::Ring`].
    pub const RING: Self = Self(u64::MAX - 1);
    /// See [`Whom::Folded`].
    pub const FOLDED: Self = Self(u64::MAX - 2);

    /// What a thread served. `helps`: it is a helper thread if it has never received nor waited
    /// for events.
    pub fn of(served: &Served, helps: impl FnOnce() -> bool) -> Self {
        match served.connection {
            Some(Cookie(cookie)) => Self(cookie),
            None if served.thread & THREAD_IO_URING != 0 => Self::RING,
            None if served.thread & (THREAD_RECEIVES | THREAD_WAITS) == 0 && helps() => {
                Self::HELPER
            }
            None => Self::NOBODY,
        }
    }

    /// Spelled out.
    pub fn whom(self) -> Whom {
        match self {
            Self::NOBODY => Whom::Nobody,
            Self::HELPER => Whom::Helper,
            Self::RING => Whom::Ring,
            Self::FOLDED => Whom::Folded,
            Self(cookie) => Whom::Connection(Cookie(cookie)),
        }
    }

    /// The connection, if it is one.
    pub fn connection(self) -> Option<Cookie> {
        match self.whom() {
            Whom::Connection(cookie) => Some(cookie),
            _ => None,
        }
    }
}

impl std::fmt::Debug for Behalf {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.whom().fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_never_serves_may_be_a_helper() {
        let served = |connection, thread| Served {
            connection,
            thread,
            ..Served::default()
        };
        let whom = |served: Served, helps| Behalf::of(&served, || helps).whom();
        assert_eq!(
            whom(served(Some(Cookie(7)), THREAD_RECEIVES), true),
            Whom::Connection(Cookie(7))
        );
        assert_eq!(whom(served(None, 0), true), Whom::Helper);
        assert_eq!(whom(served(None, 0), false), Whom::Nobody);
        assert_eq!(whom(served(None, THREAD_WAITS), true), Whom::Nobody);
        let ring = THREAD_RECEIVES | THREAD_IO_URING;
        assert_eq!(whom(served(None, ring), true), Whom::Ring);
    }
}
