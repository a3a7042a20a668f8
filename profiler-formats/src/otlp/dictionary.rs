//! What all profiles of a request share: strings, code, stacks.
//!
//! Addresses are offsets in module files: each module is a mapping from its file's offset 0 to
//! address 0, so that the same code has the same address in every process and request.

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, any_value::Value},
    profiles::v1development::{
        Function, KeyValueAndUnit, Line, Link, Location, Mapping, ProfilesDictionary, Stack,
    },
};
use profiler_proto::v1::{Frame, FrameKind, GrowthRow};

use super::table::Table;
use crate::{
    frame::{TRUNCATED, frame_name, lacks_mark, owner_name},
    text::clean,
};

const PAGE: u64 = 0x1000;
/// Zero entries, and what wraps the tables.
pub(super) const EMPTY_BYTES: usize = 64;
/// What a frame adds to all tables at most, its texts not counted.
const FRAME_BYTES: usize = 256;
/// What a stack, its marks and its profile's strings add at most.
const STACK_BYTES: usize = 512;
/// `clean` puts three bytes in the place of one at most.
const CLEANED: usize = 3;

/// Mapping, address, lines, attribute: what makes a location the same.
type Place = (i32, u64, Vec<(i32, i64)>, i32);

/// The tables of a request.
#[derive(Debug)]
pub(super) struct Dictionary {
    strings: Table<String, String>,
    attributes: Table<(i32, String), KeyValueAndUnit>,
    functions: Table<(i32, i32), Function>,
    mappings: Table<(i32, String), Mapping>,
    locations: Table<Place, Location>,
    stacks: Table<Vec<i32>, Stack>,
}

/// What a row adds to the tables at most, encoded.
pub(super) fn most_bytes(row: &GrowthRow) -> usize {
    let frame = |frame: &Frame| {
        let texts = frame.function.len() + frame.file.len() + frame.module.len();
        // A name is made of the module if there is none.
        2 * CLEANED * texts + frame.build_id.len() + FRAME_BYTES
    };
    row.frames.iter().map(frame).sum::<usize>() + STACK_BYTES
}

impl Dictionary {
    pub(super) fn new() -> Self {
        Self {
            strings: Table::new(),
            attributes: Table::new(),
            functions: Table::new(),
            mappings: Table::new(),
            locations: Table::new(),
            stacks: Table::new(),
        }
    }

    /// What it takes at most, encoded.
    pub(super) fn bytes(&self) -> usize {
        EMPTY_BYTES
            + self.strings.bytes()
            + self.attributes.bytes()
            + self.functions.bytes()
            + self.mappings.bytes()
            + self.locations.bytes()
            + self.stacks.bytes()
    }

    pub(super) fn string(&mut self, text: &str) -> i32 {
        self.strings.id(text.to_owned(), String::clone)
    }

    pub(super) fn attribute(&mut self, key: &str, value: &str) -> i32 {
        let key = self.string(key);
        self.attributes
            .id((key, value.to_owned()), |(key, value)| KeyValueAndUnit {
                key_strindex: *key,
                value: Some(AnyValue {
                    value: Some(Value::StringValue(value.clone())),
                }),
                unit_strindex: 0,
            })
    }

    /// The stack of a row, leaf first. Memory that no stack owns has a mark in its place.
    pub(super) fn stack(&mut self, row: &GrowthRow) -> i32 {
        let mut locations = Vec::new();
        let mut rest = row.frames.as_slice();
        while !rest.is_empty() {
            // Inlined frames and the frame that they were inlined into are one location.
            let inlined = rest.iter().take_while(|frame| frame.inlined).count();
            let (group, after) = rest.split_at(rest.len().min(inlined + 1));
            locations.push(self.location(group));
            rest = after;
        }
        if lacks_mark(row) {
            locations.push(self.mark(TRUNCATED));
        }
        if let (true, Some(owner)) = (row.frames.is_empty(), owner_name(row.owner())) {
            locations.push(self.mark(owner));
        }
        self.stacks.id(locations, |locations| Stack {
            location_indices: locations.clone(),
        })
    }

