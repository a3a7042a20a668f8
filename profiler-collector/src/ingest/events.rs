//! Events of a batch, as they are kept: agents say what they like, and what is kept stands on its own.

use pbjson_types::Timestamp;
use profiler_proto::v1::{self, event::Kind};
use profiler_stream::decode;
use prost::Message as _;

use crate::{
    fleet::entries_of,
    store::{EventKind, events::BYTES_MAX},
};

/// Rows of growth of a kill, and frames of a row: more than agents send.
const ROWS_MAX: usize = 20;
const FRAMES_MAX: usize = 128;

/// What an event takes in memory, and an entry in it: empty fields are not encoded.
const EVENT_BYTES: usize = 4_096;
const ROW_BYTES: usize = 512;
const ENTRY_BYTES: usize = 192;

/// Events that came with a batch that was checked, each with the node that they are of. Those of
/// kinds that this version does not know are left out.
pub(super) fn of(batch: &v1::Batch, node: &str) -> Vec<v1::Event> {
    let Some(latest) = batch.time else {
        return Vec::new();
    };
    let mut parts = batch.parts.iter();
    let part = parts.find(|part| part.kind() == v1::PartKind::Events);
    let part = part.and_then(|part| decode::part::<v1::EventsPart>(part).ok());
    let events = part.map_or_else(Vec::new, |part| part.events).into_iter();
    let known = events.filter(|event| EventKind::of(event).is_some());
    let kept = known.filter_map(|event| fit(told(event, latest, node)));
    kept.collect()
}

/// Who sent it and when is what is known of the stream, not what it says itself.
fn told(mut event: v1::Event, latest: Timestamp, node: &str) -> v1::Event {
    let time = event.time.filter(|time| is_before(time, &latest));
    let time = Some(time.unwrap_or(latest));
    event.time = time;
    match &mut event.kind {
        Some(Kind::OomKill(kill)) => {
            kill.time = time;
            node.clone_into(&mut kill.node);
            put_node(kill.target.as_mut(), node);
            kill.growth.truncate(ROWS_MAX);
            for row in &mut kill.growth {
                node.clone_into(&mut row.node);
                row.truncated |= row.frames.len() > FRAMES_MAX;
                row.frames.truncate(FRAMES_MAX);
            }
        }
        Some(Kind::VerdictChange(change)) => {
            change.time = time;
            if let Some(verdict) = &mut change.verdict {
                node.clone_into(&mut verdict.node);
                put_node(verdict.target.as_mut(), node);
            }
        }
        None => {}
    }
    event
}

fn put_node(target: Option<&mut v1::Target>, node: &str) {
    if let Some(target) = target {
        node.clone_into(&mut target.node);
    }
}

/// Whether it is a time at all and not after the batch, whose time is not after now.
fn is_before(time: &Timestamp, latest: &Timestamp) -> bool {
    time.seconds >= 0
        && (0..1_000_000_000).contains(&time.nanos)
        && (time.seconds, time.nanos) <= (latest.seconds, latest.nanos)
}

/// Without the smallest rows of growth if it is too large with them; none if it is still.
fn fit(mut event: v1::Event) -> Option<v1::Event> {
    while event.encoded_len() > BYTES_MAX {
        match &mut event.kind {
            Some(Kind::OomKill(kill)) if !kill.growth.is_empty() => {
                kill.growth.truncate(kill.growth.len() / 2);
            }
            _ => return None,
        }
    }
    Some(event)
}

/// Bytes that an event takes in memory, and not much less.
pub(super) fn memory(event: &v1::Event) -> usize {
    let inside = match &event.kind {
        Some(Kind::OomKill(kill)) => {
            let frames = kill.growth.iter().map(|row| row.frames.len());
            let entries = frames.sum::<usize>() + kill.points.len();
            ROW_BYTES * kill.growth.len() + ENTRY_BYTES * entries
        }
        Some(Kind::VerdictChange(change)) => {
            ENTRY_BYTES * change.verdict.as_ref().map_or(0, entries_of)
        }
        None => 0,
    };
    EVENT_BYTES + event.encoded_len() + inside
}

