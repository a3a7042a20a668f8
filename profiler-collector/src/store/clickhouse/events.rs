//! Events: read by kind and time, taken out by age and number, and looked at.

use std::collections::{HashMap, HashSet};

use clickhouse::Row;
use profiler_proto::v1;
use serde::{Deserialize, Serialize};

use super::{client::Client, rows::KeyRow, space, sql};
use crate::store::{
    EventPlace, EventsOf, EventsPage, PageMost, Retention, RunId, StoreError, WallTime,
    events::{self, IN_ALL_MAX, OF_RUN_MAX, ROW_BYTES, SHARE, fair_share},
};

/// Keys in one statement.
const KEYS: usize = 10_000;

#[derive(Row, Serialize, Deserialize)]
pub(super) struct EventRow {
    run: [u8; 16],
    number: u64,
    node: String,
    kind: u8,
    time: i64,
    size: u32,
    #[serde(with = "serde_bytes")]
    data: Vec<u8>,
}

impl EventRow {
    /// # Errors
    /// As [`events::pack`].
    pub(super) fn new(run: RunId, node: &str, event: &v1::Event) -> Result<Self, StoreError> {
        let packed = events::pack(event)?;
        Ok(Self {
            run: run.0,
            number: packed.number,
            node: node.to_owned(),
            kind: packed.kind,
            time: packed.time,
            size: packed.size,
            data: packed.data,
        })
    }

    pub(super) fn key(&self) -> (RunId, u64) {
        (RunId(self.run), self.number)
    }
}

/// Which of these are there already.
pub(super) async fn known(
    client: &Client,
    keys: &[(RunId, u64)],
) -> Result<HashSet<(RunId, u64)>, StoreError> {
    let mut known = HashSet::new();
    for keys in keys.chunks(KEYS) {
        let query = format!(
            "SELECT run, number AS sequence FROM event WHERE (run, number) IN ({})",
            sql::keys(keys)
        );
        let rows: Vec<KeyRow> = client.rows(&query).await?;
        known.extend(rows.into_iter().map(|row| (RunId(row.run), row.sequence)));
    }
    Ok(known)
}

/// How many events each of these runs has.
pub(super) async fn held(
    client: &Client,
    runs: &[RunId],
) -> Result<HashMap<RunId, u64>, StoreError> {
    if runs.is_empty() {
        return Ok(HashMap::new());
    }
    let query = format!(
        "SELECT run, count() AS sequence FROM event FINAL WHERE run IN ({}) GROUP BY run",
        sql::runs(runs)
    );
    let rows: Vec<KeyRow> = client.rows(&query).await?;
    let held = rows.into_iter().map(|row| (RunId(row.run), row.sequence));
    Ok(held.collect())
}

const COLUMNS: &str = "run, number, node, kind, toUnixTimestamp64Nano(time) AS time, size, data";

/// As `Store::events`.
pub(super) async fn read(
    client: &Client,
    of: &EventsOf,
    after: Option<EventPlace>,
    most: PageMost,
) -> Result<EventsPage, StoreError> {
    let after = after.map_or_else(String::new, |after| {
        format!(
            "AND (event.time, run, number) < ({}, toFixedString({}, 16), {})",
            sql::time(after.time),
            sql::run(after.run),
            after.number
        )
    });
    let limit = most.events;
    // One more than there is room for: `Filling` has to see that it is full.
    let query = format!(
        "SELECT {COLUMNS} FROM (
             SELECT *, sum(size) OVER (
                 ORDER BY event.time DESC, run DESC, number DESC ROWS UNBOUNDED PRECEDING
             ) - size AS before FROM (
                 SELECT * FROM event FINAL WHERE {} {after}
                 ORDER BY event.time DESC, run DESC, number DESC LIMIT {limit}
             ) AS event
         ) AS event WHERE before <= {}
         ORDER BY event.time DESC, run DESC, number DESC",
        matching(of),
        most.bytes,
    );
    let rows: Vec<EventRow> = client.rows(&query).await?;
    let mut page = events::Filling::new(most);
    for row in rows {
        let place = EventPlace {
            time: WallTime(row.time),
            run: RunId(row.run),
            number: row.number,
        };
        if !page.add(place, row.size, &row.data) {
            break;
        }
    }
    Ok(page.filled())
}

#[derive(Row, Deserialize)]
struct OfNode {
    node: String,
    events: u64,
}

