//! Writing: what one call of `write` becomes in the tables.

use std::time::{SystemTime, UNIX_EPOCH};

use profiler_proto::v1;
use prost::Message as _;
use rusqlite::{Connection, OptionalExtension as _, named_params, params};

use super::{
    bounds::Bounds,
    convert::{nanoseconds, pack},
    events,
};
use crate::store::{
    FrameHash, RunFacts, RunId, StackContent, StackHash, StoreError, Write, Written,
};

/// How stale `seen` of a definition may get before it is written again, in nanoseconds. Retention
/// spares definitions for much longer.
const SEEN_STEP: i64 = 3600 * 1_000_000_000;

/// Now, on the collector's clock.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    })
}

/// Writes all of it; the caller takes it back if this fails.
pub(super) fn all(
    db: &Connection,
    bounds: &mut Bounds,
    writes: &[Write],
) -> Result<Written, StoreError> {
    let now = now();
    let mut written = Written::default();
    for write in writes {
        admit(db, bounds, write)?;
        let run = run(db, write.run, &write.facts, now)?;
        frames(db, bounds, &write.frames, now)?;
        stacks(db, bounds, &write.stacks, now)?;
        numbers(db, bounds, run, &write.numbers, now)?;
        events::save(db, write, &mut written)?;
        match &write.batch {
            Some(batch) if self::batch(db, run, batch, now)? => written.stored += 1,
            Some(_) => written.repeated += 1,
            None => {}
        }
    }
    Ok(written)
}

/// Whether the run is of this agent, and there may be one more if it is new.
fn admit(db: &Connection, bounds: &Bounds, write: &Write) -> Result<(), StoreError> {
    let agent: Option<Vec<u8>> = db
        .prepare_cached("SELECT agent FROM run WHERE run = ?1")?
        .query_row([write.run.0], |row| row.get(0))
        .optional()?;
    match agent {
        None => bounds.new_run(db, &write.facts.agent_id),
        Some(agent) if agent == write.facts.agent_id => Ok(()),
        Some(_) => Err(StoreError::Refused("the run is another agent's".into())),
    }
}

/// The run's key in this file.
fn run(db: &Connection, run: RunId, facts: &RunFacts, now: i64) -> Result<i64, StoreError> {
    let labels = serde_json::to_string(&facts.labels)
        .map_err(|error| StoreError::Internal(format!("a run's labels: {error}")))?;
    let mut upsert = db.prepare_cached(
        "INSERT INTO run (run, agent, node, boot, agent_version, kernel, started, labels, interval, seen)
         VALUES (:run, :agent, :node, :boot, :version, :kernel, :started, :labels, :interval, :now)
         ON CONFLICT (run) DO UPDATE SET
             node = excluded.node, boot = excluded.boot, agent_version = excluded.agent_version,
             kernel = excluded.kernel, started = excluded.started, labels = excluded.labels,
             interval = excluded.interval, seen = excluded.seen
         RETURNING id",
    )?;
    let values = named_params! {
        ":run": run.0,
        ":agent": facts.agent_id,
        ":node": facts.node,
        ":boot": facts.boot_id,
        ":version": facts.agent_version,
        ":kernel": facts.kernel,
        ":started": facts.started.0,
        ":labels": labels,
        ":interval": i64::try_from(facts.interval.as_nanos()).unwrap_or(i64::MAX),
        ":now": now,
    };
    Ok(upsert.query_row(values, |row| row.get(0))?)
}

fn frames(
    db: &Connection,
    bounds: &Bounds,
    frames: &[(FrameHash, v1::Frame)],
    now: i64,
) -> Result<(), StoreError> {
    let mut insert = db.prepare_cached(
        "INSERT INTO frame (hash, content, seen) VALUES (?1, ?2, ?3) ON CONFLICT (hash) DO NOTHING",
    )?;
    let mut see =
        db.prepare_cached("UPDATE frame SET seen = ?2 WHERE hash = ?1 AND seen < ?2 - ?3")?;
    for (hash, content) in frames {
        let (hash, content) = (hash.0.cast_signed(), content.encode_to_vec());
        if insert.execute(params![hash, content, now])? > 0 {
            bounds.new_definition(content.len())?;
        } else {
            see.execute([hash, now, SEEN_STEP])?;
        }
    }
    Ok(())
}

