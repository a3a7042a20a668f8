//! The engine for fleets: ClickHouse over its HTTP interface. It keeps everything there, so that any
//! number of collectors use one ClickHouse.

mod check;
mod client;
mod definitions;
mod error;
mod events;
mod read;
mod retain;
mod rows;
mod schema;
mod space;
mod sql;
mod status;
mod transport;
mod write;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use profiler_proto::v1;
use tokio::sync::Mutex;

pub use self::client::Client;
use self::write::Writer;
use super::{
    CheckReport, EventPlace, EventsOf, EventsPage, NamedStack, PageMost, Retained, Retention, Run,
    RunId, StackHash, Store, StoreError, StoreStatus, StoredBatch, WallTime, Write, Written,
};

/// Where ClickHouse is, and how it is used.
#[derive(Clone)]
pub struct Settings {
    /// Of its HTTP interface: `https://clickhouse.example:8443`.
    pub url: String,
    /// Made if it is not there.
    pub database: String,
    /// Who asks.
    pub user: String,
    /// Empty: none is sent.
    pub password: String,
    /// Certificates (PEM) of who may sign ClickHouse's. None: those that this host trusts.
    pub authority: Option<PathBuf>,
    /// `http://` is taken for other hosts than this one too.
    pub plaintext: bool,
    /// For one statement; 20 times as long for one of retention or a check.
    pub timeout: Duration,
    /// Larger answers are refused; as ClickHouse counts bytes.
    pub answer_bytes_max: u64,
    /// How long a write waits for others to go with it.
    pub linger: Duration,
    /// The list of runs is read again after this time: finding their first and last batches takes
    /// a look at all of `batch`, and every question begins with it.
    pub runs_kept: Duration,
    /// Definitions that nothing refers to stay so long.
    pub definitions_grace: Duration,
    /// Settings of ClickHouse that go with each statement.
    pub options: Vec<(String, String)>,
    /// And with each insert of rows.
    pub insert_options: Vec<(String, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        let own = |options: &[(&str, &str)]| {
            let own = options
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()));
            own.collect()
        };
        // All rows of a batch are of one day: other days' need not be read to know which holds.
        let options = own(&[("do_not_merge_across_partitions_select_final", "1")]);
        let insert_options = own(&[
            // The server puts inserts of all collectors together, and answers when they are stored.
            ("async_insert", "1"),
            ("wait_for_async_insert", "1"),
            // An equal block is no repetition here: what was deleted meanwhile must come back.
            ("insert_deduplicate", "0"),
            ("async_insert_deduplicate", "0"),
            // A spool may bring many days at once.
            ("max_partitions_per_insert_block", "0"),
        ]);
        Self {
            url: "http://127.0.0.1:8123".into(),
            database: "profiler".into(),
            user: "default".into(),
            password: String::new(),
            authority: None,
            plaintext: false,
            timeout: Duration::from_secs(30),
            answer_bytes_max: 1 << 30,
            linger: Duration::from_millis(100),
            runs_kept: Duration::from_secs(5),
            definitions_grace: Duration::from_secs(3600),
            options,
            insert_options,
        }
    }
}

/// Batches in ClickHouse.
pub struct ClickHouse {
    settings: Settings,
    client: Client,
    writer: Writer,
    /// Held while it is read: questions that come meanwhile share it.
    runs: Mutex<Option<(Instant, Vec<Run>)>>,
}

impl ClickHouse {
    /// Connects, and makes the tables or brings them to this version. Has to be called within a
    /// Tokio runtime.
    ///
    /// # Errors
    /// ClickHouse cannot be reached, refuses, or has tables of a newer version.
    pub async fn open(settings: Settings) -> Result<Self, StoreError> {
        let client = Client::new(&settings)?;
        schema::ensure(&client, &settings.database).await?;
        let writer = Writer::start(client.clone(), settings.linger);
        Ok(Self {
            settings,
            client,
            writer,
            runs: Mutex::new(None),
        })
    }
}

#[tonic::async_trait]
impl Store for ClickHouse {
    async fn write(&self, writes: Vec<Write>) -> Result<Written, StoreError> {
        self.writer.write(writes).await
    }

    async fn runs(&self) -> Result<Vec<Run>, StoreError> {
        let mut kept = self.runs.lock().await;
        if let Some((when, runs)) = &*kept
            && when.elapsed() < self.settings.runs_kept
        {
            return Ok(runs.clone());
        }
        let runs = read::runs(&self.client).await?;
        *kept = Some((Instant::now(), runs.clone()));
        Ok(runs)
    }

    async fn states(
        &self,
        runs: &[RunId],
        at: WallTime,
        not_before: WallTime,
        kinds: &[v1::PartKind],
    ) -> Result<Vec<Vec<StoredBatch>>, StoreError> {
        read::states(&self.client, runs, at, not_before, kinds).await
    }

    async fn whole_batches(
        &self,
        run: RunId,
        from: WallTime,
        to: WallTime,
        steps: u32,
        kinds: &[v1::PartKind],
    ) -> Result<Vec<StoredBatch>, StoreError> {
        read::whole_batches(&self.client, run, (from, to), steps, kinds).await
    }

    async fn numbers(
        &self,
        run: RunId,
        numbers: &[u64],
    ) -> Result<Vec<(u64, StackHash)>, StoreError> {
        definitions::numbers(&self.client, run, numbers).await
    }

    async fn stacks(
        &self,
        stacks: &[StackHash],
    ) -> Result<Vec<(StackHash, NamedStack)>, StoreError> {
        definitions::stacks(&self.client, stacks).await
    }

    async fn events(
        &self,
        of: &EventsOf,
        after: Option<EventPlace>,
        most: PageMost,
    ) -> Result<EventsPage, StoreError> {
        events::read(&self.client, of, after, most).await
    }

    async fn count_events(&self, of: &EventsOf) -> Result<Vec<(String, u64)>, StoreError> {
        events::count(&self.client, of).await
    }

    async fn sequences(&self, run: RunId) -> Result<Vec<u64>, StoreError> {
        read::sequences(&self.client, run).await
    }

    async fn retain(&self, retention: &Retention, now: WallTime) -> Result<Retained, StoreError> {
        retain::retain(&self.client.patient(), &self.settings, retention, now).await
    }

    async fn status(&self) -> Result<StoreStatus, StoreError> {
        status::status(&self.client).await
    }

    async fn check(&self) -> Result<CheckReport, StoreError> {
        check::check(&self.client.patient()).await
    }

    async fn backup(&self, _to: &Path) -> Result<(), StoreError> {
        let database = &self.settings.database;
        Err(StoreError::Internal(format!(
            "ClickHouse makes its own backups, on its own disks: \
             BACKUP DATABASE {database} TO Disk('backups', '{database}.zip')"
        )))
    }
}
