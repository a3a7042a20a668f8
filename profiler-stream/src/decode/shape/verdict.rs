//! Of what is said about verdicts: figures of containers, verdicts, and events.

use super::{CAUSE_BYTES, LABELS_IN_ALL, LABELS_MAX, MEANING_BYTES, TEXT_BYTES, label};
use crate::decode::wire::Field;

/// Containers, units, and processes in neither.
const SERIES_MAX: usize = 20_000;
const VERDICTS_MAX: usize = 2_000;
const GATES_MAX: usize = 32;
const EVIDENCE_MAX: usize = 64;
const CAUSES_MAX: usize = 32;
const NOT_EXCLUDED_MAX: usize = 32;
const LIVES_MAX: usize = 64;
/// Of one kill and of one batch.
const POINTS_MAX: usize = 500;
const POINTS_IN_ALL: usize = 50_000;
const EVENTS_MAX: usize = 1_000;
const ROWS_OF_KILL_MAX: usize = 200;
const ROWS_IN_ALL: usize = 20_000;
const FRAMES_MAX: usize = 1_024;
const FRAMES_IN_ALL: usize = 200_000;

pub(super) fn resident_part() -> Vec<Field> {
    let of = vec![
        Field::messages(1, "targets", 1, target()),
        Field::messages(2, "readings", 1, resident()),
    ];
    vec![Field::messages(1, "readings", SERIES_MAX, of)]
}

pub(super) fn verdicts_part() -> Vec<Field> {
    vec![Field::messages(1, "verdicts", VERDICTS_MAX, verdict())]
}

pub(super) fn events_part() -> Vec<Field> {
    let change = vec![Field::messages(3, "verdicts", 1, verdict())];
    let event = vec![
        Field::messages(3, "kills of an event", 1, kill()),
        Field::messages(4, "changes of an event", 1, change),
    ];
    vec![Field::messages(1, "events", EVENTS_MAX, event)]
}

fn target() -> Vec<Field> {
    let texts = (2..=7).chain([17]).chain(19..=23);
    let texts = texts.map(|tag| Field::texts(tag, "text of a target", 1, TEXT_BYTES));
    let labels = Field::messages(24, "labels", LABELS_MAX, label()).in_all(LABELS_IN_ALL);
    texts.chain([labels]).collect()
}

fn resident() -> Vec<Field> {
    vec![
        Field::texts(11, "cgroup", 1, TEXT_BYTES),
        Field::texts(19, "source", 1, CAUSE_BYTES),
    ]
}

fn verdict() -> Vec<Field> {
    vec![
        Field::texts(1, "node", 1, TEXT_BYTES),
        Field::messages(2, "targets", 1, target()),
        Field::messages(17, "gates", GATES_MAX, gate()),
        Field::messages(18, "evidence", EVIDENCE_MAX, evidence()),
        Field::texts(19, "what is not excluded", NOT_EXCLUDED_MAX, TEXT_BYTES),
        Field::messages(20, "readings", 1, resident()),
        Field::messages(21, "reconciliations", 1, reconciliation()),
        Field::messages(22, "lineages", 1, lineage()),
        Field::texts(24, "reason", 1, TEXT_BYTES),
        // Agents keep them to themselves, but for kills.
        Field::messages(25, "points of a verdict", 0, Vec::new()),
    ]
}

fn gate() -> Vec<Field> {
    vec![
        Field::texts(1, "name of a gate", 1, CAUSE_BYTES),
        Field::texts(5, "unit of a gate", 1, CAUSE_BYTES),
        Field::texts(6, "meaning of a gate", 1, MEANING_BYTES),
    ]
}

fn evidence() -> Vec<Field> {
    vec![
        Field::texts(1, "name of evidence", 1, CAUSE_BYTES),
        Field::texts(3, "text of evidence", 1, TEXT_BYTES),
        Field::texts(5, "unit of evidence", 1, CAUSE_BYTES),
    ]
}

fn reconciliation() -> Vec<Field> {
    let cause = vec![
        Field::texts(1, "name of a cause", 1, CAUSE_BYTES),
        Field::texts(3, "meaning of a cause", 1, MEANING_BYTES),
    ];
    vec![Field::messages(6, "causes", CAUSES_MAX, cause)]
}

fn lineage() -> Vec<Field> {
    let life = vec![Field::texts(9, "container of a life", 1, TEXT_BYTES)];
    let texts = (1..=3).map(|tag| Field::texts(tag, "text of a lineage", 1, TEXT_BYTES));
    let lives = Field::messages(4, "lives", LIVES_MAX, life);
    texts.chain([lives]).collect()
}

fn kill() -> Vec<Field> {
    vec![
        Field::texts(2, "node", 1, TEXT_BYTES),
        Field::messages(3, "targets", 1, target()),
        Field::texts(5, "name of a process", 1, TEXT_BYTES),
        Field::texts(6, "constraint", 1, CAUSE_BYTES),
        Field::texts(7, "source", 1, CAUSE_BYTES),
        Field::messages(9, "readings", 1, resident()),
        Field::messages(10, "rows of a kill", ROWS_OF_KILL_MAX, row()).in_all(ROWS_IN_ALL),
        Field::texts(12, "lineage", 1, TEXT_BYTES),
        points(14),
    ]
}

fn row() -> Vec<Field> {
    let frames = Field::messages(8, "frames", FRAMES_MAX, frame()).in_all(FRAMES_IN_ALL);
    let texts = [13, 14, 15, 23];
    let texts = texts.map(|tag| Field::texts(tag, "text of a row", 1, TEXT_BYTES));
    texts.into_iter().chain([frames]).collect()
}

fn frame() -> Vec<Field> {
    let texts = [1, 2, 4, 5];
    let texts = texts.map(|tag| Field::texts(tag, "text of a frame", 1, TEXT_BYTES));
    texts.into()
}

fn points(tag: u32) -> Field {
    Field::messages(tag, "points", POINTS_MAX, Vec::new()).in_all(POINTS_IN_ALL)
}
