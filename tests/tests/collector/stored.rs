//! What is in a collector's file, when the collector is gone.

use std::path::Path;

use anyhow::{Result, ensure};
use profiler_collector::store::{Run, Store as _, sqlite::SqliteStore};
use tokio::runtime::Runtime;

/// The runs in the order of their beginnings. Fails unless each has all of its batches, from the
/// first on.
pub(crate) fn complete_runs(store: &Path) -> Result<Vec<Run>> {
    let store = SqliteStore::open(store)?;
    Runtime::new()?.block_on(async {
        let runs = store.runs().await?;
        for run in &runs {
            let sequences = store.sequences(run.id).await?;
            let all: Vec<u64> = (1..=run.last_sequence).collect();
            ensure!(
                sequences == all,
                "batches are missing: kept are {sequences:?}"
            );
        }
        let report = store.check().await?;
        ensure!(
            report.problems.is_empty(),
            "the store has problems: {:?}",
            report.problems
        );
        Ok(runs)
    })
}
