//! Batches and definitions, there and back.

use std::sync::Arc;

use pbjson_types::Timestamp;
use profiler_proto::v1;
use profiler_query::{
    ids::{BootTime, Cookie, PeerId, ProcessHandle, StackId},
    model::{
        BehalfKey, ContainerFacts, NodeFacts, OwnerKey, ProcessEntry, Row, RowKey, Snapshot,
        TargetInfo, TargetState, Totals,
    },
};
use profiler_stream::{
    decode::{Checked, DecodeError, Limits, RunState, check},
    encode::{Encoder, part},
};
use proptest::{collection, prelude::*};

fn wall() -> Timestamp {
    Timestamp {
        seconds: 1_700_000_000,
        nanos: 5,
    }
}

fn node() -> Arc<NodeFacts> {
    Arc::new(NodeFacts {
        name: "node-1".to_owned(),
        ..NodeFacts::default()
    })
}

fn owners() -> impl Strategy<Value = OwnerKey> {
    let stack = (0..4_u32).prop_map(StackId);
    let cookie = (1..4_u64).prop_map(Cookie);
    let behalf = prop_oneof![
        cookie.clone().prop_map(BehalfKey::Connection),
        (0..3_u32).prop_map(|peer| BehalfKey::Peer(PeerId(peer))),
        Just(BehalfKey::Folded),
        Just(BehalfKey::Nobody),
        Just(BehalfKey::Helper),
        Just(BehalfKey::Ring),
    ];
    prop_oneof![
        stack.clone().prop_map(OwnerKey::Stack),
        Just(OwnerKey::Stack(StackId(u32::MAX))),
        Just(OwnerKey::PreExisting),
        Just(OwnerKey::ExecImage),
        Just(OwnerKey::Unattributed),
        Just(OwnerKey::Folded),
        behalf.prop_map(OwnerKey::Behalf),
        (cookie, stack).prop_map(|(cookie, stack)| OwnerKey::OnConnection(cookie, stack)),
    ]
}

/// Few values, so that much stays as it was from one snapshot to the next.
fn figure() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..3_u64, 1 => Just(u64::MAX)]
}

fn moment() -> impl Strategy<Value = BootTime> {
    prop_oneof![Just(0), 1..10_000_000_u64, Just(7_000_000_000_000)].prop_map(BootTime)
}

fn rows() -> impl Strategy<Value = Row> {
    let figures = (figure(), figure(), figure(), figure());
    // One more than it goes over the wire.
    let resident = proptest::option::of(figure().prop_map(|bytes| bytes.min(u64::MAX - 1)));
    (figures, resident, moment(), moment()).prop_map(
        |((allocated, inherited, freed, events), resident, oldest, newest)| Row {
            allocated,
            inherited,
            freed,
            events,
            resident,
            oldest,
            newest,
        },
    )
}

fn totals() -> impl Strategy<Value = Totals> {
    let figures = collection::vec(figure(), 8);
    (figures, moment(), moment()).prop_map(|(figures, oldest, newest)| Totals {
        allocated: figures[0],
        inherited: figures[1],
        freed: figures[2],
        committed: figures[3],
        released: figures[4],
        operations: figures[5],
        lost: figures[6],
        mappings: figures[7],
        oldest,
        newest,
    })
}

fn infos() -> impl Strategy<Value = TargetInfo> {
    let state = prop_oneof![
        Just(TargetState::Observed),
        Just(TargetState::Stale),
        Just(TargetState::Counting),
        Just(TargetState::Unsupported),
    ];
    let text = prop_oneof![Just(""), Just("app"), Just("ünï")];
    (0..3_u32, text, state, any::<bool>(), 1..3_u64).prop_map(
        |(pid, text, state, exited, started)| {
            let container = ContainerFacts {
                id: text.repeat(2),
                name: "host".to_owned(),
                root: format!("/{text}"),
                image: text.to_owned(),
                labels: [("zone".to_owned(), text.to_owned())].into(),
                ..ContainerFacts::default()
            };
            TargetInfo {
                pid,
                namespace_pid: pid + 1,
                name: text.to_owned(),
                executable: format!("/bin/{text}").into(),
                container: Arc::new(container),
                node: node(),
                started: BootTime(started),
                state,
                exited: exited.then_some(BootTime(9)),
            }
        },
    )
}

