//! Looking at everything: the file's structure, and what is in it.

use std::{collections::HashSet, path::Path};

use profiler_proto::v1;
use prost::Message as _;
use rusqlite::{Connection, params};

use super::{convert::unpack, events, schema};
use crate::store::{CheckReport, FrameHash, StoreError, parts};

/// Problems that are told.
const PROBLEMS_MAX: usize = 100;

/// As `Store::check`. On a connection of its own: it takes long.
pub(super) fn check(path: &Path) -> Result<CheckReport, StoreError> {
    let mut report = CheckReport::default();
    match check_all(path, &mut report) {
        // The check ends where the file cannot be read, and tells what it found up to there.
        Err(StoreError::Damaged(problem)) => add(&mut report, || problem),
        result => result?,
    }
    Ok(report)
}

fn check_all(path: &Path, report: &mut CheckReport) -> Result<(), StoreError> {
    let mut db = schema::open_alone(path)?;
    let db = db.transaction()?;
    structure(&db, report)?;
    counts(&db, report)?;
    let frames = frames(&db, report)?;
    stacks(&db, &frames, report)?;
    batches(&db, report)?;
    report.events = events::check(&db, |run, number, problem| {
        add(report, || format!("run {run}, event {number}: {problem}"));
    })?;
    Ok(())
}

fn add(report: &mut CheckReport, problem: impl FnOnce() -> String) {
    if report.problems.len() < PROBLEMS_MAX {
        report.problems.push(problem());
    }
}

fn structure(db: &Connection, report: &mut CheckReport) -> Result<(), StoreError> {
    let mut integrity = db.prepare("PRAGMA integrity_check(100)")?;
    let mut rows = integrity.query([])?;
    while let Some(row) = rows.next()? {
        let found: String = row.get(0)?;
        if found != "ok" {
            add(report, || format!("the file's structure: {found}"));
        }
    }
    let mut foreign = db.prepare("PRAGMA foreign_key_check")?;
    let mut rows = foreign.query([])?;
    while let Some(row) = rows.next()? {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        add(report, || {
            format!("a row of {table} refers to a row of {parent} that is not there")
        });
    }
    Ok(())
}

/// What each run says of its batches.
fn counts(db: &Connection, report: &mut CheckReport) -> Result<(), StoreError> {
    let mut select = db.prepare(
        "SELECT hex(run.run), batches, count(batch.id), last_sequence, ifnull(max(sequence), 0)
         FROM run LEFT JOIN batch ON batch.run = run.id GROUP BY run.id",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let run: String = row.get(0)?;
        let (batches, counted): (i64, i64) = (row.get(1)?, row.get(2)?);
        let (last, largest): (i64, i64) = (row.get(3)?, row.get(4)?);
        if batches != counted {
            add(report, || {
                format!("run {run}: {counted} batches of {batches} are there")
            });
        }
        if last < largest {
            add(report, || {
                format!("run {run}: batch {largest} comes after the last, {last}")
            });
        }
    }
    Ok(())
}

/// The frames that are there.
fn frames(db: &Connection, report: &mut CheckReport) -> Result<HashSet<FrameHash>, StoreError> {
    let mut known = HashSet::new();
    let mut select = db.prepare("SELECT hash, content FROM frame")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let hash = FrameHash(row.get::<_, i64>(0)?.cast_unsigned());
        let content = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        if let Err(error) = v1::Frame::decode(content) {
            add(report, || {
                format!("frame {:016x} cannot be read: {error}", hash.0)
            });
        }
        report.definitions += 1;
        known.insert(hash);
    }
    Ok(known)
}

fn stacks(
    db: &Connection,
    known: &HashSet<FrameHash>,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let mut select = db.prepare("SELECT hash, frames FROM stack")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let hash = row.get::<_, i64>(0)?.cast_unsigned();
        let packed = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        match unpack(packed) {
            None => add(report, || format!("stack {hash:016x} is cut off")),
            Some(frames) => {
                for frame in frames.iter().filter(|frame| !known.contains(frame)) {
                    let frame = frame.0;
                    add(report, || {
                        format!("stack {hash:016x}: its frame {frame:016x} is not there")
                    });
                }
            }
        }
        report.definitions += 1;
    }
    Ok(())
}

fn batches(db: &Connection, report: &mut CheckReport) -> Result<(), StoreError> {
    let mut select = db.prepare("SELECT id, hex(run) FROM run ORDER BY id")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (run, name): (i64, String) = (row.get(0)?, row.get(1)?);
        batches_of(db, run, &name, report)?;
    }
    Ok(())
}

fn batches_of(
    db: &Connection,
    run: i64,
    name: &str,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let mut select = db.prepare_cached("SELECT number FROM number WHERE run = ?1")?;
    let numbers = select.query_map([run], |row| row.get::<_, i64>(0))?;
    let numbers: HashSet<i64> = numbers.collect::<Result<_, _>>()?;
    report.definitions += numbers.len() as u64;

    let mut select = db
        .prepare_cached("SELECT id, sequence, bytes FROM batch WHERE run = ?1 ORDER BY sequence")?;
    let mut rows = select.query([run])?;
    while let Some(row) = rows.next()? {
        let (batch, sequence, bytes): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        report.batches += 1;
        let parts = parts_of(db, batch)?;
        let found: usize = parts.iter().map(|part| part.data.len()).sum();
        if found as i64 != bytes {
            add(report, || {
                format!("run {name}, batch {sequence}: {found} bytes of {bytes} are there")
            });
        }
        for part in &parts {
            if let Err(problem) = look_at(part, &numbers) {
                add(report, || {
                    format!("run {name}, batch {sequence}: {problem}")
                });
            }
        }
    }
    Ok(())
}

fn parts_of(db: &Connection, batch: i64) -> Result<Vec<v1::Part>, StoreError> {
    let mut select = db.prepare_cached("SELECT kind, size, data FROM part WHERE batch = ?1")?;
    let parts = select.query_map(params![batch], |row| {
        Ok(v1::Part {
            kind: row.get(0)?,
            size: row.get(1)?,
            data: row.get(2)?,
        })
    })?;
    Ok(parts.collect::<Result<_, _>>()?)
}

fn look_at(part: &v1::Part, known: &HashSet<i64>) -> Result<(), String> {
    let unknown = parts::stack_numbers(part)?
        .into_iter()
        .find(|number| !known.contains(&number.cast_signed()));
    unknown.map_or(Ok(()), |number| {
        Err(format!("stack number {number} is not known"))
    })
}
