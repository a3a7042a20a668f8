//! How much is stored.

use super::{client::Client, space};
use crate::store::{StoreError, StoreStatus, WallTime};

pub(super) async fn status(client: &Client) -> Result<StoreStatus, StoreError> {
    let batches = "SELECT count(), uniqExact(run), toUnixTimestamp64Nano(min(time)),
                          toUnixTimestamp64Nano(max(time))
                   FROM batch FINAL WHERE gone = 0";
    let (batches, runs, oldest, newest): (u64, u64, i64, i64) = client.row(batches).await?;
    let bound = |time| (batches > 0).then_some(WallTime(time));
    Ok(StoreStatus {
        engine: "clickhouse",
        bytes: space::bytes(client).await?,
        runs,
        batches,
        stacks: client.row("SELECT count() FROM stack FINAL").await?,
        frames: client.row("SELECT count() FROM frame FINAL").await?,
        events: client.row("SELECT count() FROM event FINAL").await?,
        oldest: bound(oldest),
        newest: bound(newest),
    })
}