    /// A location for `group`: frames inlined into its last, innermost first. Code without any name
    /// has an address alone.
    fn location(&mut self, group: &[Frame]) -> i32 {
        let Some(outer) = group.last() else {
            return 0;
        };
        if outer.kind() == FrameKind::Truncated {
            return self.mark(TRUNCATED);
        }
        let named = group.iter().any(|frame| !frame.function.is_empty());
        let lines = match named {
            true => group.iter().map(|frame| self.line(frame)).collect(),
            false => Vec::new(),
        };
        let mapping = self.mapping(outer);
        let attribute = match outer.kind() {
            FrameKind::Native | FrameKind::Vdso => self.attribute("profile.frame.type", "native"),
            _ => 0,
        };
        self.place((mapping, outer.module_offset, lines, attribute))
    }

    /// A location for something that is not code.
    fn mark(&mut self, name: &str) -> i32 {
        let function = self.function(name, "");
        self.place((0, 0, vec![(function, 0)], 0))
    }

    fn place(&mut self, place: Place) -> i32 {
        self.locations
            .id(place, |(mapping, address, lines, attribute)| Location {
                mapping_index: *mapping,
                address: *address,
                lines: lines
                    .iter()
                    .map(|&(function, line)| at(function, line))
                    .collect(),
                attribute_indices: some(*attribute),
            })
    }

    fn line(&mut self, frame: &Frame) -> (i32, i64) {
        let function = self.function(&frame_name(frame), &clean(&frame.file));
        (function, frame.line.into())
    }

    fn function(&mut self, name: &str, file: &str) -> i32 {
        let key = (self.string(name), self.string(file));
        self.functions.id(key, |&(name, file)| Function {
            name_strindex: name,
            filename_strindex: file,
            ..Function::default()
        })
    }

    /// The mapping of a frame's code; 0 for code outside of any file.
    fn mapping(&mut self, frame: &Frame) -> i32 {
        let in_file = matches!(frame.kind(), FrameKind::Native | FrameKind::Vdso);
        if !in_file || frame.module.is_empty() {
            return 0;
        }
        let filename = self.string(&clean(&frame.module));
        let build_id = match frame.build_id.as_str() {
            "" => 0,
            id => self.attribute("process.executable.build_id.gnu", id),
        };
        let key = (filename, frame.build_id.clone());
        let id = self.mappings.id(key, |_| Mapping {
            filename_strindex: filename,
            attribute_indices: some(build_id),
            ..Mapping::default()
        });
        self.reach(id, frame.module_offset);
        id
    }

    /// A mapping ends behind the last address in it that is asked for.
    fn reach(&mut self, mapping: i32, address: u64) {
        let Some(entry) = self.mappings.entry_mut(mapping) else {
            return;
        };
        let new = entry.memory_limit == 0;
        if address >= entry.memory_limit {
            entry.memory_limit = (address / PAGE).saturating_add(1).saturating_mul(PAGE);
        }
        if new {
            // The longest number, with its tag.
            self.mappings.reserve(11);
        }
    }

    pub(super) fn finish(self) -> ProfilesDictionary {
        ProfilesDictionary {
            mapping_table: self.mappings.into_entries(),
            location_table: self.locations.into_entries(),
            function_table: self.functions.into_entries(),
            link_table: vec![Link::default()],
            string_table: self.strings.into_entries(),
            attribute_table: self.attributes.into_entries(),
            stack_table: self.stacks.into_entries(),
        }
    }
}

fn at(function_index: i32, line: i64) -> Line {
    Line {
        function_index,
        line,
        column: 0,
    }
}

/// References to attributes: none for the zero entry.
fn some(attribute: i32) -> Vec<i32> {
    if attribute == 0 {
        Vec::new()
    } else {
        vec![attribute]
    }
}
