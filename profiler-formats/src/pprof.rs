//! Growth by stack as a pprof profile.
//!
//! Addresses: the wire has offsets in module files, pprof wants addresses in mappings. Each
//! module gets a range of its own in a made-up address space, mapped from offset 0, so that
//! `address - memory_start` is the offset in the file, as symbolizers expect.

use std::{
    collections::HashMap,
    hash::Hash,
    io::{self, Write as _},
};

use flate2::{Compression, write::GzEncoder};
use profiler_proto::{
    pprof::{Function, Label, Line, Location, Mapping, Profile, Sample, ValueType},
    v1::{Frame, FrameKind, GrowthRow, TopResponse},
};
use prost::Message as _;

use crate::{
    accounting,
    connection::role,
    frame::{TRUNCATED, frame_name, lacks_mark, owner_name},
    text::clean,
    time::nanos,
};

/// The profile, gzip'd as pprof files are.
pub fn to_gzip(response: &TopResponse) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&profile(response).encode_to_vec())?;
    encoder.finish()
}

/// The profile of a response by stack. Samples of rows that name their connection are labelled with
/// it.
pub fn profile(response: &TopResponse) -> Profile {
    let mut builder = Builder::new();
    builder.with_resident = has_resident(response);
    for row in &response.rows {
        builder.add(row);
    }
    builder.finish(response)
}

fn has_resident(response: &TopResponse) -> bool {
    let mut rows = response.rows.iter();
    rows.any(|row| row.resident_live_bytes.is_some())
}

/// Where a module lies in the made-up address space.
const PAGE: u64 = 0x1000;
const FIRST_START: u64 = 0x40_0000;
/// No file is larger; an offset beyond is no offset.
const LARGEST_MODULE: u64 = 1 << 42;

/// Values numbered from `first` on in the order in which they came.
struct Numbered<K> {
    ids: HashMap<K, u64>,
    first: u64,
}

impl<K: Hash + Eq> Numbered<K> {
    fn starting(first: u64) -> Self {
        Self {
            ids: HashMap::new(),
            first,
        }
    }

    /// The number of a value, and whether it is new.
    fn id(&mut self, key: K) -> (u64, bool) {
        let next = self.first + self.ids.len() as u64;
        let id = *self.ids.entry(key).or_insert(next);
        (id, id == next)
    }
}

/// What makes a location the same: its module, its address there, its lines.
type Place = (u64, u64, Vec<(u64, i64)>);

struct Builder {
    /// First touches are sampled.
    with_resident: bool,
    profile: Profile,
    strings: Numbered<String>,
    functions: Numbered<(i64, i64)>,
    mappings: Numbered<(String, String)>,
    locations: Numbered<Place>,
}

impl Builder {
    fn new() -> Self {
        let mut builder = Self {
            with_resident: false,
            profile: Profile::default(),
            strings: Numbered::starting(0),
            functions: Numbered::starting(1),
            mappings: Numbered::starting(1),
            locations: Numbered::starting(1),
        };
        // Readers want the empty string first.
        builder.string("");
        builder
    }

    fn string(&mut self, text: &str) -> i64 {
        let (id, new) = self.strings.id(text.to_owned());
        if new {
            self.profile.string_table.push(text.to_owned());
        }
        signed(id)
    }

    fn add(&mut self, row: &GrowthRow) {
        let mut location_id = Vec::new();
        let mut rest = row.frames.as_slice();
        while !rest.is_empty() {
            // Inlined frames and the frame that they were inlined into are one location.
            let inlined = rest.iter().take_while(|frame| frame.inlined).count();
            let (group, after) = rest.split_at(rest.len().min(inlined + 1));
            location_id.push(self.location(group));
            rest = after;
        }
        if lacks_mark(row) {
            location_id.push(self.marker(TRUNCATED));
        }
        if let (true, Some(owner)) = (row.frames.is_empty(), owner_name(row.owner())) {
            location_id.push(self.marker(owner));
        }
        let mut value = vec![
            signed(row.committed_live_bytes),
            signed(row.committed_allocated_bytes),
            signed(row.events),
        ];
        if self.with_resident {
            value.push(signed(row.resident_live_bytes.unwrap_or(0)));
        }
        let label = self.labels(row);
        self.profile.sample.push(Sample {
            location_id,
            value,
            label,
        });
    }

    fn labels(&mut self, row: &GrowthRow) -> Vec<Label> {
        let mut labels = Vec::new();
        if row.pid != 0 {
            labels.push(Label {
                key: self.string("pid"),
                num: row.pid.into(),
                ..Label::default()
            });
        }
        let mut texts = vec![
            ("process", row.process_name.clone()),
            ("container", row.container_id.clone()),
        ];
        if let Some(connection) = &row.connection {
            texts.extend([
                ("connection", connection.cookie.to_string()),
                ("peer", clean(&connection.peer).into_owned()),
                ("role", role(connection.role()).to_owned()),
            ]);
        }
        for (key, text) in texts {
            if !text.is_empty() {
                labels.push(Label {
                    key: self.string(key),
                    str: self.string(&text),
                    ..Label::default()
                });
            }
        }
        labels
    }

