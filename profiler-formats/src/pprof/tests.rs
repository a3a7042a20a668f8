//! What every reader of pprof relies on, checked on profiles decoded from their bytes.

use std::{collections::HashSet, io::Read as _};

use flate2::read::GzDecoder;
use profiler_proto::v1::{Accounting, Connection, ConnectionRole, OwnerKind, Snapshot};

use super::*;

fn frame(function: &str, offset: u64) -> Frame {
    Frame {
        function: function.into(),
        file: "src/a.c".into(),
        line: 7,
        module: "/usr/bin/a".into(),
        build_id: "abcd".into(),
        module_offset: offset,
        inlined: false,
        kind: FrameKind::Native.into(),
    }
}

fn response() -> TopResponse {
    let inlined = Frame {
        inlined: true,
        ..frame("inner", 0x1010)
    };
    let jit = Frame {
        kind: FrameKind::Jit.into(),
        module: "[anon]".into(),
        ..frame("js", 0x7f00_0000_1234)
    };
    let hostile = Frame {
        function: String::new(),
        module_offset: u64::MAX,
        ..frame("", 0)
    };
    let other = Frame {
        module: "/usr/lib/b.so".into(),
        ..frame("other", 0x2000)
    };
    let row = |frames, truncated| GrowthRow {
        committed_live_bytes: 4096,
        committed_allocated_bytes: 8192,
        events: 2,
        frames,
        truncated,
        pid: 7,
        process_name: "a".into(),
        container_id: "host".into(),
        owner: OwnerKind::Stack.into(),
        ..GrowthRow::default()
    };
    let pre_existing = GrowthRow {
        owner: OwnerKind::PreExisting.into(),
        committed_live_bytes: u64::MAX,
        ..row(vec![], false)
    };
    let outer = frame("outer", 0x1010);
    let main = frame("main", 0x1100);
    TopResponse {
        next_page_token: String::new(),
        rows: vec![
            row(vec![inlined.clone(), outer.clone(), main.clone()], false),
            row(vec![jit, hostile, other, main.clone()], true),
            // Ends in an inlined frame: nothing follows that it was inlined into.
            row(vec![main, inlined], false),
            pre_existing,
        ],
        total_rows: 4,
        snapshot: Some(Snapshot {
            time: Some(pbjson_types::Timestamp {
                seconds: 100,
                nanos: 5,
            }),
            since: Some(pbjson_types::Timestamp {
                seconds: 90,
                nanos: 0,
            }),
        }),
        accounting: Some(Accounting {
            capture_interval_bytes: 65_536,
            ..Accounting::default()
        }),
    }
}

fn decoded() -> Profile {
    let mut bytes = Vec::new();
    let packed = to_gzip(&response()).unwrap();
    GzDecoder::new(packed.as_slice())
        .read_to_end(&mut bytes)
        .unwrap();
    Profile::decode(bytes.as_slice()).unwrap()
}

fn text(profile: &Profile, index: i64) -> &str {
    &profile.string_table[usize::try_from(index).unwrap()]
}

#[test]
fn every_reference_is_valid() {
    let profile = decoded();
    assert_eq!(profile.string_table[0], "");
    let unique: HashSet<_> = profile.string_table.iter().collect();
    assert_eq!(unique.len(), profile.string_table.len());
    let functions: HashSet<_> = profile.function.iter().map(|f| f.id).collect();
    let mappings: HashSet<_> = profile.mapping.iter().map(|m| m.id).collect();
    let locations: HashSet<_> = profile.location.iter().map(|l| l.id).collect();
    assert_eq!(functions.len(), profile.function.len());
    assert_eq!(locations.len(), profile.location.len());
    assert!(
        ![&functions, &mappings, &locations]
            .iter()
            .any(|ids| ids.contains(&0))
    );
    for function in &profile.function {
        assert_ne!(text(&profile, function.name), "");
        text(&profile, function.filename);
    }
    for location in &profile.location {
        assert!(location.mapping_id == 0 || mappings.contains(&location.mapping_id));
        assert!(!location.line.is_empty());
        assert!(
            location
                .line
                .iter()
                .all(|line| functions.contains(&line.function_id))
        );
    }
    for sample in &profile.sample {
        assert_eq!(sample.value.len(), profile.sample_type.len());
        assert!(sample.value.iter().all(|value| *value >= 0));
        assert!(!sample.location_id.is_empty());
        assert!(sample.location_id.iter().all(|id| locations.contains(id)));
    }
}

