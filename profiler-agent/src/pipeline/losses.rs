//! What user space lost or had to fold, each with a name and a meaning.

use crate::{
    connection::TableCounters, export::LossFacts, process::ProcessCounters, profile::TableStatus,
};

/// Counts of this run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Losses {
    /// Records that did not decode.
    pub(super) records_rejected: u64,
    /// Events that named a capture which was not there.
    pub(super) captures_missing: u64,
    /// Operations of several threads that may have been recorded in the other order.
    pub(super) out_of_order: u64,
    /// Address spaces that could not be read.
    pub(super) maps_unreadable: u64,
    /// Lines of `/proc/PID/maps` that make no sense.
    pub(super) mappings_rejected: u64,
    /// Committed bytes by which ledgers had drifted when they were brought in line.
    pub(super) drift_bytes: u64,
    /// Entries that the kernel's map of processes refused.
    pub(super) policies_refused: u64,
    /// Processes cut to counting because the ledgers were full.
    pub(super) ledgers_full: u64,
    /// Forks whose ledger was too large to be copied.
    pub(super) forks_not_copied: u64,
    /// Times that the processes were all read anew, after the loss of a start or end.
    pub(super) rescans: u64,
    /// Touches that may have been of more than one page.
    pub(super) touch_sizes_unknown: u64,
}

impl Losses {
    /// For answers; zeros as well.
    pub(super) fn facts(&self) -> Vec<LossFacts> {
        let loss = |cause, meaning, count| LossFacts {
            cause,
            count,
            meaning,
        };
        vec![
            loss(
                "records_rejected",
                "records from the kernel that make no sense and were passed over: kernel object \
                 and agent may be of different versions",
                self.records_rejected,
            ),
            loss(
                "captures_missing",
                "events whose stack was lost on the way: they count as unattributed",
                self.captures_missing,
            ),
            loss(
                "operations_out_of_order",
                "operations of several threads on the same addresses whose order is not sure: the \
                 ledgers were checked against /proc",
                self.out_of_order,
            ),
            loss(
                "address_space_unreadable",
                "processes that ended before their mappings could be read",
                self.maps_unreadable,
            ),
            loss(
                "mappings_rejected",
                "lines of /proc/PID/maps that make no sense",
                self.mappings_rejected,
            ),
            loss(
                "ledger_drift_bytes",
                "committed bytes that came or went without an event and were found by reading \
                 /proc: growth of stacks, losses",
                self.drift_bytes,
            ),
            loss(
                "policies_refused",
                "processes that the kernel's map of processes had no room for: filters do not \
                 hold for them there",
                self.policies_refused,
            ),
            loss(
                "forks_not_copied",
                "children of processes with very many mappings: they start with nothing known \
                 and are read from /proc if they live on",
                self.forks_not_copied,
            ),
            loss(
                "ledgers_full",
                "processes cut to counting because all ledgers together reached their bound",
                self.ledgers_full,
            ),
            loss(
                "processes_read_again",
                "times that all of /proc was read because the start or end of a process was lost",
                self.rescans,
            ),
            loss(
                "touch_sizes_unknown",
                "first touches of which it was not found out how many pages they mapped: they count \
                 as one page, though it may have been a huge one",
                self.touch_sizes_unknown,
            ),
        ]
    }
}

/// What the growth table could not keep apart.
pub(super) fn of_table(status: &TableStatus) -> [LossFacts; 6] {
    let loss = |cause, meaning, count| LossFacts {
        cause,
        count,
        meaning,
    };
    [
        loss(
            "growth_table_full",
            "changes that went to the row \"folded\" of their process: the table was full",
            status.folded_changes,
        ),
        loss(
            "connection_rows_full",
            "changes on behalf of connections that found no row of their own: they are in the row \
             of folded connections, and missing from the stacks of their connection",
            status.folded_connection_changes,
        ),
        loss(
            "unmatched_freed_bytes",
            "bytes given back by an owner that had fewer",
            status.unmatched_freed_bytes,
        ),
        loss(
            "ended_groups_dropped",
            "groups of ended processes whose rows were dropped, to stay within the bound",
            status.groups_dropped,
        ),
        loss(
            "quiet_rows_dropped",
            "rows of stacks with nothing live, older than the history, dropped to make room",
            status.quiet_dropped,
        ),
        loss(
            "changes_without_process",
            "changes of processes that were never introduced: an error of the agent",
            status.unknown_process,
        ),
    ]
}

/// What the table of connections could not keep.
pub(super) fn of_connections(counters: &TableCounters) -> [LossFacts; 7] {
    let loss = |cause, meaning, count| LossFacts {
        cause,
        count,
        meaning,
    };
    [
        loss(
            "connections_refused",
            "sockets beyond the bound of the table: they are not shown, growth on them is",
            counters.refused,
        ),
        loss(
            "connections_folded_early",
            "closed connections that were taken together with others while they held memory, to \
             stay within the bound",
            counters.folded_charged,
        ),
        loss(
            "connection_ends_unseen",
            "connections that were found gone: how they ended is not known",
            counters.ends_unseen,
        ),
        loss(
            "connection_points_dropped",
            "points of growth curves for which there was no room: patterns rest on fewer \
             connections",
            counters.points_dropped,
        ),
        loss(
            "peers_dropped",
            "totals of folded connections by peer that went to make room",
            counters.peers_dropped,
        ),
        loss(
            "connections_without_process",
            "folded connections whose process was not known: they are in no totals",
            counters.without_peer,
        ),
        loss(
            "folds_forgotten",
            "folded connections of which it is forgotten where they went: a difference that begins \
             before counts what they demanded by then as demanded again",
            counters.folds_forgotten,
        ),
    ]
}

/// What the process table could not follow.
pub(super) fn of_processes(counters: &ProcessCounters) -> [LossFacts; 5] {
    let loss = |cause, meaning, count| LossFacts {
        cause,
        count,
        meaning,
    };
    [
        loss(
            "process_table_full",
            "processes beyond the bound of the table: they are not observed",
            counters.table_full,
        ),
        loss(
            "pids_reused_unseen",
            "pids that turned out to be another process's: its end had been lost",
            counters.reused,
        ),
        loss(
            "starts_unseen",
            "processes first heard of by an operation: their start had been lost",
            counters.unannounced,
        ),
        loss(
            "ends_unseen",
            "processes found gone: their end had been lost",
            counters.missed_exits,
        ),
        loss(
            "stale_events",
            "events of an earlier user of a pid, dropped",
            counters.stale_events,
        ),
    ]
}
