//! A round of retention: thin out, collect what nothing refers to, make room, shrink the file.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::{
    SqliteStore, definitions, events,
    plan::{Doomed, Entry, plan},
    slices,
};
use crate::store::{Retained, Retention, StoreError, WallTime, events::SHARE};

/// Definitions are looked through no more often than this, in nanoseconds.
const DEFINITIONS_EVERY: i64 = 3600 * 1_000_000_000;

/// Batches that are picked at one time to make room.
const EVICTED_AT_ONCE: i64 = 20_000;

/// Pages that are given back at one time.
const PAGES_AT_ONCE: i64 = 256;

/// As `Store::retain`. Rounds follow each other: one waits for another's end. An error after
/// something was done is logged, and what was done told: the next round meets the error again.
pub(super) async fn retain(
    store: &SqliteStore,
    retention: &Retention,
    now: WallTime,
) -> Result<Retained, StoreError> {
    let mut done = Retained::default();
    match round(store, retention, now, &mut done).await {
        Err(error) if done != Retained::default() => {
            tracing::error!(%error, "old batches could be taken out in part only");
            Ok(done)
        }
        result => result.map(|()| done),
    }
}

async fn round(
    store: &SqliteStore,
    retention: &Retention,
    now: WallTime,
    done: &mut Retained,
) -> Result<(), StoreError> {
    let mut collected = store.collected.lock().await;
    thin(store, retention, now, done).await?;
    let old = collected.is_none_or(|last| now.0.saturating_sub(last.0) >= DEFINITIONS_EVERY);
    if old || store.definitions.is_full() {
        definitions::collect(store, now, &mut done.definitions).await?;
        let (definitions, most) = (Arc::clone(&store.definitions), retention.bytes_max / 4);
        let count = store.readers.read(move |db| definitions.count(db, most));
        count.await?;
        *collected = Some(now);
    }
    events::retain(store, retention, now, &mut done.events).await?;
    evict(store, retention.bytes_max, &mut done.evicted).await?;
    shrink(store, retention.bytes_max).await
}

async fn thin(
    store: &SqliteStore,
    retention: &Retention,
    now: WallTime,
    done: &mut Retained,
) -> Result<(), StoreError> {
    let runs = store.readers.read(|db| kept_runs(db)).await?;
    for run in runs {
        let of_run = retention.clone();
        let doomed = store.readers.read(move |db| doomed(db, run, &of_run, now));
        let doomed = doomed.await?;
        take(store, doomed.expired, &mut done.expired).await?;
        take(store, doomed.thinned, &mut done.thinned).await?;
    }
    Ok(())
}

fn kept_runs(db: &Connection) -> Result<Vec<i64>, StoreError> {
    let mut select = db.prepare_cached("SELECT id FROM run WHERE batches > 0")?;
    let runs = select.query_map([], |row| row.get(0))?;
    Ok(runs.collect::<Result<_, _>>()?)
}

fn doomed(
    db: &Connection,
    run: i64,
    retention: &Retention,
    now: WallTime,
) -> Result<Doomed, StoreError> {
    // A node whose clock is ahead must not keep its batches for ever: they age from when they came.
    let mut select = db.prepare_cached(
        "SELECT id, sequence, time, whole FROM batch WHERE run = ?1 AND time <= ?2
         UNION ALL
         SELECT id, sequence, received, whole FROM batch WHERE run = ?1 AND time > ?2
         ORDER BY sequence",
    )?;
    let entries = select.query_map(params![run, now.0], |row| {
        Ok(Entry {
            id: row.get(0)?,
            time: WallTime(row.get(2)?),
            whole: row.get(3)?,
        })
    })?;
    let entries: Vec<_> = entries.collect::<Result<_, _>>()?;
    Ok(plan(&entries, retention, now))
}

/// Deletes batches. The last ones go first, so that what is left of a chain can be read.
async fn take(store: &SqliteStore, batches: Vec<i64>, taken: &mut u64) -> Result<(), StoreError> {
    slices::delete(&store.writer, batches, taken, |db, batch| {
        db.prepare_cached(
            "UPDATE run SET batches = batches - 1, thinned = thinned + 1
             WHERE id = (SELECT run FROM batch WHERE id = ?1)",
        )?
        .execute([batch])?;
        db.prepare_cached("DELETE FROM batch WHERE id = ?1")?
            .execute([batch])
    })
    .await
}

