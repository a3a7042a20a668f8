//! Who a row of growth belongs to, and how much a captured byte stands for.

use profiler_common::sampling;

use crate::{
    connection::{Behalf, PeerId, Whom},
    ids::{Cookie, StackId},
    ledger::Owner,
};

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

impl From<Behalf> for BehalfKey {
    fn from(behalf: Behalf) -> Self {
        match behalf.whom() {
            Whom::Connection(cookie) => Self::Connection(cookie),
            Whom::Nobody => Self::Nobody,
            Whom::Helper => Self::Helper,
            Whom::Ring => Self::Ring,
            Whom::Folded => Self::Folded,
        }
    }
}

impl OwnerKey {
    /// The row by owner that bytes go to, and what each of them stands for; none for those that
    /// were not captured.
    pub fn of(owner: Owner) -> Option<(Self, Weight)> {
        let whole = |key| Some((key, Weight::ONE));
        match owner {
            Owner::Stack {
                stack, inclusion, ..
            } => Some((Self::Stack(stack), Weight::of_inclusion(inclusion))),
            Owner::Unsampled { .. } => None,
            // The stack is lost, its bytes and those that it stands for are not.
            Owner::Lost { inclusion, .. } => {
                Some((Self::Unattributed, Weight::of_inclusion(inclusion)))
            }
            Owner::PreExisting => whole(Self::PreExisting),
            Owner::ExecImage => whole(Self::ExecImage),
            Owner::Unattributed => whole(Self::Unattributed),
            Owner::Folded => whole(Self::Folded),
        }
    }

    /// Every row that bytes go to which a child has from its parent: those of connections are not
    /// kept apart, since they would outlive their connection.
    pub fn of_child(owner: Owner) -> impl Iterator<Item = (Self, Weight)> {
        let rows = Self::all(owner).filter(|(key, _)| !matches!(key, Self::OnConnection(..)));
        rows.map(|(key, weight)| match key {
            Self::Behalf(BehalfKey::Connection(_)) => (Self::Behalf(BehalfKey::Folded), weight),
            key => (key, weight),
        })
    }

    /// Every row that bytes of this owner go to.
    pub fn all(owner: Owner) -> impl Iterator<Item = (Self, Weight)> {
        let behalf = owner.behalf();
        let by_behalf = behalf.map(|behalf| (Self::Behalf(behalf.into()), Weight::ONE));
        let on_connection = match (owner, behalf.and_then(Behalf::connection)) {
            (
                Owner::Stack {
                    stack, inclusion, ..
                },
                Some(cookie),
            ) => Some((
                Self::OnConnection(cookie, stack),
                Weight::of_inclusion(inclusion),
            )),
            _ => None,
        };
        [Self::of(owner), by_behalf, on_connection]
            .into_iter()
            .flatten()
    }

    /// It is one of the rows by owner.
    pub fn is_by_owner(self) -> bool {
        !matches!(self, Self::Behalf(_) | Self::OnConnection(..))
    }

    /// It always finds room: there are few of its kind.
    pub(super) fn is_few(self) -> bool {
        !matches!(
            self,
            Self::Stack(_)
                | Self::OnConnection(..)
                | Self::Behalf(BehalfKey::Connection(_) | BehalfKey::Peer(_))
        )
    }

    /// Where bytes go for which there is no row.
    pub(super) fn fallback(self) -> Option<Self> {
        match self {
            Self::Behalf(_) => Some(Self::Behalf(BehalfKey::Folded)),
            Self::OnConnection(..) => None,
            _ => Some(Self::Folded),
        }
    }

    /// The stack, if it is one.
    pub fn stack(self) -> Option<StackId> {
        match self {
            Self::Stack(stack) | Self::OnConnection(_, stack) => Some(stack),
            _ => None,
        }
    }
}

/// How many bytes a captured byte stands for, in units of 2^-16.
///
/// A fixed-point number and not a float, so that weighted bytes of whole pages add up exactly:
/// what is allocated and freed again in other pieces comes out as zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight(u64);

/// Weighted bytes are counted in sixteenths of a byte: `page * 2^-16` is a whole number of them.
const UNITS_PER_BYTE: u64 = 16;

impl Weight {
    /// A byte that stands for itself.
    pub const ONE: Self = Self(1 << 16);

    /// The weight of what was captured with the chance `inclusion` (units of 2^-32).
    pub fn of_inclusion(inclusion: u32) -> Self {
        Self((sampling::weight(inclusion) * 65_536.0).round() as u64)
    }

    /// `bytes` times the weight, in [`Units`].
    pub fn of(self, bytes: u64) -> Units {
        let units = (u128::from(bytes) * u128::from(self.0)) >> 12;
        Units(u64::try_from(units).unwrap_or(u64::MAX))
    }
}

/// Weighted bytes, in sixteenths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Units(u64);

impl Units {
    /// Whole bytes, rounded down.
    pub fn bytes(self) -> u64 {
        self.0 / UNITS_PER_BYTE
    }

    /// Their sum, at most `u64::MAX` units (an exbibyte).
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left after taking `other` away, and never less than nothing.
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_freed_in_pieces_cancel_exactly() {
        for inclusion in [1, 3, 1_000_003, 262_144_000, u32::MAX - 1, u32::MAX] {
            let weight = Weight::of_inclusion(inclusion);
            let whole = weight.of(4096 * 1013);
            let mut left = whole;
            for pages in [1, 12, 1000] {
                left = left.minus(weight.of(4096 * pages));
            }
            assert_eq!(left, Units(0), "inclusion {inclusion}");
        }
    }

    #[test]
    fn weighs_as_the_inverse_of_the_chance() {
        assert_eq!(Weight::of_inclusion(u32::MAX), Weight::ONE);
        assert_eq!(Weight::ONE.of(123).bytes(), 123);
        assert_eq!(Weight::of_inclusion(1 << 31).of(4096).bytes(), 8192);
        assert_eq!(Weight::of_inclusion(1 << 28).of(4096).bytes(), 65_536);
        assert_eq!(Weight::of_inclusion(0).of(4096).bytes(), 0);
        assert_eq!(Weight::of_inclusion(1).of(u64::MAX), Units(u64::MAX));
    }
}
