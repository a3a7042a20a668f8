//! Where the heap ended before a brk: the event says only where it ends after it.

/// What is known of the break.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Heap {
    /// Nothing: the process ran before it was seen.
    #[default]
    Unknown,
    /// The heap is empty, as after exec; where it will start shows with the first event.
    Empty,
    /// It ends here. Maps do not say where it starts: the program's zeroed data may be joined
    /// to it.
    Ends {
        /// As an event gave it.
        start: Option<u64>,
        /// The break.
        end: u64,
    },
}

impl Heap {
    /// Moves the break and tells where it was, if that is known. A heap that starts elsewhere
    /// than it did (`PR_SET_MM`, or an exec that was not seen) is another heap.
    pub(super) fn advance(&mut self, start: u64, end: u64) -> Option<u64> {
        let before = match *self {
            Self::Unknown => None,
            Self::Empty => Some(start),
            Self::Ends {
                start: known,
                end: before,
            } => (known.is_none_or(|known| known == start) && before >= start).then_some(before),
        };
        *self = Self::Ends {
            start: Some(start),
            end,
        };
        before
    }
}
