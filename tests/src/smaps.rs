//! The kernel's own account of a process's memory.

use std::fs;

use anyhow::{Context as _, Result, bail, ensure};

/// Addresses from `start` up to `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First address.
    pub start: u64,
    /// First address behind it.
    pub end: u64,
}

impl Span {
    /// Bytes.
    pub fn length(self) -> u64 {
        self.end - self.start
    }
}

/// What counts as committed: private, writable, without a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// In order; neighbours are one span.
    pub spans: Vec<Span>,
    /// The main thread's stack, which grows by page faults; part of the spans.
    pub stack: Option<Span>,
}

impl Committed {
    /// Of a running process.
    pub fn of(pid: u32) -> Result<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps"))
            .with_context(|| format!("read the smaps of process {pid}"))?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self> {
        let mut committed = Self::default();
        let mut spans = Vec::new();
        for line in text.lines().filter(|line| is_head(line)) {
            let (span, permissions, inode, name) = head(line)?;
            let bytes = permissions.as_bytes();
            ensure!(bytes.len() == 4, "permissions in {line:?}");
            if bytes[1] != b'w' || bytes[3] != b'p' || inode != 0 {
                continue;
            }
            if name == "[stack]" {
                committed.stack = Some(span);
            }
            spans.push(span);
        }
        committed.spans = merge(spans);
        Ok(committed)
    }

    /// Sum of bytes.
    pub fn bytes(&self) -> u64 {
        bytes(&self.spans)
    }

    /// Sum of bytes without the main stack.
    pub fn bytes_without_stack(&self) -> u64 {
        self.bytes() - self.stack.map_or(0, Span::length)
    }
}

/// Attributes of a mapping ("Rss:   4 kB") begin with a capital letter and a colon.
fn is_head(line: &str) -> bool {
    line.split(' ')
        .next()
        .is_some_and(|word| word.contains('-') && !word.ends_with(':'))
}

fn head(line: &str) -> Result<(Span, &str, u64, &str)> {
    let mut words = line.split_ascii_whitespace();
    let (Some(range), Some(permissions), Some(_offset), Some(_device), Some(inode)) = (
        words.next(),
        words.next(),
        words.next(),
        words.next(),
        words.next(),
    ) else {
        bail!("not a mapping: {line:?}");
    };
    let (start, end) = range.split_once('-').context("range")?;
    let span = Span {
        start: u64::from_str_radix(start, 16)?,
        end: u64::from_str_radix(end, 16)?,
    };
    Ok((
        span,
        permissions,
        inode.parse()?,
        words.next().unwrap_or(""),
    ))
}

/// Sum of bytes.
pub fn bytes(spans: &[Span]) -> u64 {
    spans.iter().map(|span| span.length()).sum()
}

/// In order, neighbours joined.
pub fn merge(mut spans: Vec<Span>) -> Vec<Span> {
    spans.retain(|span| span.start < span.end);
    spans.sort_unstable();
    let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => merged.push(span),
        }
    }
    merged
}

/// What is in `from` and not in `away`; both merged.
pub fn subtract(from: &[Span], away: &[Span]) -> Vec<Span> {
    let mut rest = Vec::new();
    for &span in from {
        let mut start = span.start;
        for hole in away
            .iter()
            .filter(|hole| hole.end > span.start && hole.start < span.end)
        {
            if hole.start > start {
                rest.push(Span {
                    start,
                    end: hole.start,
                });
            }
            start = start.max(hole.end);
        }
        if start < span.end {
            rest.push(Span {
                start,
                end: span.end,
            });
        }
    }
    rest
}

/// Resident bytes of a process.
pub fn resident(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("no VmRSS")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
55d0a0000000-55d0a0001000 r-xp 00000000 fe:00 1234                       /usr/bin/thing
Size:                  4 kB
VmFlags: rd ex mr mw me
55d0a0002000-55d0a0003000 rw-p 00002000 fe:00 1234                       /usr/bin/thing
55d0a1000000-55d0a1021000 rw-p 00000000 00:00 0                          [heap]
Anonymous:           132 kB
7f0000000000-7f0000021000 rw-p 00000000 00:00 0
7f0000021000-7f0000031000 -w-p 00000000 00:00 0 [anon:arena]
7f0000031000-7f0004000000 ---p 00000000 00:00 0
7f0005000000-7f0005001000 rw-s 00000000 00:01 77                         /dev/zero (deleted)
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]
";

    #[test]
    fn counts_private_writable_anonymous_mappings() {
        let committed = Committed::parse(TEXT).expect("parses");
        assert_eq!(
            committed.spans,
            [
                Span {
                    start: 0x55d0_a100_0000,
                    end: 0x55d0_a102_1000
                },
                Span {
                    start: 0x7f00_0000_0000,
                    end: 0x7f00_0003_1000
                },
                Span {
                    start: 0x7ffc_0000_0000,
                    end: 0x7ffc_0002_1000
                },
            ]
        );
        assert_eq!(committed.bytes_without_stack(), 0x21000 + 0x31000);
        assert!(Committed::parse("12-zz rw-p 0 0 0").is_err());
    }

    #[test]
    fn subtracts() {
        let span = |start, end| Span { start, end };
        let from = [span(0, 10), span(20, 30)];
        assert_eq!(
            subtract(&from, &[span(2, 4), span(8, 22), span(30, 40)]),
            [span(0, 2), span(4, 8), span(22, 30)]
        );
        assert_eq!(subtract(&from, &from), []);
    }
}
