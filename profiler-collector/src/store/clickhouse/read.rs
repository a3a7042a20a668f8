//! Questions about runs and batches.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use clickhouse::Row;
use profiler_proto::v1;
use serde::Deserialize;

use super::{client::Client, sql};
use crate::store::{Run, RunFacts, RunId, StoreError, StoredBatch, WallTime};

/// How far back the last whole batch is looked for, in nanoseconds: agents send one every minute,
/// and days that lie outside need not be looked at.
const LOOKBACKS: [i64; 3] = [3_600_000_000_000, 86_400_000_000_000, i64::MAX];

/// Batches whose parts are asked for at one time.
const KEYS: usize = 5_000;

#[derive(Row, Deserialize)]
struct RunRow {
    run: [u8; 16],
    #[serde(with = "serde_bytes")]
    agent_id: Vec<u8>,
    node: String,
    boot_id: String,
    agent_version: String,
    kernel: String,
    started: i64,
    labels: Vec<(String, String)>,
    interval_nanoseconds: u64,
    first: i64,
    last: i64,
    batches: u64,
    thinned: u64,
    last_sequence: u64,
}

impl From<RunRow> for Run {
    fn from(row: RunRow) -> Self {
        Self {
            id: RunId(row.run),
            facts: RunFacts {
                agent_id: row.agent_id,
                node: row.node,
                boot_id: row.boot_id,
                agent_version: row.agent_version,
                kernel: row.kernel,
                started: WallTime(row.started),
                labels: row.labels.into_iter().collect(),
                interval: Duration::from_nanos(row.interval_nanoseconds),
            },
            first: WallTime(row.first),
            last: WallTime(row.last),
            batches: row.batches,
            thinned: row.thinned,
            last_sequence: row.last_sequence,
        }
    }
}

/// Where the first row of a run came more than a day after its start, those before it were thinned
/// out so long ago that their rows went too.
pub(super) async fn runs(client: &Client) -> Result<Vec<Run>, StoreError> {
    let query = "
        SELECT kept.run, agent_id, node, boot_id, agent_version, kernel, started, labels,
               interval_nanoseconds, first, last, batches,
               toUInt64(gone_rows + if(dateDiff('second', started, oldest) > 86400, least - 1, 0))
                   AS thinned,
               last_sequence
        FROM (
            SELECT run, minIf(time, gone = 0) AS first, maxIf(time, gone = 0) AS last,
                   countIf(gone = 0) AS batches, countIf(gone = 1) AS gone_rows,
                   min(time) AS oldest, greatest(min(sequence), 1) AS least,
                   max(sequence) AS last_sequence
            FROM batch FINAL GROUP BY run HAVING batches > 0
        ) AS kept
        LEFT JOIN (SELECT * FROM run FINAL) AS facts ON facts.id = kept.run
        ORDER BY node, started, kept.run";
    let rows: Vec<RunRow> = client.rows(query).await?;
    Ok(rows.into_iter().map(Run::from).collect())
}

pub(super) async fn sequences(client: &Client, run: RunId) -> Result<Vec<u64>, StoreError> {
    let query = format!(
        "SELECT sequence FROM batch FINAL WHERE run = {} AND gone = 0 ORDER BY sequence",
        sql::run(run)
    );
    client.rows(&query).await
}

pub(super) async fn states(
    client: &Client,
    runs: &[RunId],
    at: WallTime,
    not_before: WallTime,
    kinds: &[v1::PartKind],
) -> Result<Vec<Vec<StoredBatch>>, StoreError> {
    let mut distinct = runs.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let chains = chains(client, &distinct, at, not_before).await?;
    let parts = parts(client, chains.values().flatten(), kinds).await?;
    let state = |run: &RunId| {
        let chain = chains.get(run).into_iter().flatten().cloned();
        chain.map(|batch| with_parts(batch, &parts)).collect()
    };
    Ok(runs.iter().map(state).collect())
}

pub(super) async fn whole_batches(
    client: &Client,
    run: RunId,
    (from, to): (WallTime, WallTime),
    steps: u32,
    kinds: &[v1::PartKind],
) -> Result<Vec<StoredBatch>, StoreError> {
    if from > to {
        return Ok(Vec::new());
    }
    let query = format!(
        "SELECT last.2, last.1, last.3, true FROM (
             SELECT max((time, sequence, boot_nanoseconds)) AS last
             FROM batch FINAL
             WHERE run = {} AND whole AND gone = 0 AND time BETWEEN {} AND {}
             GROUP BY intDiv((toInt128(toUnixTimestamp64Nano(time)) - {}) * {steps}, {})
         ) ORDER BY last",
        sql::run(run),
        sql::time(from),
        sql::time(to),
        from.0,
        i128::from(to.0) - i128::from(from.0) + 1,
    );
    let rows: Vec<BatchColumns> = client.rows(&query).await?;
    let batches: Vec<_> = rows.into_iter().map(|row| batch(run, row)).collect();
    let parts = parts(client, batches.iter(), kinds).await?;
    let whole = batches.into_iter().map(|batch| with_parts(batch, &parts));
    Ok(whole.collect())
}

/// Sequence number, wall time, boot time, whole.
type BatchColumns = (u64, i64, u64, bool);

fn batch(run: RunId, (sequence, time, boot_nanoseconds, whole): BatchColumns) -> StoredBatch {
    StoredBatch {
        run,
        sequence,
        time: WallTime(time),
        boot_nanoseconds,
        whole,
        parts: Vec::new(),
    }
}

