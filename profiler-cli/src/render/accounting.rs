//! How far an answer can be trusted, in two or three lines.

use profiler_formats::accounting::lines;
use profiler_proto::v1::Accounting;

use crate::screen::Look;

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

#[cfg(test)]
mod tests {
    use profiler_proto::v1::Loss;

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
