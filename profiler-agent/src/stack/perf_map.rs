//! Perf maps: text files in which runtimes name the code that they generate. Written by the
//! process itself, so every length is bounded and every line may be garbage.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::clipped;
use super::procfs::ProcessView;
use crate::ids::ProcessHandle;

/// Bounds of one map.
const FILE_MAX: u64 = 64 << 20;
const ENTRIES_MAX: usize = 1 << 18;
/// A text of which so many lines made no sense is no map: the rest is not read.
const REJECTED_MAX: u64 = 1 << 18;
const NAME_MAX: usize = 512;
const LINE_MAX: usize = 4_096;
/// Memory of one map's names.
const NAMES_MAX: usize = 8 << 20;
/// Maps that are kept.
const MAPS_MAX: usize = 2;
/// How long a map is used without a look at its file.
const FRESH: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u64,
    end: u64,
    name: (u32, u16),
}

/// One parsed map.
#[derive(Debug, Default)]
pub(crate) struct PerfMap {
    /// Disjoint, ascending.
    entries: Vec<Entry>,
    names: String,
    /// Lines that made no sense.
    pub(crate) rejected: u64,
}

impl PerfMap {
    pub(crate) fn parse(reader: impl Read) -> io::Result<Self> {
        let mut reader = BufReader::new(reader.take(FILE_MAX));
        let mut map = Self::default();
        let mut line = Vec::new();
        while map.entries.len() < ENTRIES_MAX
            && map.names.len() < NAMES_MAX
            && map.rejected < REJECTED_MAX
        {
            line.clear();
            let limit = LINE_MAX as u64;
            if (&mut reader).take(limit).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if line.last() != Some(&b'\n') && line.len() == LINE_MAX {
                skip_line(&mut reader)?;
            }
            if map.add(&line).is_none() {
                map.rejected += 1;
            }
        }
        map.settle();
        Ok(map)
    }

    /// `start size name`, the numbers hexadecimal.
    fn add(&mut self, line: &[u8]) -> Option<()> {
        let line = String::from_utf8_lossy(line);
        let mut fields = line.trim_end().splitn(3, ' ');
        let hex = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok();
        let (start, size) = (hex(fields.next()?)?, hex(fields.next()?)?);
        let name = fields.next()?.trim_start();
        if size == 0 || name.is_empty() {
            return None;
        }
        let name = clipped(name, NAME_MAX);
        let entry = Entry {
            start,
            end: start.checked_add(size)?,
            name: (
                u32::try_from(self.names.len()).ok()?,
                u16::try_from(name.len()).ok()?,
            ),
        };
        self.names.push_str(name);
        self.entries.push(entry);
        Some(())
    }

    /// Code that was written later replaces what was there: make the ranges disjoint.
    fn settle(&mut self) {
        let mut kept: std::collections::BTreeMap<u64, Entry> = std::collections::BTreeMap::new();
        for entry in std::mem::take(&mut self.entries) {
            while let Some((&start, &old)) = kept.range(..entry.end).next_back()
                && old.end > entry.start
            {
                kept.remove(&start);
                if old.end > entry.end {
                    kept.insert(
                        entry.end,
                        Entry {
                            start: entry.end,
                            ..old
                        },
                    );
                }
                if old.start < entry.start {
                    kept.insert(
                        old.start,
                        Entry {
                            end: entry.start,
                            ..old
                        },
                    );
                    break;
                }
            }
            kept.insert(entry.start, entry);
        }
        self.entries = kept.into_values().collect();
    }

    pub(crate) fn name(&self, address: u64) -> Option<&str> {
        let place = self.entries.partition_point(|entry| entry.end <= address);
        let entry = self.entries.get(place)?;
        if entry.start > address {
            return None;
        }
        let start = entry.name.0 as usize;
        self.names.get(start..start + usize::from(entry.name.1))
    }
}

fn skip_line(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = buffer.iter().position(|&byte| byte == b'\n');
        let used = end.map_or(buffer.len(), |end| end + 1);
        reader.consume(used);
        if end.is_some() {
            return Ok(());
        }
    }
}

type Version = (u64, u64, i64, i64);

struct Known {
    version: Option<Version>,
    map: Arc<PerfMap>,
    looked: Instant,
    used: u64,
}

/// The maps that were used last.
#[derive(Default)]
pub(crate) struct PerfMaps {
    known: HashMap<ProcessHandle, Known>,
    uses: u64,
    /// Lines that made no sense, of all maps.
    pub(crate) rejected: Arc<AtomicU64>,
}