#[derive(Row, Deserialize)]
struct ChainRow {
    run: [u8; 16],
    /// Time of the last batch.
    last: i64,
    /// Number of the last whole one; 0 if there is none, since numbers begin at 1.
    base: u64,
    /// From there on, in order.
    batches: Vec<BatchColumns>,
}

/// The batches that have to be read for each run, without their parts; none for those that have no
/// state to be told.
async fn chains(
    client: &Client,
    runs: &[RunId],
    at: WallTime,
    not_before: WallTime,
) -> Result<HashMap<RunId, Vec<StoredBatch>>, StoreError> {
    let mut found = HashMap::new();
    let mut pending: Vec<RunId> = runs.to_vec();
    for lookback in LOOKBACKS {
        if pending.is_empty() {
            break;
        }
        let from = WallTime(at.0.saturating_sub(lookback));
        let mut rows = chains_from(client, &pending, from, at).await?;
        pending.retain(|run| match rows.remove(run) {
            Some(row) if row.last <= not_before.0 => false,
            Some(row) if row.base > 0 => {
                found.insert(*run, unbroken(*run, row.batches));
                false
            }
            Some(_) => true,
            None => not_before < from,
        });
    }
    Ok(found)
}

async fn chains_from(
    client: &Client,
    runs: &[RunId],
    from: WallTime,
    at: WallTime,
) -> Result<HashMap<RunId, ChainRow>, StoreError> {
    let query = format!(
        "SELECT run, max(time) AS last, maxIf(sequence, whole) AS base,
                arraySort(arrayFilter(
                    row -> row.1 >= base,
                    groupArray((sequence, time, boot_nanoseconds, whole))
                )) AS batches
         FROM batch FINAL
         WHERE run IN ({}) AND gone = 0 AND time BETWEEN {} AND {}
         GROUP BY run",
        sql::runs(runs),
        sql::time(from),
        sql::time(at),
    );
    let rows: Vec<ChainRow> = client.rows(&query).await?;
    Ok(rows.into_iter().map(|row| (RunId(row.run), row)).collect())
}

/// The whole one and the differences after it, as far as each follows the one before.
fn unbroken(run: RunId, batches: Vec<BatchColumns>) -> Vec<StoredBatch> {
    let first = batches.first().map_or(0, |first| first.0);
    (0..)
        .zip(batches)
        .take_while(|(place, row)| first.checked_add(*place) == Some(row.0))
        .take_while(|(place, row)| row.3 == (*place == 0))
        .map(|(_, row)| batch(run, row))
        .collect()
}

#[derive(Row, Deserialize)]
struct PartRow {
    run: [u8; 16],
    sequence: u64,
    kind: i32,
    position: u32,
    size: u32,
    #[serde(with = "serde_bytes")]
    data: Vec<u8>,
}

/// Parts by their batch, in the order of their kinds. One that two collectors wrote is there once.
type Parts = HashMap<(RunId, u64), BTreeMap<(i32, u32), v1::Part>>;

fn with_parts(mut batch: StoredBatch, parts: &Parts) -> StoredBatch {
    let own = parts.get(&(batch.run, batch.sequence)).into_iter();
    batch.parts = own.flat_map(BTreeMap::values).cloned().collect();
    batch
}

/// The parts of these batches that are of one of these kinds; of `Unspecified` are all.
async fn parts(
    client: &Client,
    batches: impl Iterator<Item = &StoredBatch>,
    kinds: &[v1::PartKind],
) -> Result<Parts, StoreError> {
    let mut parts = Parts::new();
    if kinds.is_empty() {
        return Ok(parts);
    }
    let batches: Vec<&StoredBatch> = batches.collect();
    for batches in batches.chunks(KEYS) {
        for row in part_rows(client, batches, kinds).await? {
            let part = v1::Part {
                kind: row.kind,
                size: row.size,
                data: row.data,
            };
            parts
                .entry((RunId(row.run), row.sequence))
                .or_default()
                .insert((row.kind, row.position), part);
        }
    }
    Ok(parts)
}

async fn part_rows(
    client: &Client,
    batches: &[&StoredBatch],
    kinds: &[v1::PartKind],
) -> Result<Vec<PartRow>, StoreError> {
    let times = || batches.iter().map(|batch| batch.time);
    let (Some(first), Some(last)) = (times().min(), times().max()) else {
        return Ok(Vec::new());
    };
    let keys: Vec<_> = batches.iter().map(|b| (b.run, b.sequence)).collect();
    let of_kinds = if kinds.contains(&v1::PartKind::Unspecified) {
        String::new()
    } else {
        let kinds = kinds.iter().map(|kind| i32::from(*kind).to_string());
        format!("AND kind IN ({})", sql::list(kinds))
    };
    let query = format!(
        "SELECT run, sequence, kind, position, size, data FROM part
         WHERE (run, sequence) IN ({}) {of_kinds} AND time BETWEEN {} AND {}",
        sql::keys(&keys),
        sql::time(first),
        sql::time(last),
    );
    client.rows(&query).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_ends_with_the_last_number_there_is() {
        let row = |sequence, whole| (sequence, 0, 0, whole);
        let ended = unbroken(
            RunId([1; 16]),
            vec![row(u64::MAX, true), row(u64::MAX, true)],
        );
        assert_eq!(ended.len(), 1);
        let rows = vec![row(7, true), row(8, false), row(10, false)];
        assert_eq!(unbroken(RunId([1; 16]), rows).len(), 2);
    }
}
