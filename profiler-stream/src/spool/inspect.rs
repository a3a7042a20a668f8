//! A spool looked at from outside, also while an agent uses it.

use std::{ops::RangeInclusive, path::Path};

use super::{Cause, RunId, SpoolError, contents::Contents, folder::Folder};

/// What a spool knows of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunReport {
    /// Which.
    pub run_id: RunId,
    /// The largest sequence number that was kept or dropped.
    pub last: u64,
    /// The collector has what is up to here and was not dropped.
    pub acked: u64,
    /// Batches that are on the disk and have to be sent, ascending.
    pub pending: Vec<u64>,
    /// Batches that were dropped, in order; of 1,024 ranges and more those up to `acked` are
    /// forgotten. A batch that was being sent at that moment may have come to the collector all the
    /// same.
    pub dropped: Vec<(RangeInclusive<u64>, Cause)>,
}

/// Reads the spool in a folder and changes nothing: of each run that it remembers (those with
/// files, and the last 512), in the order in which they began.
///
/// Every number from 1 to `last` is up to `acked`, pending or dropped.
///
/// # Errors
/// The folder cannot be read, or changes while it is read.
pub fn inspect(folder: &Path) -> Result<Vec<RunReport>, SpoolError> {
    let mut contents = Contents::load(&Folder::new(folder))?;
    if let Some(error) = contents.error.take() {
        return Err(error.into());
    }
    let runs = contents.progress.runs.iter();
    let reports = runs.filter_map(|run| {
        let run_id = RunId::try_from(&*run.run_id).ok()?;
        let dropped = run.dropped.iter();
        Some(RunReport {
            run_id,
            last: run.last,
            acked: run.acked,
            pending: contents.pending(run, run_id),
            dropped: dropped
                .map(|range| (range.first..=range.last, range.cause()))
                .collect(),
        })
    });
    Ok(reports.collect())
}
