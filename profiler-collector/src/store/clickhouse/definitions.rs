//! What stack numbers stand for, and taking out what no number stands for any more.

use std::{collections::HashMap, time::Duration};

use profiler_proto::v1;
use profiler_stream::content::stack_hash;

use super::{
    client::Client,
    rows::{FrameRow, StackRow},
    space, sql,
};
use crate::store::{NamedStack, RunId, StackHash, StoreError};

/// Keys in one statement.
const KEYS: usize = 10_000;

/// Of several definitions of a number one with frames holds, and of those the first: an agent that
/// defines it again may know less by then.
pub(super) async fn numbers(
    client: &Client,
    run: RunId,
    numbers: &[u64],
) -> Result<Vec<(u64, StackHash)>, StoreError> {
    let without_frames = [false, true].map(|truncated| stack_hash(&[], truncated));
    let mut known = Vec::new();
    for asked in numbers.chunks(KEYS) {
        let query = format!(
            "SELECT number, argMin(stack, (stack IN ({}), defined))
             FROM number WHERE run = {} AND number IN ({}) GROUP BY number",
            sql::numbers(without_frames),
            sql::run(run),
            sql::numbers(asked.iter().copied()),
        );
        let rows: Vec<(u64, u64)> = client.rows(&query).await?;
        known.extend(
            rows.into_iter()
                .map(|(number, stack)| (number, StackHash(stack))),
        );
    }
    Ok(known)
}

/// A stack one of whose frames is unknown is left out too.
pub(super) async fn stacks(
    client: &Client,
    stacks: &[StackHash],
) -> Result<Vec<(StackHash, NamedStack)>, StoreError> {
    let mut rows: Vec<StackRow> = Vec::new();
    for asked in stacks.chunks(KEYS) {
        let query = format!(
            "SELECT hash, frames, truncated FROM stack FINAL WHERE hash IN ({})",
            sql::numbers(asked.iter().map(|stack| stack.0)),
        );
        rows.extend(client.rows::<StackRow>(&query).await?);
    }
    let frames = frames(client, &rows).await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let named = row.frames.iter().map(|frame| frames.get(frame).cloned());
            let stack = NamedStack {
                frames: named.collect::<Option<_>>()?,
                truncated: row.truncated,
            };
            Some((StackHash(row.hash), stack))
        })
        .collect())
}

async fn frames(
    client: &Client,
    stacks: &[StackRow],
) -> Result<HashMap<u64, v1::Frame>, StoreError> {
    let mut hashes: Vec<u64> = stacks.iter().flat_map(|row| row.frames.clone()).collect();
    hashes.sort_unstable();
    hashes.dedup();
    let mut frames = HashMap::new();
    for asked in hashes.chunks(KEYS) {
        let query = format!(
            "SELECT hash, function, file, line, module, build_id, module_offset, inlined, kind
             FROM frame FINAL WHERE hash IN ({})",
            sql::numbers(asked.iter().copied()),
        );
        let rows: Vec<FrameRow> = client.rows(&query).await?;
        frames.extend(rows.into_iter().map(|row| (row.hash, v1::Frame::from(row))));
    }
    Ok(frames)
}

/// What nothing refers to. Agents define the numbers that a file of their spool needs at its
/// beginning, and a file is finished long before a week is over.
const UNUSED: [(&str, &str); 4] = [
    (
        "number",
        "(run, number) NOT IN (
             SELECT run, number FROM number
             INNER JOIN (
                 SELECT run, min(stored) AS first FROM batch FINAL WHERE gone = 0 GROUP BY run
             ) AS kept USING (run)
             WHERE stored >= first - toIntervalWeek(1)
         )",
    ),
    (
        "run",
        "id NOT IN (SELECT run FROM batch FINAL WHERE gone = 0)",
    ),
    ("stack", "hash NOT IN (SELECT stack FROM number)"),
    ("frame", "hash NOT IN (SELECT arrayJoin(frames) FROM stack)"),
];

/// Deletes definitions that nothing refers to and that did not come within `grace`: what came may
/// yet be followed by what refers to it. Returns how many.
pub(super) async fn collect(client: &Client, grace: Duration) -> Result<u64, StoreError> {
    let mut gone = 0;
    for (table, condition) in UNUSED {
        // The clock that the column was filled from.
        let which = format!(
            "{condition} AND stored <= now64(6) - toIntervalSecond({})",
            grace.as_secs()
        );
        let count: u64 = client
            .row(&format!("SELECT count() FROM {table} FINAL WHERE {which}"))
            .await?;
        if count > 0 {
            let statement = format!("ALTER TABLE {table} DELETE WHERE {which}");
            let options = [
                space::SYNCHRONOUS,
                ("allow_nondeterministic_mutations", "1"),
            ];
            client.execute_with(&statement, &options).await?;
            gone += if table == "run" { 0 } else { count };
        }
    }
    Ok(gone)
}
