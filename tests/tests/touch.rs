//! Resident bytes by stack, held against what a program touched and against the kernel's own count.

use std::{fs, thread, time::Duration};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use profiler_proto::v1::{GroupBy, GrowthRow, OrderBy, TopRequest};
use profiler_tests::{
    Agent, Client, Outcome, Verdict,
    client::of_pid,
    fixture::{Fixture, number},
    rows::names,
    surroundings::{patience, scale},
    trial,
};

/// Bytes between two sampled pages, as the agents of these tests are started.
const INTERVAL: f64 = 262_144.0;
/// So many captures that none is put off.
const AGENT: &[&str] = &["--capture-budget", "100000"];

pub(crate) fn trials() -> Vec<Trial> {
    let limit = Duration::from_secs(90);
    vec![
        trial("touch::resident_bytes_by_stack", limit, resident_bytes),
        trial("touch::huge_pages_count_as_such", limit, huge_pages),
    ]
}

fn resident_bytes() -> Outcome {
    let mebibytes = (256.0 * scale()).max(64.0) as u64;
    let agent = Agent::start(AGENT)?;
    let mut client = agent.client()?;
    if let Some(verdict) = unserved(&mut client)? {
        return Ok(verdict);
    }
    let mut fixture = Fixture::start("touch", &[&mebibytes.to_string(), "small"])?;
    fixture.report()?;
    let before = anonymous(fixture.pid())?;
    fixture.go()?;
    let truth = number(
        &fixture.report_within(patience(Duration::from_secs(40)))?,
        "bytes",
    )?;
    let by_kernel = anonymous(fixture.pid())? - before;
    ensure!(by_kernel >= truth, "the kernel has {by_kernel} of {truth}");
    let rows = resident_rows(&mut client, fixture.pid())?;
    near(&rows, "touch_three_quarters", truth / 4 * 3)?;
    near(&rows, "touch_the_rest", truth / 4)?;
    let whole: u64 = rows.iter().filter_map(|row| row.resident_live_bytes).sum();
    close("all stacks", whole, by_kernel)?;

    fixture.go()?;
    fixture.report()?;
    let again = resident_rows(&mut client, fixture.pid())?;
    for function in ["touch_three_quarters", "touch_the_rest"] {
        let (before, after) = (of(&rows, function), of(&again, function));
        ensure!(
            before == after,
            "{function}: {before}, touched again {after}"
        );
    }

    fixture.go()?;
    let left = number(&fixture.report()?, "left")?;
    let rows = resident_rows(&mut client, fixture.pid())?;
    let whole = of(&rows, "touch_three_quarters") + of(&rows, "touch_the_rest");
    close("after half was given back", whole, left)?;
    fixture.finish()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

fn huge_pages() -> Outcome {
    let agent = Agent::start(AGENT)?;
    let mut client = agent.client()?;
    if let Some(verdict) = unserved(&mut client)? {
        return Ok(verdict);
    }
    let mut fixture = Fixture::start("touch", &["64", "huge"])?;
    fixture.report()?;
    fixture.go()?;
    let truth = number(
        &fixture.report_within(patience(Duration::from_secs(40)))?,
        "bytes",
    )?;
    let huge = rollup(fixture.pid(), "AnonHugePages:")?;
    if huge < truth {
        return Ok(Verdict::Skipped(format!(
            "the kernel gave {huge} bytes of {truth} in huge pages"
        )));
    }
    // Touched in order, each huge page is sampled.
    let rows = resident_rows(&mut client, fixture.pid())?;
    for (function, bytes) in [
        ("touch_three_quarters", truth / 4 * 3),
        ("touch_the_rest", truth / 4),
    ] {
        let found = of(&rows, function);
        ensure!(found == bytes, "{function}: {found} of {bytes} bytes");
    }
    fixture.go()?;
    fixture.report()?;
    fixture.go()?;
    let left = number(&fixture.report()?, "left")?;
    let rows = resident_rows(&mut client, fixture.pid())?;
    let found = of(&rows, "touch_three_quarters") + of(&rows, "touch_the_rest");
    ensure!(found == left, "{found} bytes where {left} are left");
    fixture.finish()?;
    agent.stop()?;
    Ok(Verdict::Passed)
}

/// Why the kernel samples no first touches, if so.
fn unserved(client: &mut Client) -> Result<Option<Verdict>> {
    let status = client.status().context("GetStatus")?;
    let capability = status
        .capabilities
        .iter()
        .find(|one| one.name == "first touch of pages")
        .context("no such capability")?;
    Ok(capability.chosen.is_empty().then(|| {
        let reasons = capability.refused.join("; ");
        Verdict::Skipped(format!("first touches are not served: {reasons}"))
    }))
}

fn resident_rows(client: &mut Client, pid: u32) -> Result<Vec<GrowthRow>> {
    // What faults mapped is looked at a moment later.
    thread::sleep(patience(Duration::from_millis(500)));
    let request = TopRequest {
        selector: Some(of_pid(pid)),
        by: GroupBy::Stack.into(),
        order: OrderBy::Resident.into(),
        limit: 1000,
        include_unattributed: true,
        ..Default::default()
    };
    Ok(client.top(request).context("Top")?.rows)
}

fn of(rows: &[GrowthRow], function: &str) -> u64 {
    let rows = rows.iter().filter(|row| names(row).contains(&function));
    rows.filter_map(|row| row.resident_live_bytes).sum()
}

fn near(rows: &[GrowthRow], function: &str, truth: u64) -> Result<()> {
    close(function, of(rows, function), truth)
}

/// Within five standard deviations of a sum over sampled pages: each of `n` expected ones is in or
/// out by itself.
fn close(what: &str, found: u64, truth: u64) -> Result<()> {
    let deviation = (truth as f64 * INTERVAL).sqrt();
    let error = (found as f64 - truth as f64).abs();
    ensure!(
        error <= 5.0 * deviation,
        "{what}: {found} bytes where {truth} are true; five deviations are {}",
        5.0 * deviation
    );
    Ok(())
}

/// From the page tables, in bytes: `RssAnon` may lag by 64 pages for each thread before Linux 6.2.
fn anonymous(pid: u32) -> Result<u64> {
    rollup(pid, "Anonymous:")
}

fn rollup(pid: u32, field: &str) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let line = line.with_context(|| format!("no {field}"))?;
    let number = line.split_whitespace().next().context("no number")?;
    Ok(number.parse::<u64>()? * 1024)
}
