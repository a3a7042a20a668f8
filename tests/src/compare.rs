//! The ledger against the kernel.

use std::{fmt::Write as _, time::Duration};

use anyhow::{Context as _, Result, bail};
use profiler_proto::v1::Range;

use crate::{
    client::Client,
    smaps::{self, Committed, Span},
    surroundings::eventually,
};

/// Time for an event to come through the pipeline. Short, so that a periodic audit of the ledger
/// does not hide what the events got wrong.
const PIPELINE: Duration = Duration::from_secs(2);
/// Most differences that are listed.
const LISTED: usize = 8;

/// The committed part of a ledger, neighbours joined.
pub fn committed(ranges: &[Range]) -> Vec<Span> {
    smaps::merge(
        ranges
            .iter()
            .filter(|range| range.committed)
            .map(|range| Span {
                start: range.start,
                end: range.end,
            })
            .collect(),
    )
}

/// Compares mapping by mapping, the main stack excepted.
pub fn exact(kernel: &Committed, ledger: &[Range]) -> Result<()> {
    let stack: Vec<Span> = kernel.stack.into_iter().collect();
    let kernel_spans = smaps::subtract(&kernel.spans, &stack);
    let ledger_spans = smaps::subtract(&committed(ledger), &stack);
    let missing = smaps::subtract(&kernel_spans, &ledger_spans);
    let surplus = smaps::subtract(&ledger_spans, &kernel_spans);
    if missing.is_empty() && surplus.is_empty() {
        return Ok(());
    }
    let mut text = String::from("the ledger differs from smaps");
    for (what, spans) in [("lacks", missing), ("has too much", surplus)] {
        for span in spans.iter().take(LISTED) {
            write!(
                text,
                "; {what} {:#x}-{:#x} ({} KiB)",
                span.start,
                span.end,
                span.length() >> 10
            )?;
        }
        if spans.len() > LISTED {
            write!(text, " and {} more", spans.len() - LISTED)?;
        }
    }
    bail!(text)
}

/// Compares the sums, the main stack included.
pub fn within(kernel: &Committed, ledger: &[Range], share: f64) -> Result<()> {
    let (expected, found) = (kernel.bytes(), smaps::bytes(&committed(ledger)));
    if expected.abs_diff(found) as f64 <= expected as f64 * share {
        return Ok(());
    }
    bail!(
        "the ledger has {found} bytes committed where smaps has {expected} ({:+.2}%)",
        (found as f64 / expected as f64 - 1.0) * 100.0
    )
}

/// Waits for the ledger of a process at rest to equal smaps, mapping by mapping.
pub fn await_exact(client: &mut Client, pid: u32) -> Result<()> {
    await_both(client, pid, PIPELINE, |kernel, ledger| {
        exact(kernel, ledger)?;
        within(kernel, ledger, 0.01)
    })
}

/// Waits for the sums to lie within 1%.
pub fn await_within(client: &mut Client, pid: u32, limit: Duration) -> Result<()> {
    await_both(client, pid, limit, |kernel, ledger| {
        within(kernel, ledger, 0.01)
    })
}

fn await_both(
    client: &mut Client,
    pid: u32,
    limit: Duration,
    check: impl Fn(&Committed, &[Range]) -> Result<()>,
) -> Result<()> {
    eventually(limit, || {
        let kernel = Committed::of(pid)?;
        let ledger = client
            .ranges(pid)
            .with_context(|| format!("ListRanges of process {pid}"))?;
        check(&kernel, &ledger)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: u64, end: u64, committed: bool) -> Range {
        Range {
            start,
            end,
            committed,
            ..Default::default()
        }
    }

    #[test]
    fn neighbours_are_one_and_the_stack_is_loose() {
        let kernel = Committed {
            spans: vec![
                Span { start: 0, end: 300 },
                Span {
                    start: 1000,
                    end: 1010,
                },
            ],
            stack: Some(Span {
                start: 1000,
                end: 1010,
            }),
        };
        let ledger = [
            range(0, 100, true),
            range(100, 300, true),
            range(1005, 1010, true),
        ];
        assert!(exact(&kernel, &ledger).is_ok());
        assert!(within(&kernel, &ledger, 0.02).is_ok());
        assert!(within(&kernel, &ledger, 0.01).is_err());
        let reserved = [range(0, 100, true), range(100, 300, false)];
        assert!(exact(&kernel, &reserved).is_err());
        let surplus = [range(0, 301, true)];
        assert!(exact(&kernel, &surplus).is_err());
    }
}
