//! How much of everything a part may hold, by the numbers of its fields. All of it is more than an
//! agent has.

mod verdict;

use profiler_proto::v1::PartKind;

use super::{PROCESSES_MAX, ROWS_MAX, wire::Field};

const TEXT_BYTES: usize = 4096;
const LABELS_MAX: usize = 64;
/// Of all processes.
const LABELS_IN_ALL: usize = 1 << 20;
const CONNECTIONS_MAX: usize = 2_000;
const CLASSES_MAX: usize = 2_000;
const JOINS_MAX: usize = 10_000;
const PEERS_MAX: usize = 16_384;
/// Curves are not sent.
const POINTS_IN_ALL: usize = 2_000;
const LOSSES_MAX: usize = 200;
const CAUSE_BYTES: usize = 64;
const MEANING_BYTES: usize = 1024;
const NOTES_MAX: usize = 64;

/// Of a part that this version does not know nothing is bounded: it is not decoded.
pub(super) fn fields(kind: PartKind) -> Vec<Field> {
    match kind {
        PartKind::Targets => targets(),
        PartKind::Growth => growth(),
        PartKind::Connections => connections(),
        PartKind::Status => vec![Field::messages(1, "status", 1, status())],
        PartKind::Resident => verdict::resident_part(),
        PartKind::Verdicts => verdict::verdicts_part(),
        PartKind::Events => verdict::events_part(),
        PartKind::Unspecified => Vec::new(),
    }
}

fn targets() -> Vec<Field> {
    let totals = (1..=10).map(|tag| Field::numbers(tag, "totals", PROCESSES_MAX));
    vec![
        Field::messages(1, "processes", PROCESSES_MAX, facts()),
        Field::messages(2, "tables of totals", 1, totals.collect()),
        Field::numbers(3, "gone processes", PROCESSES_MAX),
    ]
}

fn facts() -> Vec<Field> {
    let texts = (1..=11).map(|tag| Field::texts(tag, "text of a container", 1, TEXT_BYTES));
    let labels = Field::messages(12, "labels", LABELS_MAX, label()).in_all(LABELS_IN_ALL);
    vec![
        Field::texts(4, "name of a process", 1, TEXT_BYTES),
        Field::texts(5, "executable", 1, TEXT_BYTES),
        Field::messages(
            6,
            "containers of a process",
            1,
            texts.chain([labels]).collect(),
        ),
    ]
}

fn label() -> Vec<Field> {
    vec![
        Field::texts(1, "key of a label", 1, TEXT_BYTES),
        Field::texts(2, "value of a label", 1, TEXT_BYTES),
    ]
}

fn growth() -> Vec<Field> {
    let rows = (1..=10).map(|tag| Field::numbers(tag, "rows", ROWS_MAX));
    let gone = (11..=14).map(|tag| Field::numbers(tag, "gone rows", ROWS_MAX));
    let resident = Field::numbers(15, "rows", ROWS_MAX);
    rows.chain(gone).chain([resident]).collect()
}

fn connections() -> Vec<Field> {
    let points = || Field::messages(30, "points of connections", POINTS_IN_ALL, Vec::new());
    let connection = || vec![points().in_all(POINTS_IN_ALL)];
    vec![
        Field::messages(1, "connections", CONNECTIONS_MAX, connection()),
        Field::numbers(2, "processes of connections", CONNECTIONS_MAX),
        Field::messages(3, "classes", CLASSES_MAX, Vec::new()),
        Field::messages(4, "joins", JOINS_MAX, Vec::new()),
        Field::messages(5, "peers", PEERS_MAX, peer(connection())),
    ]
}

fn peer(connection: Vec<Field>) -> Vec<Field> {
    vec![Field::messages(3, "connections of a peer", 1, connection)]
}

fn status() -> Vec<Field> {
    let refused = Field::texts(3, "refused ways", NOTES_MAX, TEXT_BYTES);
    let loss = vec![
        Field::texts(1, "cause of a loss", 1, CAUSE_BYTES),
        Field::texts(3, "meaning of a loss", 1, MEANING_BYTES),
    ];
    let losses = Field::messages(3, "losses", LOSSES_MAX, loss);
    vec![
        Field::messages(6, "capabilities", NOTES_MAX, vec![refused]),
        Field::messages(7, "accountings", 1, vec![losses]),
        Field::texts(20, "notes", NOTES_MAX, TEXT_BYTES),
    ]
}
