//! Statements and rows over ClickHouse's HTTP interface, with time limits. Rows go as RowBinary, so
//! that bytes stay as they are.

use std::{sync::Arc, time::Duration};

use clickhouse::{Row, RowOwned, RowRead, RowWrite};
use hyper_util::{client::legacy::Client as HyperClient, rt::TokioExecutor};
use tokio::time::timeout;

use super::{Settings, error, transport};
use crate::store::StoreError;

/// ClickHouse closes connections that were idle for 3 s (`keep_alive_timeout`), in newer versions 10.
const IDLE: Duration = Duration::from_secs(2);

/// Statements with long lists of keys: ClickHouse takes 256 KiB unless told.
const STATEMENT_BYTES_MAX: &str = "16777216";

/// How many times longer retention and checks may take than a question.
const PATIENCE: u32 = 20;

/// One ClickHouse, or a load balancer before several.
#[derive(Clone)]
pub struct Client {
    inner: clickhouse::Client,
    insert_options: Arc<[(String, String)]>,
    timeout: Duration,
    answer_bytes_max: u64,
}

impl Client {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// The address is no `http://` or `https://` URL, would carry a password in the clear to another
    /// host, or certificates cannot be read.
    pub fn new(settings: &Settings) -> Result<Self, StoreError> {
        let url = transport::address(settings)?;
        let http = HyperClient::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .build(transport::connector(settings)?);
        let mut inner = clickhouse::Client::with_http_client(http)
            .with_url(url)
            .with_database(&settings.database)
            .with_user(&settings.user)
            .with_validation(false)
            .with_setting("max_query_size", STATEMENT_BYTES_MAX);
        if !settings.password.is_empty() {
            inner = inner.with_password(&settings.password);
        }
        for (name, value) in &settings.options {
            inner = inner.with_setting(name, value);
        }
        Ok(Self {
            inner,
            insert_options: settings.insert_options.clone().into(),
            timeout: settings.timeout,
            answer_bytes_max: settings.answer_bytes_max,
        })
    }

    /// The same server, another database.
    #[must_use]
    pub(super) fn on_database(&self, name: &str) -> Self {
        let mut other = self.clone();
        other.inner = other.inner.with_database(name);
        other
    }

    /// The same server with more time, for statements that look at or write anew whole tables.
    #[must_use]
    pub(super) fn patient(&self) -> Self {
        let mut other = self.clone();
        other.timeout = self.timeout.saturating_mul(PATIENCE);
        other
    }

    /// A statement without an answer.
    ///
    /// # Errors
    /// What ClickHouse or the network says; no answer in time.
    pub async fn execute(&self, statement: &str) -> Result<(), StoreError> {
        self.execute_with(statement, &[]).await
    }

    /// The same with settings for this statement.
    pub(super) async fn execute_with(
        &self,
        statement: &str,
        options: &[(&str, &str)],
    ) -> Result<(), StoreError> {
        let mut query = self.inner.query_raw(statement);
        for (name, value) in options {
            query = query.with_setting(*name, *value);
        }
        self.within(query.execute()).await
    }

    /// All rows of the answer.
    ///
    /// # Errors
    /// As for [`Client::execute`]; [`StoreError::TooMuch`] beyond [`Settings::answer_bytes_max`].
    pub async fn rows<T: RowOwned + RowRead>(&self, query: &str) -> Result<Vec<T>, StoreError> {
        let query = self
            .inner
            .query_raw(query)
            .with_setting("max_result_bytes", self.answer_bytes_max.to_string());
        self.within(query.fetch_all()).await
    }

    /// The one row of the answer.
    pub(super) async fn row<T: RowOwned + RowRead>(&self, query: &str) -> Result<T, StoreError> {
        self.within(self.inner.query_raw(query).fetch_one()).await
    }

    /// Rows one after the other, for answers that need not fit in memory. Each may take the whole
    /// time limit.
    pub(super) async fn each_row<T: RowOwned + RowRead>(
        &self,
        query: &str,
        mut take: impl FnMut(T),
    ) -> Result<(), StoreError> {
        let mut cursor = self
            .inner
            .query_raw(query)
            .fetch::<T>()
            .map_err(|error| error::from_client(&error))?;
        while let Some(row) = self.within(cursor.next()).await? {
            take(row);
        }
        Ok(())
    }

    /// Puts rows into a table. When it returns, the server has said that they are stored.
    ///
    /// # Errors
    /// As for [`Client::execute`]. Whether rows are stored is not known then.
    pub async fn insert<T>(&self, table: &str, rows: &[T]) -> Result<(), StoreError>
    where
        T: RowWrite + for<'a> Row<Value<'a> = T>,
    {
        if rows.is_empty() {
            return Ok(());
        }
        self.within(async {
            let mut insert = self.inner.insert::<T>(table).await?;
            for (name, value) in self.insert_options.iter() {
                insert = insert.with_setting(name, value);
            }
            for row in rows {
                insert.write(row).await?;
            }
            insert.end().await
        })
        .await
    }

    async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, clickhouse::error::Error>>,
    ) -> Result<T, StoreError> {
        timeout(self.timeout, work)
            .await
            .map_err(|_elapsed| error::timed_out())?
            .map_err(|error| error::from_client(&error))
    }
}
