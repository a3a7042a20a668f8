//! The leaking service among the fixtures, and the rows that tell of it.

use anyhow::{Context as _, Result};
use profiler_proto::v1::GrowthRow;

use crate::{
    fixture::{Fixture, number},
    rows,
};

/// Functions of the stack that keeps memory, leaf first.
pub const KEEPING: [&str; 3] = ["session_cache_insert", "handle_request", "main"];
/// Functions of the stack that gives its memory back.
pub const BORROWING: [&str; 3] = ["borrow_buffer", "handle_request", "main"];

/// A service that has answered so many requests and rests.
#[derive(Debug)]
pub struct Service {
    fixture: Fixture,
    /// Bytes that it still has.
    pub kept: u64,
    /// Bytes that it has given back.
    pub borrowed: u64,
}

impl Service {
    /// Starts one.
    pub fn start() -> Result<Self> {
        let mut fixture = Fixture::start("leak", &[])?;
        fixture.report()?;
        Ok(Self {
            fixture,
            kept: 0,
            borrowed: 0,
        })
    }

    /// Lets it answer requests.
    pub fn serve(&mut self, requests: u32) -> Result<()> {
        self.fixture.send(&requests.to_string())?;
        let report = self.fixture.report()?;
        self.kept = number(&report, "kept_bytes")?;
        self.borrowed = number(&report, "borrowed_bytes")?;
        Ok(())
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.fixture.pid()
    }

    /// Lets it end.
    pub fn finish(self) -> Result<()> {
        self.fixture.finish()
    }
}

/// Whether an estimate is good. The service's demands are so large that each is captured.
pub fn near(found: u64, expected: u64) -> bool {
    found.abs_diff(expected) as f64 <= expected as f64 * 0.02
}

/// The row with this chain of functions.
pub fn row_of<'a>(rows: &'a [GrowthRow], chain: &[&str]) -> Result<&'a GrowthRow> {
    rows.iter()
        .find(|row| rows::has_chain(&row.frames, chain))
        .with_context(|| format!("no row with {chain:?}; rows:\n{}", rows::show(rows)))
}