#[test]
fn addresses_lie_in_their_mappings_and_mappings_apart() {
    let profile = decoded();
    assert_eq!(profile.mapping.len(), 2);
    let mut end = 0;
    for mapping in &profile.mapping {
        assert!(mapping.memory_start > end && mapping.memory_start < mapping.memory_limit);
        assert_eq!(text(&profile, mapping.build_id), "abcd");
        end = mapping.memory_limit;
    }
    for location in &profile.location {
        if let Some(mapping) = profile.mapping.iter().find(|m| m.id == location.mapping_id) {
            let range = mapping.memory_start..mapping.memory_limit;
            assert!(range.contains(&location.address));
        }
    }
    let outer = &profile.location[0];
    assert_eq!(outer.address - profile.mapping[0].memory_start, 0x1010);
}

#[test]
fn types_are_named_for_what_they_are() {
    let profile = decoded();
    let types: Vec<_> = profile
        .sample_type
        .iter()
        .map(|t| (text(&profile, t.r#type), text(&profile, t.unit)))
        .collect();
    assert_eq!(
        types,
        [
            ("committed_live", "bytes"),
            ("committed_allocated", "bytes"),
            ("events", "count")
        ]
    );
    assert_eq!(
        text(&profile, profile.default_sample_type),
        "committed_live"
    );
    assert_eq!(profile.time_nanos, 100_000_000_005);
    assert_eq!(profile.duration_nanos, 10_000_000_005);
    assert_eq!(profile.period, 65_536);
    assert!(
        !profile
            .string_table
            .iter()
            .any(|text| text.contains("inuse"))
    );
}

#[test]
fn inlined_frames_share_a_location_innermost_first() {
    let profile = decoded();
    let names = |id: u64| -> Vec<&str> {
        let location = profile.location.iter().find(|l| l.id == id).unwrap();
        let function = |id| profile.function.iter().find(|f| f.id == id).unwrap();
        let lines = location.line.iter();
        lines
            .map(|line| text(&profile, function(line.function_id).name))
            .collect()
    };
    let stacks: Vec<Vec<Vec<&str>>> = profile
        .sample
        .iter()
        .map(|sample| sample.location_id.iter().map(|id| names(*id)).collect())
        .collect();
    assert_eq!(stacks[0], [vec!["inner", "outer"], vec!["main"]]);
    assert_eq!(stacks[1][4], ["[stack truncated]"]);
    assert_eq!(stacks[2], [vec!["main"], vec!["inner"]]);
    assert_eq!(stacks[3], [vec!["[pre-existing]"]]);
}

#[test]
fn samples_carry_their_process() {
    let profile = decoded();
    let label = &profile.sample[0].label;
    assert_eq!((text(&profile, label[0].key), label[0].num), ("pid", 7));
    assert_eq!(text(&profile, label[1].key), "process");
    assert_eq!(text(&profile, label[1].str), "a");
    assert_eq!(text(&profile, label[2].str), "host");
    assert_eq!(profile.sample[3].value[0], i64::MAX);
}

#[test]
fn samples_carry_the_connection_of_rows_that_name_it() {
    let mut response = response();
    response.rows[0].connection = Some(Connection {
        cookie: u64::MAX,
        peer: "unix:/run/\x1b[2J".into(),
        role: ConnectionRole::Client.into(),
        ..Connection::default()
    });
    let profile = profile(&response);
    let labels = |sample: &Sample| -> Vec<(String, String)> {
        let label = sample.label.iter().filter(|label| label.str != 0);
        label
            .map(|label| (label.key, label.str))
            .map(|(key, value)| (text(&profile, key).into(), text(&profile, value).into()))
            .collect()
    };
    let process = [("process", "a"), ("container", "host")];
    let connection = [
        ("connection", "18446744073709551615"),
        ("peer", "unix:/run/\u{fffd}[2J"),
        ("role", "client"),
    ];
    let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        let pairs = pairs.iter();
        pairs
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect()
    };
    assert_eq!(
        labels(&profile.sample[0]),
        owned(&[&process[..], &connection[..]].concat())
    );
    assert_eq!(labels(&profile.sample[1]), owned(&process));
}
