//! Deleting much without making writers wait: in small transactions between theirs.

use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};

use super::writer::Writer;
use crate::store::StoreError;

/// A slice ends after this time; its commit comes on top.
const SLICE: Duration = Duration::from_millis(10);

/// Calls `delete` for each of `items`, the last one first. Adds the rows that it deleted to
/// `deleted`, also of the slices before one that fails.
pub(super) async fn delete<T: Send + 'static>(
    writer: &Writer,
    mut items: Vec<T>,
    deleted: &mut u64,
    delete: impl Fn(&Connection, &T) -> rusqlite::Result<usize> + Copy + Send + 'static,
) -> Result<(), StoreError> {
    while !items.is_empty() {
        let (rest, count) = writer.run(move |db| slice(db, items, delete)).await?;
        items = rest;
        *deleted += count;
    }
    Ok(())
}

fn slice<T>(
    db: &mut Connection,
    mut items: Vec<T>,
    delete: impl Fn(&Connection, &T) -> rusqlite::Result<usize>,
) -> Result<(Vec<T>, u64), StoreError> {
    let begun = Instant::now();
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut deleted = 0;
    while let Some(item) = items.pop() {
        deleted += delete(&change, &item)? as u64;
        if begun.elapsed() > SLICE {
            break;
        }
    }
    change.commit()?;
    Ok((items, deleted))
}