impl PerfMaps {
    /// The map of a process, empty when it has none; read again when it changed. A process that
    /// has ended keeps the map that was read last.
    pub(crate) fn get(
        &mut self,
        process: ProcessHandle,
        view: Option<&Arc<dyn ProcessView>>,
    ) -> Arc<PerfMap> {
        self.uses += 1;
        if let Some(known) = self.known.get_mut(&process) {
            known.used = self.uses;
            if known.looked.elapsed() < FRESH {
                return Arc::clone(&known.map);
            }
        }
        let file = view.and_then(|view| view.perf_map().ok());
        let version = file.as_ref().and_then(version_of);
        let known = self.known.get(&process);
        let map = match (known, file) {
            (Some(known), None) => Arc::clone(&known.map),
            (Some(known), Some(_)) if known.version == version => Arc::clone(&known.map),
            (_, Some(file)) => {
                let map = PerfMap::parse(file).unwrap_or_default();
                self.rejected.fetch_add(map.rejected, Ordering::Relaxed);
                Arc::new(map)
            }
            (None, None) => Arc::default(),
        };
        self.insert(process, version, &map);
        map
    }

    fn insert(&mut self, process: ProcessHandle, version: Option<Version>, map: &Arc<PerfMap>) {
        let known = Known {
            version,
            map: Arc::clone(map),
            looked: Instant::now(),
            used: self.uses,
        };
        self.known.insert(process, known);
        while self.known.len() > MAPS_MAX {
            let oldest = self.known.iter().min_by_key(|(_, known)| known.used);
            let Some(oldest) = oldest.map(|(process, _)| *process) else {
                break;
            };
            self.known.remove(&oldest);
        }
    }
}

fn version_of(file: &File) -> Option<Version> {
    let metadata = file.metadata().ok()?;
    Some((
        metadata.ino(),
        metadata.size(),
        metadata.mtime(),
        metadata.mtime_nsec(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> PerfMap {
        PerfMap::parse(text.as_bytes()).expect("memory can be read")
    }

    #[test]
    fn names_are_found_by_address() {
        let map = parse("1000 10 first\n0x1010 8 JS:second file.js:1\n");
        assert_eq!(map.name(0x1000), Some("first"));
        assert_eq!(map.name(0x100f), Some("first"));
        assert_eq!(map.name(0x1010), Some("JS:second file.js:1"));
        assert_eq!(map.name(0x1018), None);
        assert_eq!(map.name(0xfff), None);
    }

    #[test]
    fn garbage_is_skipped_and_counted() {
        let long = "x".repeat(100_000);
        let text = format!(
            "\n\u{0}\u{1}\nzz 10 a\n10 zz a\n10\n10 0 a\nffffffffffffffff 2 a\n-1 1 a\n1000 10 {long}\n2000 10 good\n"
        );
        let map = parse(&text);
        assert_eq!(map.rejected, 8);
        assert_eq!(map.name(0x2000), Some("good"));
        assert_eq!(map.name(0x1000).map(str::len), Some(NAME_MAX));
        let map = PerfMap::parse(&b"\xff\xfe\n3000 1 \xff\n"[..]).expect("memory can be read");
        assert_eq!(map.name(0x3000), Some("\u{fffd}"));
    }

    #[test]
    fn endless_garbage_is_not_read_to_its_end() {
        let map = parse(&"\n".repeat(1 << 20));
        assert_eq!(map.rejected, REJECTED_MAX);
    }

    #[test]
    fn later_code_replaces_earlier_code() {
        let map = parse("1000 100 old\n1040 10 new\n10f0 20 edge\n");
        let names = [
            0x1000, 0x103f, 0x1040, 0x104f, 0x1050, 0x10ef, 0x10f0, 0x110f,
        ]
        .map(|address| map.name(address));
        let expected = ["old", "old", "new", "new", "old", "old", "edge", "edge"].map(Some);
        assert_eq!(names, expected);
        assert_eq!(map.name(0x1110), None);
    }

    proptest! {
        #[test]
        fn the_last_line_that_covers_an_address_wins(
            lines in prop::collection::vec((0_u64..64, 1_u64..20), 0..30),
        ) {
            let text: String = lines.iter().enumerate()
                .map(|(place, (start, size))| format!("{start:x} {size:x} n{place}\n"))
                .collect();
            let map = parse(&text);
            for address in 0..90 {
                let covers = |(start, size): &(u64, u64)| (*start..start + size).contains(&address);
                let expected = lines.iter().rposition(covers);
                let expected = expected.map(|place| format!("n{place}"));
                prop_assert_eq!(map.name(address), expected.as_deref());
            }
        }
    }
}
