//! The tables, and the steps from each version of them to the next.

use super::client::Client;
use crate::store::StoreError;

/// The statements that lead from each version to the next; the first from nothing to version 1. Each
/// can be carried out again without harm, since several collectors may start at one time.
const STEPS: [&[&str]; 2] = [&[RUN, BATCH, PART, NUMBER, STACK, FRAME], &[EVENT]];

/// Each table's last column is when the row came, on ClickHouse's clock.
const VERSION: &str = "
    CREATE TABLE IF NOT EXISTS version (
        version UInt32,
        stored DateTime64(6, 'UTC') DEFAULT now64(6)
    )
    ENGINE = MergeTree ORDER BY version
    SETTINGS fsync_after_insert = 1, fsync_part_directory = 1";

const RUN: &str = "
    CREATE TABLE IF NOT EXISTS run (
        id FixedString(16),
        agent_id String,
        node String,
        boot_id String,
        agent_version LowCardinality(String),
        kernel LowCardinality(String),
        started DateTime64(9, 'UTC'),
        labels Map(String, String),
        interval_nanoseconds UInt64,
        stored DateTime64(6, 'UTC') DEFAULT now64(6)
    )
    ENGINE = ReplacingMergeTree(stored) ORDER BY id
    SETTINGS fsync_after_insert = 1, fsync_part_directory = 1";

/// What is known of a batch without its parts. `gone` is 0 for one that is kept, 1 for one that was
/// taken out: of two rows for a batch the one with 1 holds, so that taking a batch out is putting a
/// row in.
const BATCH: &str = "
    CREATE TABLE IF NOT EXISTS batch (
        run FixedString(16),
        sequence UInt64,
        time DateTime64(9, 'UTC') CODEC(Delta, ZSTD),
        boot_nanoseconds UInt64 CODEC(Delta, ZSTD),
        whole Bool,
        parts UInt32,
        bytes UInt64,
        gone UInt8,
        stored DateTime64(6, 'UTC') DEFAULT now64(6) CODEC(Delta, ZSTD)
    )
    ENGINE = ReplacingMergeTree(gone)
    PARTITION BY toYYYYMMDD(time) ORDER BY (run, sequence)
    SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1";

/// The parts as the agent compressed them. In the order of kinds, so that one kind of many batches
/// is read without the others.
const PART: &str = "
    CREATE TABLE IF NOT EXISTS part (
        run FixedString(16),
        kind Int32,
        sequence UInt64,
        position UInt32,
        time DateTime64(9, 'UTC') CODEC(Delta, ZSTD),
        size UInt32,
        data String CODEC(NONE),
        stored DateTime64(6, 'UTC') DEFAULT now64(6) CODEC(Delta, ZSTD)
    )
    ENGINE = ReplacingMergeTree
    PARTITION BY toYYYYMMDD(time) ORDER BY (run, kind, sequence, position)
    SETTINGS index_granularity = 128, fsync_after_insert = 1, fsync_part_directory = 1,
             ttl_only_drop_parts = 1";

/// Each stack that a number was ever defined as, with when it first was: which of them holds is for
/// those who read to say.
const NUMBER: &str = "
    CREATE TABLE IF NOT EXISTS number (
        run FixedString(16),
        number UInt64,
        stack UInt64,
        defined SimpleAggregateFunction(min, DateTime64(6, 'UTC')) DEFAULT now64(6),
        stored SimpleAggregateFunction(max, DateTime64(6, 'UTC')) DEFAULT now64(6)
    )
    ENGINE = AggregatingMergeTree PRIMARY KEY (run, number) ORDER BY (run, number, stack)
    SETTINGS fsync_after_insert = 1, fsync_part_directory = 1";

const STACK: &str = "
    CREATE TABLE IF NOT EXISTS stack (
        hash UInt64,
        frames Array(UInt64),
        truncated Bool,
        stored DateTime64(6, 'UTC') DEFAULT now64(6)
    )
    ENGINE = ReplacingMergeTree(stored) ORDER BY hash
    SETTINGS index_granularity = 1024, fsync_after_insert = 1, fsync_part_directory = 1";

const FRAME: &str = "
    CREATE TABLE IF NOT EXISTS frame (
        hash UInt64,
        function String,
        file String,
        line UInt32,
        module LowCardinality(String),
        build_id LowCardinality(String),
        module_offset UInt64,
        inlined Bool,
        kind Int32,
        stored DateTime64(6, 'UTC') DEFAULT now64(6)
    )
    ENGINE = ReplacingMergeTree(stored) ORDER BY hash
    SETTINGS index_granularity = 1024, fsync_after_insert = 1, fsync_part_directory = 1";

/// OOM kills and changes of verdicts. They are few: no partitions, and they are deleted by rows. What
/// is known of one by its run and number never changes, so that equal rows are the same event.
const EVENT: &str = "
    CREATE TABLE IF NOT EXISTS event (
        run FixedString(16),
        number UInt64,
        node String,
        kind UInt8,
        time DateTime64(9, 'UTC'),
        size UInt32,
        data String CODEC(NONE),
        bytes UInt32 MATERIALIZED length(data),
        stored DateTime64(6, 'UTC') DEFAULT now64(6)
    )
    ENGINE = ReplacingMergeTree ORDER BY (kind, time, run, number)
    SETTINGS index_granularity = 128, fsync_after_insert = 1, fsync_part_directory = 1";

/// Makes the database and its tables, or brings them to this version.
///
/// # Errors
/// A newer version made them; what ClickHouse says.
pub(super) async fn ensure(client: &Client, database: &str) -> Result<(), StoreError> {
    let quoted = database.replace('\\', "\\\\").replace('`', "\\`");
    // A user without the right to make databases can use one that is there.
    if client.row::<u8>("SELECT 1").await.is_err() {
        client
            .on_database("default")
            .execute(&format!("CREATE DATABASE IF NOT EXISTS `{quoted}`"))
            .await?;
    }
    client.execute(VERSION).await?;
    let found: u32 = client.row("SELECT max(version) FROM version").await?;
    let newest = STEPS.len();
    let missing = STEPS.get(found as usize..).ok_or_else(|| {
        StoreError::Unavailable(format!(
            "database {database} has tables of version {found}, this collector knows {newest}: \
             start a newer collector"
        ))
    })?;
    for (step, version) in missing.iter().zip(found + 1..) {
        for statement in *step {
            client.execute(statement).await?;
        }
        client
            .execute(&format!("INSERT INTO version (version) VALUES ({version})"))
            .await?;
    }
    Ok(())
}
