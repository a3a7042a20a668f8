//! What rows of growth say about stacks.

use anyhow::{Result, ensure};
use profiler_proto::v1::{Frame, GrowthRow, OwnerKind};

/// Captured events, and those of them whose stack is as it should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Those that were judged.
    pub all: u64,
    /// Those that are right.
    pub good: u64,
}

impl Score {
    /// Judges rows owned by a stack: `None` leaves a row out.
    pub fn of(rows: &[GrowthRow], judge: impl Fn(&GrowthRow) -> Option<bool>) -> Self {
        let mut score = Self::default();
        for row in rows.iter().filter(|row| row.owner() == OwnerKind::Stack) {
            if let Some(good) = judge(row) {
                score.all += row.events;
                score.good += if good { row.events } else { 0 };
            }
        }
        score
    }

    /// Fails unless enough were judged and the share of good ones is at least this.
    pub fn at_least(self, share: f64, events: u64, rows: &[GrowthRow]) -> Result<()> {
        ensure!(
            self.all >= events,
            "{} captured events where at least {events} were expected; rows:\n{}",
            self.all,
            show(rows)
        );
        ensure!(
            self.good as f64 >= self.all as f64 * share,
            "{} of {} stacks are right ({:.2}%, wanted {:.0}%); rows:\n{}",
            self.good,
            self.all,
            self.good as f64 / self.all as f64 * 100.0,
            share * 100.0,
            show(rows)
        );
        Ok(())
    }
}

/// The names of functions, leaf first.
pub fn names(row: &GrowthRow) -> Vec<&str> {
    row.frames
        .iter()
        .map(|frame| frame.function.as_str())
        .collect()
}

/// Whether the stack has these functions one directly below the other, leaf first. Inlined frames
/// in between are passed over where the chain does not name them.
pub fn has_chain(frames: &[Frame], chain: &[&str]) -> bool {
    let real: Vec<&Frame> = frames
        .iter()
        .filter(|frame| !frame.inlined || chain.iter().any(|name| frame.function.contains(name)))
        .collect();
    real.windows(chain.len()).any(|window| {
        window
            .iter()
            .zip(chain)
            .all(|(frame, name)| frame.function.contains(name))
    })
}

/// Rows as text, for failures: the first few, most events first.
pub fn show(rows: &[GrowthRow]) -> String {
    let mut text = String::new();
    for row in rows.iter().take(5) {
        text += &format!(
            "  {} events, {} allocated, {} live, {:?}{}:",
            row.events,
            row.committed_allocated_bytes,
            row.committed_live_bytes,
            row.owner(),
            if row.truncated { ", truncated" } else { "" }
        );
        for frame in row.frames.iter().take(40) {
            let name = if frame.function.is_empty() {
                format!("{}+{:#x}", frame.module, frame.module_offset)
            } else {
                frame.function.clone()
            };
            text += &format!(" < {name}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, inlined: bool) -> Frame {
        Frame {
            function: function.into(),
            inlined,
            ..Default::default()
        }
    }

    #[test]
    fn chains_are_contiguous() {
        let frames = [
            frame("mmap", false),
            frame("grow", true),
            frame("leaf", false),
            frame("main", false),
            frame("", false),
        ];
        assert!(has_chain(&frames, &["mmap", "leaf", "main"]));
        assert!(has_chain(&frames, &["mmap", "grow", "leaf"]));
        assert!(!has_chain(&frames, &["mmap", "main"]));
        assert!(!has_chain(&frames, &["main", "leaf"]));
    }
}