fn snapshots() -> impl Strategy<Value = Snapshot> {
    let processes = collection::btree_map(0..5_u32, (infos(), totals()), 0..5);
    let rows = collection::hash_map((0..5_u32, owners()), rows(), 0..12);
    (1..i64::MAX as u64, processes, rows).prop_map(|(time, processes, rows)| {
        let rows = rows.into_iter();
        let rows = rows.filter(|((process, _), _)| processes.contains_key(process));
        let key = |(process, owner)| RowKey {
            process: ProcessHandle(process),
            owner,
        };
        Snapshot {
            time: BootTime(time),
            rows: rows.map(|(of, row)| (key(of), row)).collect(),
            processes: processes
                .iter()
                .map(|(handle, (info, totals))| ProcessEntry {
                    handle: ProcessHandle(*handle),
                    info: Arc::new(info.clone()),
                    totals: *totals,
                })
                .collect(),
        }
    })
}

/// What of a snapshot comes over: in order, times of memory to the millisecond.
fn expected(snapshot: &Snapshot) -> Snapshot {
    let round = |time: &mut BootTime| match time.0 {
        0 => {}
        nanoseconds => time.0 = (nanoseconds / 1_000_000).max(1) * 1_000_000,
    };
    let mut snapshot = snapshot.clone().sorted();
    for (_, row) in &mut snapshot.rows {
        round(&mut row.oldest);
        round(&mut row.newest);
    }
    for entry in &mut snapshot.processes {
        round(&mut entry.totals.oldest);
        round(&mut entry.totals.newest);
    }
    snapshot
}

proptest! {
    #[test]
    fn what_is_sent_is_what_was(
        sequence in collection::vec((snapshots(), prop::bool::weighted(0.2)), 1..8),
    ) {
        let mut encoder = Encoder::new();
        let mut state = RunState::new(node());
        for (at, (snapshot, whole)) in sequence.iter().enumerate() {
            let batch = encoder.batch(snapshot, wall(), *whole, Vec::new());
            prop_assert_eq!(batch.sequence, at as u64 + 1);
            prop_assert_eq!(batch.whole, *whole || at == 0);
            prop_assert_eq!(batch.boot_nanoseconds, snapshot.time.0);
            check(&batch, &Limits::default()).unwrap();
            state.apply(batch.whole, &batch.parts).unwrap();
            prop_assert_eq!(state.snapshot(snapshot.time), expected(snapshot));
        }
    }

    #[test]
    fn a_snapshot_that_stays_is_sent_as_nothing(snapshot in snapshots()) {
        let mut encoder = Encoder::new();
        encoder.batch(&snapshot, wall(), true, Vec::new());
        let batch = encoder.batch(&snapshot, wall(), false, Vec::new());
        let checked = check(&batch, &Limits::default()).unwrap();
        prop_assert_eq!(checked, Checked::default());
    }

    #[test]
    fn parts_of_anything_are_refused_or_read(
        parts in collection::vec((0..9_i32, columns(), targets()), 0..4),
        whole in any::<bool>(),
    ) {
        let parts = parts.iter().map(|(kind, growth, targets)| match kind {
            1 => part(v1::PartKind::Targets, targets),
            2 => part(v1::PartKind::Growth, growth),
            kind => v1::Part { kind: *kind, ..part(v1::PartKind::Growth, growth) },
        });
        let batch = v1::Batch { sequence: 1, time: Some(wall()), whole, parts: parts.collect(), ..Default::default() };
        let mut state = RunState::default();
        let _ = state.apply(true, &batch.parts);
        if check(&batch, &Limits::default()).is_ok() && whole {
            state.apply(true, &batch.parts).unwrap();
        }
        if state.apply(whole, &batch.parts).is_err() {
            prop_assert!(state.rows().is_empty());
            prop_assert_eq!(state.apply(false, &batch.parts), Err(DecodeError::NotWhole));
        }
    }

    #[test]
    fn bytes_of_anything_are_refused(data in collection::vec(any::<u8>(), 0..64), size in any::<u32>()) {
        let parts = [1, 2, 3, 4, 5, 6].map(|kind| v1::Part { kind, size, data: data.clone() });
        let mut state = RunState::default();
        prop_assert!(state.apply(true, &parts).is_err());
    }
}

