//! How many runs there may be, and how much of their definitions: what comes beyond is refused, so
//! that no agent takes the store from the others.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use rusqlite::Connection;

use crate::store::StoreError;

/// Runs in all, and of one agent.
const RUNS_MAX: i64 = 20_000;
const RUNS_OF_AGENT_MAX: i64 = 200;

/// Stack numbers of one run.
const NUMBERS_MAX: u64 = 1_000_000;

/// What a row takes besides its texts, with its place in the indexes.
const ROW_BYTES: u64 = 40;

/// Bytes of all definitions, by estimate: the writer adds to it, retention counts anew.
#[derive(Debug)]
pub(super) struct Definitions {
    bytes: AtomicU64,
    most: AtomicU64,
}

impl Default for Definitions {
    /// Not bounded before the first round of retention.
    fn default() -> Self {
        Self {
            bytes: AtomicU64::new(0),
            most: AtomicU64::new(u64::MAX),
        }
    }
}

impl Definitions {
    /// By the last count, and what came since.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Whether the next large definition may be refused.
    pub(super) fn is_full(&self) -> bool {
        self.bytes() >= self.most.load(Relaxed) / 16 * 15
    }

    /// Counts, and sets how many there may be.
    pub(super) fn count(&self, db: &Connection, most: u64) -> Result<(), StoreError> {
        let bytes: i64 = db.query_row(
            "SELECT (SELECT ifnull(sum(length(content) + ?1), 0) FROM frame)
                 + (SELECT ifnull(sum(length(frames) + ?1), 0) FROM stack)
                 + (SELECT count(*) FROM number) * ?1",
            [ROW_BYTES.cast_signed()],
            |row| row.get(0),
        )?;
        self.bytes.store(on_disk(bytes.cast_unsigned()), Relaxed);
        self.most.store(most, Relaxed);
        Ok(())
    }

    fn add(&self, bytes: usize) -> Result<(), StoreError> {
        let more = on_disk(bytes as u64 + ROW_BYTES);
        let most = self.most.load(Relaxed);
        if self.bytes() + more > most {
            return Err(StoreError::Refused(format!(
                "the store has no room for more frames and stacks: they take {most} bytes, a quarter \
                 of store_bytes; raise it, or wait until old ones go"
            )));
        }
        self.bytes.fetch_add(more, Relaxed);
        Ok(())
    }
}

/// Pages of tables whose keys come in no order are two thirds full.
fn on_disk(bytes: u64) -> u64 {
    bytes / 2 * 3
}

/// What the writer knows of the bounds.
pub(super) struct Bounds {
    definitions: Arc<Definitions>,
    /// Numbers by run, or more after a write that was taken back: counted anew at the bound.
    numbers: HashMap<i64, u64>,
    numbers_max: u64,
}

impl Bounds {
    pub(super) fn new(definitions: Arc<Definitions>) -> Self {
        Self {
            definitions,
            numbers: HashMap::new(),
            numbers_max: NUMBERS_MAX,
        }
    }

    /// Whether a run that is new may come.
    pub(super) fn new_run(&self, db: &Connection, agent: &[u8]) -> Result<(), StoreError> {
        let (all, of_agent): (i64, i64) = db
            .prepare_cached("SELECT count(*), ifnull(sum(agent = ?1), 0) FROM run")?
            .query_row([agent], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if of_agent >= RUNS_OF_AGENT_MAX {
            return Err(StoreError::Refused(format!(
                "{of_agent} runs of this agent are kept already: it is started too often"
            )));
        }
        if all >= RUNS_MAX {
            return Err(StoreError::Refused(format!(
                "{all} runs of agents are kept already, which is the bound"
            )));
        }
        Ok(())
    }

    /// Counts a frame or stack of so many bytes that is new.
    pub(super) fn new_definition(&self, bytes: usize) -> Result<(), StoreError> {
        self.definitions.add(bytes)
    }

    /// Counts a number that is new and in the table already.
    pub(super) fn new_number(&mut self, db: &Connection, run: i64) -> Result<(), StoreError> {
        self.definitions.add(0)?;
        if self.numbers.len() > RUNS_MAX as usize {
            self.numbers.clear();
        }
        let numbers = match self.numbers.get(&run) {
            Some(before) if *before < self.numbers_max => before + 1,
            _ => numbers_of(db, run)?,
        };
        self.numbers.insert(run, numbers);
        if numbers > self.numbers_max {
            return Err(StoreError::Refused(format!(
                "this run has {} stacks already: restart the agent, whose stacks do not seem to \
                 repeat",
                self.numbers_max
            )));
        }
        Ok(())
    }
}

fn numbers_of(db: &Connection, run: i64) -> Result<u64, StoreError> {
    let mut count = db.prepare_cached("SELECT count(*) FROM number WHERE run = ?1")?;
    let count: i64 = count.query_row([run], |row| row.get(0))?;
    Ok(count.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_run_are_bounded() {
        let db = Connection::open_in_memory().expect("a database");
        db.execute_batch("CREATE TABLE number (run)")
            .expect("a table");
        let mut bounds = Bounds::new(Arc::default());
        bounds.numbers_max = 3;
        let mut come = |run: i64| {
            db.execute("INSERT INTO number VALUES (?1)", [run])
                .expect("a row");
            bounds.new_number(&db, run)
        };
        for _ in 0..3 {
            come(1).expect("there is room");
        }
        let refused = come(1).expect_err("no more");
        assert!(matches!(refused, StoreError::Refused(_)), "{refused:?}");
        come(2).expect("others have room");
        // What was refused has been taken back, and retention took one.
        db.execute("DELETE FROM number WHERE rowid IN (1, 2)", [])
            .expect("rows");
        db.execute("INSERT INTO number VALUES (1)", [])
            .expect("a row");
        bounds.new_number(&db, 1).expect("there is room again");
    }
}
