//! How far an answer can be trusted, in two or three lines.

use profiler_proto::v1::{Accounting, Loss};

use crate::{
    screen::Look,
    text::{clean, plural},
    units::{bytes, count, share},
};

/// The footer of an answer.
pub fn footer(accounting: Option<&Accounting>, look: Look) -> String {
    let Some(accounting) = accounting else {
        let missing = "accounting: the endpoint sent none; figures cannot be judged";
        return format!("{}\n", look.warn(missing));
    };
    let mut text = String::new();
    for (index, line) in lines(accounting).iter().enumerate() {
        let title = if index == 0 {
            "accounting: "
        } else {
            "            "
        };
        text.push_str(&look.dim(title));
        if line.starts_with("lost") || line.contains(" stale") {
            text.push_str(&look.warn(line));
        } else {
            text.push_str(line);
        }
        text.push('\n');
    }
    text
}

/// The same without a title, line by line.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn accounting() -> Accounting {
        Accounting {
            events_seen: 48_213,
            captures_seen: 1_203,
            ledger_committed_bytes: 230 << 20,
            stack_committed_bytes: 212 << 20,
            unattributed_bytes: 18 << 20,
            unattributed_share: 0.078,
            capture_interval_bytes: 65_536,
            ..Accounting::default()
        }
    }

    #[test]
    fn two_lines_when_nothing_is_wrong() {
        assert_eq!(
            footer(Some(&accounting()), Look::plain(None)),
            "accounting: 48,213 events seen, 1,203 stacks captured (one in 64.0 KiB committed); \
             nothing lost\n            live: 212.0 MiB by stack (estimate), 230.0 MiB by \
             the ledger; no stack owns 18.0 MiB (7.8%)\n"
        );
    }

    #[test]
    fn every_loss_is_told_with_its_meaning() {
        let accounting = Accounting {
            losses: vec![Loss {
                cause: "ring_full".into(),
                count: 12,
                meaning: "ledgers are rebuilt".into(),
            }],
            stale_processes: 1,
            kernel_committed_bytes: 1 << 20,
            stacks_truncated: 3,
            ..accounting()
        };
        let text = footer(Some(&accounting), Look::plain(None));
        assert!(!text.contains("nothing lost"));
        for part in [
            "lost: 12 ring_full (ledgers are rebuilt)",
            "1 process stale",
            "the kernel says 1.0 MiB",
            "3 of them truncated",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn its_absence_is_told() {
        assert!(footer(None, Look::plain(None)).contains("sent none"));
    }
}