/// Columns that are nearly right.
fn columns() -> impl Strategy<Value = v1::GrowthPart> {
    let numbers = || collection::vec(0..3_u64, 2);
    let more = (numbers(), numbers(), collection::vec(0..14_i32, 1..3));
    (collection::vec(0..3_u32, 2), more, any::<bool>()).prop_map(
        |(process, (a, b, owner), gone)| {
            let mut part = v1::GrowthPart {
                process,
                owner,
                subject: a.clone(),
                stack: b.clone(),
                allocated: a.clone(),
                inherited: a.clone(),
                freed: a.clone(),
                events: a.clone(),
                oldest: a.clone(),
                newest: a,
                ..Default::default()
            };
            if gone {
                part.gone_process = part.process.clone();
                part.gone_owner = part.owner.clone();
                part.gone_subject = part.subject.clone();
                part.gone_stack = b;
            }
            part
        },
    )
}

fn targets() -> impl Strategy<Value = v1::TargetsPart> {
    let processes = || collection::vec(0..3_u32, 0..3);
    (processes(), processes(), processes()).prop_map(|(facts, of_totals, gone)| {
        let figures = vec![1; of_totals.len()];
        v1::TargetsPart {
            facts: facts
                .into_iter()
                .map(|process| v1::ProcessFacts {
                    process,
                    ..Default::default()
                })
                .collect(),
            totals: Some(v1::ProcessTotals {
                process: of_totals,
                allocated: figures.clone(),
                inherited: figures.clone(),
                freed: figures.clone(),
                committed: figures.clone(),
                released: figures.clone(),
                operations: figures.clone(),
                lost: figures.clone(),
                mappings: figures.clone(),
                oldest: figures.clone(),
                newest: figures,
            }),
            gone,
        }
    })
}

/// One process with one row by stack.
fn growth() -> v1::GrowthPart {
    v1::GrowthPart {
        process: vec![1],
        owner: vec![v1::OwnerCode::Stack.into()],
        subject: vec![7],
        stack: vec![0],
        allocated: vec![4096],
        inherited: vec![0],
        freed: vec![0],
        events: vec![1],
        oldest: vec![5],
        newest: vec![6],
        ..Default::default()
    }
}

fn batch_of(growth: &v1::GrowthPart) -> v1::Batch {
    let targets = v1::TargetsPart {
        facts: vec![v1::ProcessFacts {
            process: 1,
            ..Default::default()
        }],
        ..Default::default()
    };
    v1::Batch {
        sequence: 1,
        time: Some(wall()),
        boot_nanoseconds: 1,
        whole: true,
        parts: vec![
            part(v1::PartKind::Targets, &targets),
            part(v1::PartKind::Growth, growth),
        ],
    }
}

fn refusal(change: impl FnOnce(&mut v1::GrowthPart)) -> DecodeError {
    let mut growth = growth();
    change(&mut growth);
    check(&batch_of(&growth), &Limits::default()).unwrap_err()
}

#[test]
fn a_check_names_the_stacks_that_a_batch_refers_to() {
    let checked = check(&batch_of(&growth()), &Limits::default()).unwrap();
    assert_eq!(checked.stacks, [7]);
    assert_eq!(checked.rows, 1);
}

#[test]
fn a_check_refuses_what_cannot_be_read() {
    assert_eq!(
        refusal(|part| part.freed.push(1)),
        DecodeError::Columns("growth")
    );
    assert_eq!(refusal(|part| part.owner[0] = 13), DecodeError::Owner(13));
    assert_eq!(refusal(|part| part.owner[0] = 0), DecodeError::Owner(0));
    assert_eq!(refusal(|part| part.subject[0] = 0), DecodeError::Subject(0));
    assert_eq!(refusal(|part| part.stack[0] = 3), DecodeError::Subject(3));
    assert_eq!(
        refusal(|part| part.process[0] = 2),
        DecodeError::Undefined("process of a row")
    );
    let again = refusal(|part| {
        let twice = part.clone();
        part.process.extend(twice.process);
        part.owner.extend(twice.owner);
        part.subject.extend(twice.subject);
        part.stack.extend(twice.stack);
        part.allocated.extend(twice.allocated);
        part.inherited.extend(twice.inherited);
        part.freed.extend(twice.freed);
        part.events.extend(twice.events);
        part.oldest.extend(twice.oldest);
        part.newest.extend(twice.newest);
    });
    assert_eq!(again, DecodeError::Order("growth"));
}

/// A part that is the same bytes again and again.
fn repeated(kind: v1::PartKind, bytes: &[u8], times: usize) -> v1::Part {
    let bytes = bytes.repeat(times);
    v1::Part {
        kind: kind.into(),
        size: bytes.len() as u32,
        data: zstd::bulk::compress(&bytes, 3).unwrap(),
    }
}

