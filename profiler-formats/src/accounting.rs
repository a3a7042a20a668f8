//! How far an answer can be trusted, in two or three lines.

use profiler_proto::v1::{Accounting, Loss};

use crate::{
    text::{clean, plural},
    units::{bytes, count, share},
};

/// What was seen, what was lost, and stacks against the ledger, line by line.
pub fn lines(accounting: &Accounting) -> Vec<String> {
    let mut lines = vec![seen(accounting), memory(accounting)];
    if accounting.losses.is_empty() {
        lines[0].push_str("; nothing lost");
    }
    lines.extend(accounting.losses.iter().map(loss));
    if accounting.stale_processes > 0 {
        let processes = plural(accounting.stale_processes.into(), "process", "processes");
        lines.push(format!(
            "{processes} stale: ledgers being rebuilt after losses"
        ));
    }
    lines
}

fn seen(accounting: &Accounting) -> String {
    let events = plural(accounting.events_seen, "event", "events");
    let captures = plural(accounting.captures_seen, "stack", "stacks");
    let mut line = format!("{events} seen, {captures} captured");
    if accounting.capture_interval_bytes > 0 {
        let interval = bytes(accounting.capture_interval_bytes);
        line.push_str(&format!(" (one in {interval} committed)"));
    }
    if accounting.stacks_truncated > 0 {
        let truncated = count(accounting.stacks_truncated);
        line.push_str(&format!(", {truncated} of them truncated"));
    }
    line
}

fn memory(accounting: &Accounting) -> String {
    let by_stack = bytes(accounting.stack_committed_bytes);
    let ledger = bytes(accounting.ledger_committed_bytes);
    let unattributed = bytes(accounting.unattributed_bytes);
    let percent = share(accounting.unattributed_share);
    let mut line = format!(
        "live: {by_stack} by stack (estimate), {ledger} by the ledger; no stack owns \
         {unattributed} ({percent})"
    );
    if accounting.kernel_committed_bytes > 0 {
        let kernel = bytes(accounting.kernel_committed_bytes);
        line.push_str(&format!("; the kernel says {kernel}"));
    }
    if accounting.released_bytes > 0 {
        let released = bytes(accounting.released_bytes);
        line.push_str(&format!("; {released} given back by madvise"));
    }
    line
}

fn loss(loss: &Loss) -> String {
    let mut line = format!("lost: {} {}", count(loss.count), clean(&loss.cause));
    if !loss.meaning.is_empty() {
        line.push_str(&format!(" ({})", clean(&loss.meaning)));
    }
    line
}