/// Takes the oldest batches until what is left fits.
async fn evict(store: &SqliteStore, bytes_max: u64, evicted: &mut u64) -> Result<(), StoreError> {
    let definitions = store.definitions.bytes();
    loop {
        let look = move |db: &Connection| {
            let used = Pages::of(db)?.used();
            let others = [
                (definitions, bytes_max / 4),
                (events::bytes(db)?, bytes_max / SHARE),
            ];
            oldest(db, excess(used, others, bytes_max))
        };
        let oldest = store.readers.read(move |db| look(db)).await?;
        if oldest.is_empty() {
            return Ok(());
        }
        take(store, oldest, evicted).await?;
    }
}

/// Bytes of batches that are too many. `others`: bytes of definitions and of events, and what they
/// may have; batches do not make room for what they take beyond it, or whoever sends many could make
/// the batches of all others go.
fn excess(used: u64, others: [(u64, u64); 2], bytes_max: u64) -> u64 {
    let sum = |values: [u64; 2]| values[0].saturating_add(values[1]);
    let batches = used.saturating_sub(sum(others.map(|(bytes, _)| bytes)));
    let room = bytes_max.saturating_sub(sum(others.map(|(bytes, most)| bytes.min(most))));
    batches.saturating_sub(room)
}

/// The oldest batches of all runs: so many that the rest fits, or the first `EVICTED_AT_ONCE`. None
/// is left whose chain begins with one of them.
fn oldest(db: &Connection, excess: u64) -> Result<Vec<i64>, StoreError> {
    if excess == 0 {
        return Ok(Vec::new());
    }
    let mut select = db.prepare_cached(
        // The rightmost bound of each run; an entry's own bytes are about 200.
        "SELECT run, max(sequence) FROM (
             SELECT run, sequence, sum(bytes + 200) OVER (ORDER BY time, id) - bytes - 200 AS before
             FROM (SELECT * FROM batch ORDER BY time, id LIMIT ?2)
         ) WHERE before < ?1 GROUP BY run",
    )?;
    let mut up_to_next_whole = db.prepare_cached(
        "SELECT id FROM batch WHERE run = ?1 AND sequence < ifnull(
             (SELECT min(sequence) FROM batch WHERE run = ?1 AND sequence > ?2 AND whole),
             9223372036854775807)
         ORDER BY sequence",
    )?;
    let excess = i64::try_from(excess).unwrap_or(i64::MAX);
    let mut runs = select.query(params![excess, EVICTED_AT_ONCE])?;
    let mut batches = Vec::new();
    while let Some(run) = runs.next()? {
        let (run, sequence): (i64, i64) = (run.get(0)?, run.get(1)?);
        let ids = up_to_next_whole.query_map([run, sequence], |row| row.get(0))?;
        batches.extend(ids.collect::<Result<Vec<i64>, _>>()?);
    }
    Ok(batches)
}

/// Gives free pages back to the file system: as soon as they are many, or the file is too large.
async fn shrink(store: &SqliteStore, bytes_max: u64) -> Result<(), StoreError> {
    let give_back = move |db: &mut Connection| give_back(db, bytes_max);
    if !store.writer.run(give_back).await? {
        return Ok(());
    }
    while store.writer.run(give_back).await? {}
    // The file itself is cut when the log is copied to it.
    let checkpoint = |db: &mut Connection| {
        db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        Ok(())
    };
    store.writer.run(checkpoint).await
}

/// Whether there is more to give back.
fn give_back(db: &Connection, bytes_max: u64) -> Result<bool, StoreError> {
    let before = Pages::of(db)?;
    if before.free == 0 || (before.bytes() <= bytes_max && before.free <= before.all / 8) {
        return Ok(false);
    }
    let mut vacuum = db.prepare(&format!("PRAGMA incremental_vacuum({PAGES_AT_ONCE})"))?;
    let mut rows = vacuum.query([])?;
    while rows.next()?.is_some() {}
    Ok(Pages::of(db)?.all < before.all)
}

/// The file's pages.
struct Pages {
    all: u64,
    free: u64,
    size: u64,
}

impl Pages {
    fn of(db: &Connection) -> Result<Self, StoreError> {
        let pragma = |name: &str| -> Result<u64, StoreError> {
            let value: i64 = db.pragma_query_value(None, name, |row| row.get(0))?;
            Ok(value.cast_unsigned())
        };
        Ok(Self {
            all: pragma("page_count")?,
            free: pragma("freelist_count")?,
            size: pragma("page_size")?,
        })
    }

    fn bytes(&self) -> u64 {
        self.all * self.size
    }

    fn used(&self) -> u64 {
        (self.all - self.free) * self.size
    }
}
