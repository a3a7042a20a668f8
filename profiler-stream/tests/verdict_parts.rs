//! Parts with figures, verdicts and events: what an agent sends is let through, what a hostile one
//! could send is refused before it takes memory.

use pbjson_types::Timestamp;
use profiler_proto::v1;
use profiler_stream::{
    decode::{self, DecodeError, Limits, RunState, check},
    encode::part,
};
use prost::Message as _;

fn batch(extra: v1::Part) -> v1::Batch {
    v1::Batch {
        sequence: 1,
        time: Some(Timestamp {
            seconds: 1_700_000_000,
            nanos: 5,
        }),
        boot_nanoseconds: 1,
        whole: true,
        parts: vec![
            part(v1::PartKind::Targets, &v1::TargetsPart::default()),
            part(v1::PartKind::Growth, &v1::GrowthPart::default()),
            extra,
        ],
    }
}

fn checked(kind: v1::PartKind, message: &impl prost::Message) -> Result<(), DecodeError> {
    check(&batch(part(kind, message)), &Limits::default()).map(drop)
}

fn verdict() -> v1::Verdict {
    v1::Verdict {
        node: "a".to_owned(),
        target: Some(v1::Target {
            container_id: "c".repeat(64),
            labels: [("app".to_owned(), "shop".to_owned())].into(),
            ..v1::Target::default()
        }),
        state: v1::VerdictState::Leaking.into(),
        gates: vec![v1::Gate::default(); 12],
        evidence: vec![v1::Evidence::default(); 12],
        not_excluded: vec!["a cache that fills".to_owned(); 8],
        resident: Some(v1::Resident::default()),
        reconciliation: Some(v1::Reconciliation {
            causes: vec![v1::reconciliation::Cause::default(); 8],
            ..v1::Reconciliation::default()
        }),
        lineage: Some(v1::Lineage {
            lives: vec![v1::Life::default(); 32],
            ..v1::Lineage::default()
        }),
        ..v1::Verdict::default()
    }
}

fn verdicts(change: impl FnOnce(&mut v1::Verdict)) -> Result<(), DecodeError> {
    let mut verdict = verdict();
    change(&mut verdict);
    let verdicts = vec![verdict];
    checked(v1::PartKind::Verdicts, &v1::VerdictsPart { verdicts })
}

fn kill() -> v1::OomKill {
    let row = v1::GrowthRow {
        frames: vec![v1::Frame::default(); 128],
        ..v1::GrowthRow::default()
    };
    v1::OomKill {
        growth: vec![row; 20],
        points: vec![v1::ResidentPoint::default(); 60],
        ..v1::OomKill::default()
    }
}

fn events(count: u64, kill: &v1::OomKill) -> v1::EventsPart {
    let event = |number| v1::Event {
        number,
        kind: Some(v1::event::Kind::OomKill(kill.clone())),
        ..v1::Event::default()
    };
    v1::EventsPart {
        events: (1..=count).map(event).collect(),
    }
}

fn killed(change: impl FnOnce(&mut v1::OomKill)) -> Result<(), DecodeError> {
    let mut kill = kill();
    change(&mut kill);
    checked(v1::PartKind::Events, &events(1, &kill))
}

#[test]
fn what_an_agent_sends_comes_back() {
    let resident = v1::ResidentPart {
        of: vec![v1::ResidentOf {
            target: verdict().target,
            resident: Some(v1::Resident {
                anon_bytes: 5,
                ..v1::Resident::default()
            }),
        }],
    };
    let parts = v1::VerdictsPart {
        verdicts: vec![verdict(); 3],
    };
    checked(v1::PartKind::Resident, &resident).unwrap();
    checked(v1::PartKind::Verdicts, &parts).unwrap();
    checked(v1::PartKind::Events, &events(50, &kill())).unwrap();

    let mut batch = batch(part(v1::PartKind::Resident, &resident));
    batch.parts.push(part(v1::PartKind::Verdicts, &parts));
    let mut state = RunState::default();
    state.apply(true, &batch.parts).unwrap();
    assert_eq!(state.resident(), Some(&resident));
    assert_eq!(state.verdicts(), Some(&parts));
}

