//! The embedded engine: one `SQLite` file beside its log. One thread writes, a few connections read.

mod backup;
mod bounds;
mod check;
mod convert;
mod damage;
mod definitions;
mod error;
mod events;
mod plan;
mod read;
mod readers;
mod retain;
mod save;
mod schema;
mod slices;
mod states;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use profiler_proto::v1;
use tokio::{sync::Mutex, task};

use self::{
    bounds::{Bounds, Definitions},
    readers::Readers,
    writer::Writer,
};
use super::{
    CheckReport, EventPlace, EventsOf, EventsPage, NamedStack, PageMost, Retained, Retention, Run,
    RunId, StackHash, Store, StoreError, StoreStatus, StoredBatch, WallTime, Write, Written,
};

/// A store in one file.
pub struct SqliteStore {
    path: Arc<Path>,
    writer: Writer,
    readers: Readers,
    definitions: Arc<Definitions>,
    /// When definitions were last looked through; held for a round of retention.
    collected: Mutex<Option<WallTime>>,
    /// Held for a check or a backup.
    turn: Arc<Mutex<()>>,
}

impl SqliteStore {
    /// Opens the store in the file `path`, which is made if it is not there.
    ///
    /// # Errors
    /// `Damaged` if what is there cannot be read, `Internal` if it is another program's file or was
    /// written by a newer collector, `Unavailable` if the file cannot be opened or written.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let path: Arc<Path> = path.into();
        let definitions = Arc::<Definitions>::default();
        let bounds = Bounds::new(Arc::clone(&definitions));
        Ok(Self {
            writer: Writer::start(schema::open_writer(&path)?, bounds)?,
            definitions,
            readers: Readers::new(Arc::clone(&path)),
            path,
            collected: Mutex::default(),
            turn: Arc::default(),
        })
    }

    /// As `open`, but a damaged file is renamed and a new store begun: also where the old file is
    /// now.
    ///
    /// # Errors
    /// As `open`, without `Damaged`; `Unavailable` if the file cannot be renamed.
    pub fn open_or_set_aside(path: &Path) -> Result<(Self, Option<PathBuf>), StoreError> {
        match Self::open(path) {
            Err(StoreError::Damaged(problem)) => {
                let aside = damage::set_aside(path)?;
                tracing::error!(problem, file = %aside.display(), "the store is damaged and set aside");
                Ok((Self::open(path)?, Some(aside)))
            }
            opened => Ok((opened?, None)),
        }
    }

    /// As `Store::check`, of a file that this program does not use. Nothing is written.
    ///
    /// # Errors
    /// As `open`, without `Damaged`, which the report tells.
    pub fn check_file(path: &Path) -> Result<CheckReport, StoreError> {
        check::check(path)
    }

    /// As `Store::backup`, of a file that this program does not use. Nothing is written to it.
    ///
    /// # Errors
    /// As `open`, and where the copy cannot be made.
    pub fn backup_file(path: &Path, to: &Path) -> Result<(), StoreError> {
        backup::backup(path, to)
    }

    /// Runs what takes long on a thread and connection of its own, one at a time.
    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let path = Arc::clone(&self.path);
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let work = move || {
            // Held to the end of the work, which goes on if nobody waits for it any more.
            let _turn = turn;
            work(&path)
        };
        task::spawn_blocking(work)
            .await
            .map_err(|error| StoreError::Internal(format!("the store: {error}")))?
    }
}

#[tonic::async_trait]
impl Store for SqliteStore {
    async fn write(&self, writes: Vec<Write>) -> Result<Written, StoreError> {
        self.writer.write(writes).await
    }

    async fn runs(&self) -> Result<Vec<Run>, StoreError> {
        self.readers.read(|db| read::runs(db)).await
    }

    async fn states(
        &self,
        runs: &[RunId],
        at: WallTime,
        not_before: WallTime,
        kinds: &[v1::PartKind],
    ) -> Result<Vec<Vec<StoredBatch>>, StoreError> {
        let (runs, kinds) = (runs.to_vec(), kinds.to_vec());
        self.readers
            .read(move |db| states::states(db, &runs, at, not_before, &kinds))
            .await
    }

    async fn whole_batches(
        &self,
        run: RunId,
        from: WallTime,
        to: WallTime,
        steps: u32,
        kinds: &[v1::PartKind],
    ) -> Result<Vec<StoredBatch>, StoreError> {
        let kinds = kinds.to_vec();
        self.readers
            .read(move |db| states::whole_batches(db, run, (from, to), steps, &kinds))
            .await
    }

    async fn numbers(
        &self,
        run: RunId,
        numbers: &[u64],
    ) -> Result<Vec<(u64, StackHash)>, StoreError> {
        let numbers = numbers.to_vec();
        self.readers
            .read(move |db| read::numbers(db, run, &numbers))
            .await
    }

    async fn stacks(
        &self,
        stacks: &[StackHash],
    ) -> Result<Vec<(StackHash, NamedStack)>, StoreError> {
        let stacks = stacks.to_vec();
        self.readers.read(move |db| read::stacks(db, &stacks)).await
    }

    async fn events(
        &self,
        of: &EventsOf,
        after: Option<EventPlace>,
        most: PageMost,
    ) -> Result<EventsPage, StoreError> {
        let of = of.clone();
        self.readers
            .read(move |db| events::read(db, &of, after, most))
            .await
    }

    async fn count_events(&self, of: &EventsOf) -> Result<Vec<(String, u64)>, StoreError> {
        let of = of.clone();
        self.readers.read(move |db| events::count(db, &of)).await
    }

    async fn sequences(&self, run: RunId) -> Result<Vec<u64>, StoreError> {
        self.readers.read(move |db| read::sequences(db, run)).await
    }

    async fn retain(&self, retention: &Retention, now: WallTime) -> Result<Retained, StoreError> {
        retain::retain(self, retention, now).await
    }

    async fn status(&self) -> Result<StoreStatus, StoreError> {
        self.readers.read(|db| read::status(db)).await
    }

    async fn check(&self) -> Result<CheckReport, StoreError> {
        self.aside(check::check).await
    }

    async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let to = to.to_owned();
        self.aside(move |path| backup::backup(path, &to)).await
    }
}
