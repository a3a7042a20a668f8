//! Room on ClickHouse's disks: what is used, and getting back what batches that are gone took. That
//! comes with a whole day, or when half of a day's parts are of such batches.

use std::time::Duration;

use super::{client::Client, sql};
use crate::store::{StoreError, WallTime};

/// Statements that delete rows answer when it is done, on all replicas.
pub(super) const SYNCHRONOUS: (&str, &str) = ("mutations_sync", "2");

/// Bytes on disk of all tables.
pub(super) async fn bytes(client: &Client) -> Result<u64, StoreError> {
    let query = "SELECT sum(bytes_on_disk) FROM system.parts
                 WHERE active AND database = currentDatabase()";
    client.row(query).await
}

/// Days all of which is too old go as they are, which costs nothing.
pub(super) async fn drop_days(
    client: &Client,
    table: &str,
    oldest: WallTime,
) -> Result<(), StoreError> {
    let query = format!(
        "SELECT DISTINCT partition_id FROM system.parts
         WHERE active AND database = currentDatabase() AND table = '{table}'
           AND toUInt32OrZero(partition_id) < toYYYYMMDD({})",
        sql::time(oldest)
    );
    for day in client.rows::<String>(&query).await? {
        let statement = format!("ALTER TABLE {table} DROP PARTITION ID '{}'", digits(&day));
        client.execute(&statement).await?;
    }
    Ok(())
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// How much of a day's parts has to be of batches that are gone.
#[derive(Clone, Copy)]
pub(super) enum Share {
    /// Half: so a part is written once more in its life, on average.
    Half,
    /// Any.
    Any,
}

/// Writes days' parts anew without those of batches that are gone.
pub(super) async fn reclaim(client: &Client, share: Share) -> Result<(), StoreError> {
    let gone = "SELECT run, sequence FROM batch FINAL WHERE gone = 1";
    let least = match share {
        Share::Half => 0.5,
        Share::Any => 0.0,
    };
    let query = format!(
        "SELECT day FROM (
             SELECT _partition_id AS day, countIf((run, sequence) IN ({gone})) AS useless,
                    count() AS every
             FROM part GROUP BY day
         ) WHERE useless > 0 AND useless >= every * {least}"
    );
    for day in client.rows::<String>(&query).await? {
        let day = digits(&day);
        let statement = format!(
            "ALTER TABLE part DELETE IN PARTITION ID '{day}'
             WHERE (run, sequence) IN ({gone} AND toYYYYMMDD(time) = {day})"
        );
        client.execute_with(&statement, &[SYNCHRONOUS]).await?;
    }
    Ok(())
}

/// Should no collector be there to do the above, ClickHouse drops what came longer ago than `age`.
pub(super) async fn drop_by_server(
    client: &Client,
    table: &str,
    age: Duration,
) -> Result<(), StoreError> {
    let rule = format!("toDateTime(stored) + toIntervalSecond({})", age.as_secs());
    let query = format!(
        "SELECT position(engine_full, '{rule} ') > 0 FROM system.tables
         WHERE database = currentDatabase() AND name = '{table}'"
    );
    if !client.row::<bool>(&query).await? {
        let statement = format!("ALTER TABLE {table} MODIFY TTL {rule}");
        let options = [("materialize_ttl_after_modify", "0")];
        client.execute_with(&statement, &options).await?;
    }
    Ok(())
}
