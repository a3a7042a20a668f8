//! Runs, numbers and stacks.

use std::{collections::HashMap, sync::Once, time::Duration};

use profiler_proto::v1;
use prost::Message as _;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::convert::unpack;
use crate::store::{
    FrameHash, NamedStack, Run, RunFacts, RunId, StackHash, StoreError, StoreStatus, WallTime,
};

/// The run's key in this file.
pub(super) fn key(db: &Connection, run: RunId) -> Result<Option<i64>, StoreError> {
    let mut find = db.prepare_cached("SELECT id FROM run WHERE run = ?1")?;
    Ok(find.query_row([run.0], |row| row.get(0)).optional()?)
}

pub(super) fn runs(db: &Connection) -> Result<Vec<Run>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT run, agent, node, boot, agent_version, kernel, started, labels, interval,
             (SELECT min(time) FROM batch WHERE batch.run = run.id),
             (SELECT max(time) FROM batch WHERE batch.run = run.id),
             batches, thinned, last_sequence
         FROM run WHERE batches > 0 ORDER BY node, started, run",
    )?;
    let mut rows = select.query([])?;
    let mut runs = Vec::new();
    while let Some(row) = rows.next()? {
        // One that cannot be read must not hide the others.
        match run(row) {
            Ok(run) => runs.push(run),
            Err(error) => {
                static TOLD: Once = Once::new();
                TOLD.call_once(|| tracing::error!(%error, "a run is left out of all answers"));
            }
        }
    }
    Ok(runs)
}

fn run(row: &Row<'_>) -> Result<Run, StoreError> {
    let labels: String = row.get(7)?;
    let labels = serde_json::from_str(&labels)
        .map_err(|error| StoreError::Damaged(format!("a run's labels: {error}")))?;
    Ok(Run {
        id: RunId(row.get(0)?),
        facts: RunFacts {
            agent_id: row.get(1)?,
            node: row.get(2)?,
            boot_id: row.get(3)?,
            agent_version: row.get(4)?,
            kernel: row.get(5)?,
            started: WallTime(row.get(6)?),
            labels,
            interval: Duration::from_nanos(row.get::<_, i64>(8)?.cast_unsigned()),
        },
        first: WallTime(row.get(9)?),
        last: WallTime(row.get(10)?),
        batches: row.get::<_, i64>(11)?.cast_unsigned(),
        thinned: row.get::<_, i64>(12)?.cast_unsigned(),
        last_sequence: row.get::<_, i64>(13)?.cast_unsigned(),
    })
}

pub(super) fn sequences(db: &Connection, run: RunId) -> Result<Vec<u64>, StoreError> {
    let Some(run) = key(db, run)? else {
        return Ok(Vec::new());
    };
    let mut select =
        db.prepare_cached("SELECT sequence FROM batch WHERE run = ?1 ORDER BY sequence")?;
    let sequences = select.query_map([run], |row| row.get::<_, i64>(0))?;
    Ok(sequences
        .map(|sequence| sequence.map(i64::cast_unsigned))
        .collect::<Result<_, _>>()?)
}

pub(super) fn numbers(
    db: &Connection,
    run: RunId,
    numbers: &[u64],
) -> Result<Vec<(u64, StackHash)>, StoreError> {
    let Some(run) = key(db, run)? else {
        return Ok(Vec::new());
    };
    let mut select =
        db.prepare_cached("SELECT stack FROM number WHERE run = ?1 AND number = ?2")?;
    let mut known = Vec::with_capacity(numbers.len());
    for number in numbers {
        let stack = select
            .query_row(params![run, number.cast_signed()], |row| {
                row.get::<_, i64>(0)
            })
            .optional()?;
        known.extend(stack.map(|stack| (*number, StackHash(stack.cast_unsigned()))));
    }
    Ok(known)
}

/// A stack that cannot be read, or one of whose frames cannot, is left out.
pub(super) fn stacks(
    db: &Connection,
    stacks: &[StackHash],
) -> Result<Vec<(StackHash, NamedStack)>, StoreError> {
    let mut select = db.prepare_cached("SELECT frames, truncated FROM stack WHERE hash = ?1")?;
    let mut frames = HashMap::new();
    let mut known = Vec::with_capacity(stacks.len());
    for stack in stacks {
        let row: Option<(Vec<u8>, bool)> = select
            .query_row([stack.0.cast_signed()], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let Some((packed, truncated)) = row else {
            continue;
        };
        let Some(hashes) = unpack(&packed) else {
            continue;
        };
        let named = hashes.into_iter().map(|hash| frame(db, hash, &mut frames));
        if let Some(frames) = named.collect::<Result<Option<_>, _>>()? {
            known.push((*stack, NamedStack { frames, truncated }));
        }
    }
    Ok(known)
}

/// The frame; stacks have many in common, so those that were read are kept in `read`.
fn frame(
    db: &Connection,
    hash: FrameHash,
    read: &mut HashMap<FrameHash, v1::Frame>,
) -> Result<Option<v1::Frame>, StoreError> {
    if let Some(frame) = read.get(&hash) {
        return Ok(Some(frame.clone()));
    }
    let content: Option<Vec<u8>> = db
        .prepare_cached("SELECT content FROM frame WHERE hash = ?1")?
        .query_row([hash.0.cast_signed()], |row| row.get(0))
        .optional()?;
    let frame = content.and_then(|content| v1::Frame::decode(&content[..]).ok());
    if let Some(frame) = &frame {
        read.insert(hash, frame.clone());
    }
    Ok(frame)
}

pub(super) fn status(db: &Connection) -> Result<StoreStatus, StoreError> {
    let count = |sql: &str| -> Result<u64, StoreError> {
        Ok(db
            .query_row(sql, [], |row| row.get::<_, i64>(0))?
            .cast_unsigned())
    };
    let runs = runs(db)?;
    Ok(StoreStatus {
        engine: "sqlite",
        bytes: count("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")?,
        runs: runs.len() as u64,
        batches: runs.iter().map(|run| run.batches).sum(),
        stacks: count("SELECT count(*) FROM stack")?,
        frames: count("SELECT count(*) FROM frame")?,
        events: count("SELECT count(*) FROM event")?,
        oldest: runs.iter().map(|run| run.first).min(),
        newest: runs.iter().map(|run| run.last).max(),
    })
}
