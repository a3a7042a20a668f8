//! What a receiver makes of a request, and what the comments of the proto demand of it.

use std::{collections::HashSet, fmt::Debug, hash::Hash};

use opentelemetry_proto::tonic::{
    common::v1::any_value::Value,
    profiles::v1development::{
        Function, Link, Location, Mapping, ProfilesDictionary, Stack, ValueType,
    },
};
use prost::Message as _;

use super::{REQUEST_BYTES_MAX, REQUEST_SAMPLES_MAX, Request};

pub(super) fn tables(request: &Request) -> &ProfilesDictionary {
    request.dictionary.as_ref().expect("a dictionary")
}

fn text(tables: &ProfilesDictionary, index: i32) -> &str {
    &tables.string_table[index as usize]
}

pub(super) fn attributes(request: &Request, resource: usize) -> Vec<(&str, String)> {
    let resource = request.resource_profiles[resource].resource.as_ref();
    let attributes = &resource.expect("a resource").attributes;
    let told = attributes.iter().map(|one| {
        let value = one.value.as_ref().and_then(|value| value.value.as_ref());
        match value.expect("a value") {
            Value::StringValue(text) => (one.key.as_str(), text.clone()),
            Value::IntValue(number) => (one.key.as_str(), number.to_string()),
            other => panic!("{other:?}"),
        }
    });
    told.collect()
}

/// A frame as a receiver sees it: name, file, line, module, build id, offset.
pub(super) type Seen = (String, String, u32, String, String, u64);

pub(super) fn seen(tables: &ProfilesDictionary, location: i32) -> Vec<Seen> {
    let location = &tables.location_table[location as usize];
    let mapping = &tables.mapping_table[location.mapping_index as usize];
    let build_id = mapping.attribute_indices.first().map_or("", |index| {
        let attribute = &tables.attribute_table[*index as usize];
        let key = text(tables, attribute.key_strindex);
        assert_eq!(key, "process.executable.build_id.gnu");
        match attribute.value.as_ref().and_then(|v| v.value.as_ref()) {
            Some(Value::StringValue(text)) => text,
            other => panic!("{other:?}"),
        }
    });
    let module = text(tables, mapping.filename_strindex);
    let one = |name: &str, file: &str, line: i64| {
        let line = u32::try_from(line).expect("a line");
        let (module, build_id) = (module.to_owned(), build_id.to_owned());
        (
            name.to_owned(),
            file.to_owned(),
            line,
            module,
            build_id,
            location.address,
        )
    };
    if location.lines.is_empty() {
        return vec![one("", "", 0)];
    }
    let lines = location.lines.iter().map(|line| {
        let function = &tables.function_table[line.function_index as usize];
        let name = text(tables, function.name_strindex);
        one(name, text(tables, function.filename_strindex), line.line)
    });
    lines.collect()
}

/// What a receiver makes of a request: figure, pid, frames, bytes; sorted.
pub(super) fn read(request: &Request) -> Vec<(String, String, Vec<Seen>, u64)> {
    let tables = tables(request);
    let mut rows = Vec::new();
    for (number, resource) in request.resource_profiles.iter().enumerate() {
        let told = attributes(request, number);
        let pid = told
            .iter()
            .find(|(key, _)| *key == "process.pid")
            .expect("a pid");
        let scopes = resource.scope_profiles.iter();
        for profile in scopes.flat_map(|scope| &scope.profiles) {
            let ValueType {
                type_strindex,
                unit_strindex,
            } = profile.sample_type.expect("a type");
            assert_eq!(text(tables, unit_strindex), "bytes");
            for sample in &profile.samples {
                let stack = &tables.stack_table[sample.stack_index as usize];
                let frames = stack.location_indices.iter();
                rows.push((
                    text(tables, type_strindex).to_owned(),
                    pid.1.clone(),
                    frames
                        .flat_map(|location| seen(tables, *location))
                        .collect(),
                    sample.values[0].cast_unsigned(),
                ));
            }
        }
    }
    rows.sort();
    rows
}

fn unique<T: Clone + Eq + Hash + Debug>(table: &[T]) {
    let mut met = HashSet::new();
    for entry in table {
        assert!(met.insert(entry.clone()), "{entry:?} is there twice");
    }
}

/// What the comments of the proto demand of every request.
pub(super) fn check(request: &Request) {
    let tables = tables(request);
    assert_eq!(tables.mapping_table[0], Mapping::default());
    assert_eq!(tables.location_table[0], Location::default());
    assert_eq!(tables.function_table[0], Function::default());
    assert_eq!(tables.stack_table[0], Stack::default());
    assert_eq!(tables.link_table, [Link::default()]);
    assert_eq!(tables.string_table[0], "");
    assert_eq!(tables.attribute_table[0].encoded_len(), 0);
    unique(&tables.string_table);
    let encoded = |message: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::new();
        message(&mut bytes);
        bytes
    };
    macro_rules! unique_messages {
        ($($table:ident),*) => {$(
            unique(&tables.$table.iter().map(|one| encoded(&|out| {
                one.encode(out).expect("room");
            })).collect::<Vec<_>>());
        )*};
    }
    unique_messages!(
        mapping_table,
        location_table,
        function_table,
        attribute_table,
        stack_table
    );
    for location in &tables.location_table {
        let mapping = &tables.mapping_table[location.mapping_index as usize];
        let reach = mapping.memory_start..=mapping.memory_limit;
        assert!(location.mapping_index == 0 || reach.contains(&location.address));
    }
    assert!(request.encoded_len() <= REQUEST_BYTES_MAX);
    // Reading follows every index.
    let samples: usize = read(request).len();
    assert!(samples > 0 && samples <= REQUEST_SAMPLES_MAX);
    let profiles = request.resource_profiles.iter();
    let profiles = profiles.flat_map(|resource| &resource.scope_profiles[0].profiles);
    let profiles: Vec<_> = profiles.collect();
    unique(
        &profiles
            .iter()
            .map(|one| one.profile_id.clone())
            .collect::<Vec<_>>(),
    );
    for profile in profiles {
        assert_eq!(profile.profile_id.len(), 16);
        assert!(profile.profile_id.iter().any(|byte| *byte != 0));
        assert!(!profile.samples.is_empty());
        unique(
            &profile
                .samples
                .iter()
                .map(|one| one.stack_index)
                .collect::<Vec<_>>(),
        );
        assert!(profile.samples.iter().all(|one| one.values.len() == 1));
        for index in &profile.attribute_indices {
            let key = tables.attribute_table[*index as usize].key_strindex;
            assert!(!text(tables, key).is_empty());
        }
    }
}