#[test]
fn empty_messages_are_counted_before_they_are_decoded() {
    use v1::PartKind::{Connections, Growth, Status, Targets};
    let hostile: [(_, &[u8], _); 9] = [
        (Targets, b"\x0a\0", 70_001),
        (Targets, b"\x12\0", 2),
        (Targets, b"\x1a\x02\x01\x01", 35_001),
        (Targets, b"\x18\x01", 70_001),
        (Growth, b"\x08\x01", (1 << 18) + 1),
        (Connections, b"\x0a\0", 2_001),
        (Connections, b"\x2a\0", 16_385),
        (Status, b"\x0a\0", 2),
        (Status, b"\x0a\x02\x3a\0", 2),
    ];
    for (kind, bytes, times) in hostile {
        let mut batch = batch_of(&growth());
        batch.parts.retain(|part| part.kind() != kind);
        batch.parts.push(repeated(kind, bytes, times));
        check(&batch, &Limits::default()).unwrap_err();
        RunState::default().apply(true, &batch.parts).unwrap_err();
    }
}

fn with_facts(change: impl FnOnce(&mut v1::ProcessFacts)) -> Result<Checked, DecodeError> {
    let mut batch = batch_of(&growth());
    let mut facts = v1::ProcessFacts {
        process: 1,
        container: Some(v1::ContainerFacts::default()),
        ..Default::default()
    };
    change(&mut facts);
    let targets = v1::TargetsPart {
        facts: vec![facts],
        ..Default::default()
    };
    batch.parts[0] = part(v1::PartKind::Targets, &targets);
    check(&batch, &Limits::default())
}

#[test]
fn a_check_refuses_texts_and_labels_without_end() {
    let long = || "x".repeat(4097);
    with_facts(|facts| facts.name = "x".repeat(4096)).unwrap();
    let labels = |count: u32| {
        (0..count)
            .map(|at| (at.to_string(), String::new()))
            .collect()
    };
    let container = |facts: &mut v1::ProcessFacts| facts.container.take().unwrap();
    let label = |count| {
        with_facts(|facts| {
            let labels = labels(count);
            facts.container = Some(v1::ContainerFacts {
                labels,
                ..container(facts)
            });
        })
    };
    label(64).unwrap();
    label(65).unwrap_err();
    with_facts(|facts| facts.name = long()).unwrap_err();
    with_facts(|facts| {
        facts.container = Some(v1::ContainerFacts {
            image: long(),
            ..container(facts)
        });
    })
    .unwrap_err();
}

#[test]
fn a_check_refuses_a_status_without_end() {
    let check_loss = |cause: usize, losses: usize| {
        let loss = v1::Loss {
            cause: "x".repeat(cause),
            ..Default::default()
        };
        let accounting = v1::Accounting {
            losses: vec![loss; losses],
            ..Default::default()
        };
        let status = v1::GetStatusResponse {
            accounting: Some(accounting),
            ..Default::default()
        };
        let mut batch = batch_of(&growth());
        let status = v1::StatusPart {
            status: Some(status),
        };
        batch.parts.push(part(v1::PartKind::Status, &status));
        check(&batch, &Limits::default())
    };
    check_loss(64, 200).unwrap();
    check_loss(65, 1).unwrap_err();
    check_loss(1, 201).unwrap_err();
}

#[test]
fn a_check_refuses_what_63_bits_do_not_hold() {
    let most = i64::MAX as u64;
    let with = |sequence, boot_nanoseconds| {
        let batch = v1::Batch {
            sequence,
            boot_nanoseconds,
            ..batch_of(&growth())
        };
        check(&batch, &Limits::default())
    };
    with(most, most).unwrap();
    with(most + 1, 1).unwrap_err();
    with(1, most + 1).unwrap_err();
    with_facts(|facts| facts.started = most).unwrap();
    with_facts(|facts| facts.started = most + 1).unwrap_err();
    with_facts(|facts| facts.exited = most + 1).unwrap_err();
    assert_eq!(
        refusal(|part| part.newest[0] = most),
        DecodeError::Range("time of a row")
    );
}

#[test]
fn more_parts_than_kinds_are_refused() {
    let mut batch = batch_of(&growth());
    batch.parts.resize(
        17,
        v1::Part {
            kind: 77,
            ..Default::default()
        },
    );
    check(&batch, &Limits::default()).unwrap_err();
    RunState::default().apply(true, &batch.parts).unwrap_err();
}