#[test]
fn verdicts_without_end_are_refused() {
    verdicts(|_| {}).unwrap();
    verdicts(|verdict| verdict.gates = vec![v1::Gate::default(); 33]).unwrap_err();
    verdicts(|verdict| verdict.evidence = vec![v1::Evidence::default(); 65]).unwrap_err();
    verdicts(|verdict| verdict.not_excluded = vec![String::new(); 33]).unwrap_err();
    verdicts(|verdict| verdict.points = vec![v1::ResidentPoint::default(); 1]).unwrap_err();
    verdicts(|verdict| verdict.gates[0].meaning = "x".repeat(1025)).unwrap_err();
    verdicts(|verdict| verdict.health_reason = "x".repeat(4097)).unwrap_err();
    verdicts(|verdict| {
        let lineage = verdict.lineage.as_mut().unwrap();
        lineage.lives = vec![v1::Life::default(); 65];
    })
    .unwrap_err();
    verdicts(|verdict| {
        let reconciliation = verdict.reconciliation.as_mut().unwrap();
        reconciliation.causes = vec![v1::reconciliation::Cause::default(); 33];
    })
    .unwrap_err();
    verdicts(|verdict| {
        let labels = (0..65).map(|number| (number.to_string(), String::new()));
        verdict.target.as_mut().unwrap().labels = labels.collect();
    })
    .unwrap_err();
    let many = v1::VerdictsPart {
        verdicts: vec![v1::Verdict::default(); 2_001],
    };
    checked(v1::PartKind::Verdicts, &many).unwrap_err();
}

#[test]
fn figures_without_end_are_refused() {
    let figures = |count| v1::ResidentPart {
        of: vec![v1::ResidentOf::default(); count],
    };
    checked(v1::PartKind::Resident, &figures(20_000)).unwrap();
    checked(v1::PartKind::Resident, &figures(20_001)).unwrap_err();
}

#[test]
fn events_without_end_are_refused() {
    killed(|_| {}).unwrap();
    killed(|kill| kill.growth = vec![v1::GrowthRow::default(); 201]).unwrap_err();
    killed(|kill| kill.growth[0].frames = vec![v1::Frame::default(); 1_025]).unwrap_err();
    killed(|kill| kill.growth[0].frames[0].function = "x".repeat(4097)).unwrap_err();
    killed(|kill| kill.process_name = "x".repeat(4097)).unwrap_err();
    killed(|kill| kill.points = vec![v1::ResidentPoint::default(); 501]).unwrap_err();
    let empty = v1::OomKill::default();
    checked(v1::PartKind::Events, &events(1_000, &empty)).unwrap();
    checked(v1::PartKind::Events, &events(1_001, &empty)).unwrap_err();
    // Each within its bound, all together not.
    checked(v1::PartKind::Events, &events(100, &kill())).unwrap_err();
}

#[test]
fn an_event_needs_a_number_that_can_be_kept() {
    let numbered = |number| v1::EventsPart {
        events: vec![v1::Event {
            number,
            ..v1::Event::default()
        }],
    };
    checked(v1::PartKind::Events, &numbered(i64::MAX as u64)).unwrap();
    checked(v1::PartKind::Events, &numbered(0)).unwrap_err();
    checked(v1::PartKind::Events, &numbered(u64::MAX)).unwrap_err();
}

#[test]
fn parts_that_are_there_twice_or_no_messages_are_refused() {
    for kind in [
        v1::PartKind::Resident,
        v1::PartKind::Verdicts,
        v1::PartKind::Events,
    ] {
        let empty = part(kind, &v1::EventsPart::default());
        let mut twice = batch(empty.clone());
        twice.parts.push(empty);
        check(&twice, &Limits::default()).unwrap_err();
        let bytes = [0x0a, 0xff, 0xff];
        let broken = v1::Part {
            kind: kind.into(),
            size: 3,
            data: zstd::bulk::compress(&bytes, 1).unwrap(),
        };
        check(&batch(broken), &Limits::default()).unwrap_err();
    }
}

/// One empty message after the other: two bytes on the wire, hundreds in memory.
#[test]
fn empty_messages_are_counted_wherever_they_stand() {
    let mut growth = Vec::new();
    v1::OomKill {
        growth: vec![v1::GrowthRow::default(); 150],
        ..v1::OomKill::default()
    }
    .encode(&mut growth)
    .unwrap();
    // The same kill given twice is put together by a decoder.
    let mut event = Vec::new();
    for _ in 0..2 {
        prost::encoding::bytes::encode(3, &growth, &mut event);
    }
    let mut events = Vec::new();
    prost::encoding::bytes::encode(1, &event, &mut events);
    let doubled = v1::Part {
        kind: v1::PartKind::Events.into(),
        size: u32::try_from(events.len()).unwrap(),
        data: zstd::bulk::compress(&events, 1).unwrap(),
    };
    assert!(decode::part::<v1::EventsPart>(&doubled).is_err());
}
