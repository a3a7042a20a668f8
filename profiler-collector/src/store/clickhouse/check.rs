//! Looks at everything that is stored.

use std::collections::HashSet;

use clickhouse::Row;
use profiler_proto::v1;
use serde::Deserialize;

use super::{
    client::Client,
    events,
    rows::{KeyRow, NumberRow},
    sql,
};
use crate::store::{CheckReport, RunId, StoreError, parts};

/// Problems that are told.
const PROBLEMS_MAX: usize = 100;

const TABLES: [&str; 7] = ["run", "batch", "part", "number", "stack", "frame", "event"];

pub(super) async fn check(client: &Client) -> Result<CheckReport, StoreError> {
    let mut report = CheckReport {
        batches: count(client, "batch FINAL WHERE gone = 0").await?,
        ..CheckReport::default()
    };
    for table in ["number", "stack", "frame"] {
        report.definitions += count(client, &format!("{table} FINAL")).await?;
    }
    files(client, &mut report).await?;
    incomplete(client, &mut report).await?;
    unreadable(client, &mut report).await?;
    undefined(client, &mut report).await?;
    let look = |run, number, problem| {
        add(&mut report, || {
            let run = u128::from_be_bytes(run);
            format!("run {run:032x}, event {number}: {problem}")
        });
    };
    report.events = events::check(client, look).await?;
    Ok(report)
}

async fn count(client: &Client, what: &str) -> Result<u64, StoreError> {
    client.row(&format!("SELECT count() FROM {what}")).await
}

/// ClickHouse's own checksums.
async fn files(client: &Client, report: &mut CheckReport) -> Result<(), StoreError> {
    for table in TABLES {
        let statement = format!("CHECK TABLE {table} SETTINGS check_query_single_value_result = 1");
        if client.row::<u8>(&statement).await? != 1 {
            add(report, || {
                format!("table {table}: files are damaged (see CHECK TABLE {table})")
            });
        }
    }
    Ok(())
}

#[derive(Row, Deserialize)]
struct IncompleteRow {
    run: [u8; 16],
    sequence: u64,
    parts: u32,
    found: u64,
}

/// Batches whose parts are not all there.
async fn incomplete(client: &Client, report: &mut CheckReport) -> Result<(), StoreError> {
    let query = format!(
        "SELECT run, sequence, parts, found FROM (
             SELECT run, sequence, parts FROM batch FINAL WHERE gone = 0 AND parts > 0
         ) AS batch
         LEFT JOIN (
             SELECT run, sequence, uniqExact(kind, position) AS found FROM part
             GROUP BY run, sequence
         ) AS part USING (run, sequence)
         WHERE found != parts ORDER BY run, sequence LIMIT {PROBLEMS_MAX}"
    );
    for row in client.rows::<IncompleteRow>(&query).await? {
        let batch = name(row.run, row.sequence);
        let (found, parts) = (row.found, row.parts);
        add(report, || {
            format!("{batch}: {found} of {parts} parts are there")
        });
    }
    Ok(())
}

#[derive(Row, Deserialize)]
struct PartRow {
    sequence: u64,
    kind: i32,
    size: u32,
    #[serde(with = "serde_bytes")]
    data: Vec<u8>,
}

/// Parts that cannot be unpacked, or that name stacks by numbers that are not known.
async fn unreadable(client: &Client, report: &mut CheckReport) -> Result<(), StoreError> {
    let query = "SELECT run, max(sequence) AS sequence FROM batch FINAL WHERE gone = 0
                 GROUP BY run ORDER BY run";
    for row in client.rows::<KeyRow>(query).await? {
        unreadable_of(client, row.run, report).await?;
    }
    Ok(())
}

async fn unreadable_of(
    client: &Client,
    run: [u8; 16],
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let of_run = format!("run = {}", sql::run(RunId(run)));
    let query = format!("SELECT DISTINCT number FROM number WHERE {of_run}");
    let numbers: HashSet<u64> = client.rows(&query).await?.into_iter().collect();
    let query = format!(
        "SELECT sequence, kind, size, data FROM part WHERE {of_run} AND sequence IN (
             SELECT sequence FROM batch FINAL WHERE {of_run} AND gone = 0
         )"
    );
    let look_at = |row: PartRow| {
        let batch = name(run, row.sequence);
        if let Err(problem) = readable(row, &numbers) {
            add(report, || format!("{batch}: {problem}"));
        }
    };
    client.each_row(&query, look_at).await
}

fn readable(row: PartRow, known: &HashSet<u64>) -> Result<(), String> {
    let part = v1::Part {
        kind: row.kind,
        size: row.size,
        data: row.data,
    };
    let numbers = parts::stack_numbers(&part)?;
    match numbers.iter().find(|number| !known.contains(number)) {
        Some(number) => Err(format!("stack number {number} is not known")),
        None => Ok(()),
    }
}

/// Numbers without their stack, stacks without their frames.
async fn undefined(client: &Client, report: &mut CheckReport) -> Result<(), StoreError> {
    let query = format!(
        "SELECT run, number, stack FROM number FINAL
         WHERE stack NOT IN (SELECT hash FROM stack) ORDER BY run, number LIMIT {PROBLEMS_MAX}"
    );
    for row in client.rows::<NumberRow>(&query).await? {
        let run = u128::from_be_bytes(row.run);
        add(report, || {
            let (stack, number) = (row.stack, row.number);
            format!("run {run:032x}: stack {stack:016x} of number {number} is not there")
        });
    }
    let query = format!(
        "SELECT hash, frame FROM stack FINAL ARRAY JOIN frames AS frame
         WHERE frame NOT IN (SELECT hash FROM frame) ORDER BY hash LIMIT {PROBLEMS_MAX}"
    );
    for (stack, frame) in client.rows::<(u64, u64)>(&query).await? {
        add(report, || {
            format!("stack {stack:016x}: its frame {frame:016x} is not there")
        });
    }
    Ok(())
}

fn add(report: &mut CheckReport, problem: impl FnOnce() -> String) {
    if report.problems.len() < PROBLEMS_MAX {
        report.problems.push(problem());
    }
}

fn name(run: [u8; 16], sequence: u64) -> String {
    format!("run {:032x}, batch {sequence}", u128::from_be_bytes(run))
}