/// As `Store::count_events`.
pub(super) async fn count(
    client: &Client,
    of: &EventsOf,
) -> Result<Vec<(String, u64)>, StoreError> {
    let query = format!(
        "SELECT node, count() AS events FROM event FINAL WHERE {} GROUP BY node",
        matching(of)
    );
    let rows: Vec<OfNode> = client.rows(&query).await?;
    Ok(rows.into_iter().map(|row| (row.node, row.events)).collect())
}

/// The condition that these alone fulfil.
fn matching(of: &EventsOf) -> String {
    let nodes = of.nodes.as_ref().map_or_else(String::new, |nodes| {
        let nodes = sql::list(nodes.iter().map(|node| sql::text(node)));
        // A list may not be empty, an array may.
        format!("AND has([{nodes}], node)")
    });
    format!(
        "kind = {} AND event.time BETWEEN {} AND {} {nodes}",
        of.kind.code(),
        sql::time(of.from),
        sql::time(of.to),
    )
}

/// Takes out what is too old or too much; how many.
pub(super) async fn retain(
    client: &Client,
    retention: &Retention,
    now: WallTime,
) -> Result<u64, StoreError> {
    let age = i64::try_from(retention.events.as_nanos()).unwrap_or(i64::MAX);
    let oldest = now.0.saturating_sub(age);
    let (of_node, bytes_of_node) = shares(client, oldest, retention.bytes_max / SHARE).await?;
    let doomed = format!(
        "SELECT run, number FROM (
             SELECT run, number, toUnixTimestamp64Nano(time) AS at,
                    row_number() OVER (PARTITION BY run ORDER BY time DESC, number DESC) AS of_run,
                    row_number() OVER (
                        PARTITION BY node ORDER BY time DESC, run, number DESC
                    ) AS of_node,
                    sum(bytes + {ROW_BYTES}) OVER (
                        PARTITION BY node ORDER BY time DESC, run, number DESC
                        ROWS UNBOUNDED PRECEDING
                    ) AS upto
             FROM (SELECT run, number, node, time, bytes FROM event FINAL)
         ) WHERE at < {oldest} OR of_run > {OF_RUN_MAX} OR of_node > {of_node}
              OR upto > {bytes_of_node}"
    );
    let count: u64 = client
        .row(&format!("SELECT count() FROM ({doomed})"))
        .await?;
    if count > 0 {
        let statement = format!("ALTER TABLE event DELETE WHERE (run, number) IN ({doomed})");
        client
            .execute_with(&statement, &[space::SYNCHRONOUS])
            .await?;
    }
    Ok(count)
}

#[derive(Row, Deserialize)]
struct NodeHas {
    events: u64,
    bytes: u64,
}

/// Events and bytes that a node may have.
async fn shares(client: &Client, oldest: i64, bytes_max: u64) -> Result<(u64, u64), StoreError> {
    let query = format!(
        "SELECT count() AS events, sum(bytes + {ROW_BYTES}) AS bytes
         FROM (SELECT node, time, bytes FROM event FINAL)
         WHERE toUnixTimestamp64Nano(time) >= {oldest} GROUP BY node"
    );
    let nodes: Vec<NodeHas> = client.rows(&query).await?;
    let (events, bytes) = nodes
        .into_iter()
        .map(|node| (node.events, node.bytes))
        .unzip();
    Ok((
        fair_share(events, IN_ALL_MAX.into()),
        fair_share(bytes, bytes_max),
    ))
}

/// Calls `look` with the run and number of each event that something is wrong with, and what; how
/// many there are.
pub(super) async fn check(
    client: &Client,
    mut look: impl FnMut([u8; 16], u64, String),
) -> Result<u64, StoreError> {
    let mut count = 0;
    let query = format!("SELECT {COLUMNS} FROM event FINAL");
    let look_at = |row: EventRow| {
        count += 1;
        if let Some(problem) = problem(&row) {
            look(row.run, row.number, problem);
        }
    };
    client.each_row(&query, look_at).await?;
    Ok(count)
}

fn problem(row: &EventRow) -> Option<String> {
    let event = match events::unpack(row.size, &row.data) {
        Ok(event) => event,
        Err(problem) => return Some(problem),
    };
    match events::pack(&event) {
        Ok(packed)
            if (packed.number, packed.kind, packed.time) == (row.number, row.kind, row.time) =>
        {
            None
        }
        _ => Some("it is not what the table says of it".to_owned()),
    }
}