fn stacks(
    db: &Connection,
    bounds: &Bounds,
    stacks: &[(StackHash, StackContent)],
    now: i64,
) -> Result<(), StoreError> {
    let mut insert = db.prepare_cached(
        "INSERT INTO stack (hash, frames, truncated, seen) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (hash) DO NOTHING",
    )?;
    let mut see =
        db.prepare_cached("UPDATE stack SET seen = ?2 WHERE hash = ?1 AND seen < ?2 - ?3")?;
    for (hash, StackContent { frames, truncated }) in stacks {
        let (hash, packed) = (hash.0.cast_signed(), pack(frames));
        if insert.execute(params![hash, packed, truncated, now])? > 0 {
            bounds.new_definition(packed.len())?;
        } else if see.execute([hash, now, SEEN_STEP])? == 0 {
            continue;
        }
        refresh(db, frames, now)?;
    }
    Ok(())
}

/// Makes sure that a stack's frames are there and stay: they may have been written long ago, by
/// others.
fn refresh(db: &Connection, frames: &[FrameHash], now: i64) -> Result<(), StoreError> {
    let mut seen = db.prepare_cached("SELECT seen FROM frame WHERE hash = ?1")?;
    let mut refresh = db.prepare_cached("UPDATE frame SET seen = ?2 WHERE hash = ?1")?;
    for frame in frames {
        let hash = frame.0.cast_signed();
        let seen: Option<i64> = seen.query_row([hash], |row| row.get(0)).optional()?;
        let seen = seen.ok_or_else(|| {
            StoreError::Internal(format!(
                "a stack's frame {:016x} was never written",
                frame.0
            ))
        })?;
        if seen < now.saturating_sub(SEEN_STEP) {
            refresh.execute([hash, now])?;
        }
    }
    Ok(())
}

fn numbers(
    db: &Connection,
    bounds: &mut Bounds,
    run: i64,
    numbers: &[(u64, StackHash)],
    now: i64,
) -> Result<(), StoreError> {
    let mut insert = db.prepare_cached(
        "INSERT INTO number (run, number, stack, seen) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (run, number) DO NOTHING",
    )?;
    let mut see = db.prepare_cached(
        "UPDATE number SET seen = ?3 WHERE run = ?1 AND number = ?2 AND seen < ?3 - ?4",
    )?;
    // What could not be named in time may have been named since.
    let mut improve = db.prepare_cached(
        "UPDATE number SET stack = ?3 WHERE run = ?1 AND number = ?2 AND stack <> ?3
         AND (SELECT length(frames) FROM stack WHERE hash = number.stack) = 0
         AND (SELECT length(frames) FROM stack WHERE hash = ?3) > 0",
    )?;
    for (number, stack) in numbers {
        let (number, stack) = (number.cast_signed(), stack.0.cast_signed());
        if insert.execute([run, number, stack, now])? > 0 {
            bounds.new_number(db, run)?;
        } else {
            see.execute([run, number, now, SEEN_STEP])?;
            improve.execute([run, number, stack])?;
        }
    }
    Ok(())
}

/// Whether it is new.
fn batch(db: &Connection, run: i64, batch: &v1::Batch, now: i64) -> Result<bool, StoreError> {
    let sequence = i64::try_from(batch.sequence)
        .map_err(|_| StoreError::Refused("a batch's sequence number is out of range".into()))?;
    let time = nanoseconds(batch.time.as_ref())
        .ok_or_else(|| StoreError::Refused("a batch has no time, or one out of range".into()))?;
    let bytes: usize = batch.parts.iter().map(|part| part.data.len()).sum();
    let inserted = db
        .prepare_cached(
            "INSERT INTO batch (run, sequence, time, boot, whole, received, bytes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (run, sequence) DO NOTHING",
        )?
        .execute(params![
            run,
            sequence,
            time,
            batch.boot_nanoseconds.cast_signed(),
            batch.whole,
            now,
            i64::try_from(bytes).unwrap_or(i64::MAX),
        ])?;
    if inserted == 0 {
        return Ok(false);
    }
    parts(db, db.last_insert_rowid(), &batch.parts)?;
    db.prepare_cached(
        "UPDATE run SET batches = batches + 1, last_sequence = max(last_sequence, ?2) WHERE id = ?1",
    )?
    .execute(params![run, sequence])?;
    Ok(true)
}

fn parts(db: &Connection, batch: i64, parts: &[v1::Part]) -> Result<(), StoreError> {
    let mut insert =
        db.prepare_cached("INSERT INTO part (batch, kind, size, data) VALUES (?1, ?2, ?3, ?4)")?;
    for part in parts {
        insert.execute(params![batch, part.kind, part.size, &part.data[..]])?;
    }
    Ok(())
}
