//! Every counter of the kernel side, defined once: its place in the per-CPU array `COUNTERS`,
//! its stable name and what it means to a reader.

macro_rules! counters {
    ($($(#[doc = $meaning:literal])+ $ident:ident = $index:literal $name:literal $loss:literal;)+) => {
        $($(#[doc = $meaning])+ pub const $ident: u32 = $index;)+

        /// All of them, by index.
        pub const COUNTERS: &[Counter] = &[
            $(Counter { index: $index, name: $name, meaning: concat!($($meaning),+), loss: $loss },)+
        ];
    };
}

/// One counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// Its place in the array.
    pub index: u32,
    /// Stable name.
    pub name: &'static str,
    /// For people.
    pub meaning: &'static str,
    /// It counts something that was lost.
    pub loss: bool,
}

counters! {
    /// operations on address spaces that were sent to user space
    EVENTS_SENT = 0 "events_sent" false;
    /// stacks that were captured
    CAPTURES_SENT = 1 "captures_sent" false;
    /// the event ring was full: operations were counted but not seen; the ledgers of those processes are rebuilt
    EVENTS_LOST = 2 "event_ring_full" true;
    /// the event ring was full even for the start or end of a process; all processes are read again
    LIFE_LOST = 3 "life_ring_full" true;
    /// the capture ring was full: the operation was seen, its stack was not
    CAPTURES_LOST = 4 "capture_ring_full" true;
    /// the table of processes in the kernel was full: losses of further processes are not told apart
    PROCESSES_FULL = 5 "process_map_full" true;
    /// operations of processes that were cut to counting because they storm
    OPERATIONS_COUNTED = 6 "storm_counted" true;
    /// kernel memory that a program could not read: an operation without its arguments
    KERNEL_READ_FAILED = 7 "kernel_read_failed" true;
    /// stacks of which not even the first page could be read
    SLICE_UNREADABLE = 8 "slice_unreadable" true;
    /// operations of processes that a filter leaves out
    FILTERED = 9 "filtered" false;
    /// the table of sockets in the kernel was full: further ones are not kept apart; counted at each use
    SOCKETS_FULL = 10 "socket_map_full" true;
    /// ends of sockets that found no room in the event ring: how they ended is not known
    SOCKET_ENDS_LOST = 11 "socket_ends_lost" true;
    /// receives by io_uring: whom the thread serves after them is not known, growth then counts as not joined
    RECEIVES_BY_RING = 12 "receives_by_io_uring" true;
    /// threads without room for what they serve: growth on them is not joined
    THREADS_REFUSED = 13 "thread_storage_refused" true;
    /// UDP and Unix sockets beyond the part of the kernel's table that is theirs, at each use: they are not kept apart
    STATELESS_REFUSED = 14 "stateless_sockets_refused" true;
    /// OOM kills that found no room in the event ring: their victims are seen to end, not why
    VICTIMS_LOST = 15 "oom_kills_lost" true;
    /// sampled first touches of pages that found no room in the event ring: resident bytes are too low by their weight
    TOUCHES_LOST = 16 "touches_lost" true;
    /// sampled first touches whose stack was not captured, because the capture ring was half full: they count as unattributed
    TOUCHES_UNCAPTURED = 17 "touches_uncaptured" true;
}

/// Length of the array.
pub const COUNT: u32 = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_distinct_and_inside() {
        for (place, counter) in COUNTERS.iter().enumerate() {
            assert!(place == 0 || COUNTERS[place - 1].index < counter.index);
            assert!(counter.index < COUNT);
        }
    }
}
