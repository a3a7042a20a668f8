mod reading;

use profiler_proto::v1::{Frame, FrameKind, OwnerKind};
use proptest::prelude::*;

use super::*;
use reading::{Seen, attributes, check, read, seen, tables};

type Request = ExportProfilesServiceRequest;

const INTERVAL: Interval = Interval {
    from: 1_700_000_000_000_000_000,
    to: 1_700_000_060_000_000_000,
};

fn frame(function: &str, module: &str, module_offset: u64) -> Frame {
    Frame {
        function: function.to_owned(),
        file: match function {
            "" => String::new(),
            name => format!("{name}.c"),
        },
        line: u32::from(!function.is_empty()) * 7,
        module: module.to_owned(),
        build_id: "abcd".to_owned(),
        module_offset,
        kind: FrameKind::Native.into(),
        ..Frame::default()
    }
}

fn row(frames: Vec<Frame>, live: u64, allocated: u64) -> GrowthRow {
    GrowthRow {
        committed_live_bytes: live,
        committed_allocated_bytes: allocated,
        frames,
        owner: OwnerKind::Stack.into(),
        ..GrowthRow::default()
    }
}

fn target(pid: u32) -> Target {
    Target {
        pid,
        process_name: "app".to_owned(),
        executable: "/usr/bin/app-server".to_owned(),
        node: "node-1".to_owned(),
        container_id: "c0ffee".to_owned(),
        pod_uid: "uid-1".to_owned(),
        pod: "shop-0".to_owned(),
        namespace: "shop".to_owned(),
        workload: "shop".to_owned(),
        ..Target::default()
    }
}

/// Both figures of all rows.
fn requests(rows: &[(u32, GrowthRow)]) -> Vec<Request> {
    let mut next = 0_u8;
    let ids = move || {
        next = next.wrapping_add(1).max(1);
        [next; 16]
    };
    let mut building = Requests::new(INTERVAL, ids);
    let mut all = Vec::new();
    for figure in [Figure::Live, Figure::Allocated] {
        for (pid, row) in rows {
            all.extend(building.add(figure, row, &target(*pid)).expect("a row"));
        }
    }
    all.extend(building.finish());
    assert!(building.finish().is_none());
    all
}