    /// A location for `group`: frames inlined into its last, innermost first.
    fn location(&mut self, group: &[Frame]) -> u64 {
        let lines = group.iter().map(|frame| self.line(frame)).collect();
        let offset = group.last().map_or(0, |frame| frame.module_offset);
        let mapping = group.last().map_or(0, |frame| self.mapping(frame));
        if let Some(mapping) = self.mapping_mut(mapping) {
            mapping.has_functions &= group.iter().all(|frame| !frame.function.is_empty());
            mapping.has_filenames &= group.iter().all(|frame| !frame.file.is_empty());
            mapping.has_line_numbers &= group.iter().all(|frame| frame.line != 0);
            mapping.has_inline_frames |= group.len() > 1;
            // The end of the module so far; `finish` lays the modules out.
            mapping.memory_limit = mapping.memory_limit.max(offset + 1);
        }
        self.place((mapping, offset, lines))
    }

    /// A location for something that is not code.
    fn marker(&mut self, name: &str) -> u64 {
        let line = self.named_line(name, "", 0);
        self.place((0, 0, vec![line]))
    }

    fn place(&mut self, place: Place) -> u64 {
        let (mapping_id, address, lines) = place.clone();
        let (id, new) = self.locations.id(place);
        if new {
            let line = lines.into_iter();
            self.profile.location.push(Location {
                id,
                mapping_id,
                address,
                line: line
                    .map(|(function_id, line)| Line { function_id, line })
                    .collect(),
                is_folded: false,
            });
        }
        id
    }

    fn line(&mut self, frame: &Frame) -> (u64, i64) {
        self.named_line(&frame_name(frame), &frame.file, frame.line)
    }

    fn named_line(&mut self, name: &str, file: &str, line: u32) -> (u64, i64) {
        let (name, filename) = (self.string(name), self.string(file));
        let (id, new) = self.functions.id((name, filename));
        if new {
            self.profile.function.push(Function {
                id,
                name,
                system_name: name,
                filename,
                start_line: 0,
            });
        }
        (id, line.into())
    }

    /// The mapping of a frame; 0 for code outside of any file.
    fn mapping(&mut self, frame: &Frame) -> u64 {
        let in_file = matches!(frame.kind(), FrameKind::Native | FrameKind::Vdso);
        if !in_file || frame.module.is_empty() || frame.module_offset >= LARGEST_MODULE {
            return 0;
        }
        let key = (frame.module.clone(), frame.build_id.clone());
        let (id, new) = self.mappings.id(key);
        if new {
            let (filename, build_id) = (self.string(&frame.module), self.string(&frame.build_id));
            self.profile.mapping.push(Mapping {
                id,
                filename,
                build_id,
                has_functions: true,
                has_filenames: true,
                has_line_numbers: true,
                ..Mapping::default()
            });
        }
        id
    }

    fn mapping_mut(&mut self, id: u64) -> Option<&mut Mapping> {
        let index = usize::try_from(id.checked_sub(1)?).ok()?;
        self.profile.mapping.get_mut(index)
    }

    /// Gives each mapping its addresses, and its locations theirs.
    fn lay_out(&mut self) {
        let mut start = FIRST_START;
        for mapping in &mut self.profile.mapping {
            let length = mapping.memory_limit.next_multiple_of(PAGE);
            mapping.memory_start = start;
            // 10,000 modules of the largest size fit below 2^56; more than that saturate.
            mapping.memory_limit = start.saturating_add(length);
            start = mapping.memory_limit.saturating_add(PAGE);
        }
        for location in &mut self.profile.location {
            let index = usize::try_from(location.mapping_id).ok();
            let mapping = index.and_then(|id| self.profile.mapping.get(id.checked_sub(1)?));
            if let Some(mapping) = mapping {
                location.address = location.address.saturating_add(mapping.memory_start);
            }
        }
    }

    fn finish(mut self, response: &TopResponse) -> Profile {
        self.lay_out();
        let live = self.value_type("committed_live", "bytes");
        let allocated = self.value_type("committed_allocated", "bytes");
        let events = self.value_type("events", "count");
        self.profile.default_sample_type = live.r#type;
        let snapshot = response.snapshot.unwrap_or_default();
        self.profile.time_nanos = nanos(snapshot.time.as_ref());
        if let (Some(time), Some(since)) = (&snapshot.time, &snapshot.since) {
            let duration = nanos(Some(time)).saturating_sub(nanos(Some(since)));
            self.profile.duration_nanos = duration.max(0);
        }
        if let Some(told) = &response.accounting {
            self.profile.period_type = Some(allocated);
            self.profile.period = signed(told.capture_interval_bytes);
            let note = accounting::lines(told).join("\n");
            let note = self.string(&note);
            self.profile.comment.push(note);
        }
        let tier = self.string("evidence tier C: who demanded memory, not who retains it");
        self.profile.comment.push(tier);
        self.profile.sample_type = vec![live, allocated, events];
        if self.with_resident {
            let resident = self.value_type("resident_live", "bytes");
            self.profile.sample_type.push(resident);
        }
        self.profile
    }

    fn value_type(&mut self, name: &str, unit: &str) -> ValueType {
        ValueType {
            r#type: self.string(name),
            unit: self.string(unit),
        }
    }
}

/// pprof counts in signed figures.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
