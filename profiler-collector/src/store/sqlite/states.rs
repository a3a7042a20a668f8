//! Batches: the state at a moment, and whole ones over a time.

use profiler_proto::v1;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, params};

use super::read::key;
use crate::store::{RunId, StoreError, StoredBatch, WallTime};

/// Differences that are read after a whole batch. Agents send a whole one each minute: a chain of
/// this length comes from an agent that does not keep to it, and its state ends before.
const CHAIN_MAX: usize = 4096;

/// What one answer may hold, compressed.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// A batch of a run after one moment, up to another.
pub(super) const RECENT: &str =
    "SELECT 1 FROM batch WHERE run = ?1 AND time > ?2 AND time <= ?3 LIMIT 1";

/// The last whole batch of a run up to a moment: by its number, since clocks may be set back.
pub(super) const LAST_WHOLE: &str = "SELECT id, sequence, time, boot, whole
     FROM batch INDEXED BY batch_last_whole
     WHERE run = ?1 AND whole AND time <= ?2 ORDER BY sequence DESC LIMIT 1";

/// The batches of a run after one.
pub(super) const FOLLOWING: &str = "SELECT id, sequence, time, boot, whole FROM batch
     WHERE run = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3";

/// The parts of a batch whose kinds' bits are set; all for -1.
pub(super) const PARTS: &str = "SELECT kind, size, data FROM part
     WHERE batch = ?1 AND (?2 = -1 OR kind BETWEEN 0 AND 62 AND (?2 >> kind) & 1)
     ORDER BY kind, rowid";

/// A batch without its parts.
struct Head {
    id: i64,
    batch: StoredBatch,
}

/// As `Store::states`.
pub(super) fn states(
    db: &Connection,
    runs: &[RunId],
    at: WallTime,
    not_before: WallTime,
    kinds: &[v1::PartKind],
) -> Result<Vec<Vec<StoredBatch>>, StoreError> {
    let mut parts = Parts::new(db, kinds)?;
    let mut states = Vec::with_capacity(runs.len());
    for run in runs {
        let chain = chain(db, *run, at, not_before)?;
        states.push(parts.fill(chain)?);
    }
    Ok(states)
}

/// The last whole batch at or before `at`, and what follows it without a gap.
fn chain(
    db: &Connection,
    run: RunId,
    at: WallTime,
    not_before: WallTime,
) -> Result<Vec<Head>, StoreError> {
    let Some(key) = key(db, run)? else {
        return Ok(Vec::new());
    };
    let mut recent = db.prepare_cached(RECENT)?;
    if !recent.exists(params![key, not_before.0, at.0])? {
        return Ok(Vec::new());
    }
    let mut last_whole = db.prepare_cached(LAST_WHOLE)?;
    let whole = last_whole
        .query_row(params![key, at.0], |row| head(run, row))
        .optional()?;
    let Some(whole) = whole else {
        return Ok(Vec::new());
    };
    let mut following = db.prepare_cached(FOLLOWING)?;
    let mut rows = following.query(params![
        key,
        whole.batch.sequence.cast_signed(),
        CHAIN_MAX as i64
    ])?;
    let mut chain = vec![whole];
    while let Some(row) = rows.next()? {
        let next = head(run, row)?;
        let expected = chain.last().map(|last| last.batch.sequence + 1);
        if next.batch.whole || next.batch.time > at || Some(next.batch.sequence) != expected {
            break;
        }
        chain.push(next);
    }
    Ok(chain)
}

/// As `Store::whole_batches`.
pub(super) fn whole_batches(
    db: &Connection,
    run: RunId,
    (from, to): (WallTime, WallTime),
    steps: u32,
    kinds: &[v1::PartKind],
) -> Result<Vec<StoredBatch>, StoreError> {
    let Some(key) = key(db, run)? else {
        return Ok(Vec::new());
    };
    let mut select = db.prepare_cached(
        "SELECT id, sequence, time, boot, whole FROM batch
         WHERE run = ?1 AND whole AND time BETWEEN ?2 AND ?3 ORDER BY time, sequence",
    )?;
    let mut rows = select.query(params![key, from.0, to.0])?;
    let mut chosen: Vec<(i128, Head)> = Vec::new();
    while let Some(row) = rows.next()? {
        let head = head(run, row)?;
        let step = step(head.batch.time, from, to, steps);
        chosen.pop_if(|(last, _)| *last == step);
        chosen.push((step, head));
    }
    let heads = chosen.into_iter().map(|(_, head)| head).collect();
    Parts::new(db, kinds)?.fill(heads)
}

/// In which of `steps` equal parts of the time a moment lies.
fn step(time: WallTime, from: WallTime, to: WallTime, steps: u32) -> i128 {
    let length = i128::from(to.0) - i128::from(from.0) + 1;
    (i128::from(time.0) - i128::from(from.0)) * i128::from(steps) / length
}

fn head(run: RunId, row: &Row<'_>) -> rusqlite::Result<Head> {
    Ok(Head {
        id: row.get(0)?,
        batch: StoredBatch {
            run,
            sequence: row.get::<_, i64>(1)?.cast_unsigned(),
            time: WallTime(row.get(2)?),
            boot_nanoseconds: row.get::<_, i64>(3)?.cast_unsigned(),
            whole: row.get(4)?,
            parts: Vec::new(),
        },
    })
}

/// Reads the parts of some kinds, up to `ANSWER_BYTES_MAX` in all.
struct Parts<'db> {
    select: CachedStatement<'db>,
    /// A bit for each kind that is wanted; all for `Unspecified`.
    kinds: i64,
    bytes: usize,
}

impl<'db> Parts<'db> {
    fn new(db: &'db Connection, kinds: &[v1::PartKind]) -> Result<Self, StoreError> {
        let bit = |kind: &v1::PartKind| match kind {
            v1::PartKind::Unspecified => -1,
            kind => 1_i64 << (*kind as i32),
        };
        Ok(Self {
            select: db.prepare_cached(PARTS)?,
            kinds: kinds.iter().map(bit).fold(0, |all, bit| all | bit),
            bytes: 0,
        })
    }

    fn fill(&mut self, heads: Vec<Head>) -> Result<Vec<StoredBatch>, StoreError> {
        let mut batches = Vec::with_capacity(heads.len());
        for Head { id, mut batch } in heads {
            let mut rows = self.select.query(params![id, self.kinds])?;
            while let Some(row) = rows.next()? {
                let data = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
                self.bytes += data.len();
                if self.bytes > ANSWER_BYTES_MAX {
                    return Err(StoreError::TooMuch(
                        "the answer would need more than 256 MiB of batches: ask for fewer runs or \
                         a shorter time"
                            .into(),
                    ));
                }
                batch.parts.push(v1::Part {
                    kind: row.get(0)?,
                    size: row.get(1)?,
                    data: data.to_vec(),
                });
            }
            batches.push(batch);
        }
        Ok(batches)
    }
}
