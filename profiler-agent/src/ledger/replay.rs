//! Operations that had returned before the maps were read, played after the reconcile.
//!
//! The maps show what they left, and what later ones made of it. So they never change what is
//! mapped and what is committed: that the ledger agrees with the maps holds by construction,
//! whatever was lost or comes late. What the maps cannot tell, and the operations can, is who
//! committed, and what was given back.
//!
//! An operation that empties pages which the maps show committed tells that they were committed
//! again after it. They are marked by the time of the reading as live since an unknown moment,
//! and the next operation that could have committed them becomes their owner. Every operation
//! replayed is older than that mark, so it cannot be taken for a known time.

use super::operation::{Move, end};
use super::range::Content;
use super::space::AddressSpace;
use super::{Cause, Change, Owner};
use crate::event::{Backing, Operation};
use crate::ids::BootTime;

impl AddressSpace {
    pub(super) fn replay(
        &mut self,
        operation: &Operation,
        cause: Cause,
        changes: &mut Vec<Change>,
    ) {
        match *operation {
            Operation::Map {
                start,
                length,
                backing: Backing::Anonymous,
                writable: true,
            } => self.claim(start, end(start, length), cause, changes),
            Operation::Map { start, length, .. }
            | Operation::Unmap { start, length }
            | Operation::Protect {
                start,
                length,
                writable: false,
            } => self.emptied(start, end(start, length), changes),
            Operation::Protect {
                start,
                length,
                writable: true,
            } => self.claim_unknown(start, end(start, length), cause, changes),
            Operation::Release { start, length } => {
                self.update(start, end(start, length), changes, Content::released);
            }
            Operation::Break { start, end } => self.replay_break(start, end, cause, changes),
            Operation::Remap {
                old_start,
                old_length,
                new_start,
                new_length,
                keep_old,
            } => {
                let asked = Move {
                    old_start,
                    old_length,
                    new_start,
                    new_length,
                    keep_old,
                };
                self.replay_move(asked, cause, changes);
            }
            Operation::Detach { .. } | Operation::Suspect { .. } => {}
        }
    }

    /// A fresh commitment: what of it is committed still is the operation's.
    fn claim(&mut self, start: u64, end: u64, cause: Cause, changes: &mut Vec<Change>) {
        self.update(start, end, changes, |content| {
            content.grown(cause.owner, cause.time)
        });
    }

    /// mprotect commits what was not committed before; that can only be what is live since an
    /// unknown moment.
    fn claim_unknown(&mut self, start: u64, end: u64, cause: Cause, changes: &mut Vec<Change>) {
        let unknown = self.read_at;
        self.update(start, end, changes, |content| match content {
            Content::Live { since, .. } if since == unknown => Content::Live {
                owner: cause.owner,
                since: cause.time,
            },
            same => same,
        });
    }

    /// The pages were not committed for a while.
    fn emptied(&mut self, start: u64, end: u64, changes: &mut Vec<Change>) {
        let unknown = self.read_at;
        self.update(start, end, changes, |content| live_again(content, unknown));
    }

    fn replay_break(&mut self, start: u64, end: u64, cause: Cause, changes: &mut Vec<Change>) {
        let end = end.max(start);
        match self.replayed_heap.advance(start, end) {
            Some(before) if before < end => self.claim(before, end, cause, changes),
            Some(before) => self.emptied(end, before, changes),
            None => {}
        }
    }

    fn replay_move(&mut self, asked: Move, cause: Cause, changes: &mut Vec<Change>) {
        let Move {
            old_start,
            old_length,
            new_start,
            new_length,
            keep_old,
        } = asked;
        let old_end = end(old_start, old_length);
        let new_end = end(new_start, new_length);
        if new_start == old_start {
            self.emptied(end(old_start, new_length), old_end, changes);
        } else {
            if keep_old {
                self.update(old_start, old_end, changes, Content::released);
            } else {
                self.emptied(old_start, old_end, changes);
            }
            self.emptied(new_start, new_end, changes);
        }
        self.claim(end(new_start, old_length), new_end, cause, changes);
    }
}

fn live_again(content: Content, unknown: BootTime) -> Content {
    match content {
        Content::Live { owner, .. } => Content::Live {
            owner,
            since: unknown,
        },
        Content::Released => Content::Live {
            owner: Owner::Unattributed,
            since: unknown,
        },
        same => same,
    }
}
