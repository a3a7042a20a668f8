//! Taking batches out. A batch is out when a row of it says `gone`, at once and the same for all
//! collectors, however many do this at one time. Its parts' room comes back later: see `space`.
//!
//! A chain is a whole batch and the differences up to the next one. It is kept with all its
//! differences as long as one of them is young; then its whole batch stands for it, as long as it is
//! the last one of its step.

use std::time::Duration;

use super::{Settings, client::Client, definitions, events, space};
use crate::store::{Retained, Retention, StoreError, WallTime};

const MINUTE: i64 = 60_000_000_000;
const QUARTER: i64 = 15 * MINUTE;
const COARSE: i64 = 180 * MINUTE;

/// So much longer than batches are kept those that are gone are counted and known again.
const REMEMBERED: Duration = Duration::from_secs(7 * 86_400);

/// Batches that are kept with the number of the whole one that their chain begins with. A batch of
/// a node whose clock is ahead ages from when it came.
const KEPT: &str = "
    SELECT run, sequence, time, boot_nanoseconds, whole, parts, bytes,
           toUnixTimestamp64Nano(least(time, stored)) AS moment,
           max(if(whole, sequence, 0)) OVER (
               PARTITION BY run ORDER BY sequence ROWS UNBOUNDED PRECEDING
           ) AS chain
    FROM batch FINAL WHERE gone = 0";

pub(super) async fn retain(
    client: &Client,
    settings: &Settings,
    retention: &Retention,
    now: WallTime,
) -> Result<Retained, StoreError> {
    let mut retained = thin(client, retention, now).await?;
    let oldest = before(now, retention.coarse);
    let forgotten = before(now, retention.coarse.saturating_add(REMEMBERED));
    space::drop_days(client, "part", oldest).await?;
    space::drop_days(client, "batch", forgotten).await?;
    space::reclaim(client, space::Share::Half).await?;
    retained.events = events::retain(client, retention, now).await?;
    retained.evicted = evict(client, retention.bytes_max).await?;
    retained.definitions = definitions::collect(client, settings.definitions_grace).await?;
    space::drop_by_server(client, "part", retention.coarse).await?;
    let remembered = retention.coarse.saturating_add(REMEMBERED);
    space::drop_by_server(client, "batch", remembered).await?;
    space::drop_by_server(client, "event", retention.events).await?;
    Ok(retained)
}

fn before(now: WallTime, age: Duration) -> WallTime {
    let age = i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
    WallTime(now.0.saturating_sub(age))
}

async fn thin(
    client: &Client,
    retention: &Retention,
    now: WallTime,
) -> Result<Retained, StoreError> {
    let judged = judged(retention, now);
    let counts = format!("SELECT countIf(old), countIf(NOT old AND thin) FROM ({judged})");
    let (expired, thinned): (u64, u64) = client.row(&counts).await?;
    if expired + thinned > 0 {
        take_out(client, &format!("({judged}) WHERE old OR thin")).await?;
    }
    Ok(Retained {
        expired,
        thinned,
        ..Retained::default()
    })
}

/// Kept batches, with whether their whole chain is too `old`, and whether they are to be `thin`ned
/// out. A step comes into a tier as a whole, when its end is old enough; `step` is its length, 0
/// where all batches are kept.
fn judged(retention: &Retention, now: WallTime) -> String {
    let tier = |length: i64, age: Duration| {
        let before = before(now, age).0;
        format!("(intDiv(moment, {length}) + 1) * {length} <= {before}, {length}")
    };
    format!(
        "SELECT *, max(moment) OVER (PARTITION BY run, chain) < {oldest} AS old,
                min(step) OVER (PARTITION BY run, chain) > 0 AND NOT last AS thin
         FROM (
             SELECT *, multiIf({coarse}, {quarters}, {minutes}, 0) AS step,
                    whole AND (moment, sequence) = max((moment, sequence)) OVER (
                        PARTITION BY run, whole, step, intDiv(moment, greatest(step, 1))
                    ) AS last
             FROM ({KEPT})
         )",
        oldest = before(now, retention.coarse).0,
        coarse = tier(COARSE, retention.quarters),
        quarters = tier(QUARTER, retention.minutes),
        minutes = tier(MINUTE, retention.full),
    )
}

/// Puts in that these batches are gone.
async fn take_out(client: &Client, batches: &str) -> Result<(), StoreError> {
    let columns = "run, sequence, time, boot_nanoseconds, whole, parts, bytes";
    let statement =
        format!("INSERT INTO batch ({columns}, gone) SELECT {columns}, 1 FROM {batches}");
    let options = [("max_partitions_per_insert_block", "0")];
    client.execute_with(&statement, &options).await
}

/// If there is too much, takes out the oldest chains until their parts make up for it and for
/// another fiftieth, so that there is room for a while.
async fn evict(client: &Client, bytes_max: u64) -> Result<u64, StoreError> {
    let bytes = space::bytes(client).await?;
    if bytes <= bytes_max {
        return Ok(0);
    }
    let excess = bytes - bytes_max + bytes_max / 50;
    let oldest = format!(
        "({KEPT}) WHERE (run, chain) IN (
             SELECT run, chain FROM (
                 SELECT run, chain, size,
                        sum(size) OVER (ORDER BY begin, run ROWS UNBOUNDED PRECEDING) AS upto
                 FROM (
                     SELECT run, chain, sum(bytes) AS size, min(moment) AS begin
                     FROM ({KEPT}) GROUP BY run, chain
                 )
             ) WHERE upto - size < {excess}
         )"
    );
    let evicted = client.row(&format!("SELECT count() FROM {oldest}")).await?;
    take_out(client, &oldest).await?;
    space::reclaim(client, space::Share::Any).await?;
    Ok(evicted)
}
