//! Events: written with what they came with, read by kind and time, and taken out by age and number.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{SqliteStore, slices};
use crate::store::{
    EventPlace, EventsOf, EventsPage, PageMost, Retention, RunId, StoreError, WallTime, Write,
    Written,
    events::{self, IN_ALL_MAX, OF_RUN_AHEAD, OF_RUN_MAX, ROW_BYTES, SHARE, fair_share},
};

/// Keeps those that are not there yet, as long as there is room for more of the run.
pub(super) fn save(
    db: &Connection,
    write: &Write,
    written: &mut Written,
) -> Result<(), StoreError> {
    if write.events.is_empty() {
        return Ok(());
    }
    let mut held = db.prepare_cached("SELECT count(*) FROM event WHERE run = ?1")?;
    let held: i64 = held.query_row([write.run.0], |row| row.get(0))?;
    let mut room = OF_RUN_AHEAD.saturating_sub(held.cast_unsigned());
    let mut insert = db.prepare_cached(
        "INSERT INTO event (run, number, node, kind, time, size, bytes, data)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (run, number) DO NOTHING",
    )?;
    for event in &write.events {
        let packed = events::pack(event)?;
        if room == 0 {
            written.events_over += 1;
            continue;
        }
        let is_new = insert.execute(params![
            write.run.0,
            packed.number.cast_signed(),
            write.facts.node,
            packed.kind,
            packed.time,
            packed.size,
            i64::try_from(packed.data.len()).unwrap_or(i64::MAX),
            packed.data,
        ])? > 0;
        if is_new {
            room -= 1;
            written.events.push((write.run, packed.number));
        }
    }
    Ok(())
}

/// What all questions for events have in common.
const WHERE: &str = "kind = ?1 AND time BETWEEN ?2 AND ?3
    AND (?4 IS NULL OR node IN (SELECT value FROM json_each(?4)))";

/// As `Store::events`.
pub(super) fn read(
    db: &Connection,
    of: &EventsOf,
    after: Option<EventPlace>,
    most: PageMost,
) -> Result<EventsPage, StoreError> {
    // Before the first there is the end of time. A run's number fits 63 bits.
    let after = after.unwrap_or(EventPlace {
        time: WallTime(i64::MAX),
        run: RunId([u8::MAX; 16]),
        number: i64::MAX.cast_unsigned(),
    });
    let mut select = db.prepare_cached(&format!(
        "SELECT time, run, number, size, data FROM event
         WHERE {WHERE} AND time <= ?5 AND (time, run, number) < (?5, ?6, ?7)
         ORDER BY time DESC, run DESC, number DESC LIMIT ?8"
    ))?;
    let mut rows = select.query(params![
        of.kind.code(),
        of.from.0,
        of.to.0,
        nodes(of),
        after.time.0,
        after.run.0,
        after.number.cast_signed(),
        most.events,
    ])?;
    let mut page = events::Filling::new(most);
    while let Some(row) = rows.next()? {
        let place = EventPlace {
            time: WallTime(row.get(0)?),
            run: RunId(row.get(1)?),
            number: row.get::<_, i64>(2)?.cast_unsigned(),
        };
        let data = row.get_ref(4)?.as_blob().map_err(rusqlite::Error::from)?;
        if !page.add(place, row.get(3)?, data) {
            break;
        }
    }
    Ok(page.filled())
}

/// As `Store::count_events`.
pub(super) fn count(db: &Connection, of: &EventsOf) -> Result<Vec<(String, u64)>, StoreError> {
    let mut count = db.prepare_cached(&format!(
        "SELECT node, count(*) FROM event WHERE {WHERE} GROUP BY node"
    ))?;
    let values = params![of.kind.code(), of.from.0, of.to.0, nodes(of)];
    let counts = count.query_map(values, |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned()))
    })?;
    Ok(counts.collect::<Result<_, _>>()?)
}

/// Their names as JSON.
fn nodes(of: &EventsOf) -> Option<String> {
    let nodes = of.nodes.as_ref()?;
    Some(serde_json::Value::from(nodes.clone()).to_string())
}

/// Bytes that events take, by estimate.
pub(super) fn bytes(db: &Connection) -> Result<u64, StoreError> {
    let mut sum = db.prepare_cached("SELECT ifnull(sum(bytes + ?1), 0) FROM event")?;
    let sum: i64 = sum.query_row([ROW_BYTES.cast_signed()], |row| row.get(0))?;
    Ok(sum.cast_unsigned())
}