#[cfg(test)]
mod tests {
    use profiler_stream::encode::part;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp { seconds, nanos: 0 }
    }

    fn kept(events: Vec<v1::Event>) -> Vec<v1::Event> {
        let batch = v1::Batch {
            time: Some(at(100)),
            parts: vec![part(v1::PartKind::Events, &v1::EventsPart { events })],
            ..v1::Batch::default()
        };
        of(&batch, "node-1")
    }

    fn kill(time: Option<Timestamp>, kill: v1::OomKill) -> v1::Event {
        v1::Event {
            number: 1,
            time,
            kind: Some(Kind::OomKill(kill)),
        }
    }

    #[test]
    fn an_agent_speaks_for_its_own_node_alone() {
        let claimed = || "other".to_owned();
        let target = v1::Target {
            node: claimed(),
            ..v1::Target::default()
        };
        let killed = v1::OomKill {
            node: claimed(),
            target: Some(target.clone()),
            ..v1::OomKill::default()
        };
        let change = v1::VerdictChange {
            verdict: Some(v1::Verdict {
                node: claimed(),
                target: Some(target),
                ..v1::Verdict::default()
            }),
            ..v1::VerdictChange::default()
        };
        let change = v1::Event {
            kind: Some(Kind::VerdictChange(change)),
            ..kill(Some(at(5)), v1::OomKill::default())
        };
        for event in kept(vec![kill(Some(at(5)), killed), change]) {
            let (node, target, time) = match event.kind.expect("a kind") {
                Kind::OomKill(kill) => (kill.node, kill.target, kill.time),
                Kind::VerdictChange(change) => {
                    let verdict = change.verdict.expect("a verdict");
                    (verdict.node, verdict.target, change.time)
                }
            };
            assert_eq!(node, "node-1");
            assert_eq!(target.expect("a target").node, "node-1");
            assert_eq!((time, event.time), (Some(at(5)), Some(at(5))));
        }
    }

    #[test]
    fn a_time_that_makes_no_sense_is_that_of_the_batch() {
        let strange = Timestamp {
            seconds: 1,
            nanos: -5,
        };
        for time in [None, Some(at(101)), Some(at(-1)), Some(strange)] {
            let events = kept(vec![kill(time, v1::OomKill::default())]);
            assert_eq!(events[0].time, Some(at(100)), "{time:?}");
        }
    }

    #[test]
    fn a_kill_is_bounded_by_what_it_takes_in_memory() {
        let row = v1::GrowthRow {
            frames: vec![v1::Frame::default(); 1_000],
            ..v1::GrowthRow::default()
        };
        let bomb = v1::OomKill {
            growth: vec![row; 200],
            ..v1::OomKill::default()
        };
        let events = kept(vec![kill(None, bomb)]);
        let Some(Kind::OomKill(left)) = &events[0].kind else {
            panic!("a kill");
        };
        assert_eq!(left.growth.len(), ROWS_MAX);
        let is_cut = |row: &v1::GrowthRow| row.frames.len() == FRAMES_MAX && row.truncated;
        assert!(left.growth.iter().all(is_cut));
        let frames = ROWS_MAX * FRAMES_MAX * size_of::<v1::Frame>();
        assert!(memory(&events[0]) >= frames);
        assert!(events[0].encoded_len() < frames / 10);
    }

    #[test]
    fn what_is_too_large_loses_rows_or_goes() {
        let frame = v1::Frame {
            function: "x".repeat(4_000),
            file: "x".repeat(4_000),
            ..v1::Frame::default()
        };
        let row = v1::GrowthRow {
            frames: vec![frame; 8],
            ..v1::GrowthRow::default()
        };
        let large = v1::OomKill {
            growth: vec![row; 20],
            ..v1::OomKill::default()
        };
        let events = kept(vec![kill(None, large)]);
        let Some(Kind::OomKill(left)) = &events[0].kind else {
            panic!("a kill");
        };
        assert_eq!(left.growth.len(), 10);
        assert!(
            fit(kill(
                None,
                v1::OomKill {
                    process_name: "x".repeat(2 << 20),
                    ..v1::OomKill::default()
                }
            ))
            .is_none()
        );
        let unknown = v1::Event {
            kind: None,
            ..kill(None, v1::OomKill::default())
        };
        assert_eq!(kept(vec![unknown]), []);
    }
}
