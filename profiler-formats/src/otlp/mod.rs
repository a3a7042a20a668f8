//! Growth by stack as OTLP Profiles: requests to
//! `opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export`.
//!
//! Each process is a resource with at most two profiles, `committed_live` in bytes at the end of an
//! interval and `committed_allocated` in bytes within it. Rows are added one by one; whenever a
//! request is full it is handed out and the next one is begun, with a dictionary of its own.

mod dictionary;
mod resource;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::{
    collector::profiles::v1development::ExportProfilesServiceRequest,
    common::v1::InstrumentationScope,
    profiles::v1development::{Profile, ResourceProfiles, Sample, ScopeProfiles, ValueType},
    resource::v1::Resource,
};
use profiler_proto::v1::{GrowthRow, Target};
use prost::Message as _;

use dictionary::{Dictionary, EMPTY_BYTES};

/// No request is larger when it is encoded: receivers of gRPC take 4 MiB unless told otherwise.
pub const REQUEST_BYTES_MAX: usize = 3 << 20;
/// No request has more samples.
pub const REQUEST_SAMPLES_MAX: usize = 20_000;

/// What a sample takes at most, encoded.
const SAMPLE_BYTES: usize = 32;
/// What two profiles, their scope and all that wraps them take at most, encoded, samples and
/// resource not counted.
const PROCESS_BYTES: usize = 512;

/// The time that profiles are about, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Where it begins.
    pub from: u64,
    /// Where it ends.
    pub to: u64,
}

/// Which figure of a row is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// `committed_live_bytes` at the end of the interval.
    Live,
    /// `committed_allocated_bytes` within the interval.
    Allocated,
}

/// One row alone would make a request larger than [`REQUEST_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a row that is larger than a whole request may be")]
pub struct TooLarge;

/// Makes requests out of rows. `I` gives each profile its id.
#[derive(Debug)]
pub struct Requests<I> {
    interval: Interval,
    ids: I,
    dictionary: Dictionary,
    processes: BTreeMap<Key, Process>,
    samples: usize,
    /// An upper bound of what processes and samples take.
    bytes: usize,
}

/// Tells processes apart: node, pid, container, name.
type Key = (String, u32, String, String);

#[derive(Debug)]
struct Process {
    resource: Resource,
    /// Bytes by figure and stack.
    samples: BTreeMap<(Figure, i32), u64>,
}

impl<I: FnMut() -> [u8; 16]> Requests<I> {
    /// Requests about one interval.
    pub fn new(interval: Interval, ids: I) -> Self {
        Self {
            interval,
            ids,
            dictionary: Dictionary::new(),
            processes: BTreeMap::new(),
            samples: 0,
            bytes: 0,
        }
    }

    /// Adds a row by stack, and gives the request before if it was full. Rows of one process with
    /// the same stack are summed up.
    ///
    /// # Errors
    /// The row is left out.
    pub fn add(
        &mut self,
        figure: Figure,
        row: &GrowthRow,
        target: &Target,
    ) -> Result<Option<ExportProfilesServiceRequest>, TooLarge> {
        let value = match figure {
            Figure::Live => row.committed_live_bytes,
            Figure::Allocated => row.committed_allocated_bytes,
        };
        if value == 0 {
            return Ok(None);
        }
        let resource = resource::resource(target);
        let most = dictionary::most_bytes(row)
            + resource.encoded_len()
            + PROCESS_BYTES
            + SAMPLE_BYTES
            + EMPTY_BYTES;
        if most > REQUEST_BYTES_MAX {
            return Err(TooLarge);
        }
        let full = self.samples >= REQUEST_SAMPLES_MAX
            || self.dictionary.bytes() + self.bytes + most > REQUEST_BYTES_MAX;
        let before = if full { self.finish() } else { None };
        self.put(figure, row, target, resource, value);
        Ok(before)
    }

    fn put(
        &mut self,
        figure: Figure,
        row: &GrowthRow,
        target: &Target,
        resource: Resource,
        value: u64,
    ) {
        let stack = self.dictionary.stack(row);
        let key = (
            target.node.clone(),
            target.pid,
            target.container_id.clone(),
            target.process_name.clone(),
        );
        let process = self.processes.entry(key).or_insert_with(|| {
            self.bytes += resource.encoded_len() + PROCESS_BYTES;
            Process {
                resource,
                samples: BTreeMap::new(),
            }
        });
        let sum = process.samples.entry((figure, stack)).or_insert_with(|| {
            self.samples += 1;
            self.bytes += SAMPLE_BYTES;
            0
        });
        *sum = sum.saturating_add(value);
    }

    /// The request that was begun, if there is something in it.
    pub fn finish(&mut self) -> Option<ExportProfilesServiceRequest> {
        let processes = std::mem::take(&mut self.processes);
        if processes.is_empty() {
            return None;
        }
        (self.samples, self.bytes) = (0, 0);
        let mut dictionary = std::mem::replace(&mut self.dictionary, Dictionary::new());
        let processes = processes.into_values();
        let resource_profiles =
            processes.map(|process| self.resource_profiles(process, &mut dictionary));
        Some(ExportProfilesServiceRequest {
            resource_profiles: resource_profiles.collect(),
            dictionary: Some(dictionary.finish()),
        })
    }

    fn resource_profiles(
        &mut self,
        process: Process,
        dictionary: &mut Dictionary,
    ) -> ResourceProfiles {
        let mut profiles = Vec::new();
        let mut by_figure: BTreeMap<Figure, Vec<Sample>> = BTreeMap::new();
        for ((figure, stack_index), value) in process.samples {
            by_figure.entry(figure).or_default().push(Sample {
                stack_index,
                values: vec![i64::try_from(value).unwrap_or(i64::MAX)],
                ..Sample::default()
            });
        }
        for (figure, samples) in by_figure {
            profiles.push(self.profile(figure, samples, dictionary));
        }
        ResourceProfiles {
            resource: Some(process.resource),
            scope_profiles: vec![ScopeProfiles {
                scope: Some(InstrumentationScope {
                    name: "profiler".to_owned(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    ..InstrumentationScope::default()
                }),
                profiles,
                schema_url: String::new(),
            }],
            schema_url: String::new(),
        }
    }

    fn profile(
        &mut self,
        figure: Figure,
        samples: Vec<Sample>,
        dictionary: &mut Dictionary,
    ) -> Profile {
        let Interval { from, to } = self.interval;
        let (name, time_unix_nano, duration_nano) = match figure {
            // A state, of one moment.
            Figure::Live => ("committed_live", to, 0),
            Figure::Allocated => ("committed_allocated", from, to.saturating_sub(from)),
        };
        Profile {
            sample_type: Some(ValueType {
                type_strindex: dictionary.string(name),
                unit_strindex: dictionary.string("bytes"),
            }),
            samples,
            time_unix_nano,
            duration_nano,
            profile_id: (self.ids)().to_vec(),
            // Who demanded memory, not who retains it.
            attribute_indices: vec![dictionary.attribute("profiler.evidence_tier", "C")],
            ..Profile::default()
        }
    }
}