fn only(rows: &[(u32, GrowthRow)]) -> Request {
    let mut all = requests(rows);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[test]
fn a_process_is_a_resource_by_semantic_conventions() {
    let request = only(&[(7, row(vec![frame("main", "/bin/x", 1)], 5, 0))]);
    check(&request);
    let expected = [
        ("service.name", "shop"),
        ("container.id", "c0ffee"),
        ("k8s.pod.uid", "uid-1"),
        ("k8s.namespace.name", "shop"),
        ("k8s.pod.name", "shop-0"),
        ("k8s.node.name", "node-1"),
        ("host.name", "node-1"),
        ("process.executable.name", "app-server"),
        ("process.executable.path", "/usr/bin/app-server"),
        ("process.pid", "7"),
    ];
    assert_eq!(
        attributes(&request, 0),
        expected.map(|(key, text)| (key, text.to_owned()))
    );
}

#[test]
fn live_is_of_a_moment_and_allocated_of_an_interval() {
    let request = only(&[(7, row(vec![frame("main", "/bin/x", 1)], 5, 9))]);
    let profiles = &request.resource_profiles[0].scope_profiles[0].profiles;
    let [live, allocated] = profiles.as_slice() else {
        panic!("{profiles:?}");
    };
    assert_eq!((live.time_unix_nano, live.duration_nano), (INTERVAL.to, 0));
    let span = (allocated.time_unix_nano, allocated.duration_nano);
    assert_eq!(span, (INTERVAL.from, 60_000_000_000));
    let figures: Vec<_> = read(&request)
        .into_iter()
        .map(|row| (row.0, row.3))
        .collect();
    let expected = [("committed_allocated", 9), ("committed_live", 5)];
    assert_eq!(
        figures,
        expected.map(|(name, bytes)| (name.to_owned(), bytes))
    );
}

#[test]
fn inlined_frames_are_lines_of_one_location_leaf_first() {
    let inner = Frame {
        inlined: true,
        ..frame("inner", "/bin/x", 16)
    };
    let frames = vec![
        inner,
        frame("outer", "/bin/x", 16),
        frame("main", "/bin/x", 32),
    ];
    let request = only(&[(7, row(frames, 5, 0))]);
    check(&request);
    let tables = tables(&request);
    let locations = &tables.stack_table[1].location_indices;
    assert_eq!(locations.len(), 2);
    let names: Vec<_> = seen(tables, locations[0])
        .into_iter()
        .map(|seen| seen.0)
        .collect();
    assert_eq!(names, ["inner", "outer"]);
}

#[test]
fn code_without_a_name_is_an_address_in_its_mapping() {
    let request = only(&[(7, row(vec![frame("", "/lib/y.so", 0x12345)], 5, 0))]);
    check(&request);
    let location = &tables(&request).location_table[1];
    assert_eq!((location.address, location.lines.len()), (0x12345, 0));
    let mapping = &tables(&request).mapping_table[location.mapping_index as usize];
    assert_eq!((mapping.memory_start, mapping.memory_limit), (0, 0x13000));
}

#[test]
fn memory_without_a_stack_and_cut_stacks_are_marked() {
    let none = GrowthRow {
        owner: OwnerKind::PreExisting.into(),
        ..row(Vec::new(), 5, 0)
    };
    let cut = GrowthRow {
        truncated: true,
        ..row(vec![frame("f", "/bin/x", 1)], 6, 0)
    };
    let request = only(&[(7, none), (7, cut)]);
    check(&request);
    let last: Vec<_> = read(&request)
        .into_iter()
        .map(|row| row.2.last().cloned())
        .collect();
    let names: Vec<_> = last.into_iter().flatten().map(|seen| seen.0).collect();
    assert_eq!(names, ["[pre-existing]", "[stack truncated]"]);
}

#[test]
fn rows_of_one_stack_are_one_sample() {
    let same = || row(vec![frame("main", "/bin/x", 1)], 5, 0);
    let request = only(&[(7, same()), (8, same()), (7, same())]);
    check(&request);
    let bytes: Vec<_> = read(&request)
        .into_iter()
        .map(|row| (row.1, row.3))
        .collect();
    assert_eq!(bytes, [("7".to_owned(), 10), ("8".to_owned(), 5)]);
    assert_eq!(tables(&request).stack_table.len(), 2);
}

#[test]
fn nothing_is_no_request() {
    assert!(requests(&[]).is_empty());
    assert!(requests(&[(7, row(vec![frame("main", "/bin/x", 1)], 0, 0))]).is_empty());
}

#[test]
fn what_does_not_fit_into_one_request_is_split() {
    let long = "x".repeat(4000);
    let rows: Vec<_> = (0..1500_u32)
        .map(|number| {
            let frames = vec![frame(&format!("{number}{long}"), "/bin/x", number.into())];
            (1 + number % 3, row(frames, 1, 2))
        })
        .collect();
    let all = requests(&rows);
    assert!(all.len() >= 3, "{}", all.len());
    all.iter().for_each(check);
    let sum: u64 = all.iter().flat_map(read).map(|row| row.3).sum();
    assert_eq!(sum, 3 * 1500);
    let samples: Vec<_> = (0..REQUEST_SAMPLES_MAX as u64 + 1)
        .map(|number| (1, row(vec![frame("", "/bin/x", number)], 1, 0)))
        .collect();
    assert_eq!(requests(&samples).len(), 2);
}

#[test]
fn a_row_that_fits_into_no_request_is_refused() {
    let mut building = Requests::new(INTERVAL, || [1; 16]);
    let huge = row(
        vec![frame(&"x".repeat(REQUEST_BYTES_MAX), "/bin/x", 1)],
        5,
        0,
    );
    assert_eq!(building.add(Figure::Live, &huge, &target(1)), Err(TooLarge));
    assert!(building.finish().is_none());
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let module = prop::sample::select(vec!["/bin/x", "/lib/y.so"]);
    let function = prop::sample::select(vec!["", "f", "g"]);
    (function, module, 0..9000_u64)
        .prop_map(|(function, module, offset)| frame(function, module, offset))
}

proptest! {
    #[test]
    fn rows_come_back_out_of_requests(
        rows in prop::collection::vec(
            (1..4_u32, prop::collection::vec(any_frame(), 1..5), 1..100_u64, 1..100_u64),
            1..20,
        ),
    ) {
        let mut expected = std::collections::BTreeMap::new();
        let mut sent = Vec::new();
        for (pid, frames, live, allocated) in rows {
            let told: Vec<Seen> = frames.iter().map(|frame| (
                frame.function.clone(), frame.file.clone(), frame.line,
                frame.module.clone(), frame.build_id.clone(), frame.module_offset,
            )).collect();
            for (name, bytes) in [("committed_live", live), ("committed_allocated", allocated)] {
                *expected.entry((name.to_owned(), pid.to_string(), told.clone())).or_insert(0) += bytes;
            }
            sent.push((pid, row(frames, live, allocated)));
        }
        let request = only(&sent);
        check(&request);
        let expected: Vec<_> = expected.into_iter().map(|((a, b, c), d)| (a, b, c, d)).collect();
        prop_assert_eq!(read(&request), expected);
    }
}
