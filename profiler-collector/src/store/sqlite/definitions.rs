//! Collecting definitions that nothing refers to any more: numbers of runs that are gone or that no
//! kept batch can name, stacks without numbers, frames without stacks, runs without anything.
//!
//! They are looked for while others write. What was written within `SPARED` is never taken, and
//! that is asked again in the deletion itself, so that a definition that comes into use meanwhile
//! stays.

use std::collections::HashSet;

use rusqlite::{Connection, params};

use super::{SqliteStore, convert::unpack, slices};
use crate::store::{FrameHash, StoreError, WallTime};

const DAY: i64 = 86_400 * 1_000_000_000;

/// Definitions younger than this stay.
const SPARED: i64 = DAY;

/// Numbers stay so much longer than the first batch that is kept. Agents define the numbers that a
/// file of their spool needs at its beginning, and a file is finished long before.
const NUMBERS_SPARED: i64 = 7 * DAY;

/// Taken at one time; the rest waits for the next round.
const AT_ONCE: i64 = 200_000;

/// Adds to `taken` how many were.
pub(super) async fn collect(
    store: &SqliteStore,
    now: WallTime,
    taken: &mut u64,
) -> Result<(), StoreError> {
    let before = now.0.saturating_sub(SPARED);
    let (readers, writer) = (&store.readers, &store.writer);

    let numbers = readers.read(move |db| stale_numbers(db, before)).await?;
    let numbers = slices::delete(writer, numbers, taken, move |db, (run, number)| {
        db.prepare_cached("DELETE FROM number WHERE run = ?1 AND number = ?2 AND seen < ?3")?
            .execute(params![run, number, before])
    });
    numbers.await?;

    let mut runs_taken = 0;
    let runs = slices::delete(writer, vec![()], &mut runs_taken, move |db, ()| {
        db.execute(
            "DELETE FROM run WHERE batches = 0 AND seen < ?1
             AND NOT EXISTS (SELECT 1 FROM number WHERE number.run = run.id)",
            [before],
        )
    });
    runs.await?;

    let stacks = readers.read(move |db| unused_stacks(db, before)).await?;
    let stacks = slices::delete(writer, stacks, taken, move |db, stack| {
        db.prepare_cached(
            "DELETE FROM stack WHERE hash = ?1 AND seen < ?2
             AND NOT EXISTS (SELECT 1 FROM number WHERE stack = ?1)",
        )?
        .execute([*stack, before])
    });
    stacks.await?;

    let frames = readers.read(move |db| unused_frames(db, before)).await?;
    let frames = slices::delete(writer, frames, taken, move |db, frame| {
        // A stack that came meanwhile has set `seen` anew.
        db.prepare_cached("DELETE FROM frame WHERE hash = ?1 AND seen < ?2")?
            .execute([*frame, before])
    });
    frames.await
}

/// (run, number) of those that no kept batch can name.
fn stale_numbers(db: &Connection, before: i64) -> Result<Vec<(i64, i64)>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT id, seen, (SELECT received FROM batch WHERE run = run.id ORDER BY time LIMIT 1)
         FROM run",
    )?;
    let runs = select.query_map([], |row| {
        let (run, seen, first): (i64, i64, Option<i64>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let needed = first.map(|first| first.saturating_sub(NUMBERS_SPARED));
        Ok((
            run,
            needed.unwrap_or(if seen < before { before } else { 0 }),
        ))
    })?;
    let mut numbers = Vec::new();
    let mut of_run =
        db.prepare_cached("SELECT run, number FROM number WHERE run = ?1 AND seen < ?2 LIMIT ?3")?;
    for run in runs {
        let (run, needed) = run?;
        let room = AT_ONCE - numbers.len() as i64;
        let stale = of_run.query_map([run, needed.min(before), room], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        numbers.extend(stale.collect::<Result<Vec<_>, _>>()?);
    }
    Ok(numbers)
}

fn unused_stacks(db: &Connection, before: i64) -> Result<Vec<i64>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT hash FROM stack WHERE seen < ?1
         AND NOT EXISTS (SELECT 1 FROM number WHERE number.stack = stack.hash) LIMIT ?2",
    )?;
    let stacks = select.query_map([before, AT_ONCE], |row| row.get(0))?;
    Ok(stacks.collect::<Result<_, _>>()?)
}

fn unused_frames(db: &Connection, before: i64) -> Result<Vec<i64>, StoreError> {
    let mut used = HashSet::new();
    let mut stacks = db.prepare_cached("SELECT frames FROM stack")?;
    let mut rows = stacks.query([])?;
    while let Some(row) = rows.next()? {
        let packed = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        used.extend(unpack(packed).unwrap_or_default());
    }
    let mut select = db.prepare_cached("SELECT hash FROM frame WHERE seen < ?1")?;
    let frames = select.query_map([before], |row| row.get::<_, i64>(0))?;
    let unused = frames.filter(|frame| {
        let used = |hash: &i64| used.contains(&FrameHash(hash.cast_unsigned()));
        !frame.as_ref().is_ok_and(used)
    });
    Ok(unused.take(AT_ONCE as usize).collect::<Result<_, _>>()?)
}