/// Takes out what is too old or too much.
pub(super) async fn retain(
    store: &SqliteStore,
    retention: &Retention,
    now: WallTime,
    taken: &mut u64,
) -> Result<(), StoreError> {
    let age = i64::try_from(retention.events.as_nanos()).unwrap_or(i64::MAX);
    let oldest = now.0.saturating_sub(age);
    let most = retention.bytes_max / SHARE;
    let doomed = store.readers.read(move |db| doomed(db, oldest, most));
    slices::delete(&store.writer, doomed.await?, taken, |db, event| {
        db.prepare_cached("DELETE FROM event WHERE id = ?1")?
            .execute([event])
    })
    .await
}

/// The oldest last, which is the order in which they are taken.
fn doomed(db: &Connection, oldest: i64, bytes_max: u64) -> Result<Vec<i64>, StoreError> {
    let (of_node, bytes_of_node) = shares(db, oldest, bytes_max)?;
    let mut select = db.prepare_cached(
        "SELECT id FROM (
             SELECT id, time,
                 row_number() OVER (PARTITION BY run ORDER BY time DESC, id DESC) AS of_run,
                 row_number() OVER (PARTITION BY node ORDER BY time DESC, id DESC) AS of_node,
                 sum(bytes + ?1) OVER (PARTITION BY node ORDER BY time DESC, id DESC) AS upto
             FROM event
         )
         WHERE time < ?2 OR of_run > ?3 OR of_node > ?4 OR upto > ?5
         ORDER BY time DESC, id DESC",
    )?;
    let values = params![
        ROW_BYTES.cast_signed(),
        oldest,
        OF_RUN_MAX,
        i64::try_from(of_node).unwrap_or(i64::MAX),
        i64::try_from(bytes_of_node).unwrap_or(i64::MAX),
    ];
    let ids = select.query_map(values, |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Events and bytes that a node may have.
fn shares(db: &Connection, oldest: i64, bytes_max: u64) -> Result<(u64, u64), StoreError> {
    let mut select = db.prepare_cached(
        "SELECT count(*), sum(bytes + ?1) FROM event WHERE time >= ?2 GROUP BY node",
    )?;
    let nodes = select.query_map([ROW_BYTES.cast_signed(), oldest], |row| {
        let (events, bytes): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok((events.cast_unsigned(), bytes.cast_unsigned()))
    })?;
    let (events, bytes): (Vec<u64>, Vec<u64>) = nodes.collect::<Result<_, _>>()?;
    Ok((
        fair_share(events, IN_ALL_MAX.into()),
        fair_share(bytes, bytes_max),
    ))
}

/// Calls `look` with the run and number of each event, and what is wrong with it; how many there
/// are. A file that an older collector wrote has none.
pub(super) fn check(
    db: &Connection,
    mut look: impl FnMut(String, i64, String),
) -> Result<u64, StoreError> {
    let table = "SELECT 1 FROM sqlite_schema WHERE name = 'event'";
    let table: Option<i64> = db.query_row(table, [], |row| row.get(0)).optional()?;
    if table.is_none() {
        return Ok(0);
    }
    let mut select = db.prepare(
        "SELECT hex(run), number, kind, time, size, bytes, data FROM event ORDER BY run, number",
    )?;
    let mut rows = select.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        count += 1;
        let (kind, time): (u8, i64) = (row.get(2)?, row.get(3)?);
        let (size, bytes): (u32, i64) = (row.get(4)?, row.get(5)?);
        let data = row.get_ref(6)?.as_blob().map_err(rusqlite::Error::from)?;
        let number: i64 = row.get(1)?;
        let problem = match events::unpack(size, data).map(|event| events::pack(&event)) {
            Err(problem) => Some(problem),
            Ok(Ok(packed))
                if (packed.kind, packed.time) == (kind, time)
                    && packed.number.cast_signed() == number
                    && data.len() as i64 == bytes =>
            {
                None
            }
            Ok(_) => Some("it is not what the table says of it".to_owned()),
        };
        if let Some(problem) = problem {
            look(row.get(0)?, number, problem);
        }
    }
    Ok(count)
}