#[test]
fn a_part_of_a_kind_from_later_is_let_through() {
    let mut batch = batch_of(&growth());
    batch.parts.push(v1::Part {
        kind: 77,
        size: 3,
        data: vec![1, 2, 3],
    });
    check(&batch, &Limits::default()).unwrap();
    RunState::default().apply(true, &batch.parts).unwrap();
}

#[test]
fn a_part_that_is_there_twice_or_not_at_all_is_refused() {
    let mut batch = batch_of(&growth());
    batch.parts.push(batch.parts[1].clone());
    check(&batch, &Limits::default()).unwrap_err();
    batch.parts.truncate(1);
    check(&batch, &Limits::default()).unwrap_err();
}

#[test]
fn a_bomb_is_refused_before_it_is_decompressed() {
    let zeros = vec![0; 64 << 20];
    let mut batch = batch_of(&growth());
    batch.parts[1].data = zstd::bulk::compress(&zeros, 3).unwrap();
    batch.parts[1].size = 64 << 20;
    let refusal = check(&batch, &Limits::default()).unwrap_err();
    assert!(matches!(refusal, DecodeError::TooLarge { .. }), "{refusal}");
}

#[test]
fn a_part_that_does_not_say_how_large_it_is_is_refused() {
    let mut batch = batch_of(&growth());
    batch.parts[1].data = zstd::stream::encode_all(&[0; 1 << 16][..], 3).unwrap();
    let refusal = check(&batch, &Limits::default()).unwrap_err();
    assert_eq!(refusal, DecodeError::Damaged("part"));
}

#[test]
fn targets_alone_can_be_read() {
    let batch = batch_of(&growth());
    let mut state = RunState::default();
    state.apply(true, &batch.parts[..1]).unwrap();
    assert_eq!(state.processes().len(), 1);
    assert!(state.rows().is_empty());
}

/// Processes with paths of so many bytes, none like another.
fn long_paths(processes: u32, bytes: usize) -> Snapshot {
    let text = |seed: u32, bytes: usize| -> String {
        let mut random = fastrand::Rng::with_seed(seed.into());
        (0..bytes).map(|_| random.alphanumeric()).collect()
    };
    let entries = (0..processes).map(|process| {
        let container = ContainerFacts {
            root: text(process, bytes),
            cgroup: text(process + 1, bytes),
            labels: [("key".to_owned(), text(process, bytes))].into(),
            ..ContainerFacts::default()
        };
        ProcessEntry {
            handle: ProcessHandle(process),
            info: Arc::new(TargetInfo {
                pid: process,
                namespace_pid: process,
                name: text(process, 15),
                executable: text(process + 2, bytes).into(),
                container: Arc::new(container),
                node: node(),
                started: BootTime(1),
                state: TargetState::Observed,
                exited: None,
            }),
            totals: Totals::default(),
        }
    });
    Snapshot {
        time: BootTime(1),
        rows: Vec::new(),
        processes: entries.collect(),
    }
}

#[test]
fn facts_of_any_length_fit_into_what_a_collector_takes() {
    for (processes, long, bytes) in [(1, 600, 512), (8_192, 600, 256), (70_000, 90, 16)] {
        let snapshot = long_paths(processes, long);
        let batch = Encoder::new().batch(&snapshot, wall(), true, Vec::new());
        check(&batch, &Limits::default()).unwrap();
        let mut state = RunState::default();
        state.apply(true, &batch.parts).unwrap();
        let info = &state.processes()[0].info;
        assert!(info.executable.len() <= bytes && info.executable.len() > bytes / 2);
        let roots = state
            .processes()
            .iter()
            .map(|entry| &entry.info.container.root);
        let roots: std::collections::HashSet<_> = roots.collect();
        assert_eq!(roots.len(), processes as usize);
    }
}

#[test]
fn facts_are_cut_alike_in_all_batches() {
    let (few, many) = (long_paths(1, 600), long_paths(8_192, 600));
    let mut encoder = Encoder::new();
    let mut state = RunState::default();
    for snapshot in [&few, &many, &few] {
        let batch = encoder.batch(snapshot, wall(), false, Vec::new());
        state.apply(batch.whole, &batch.parts).unwrap();
        let alone = Encoder::new().batch(snapshot, wall(), true, Vec::new());
        let mut whole = RunState::default();
        whole.apply(true, &alone.parts).unwrap();
        assert!(state.processes() == whole.processes());
    }
}

#[test]
fn a_difference_needs_a_whole_batch() {
    let batch = batch_of(&growth());
    let mut state = RunState::default();
    assert_eq!(state.apply(false, &batch.parts), Err(DecodeError::NotWhole));
}
