//! `/metrics` for Prometheus: the collector itself, and the fleet by node and container.
//!
//! Everything is read when it is asked for; the fleet's part at most once in [`FRESH`].

mod fleet;
mod own;
mod verdicts;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use profiler_proto::v1::query_server::Query;
use prometheus_client::{encoding::text::encode, metrics::gauge::ConstGauge, registry::Registry};
use tokio::sync::Mutex;

use crate::query::VerdictStream;
use crate::{ingest::Counters, keeper::Kept, otlp, store::Store};

/// A scrape within this time of the one before sees the same fleet.
const FRESH: Duration = Duration::from_secs(5);

/// Where metrics come from.
pub struct Metrics {
    query: Arc<dyn Query<WatchVerdictsStream = VerdictStream>>,
    store: Arc<dyn Store>,
    ingest: Arc<Counters>,
    kept: Arc<Kept>,
    otlp: Option<otlp::Counters>,
    fleet: Mutex<Option<(Instant, Arc<fleet::Fleet>)>>,
}

impl Metrics {
    /// Asks `query` for the fleet, and the others for themselves.
    pub fn new(
        query: Arc<dyn Query<WatchVerdictsStream = VerdictStream>>,
        store: Arc<dyn Store>,
        ingest: Arc<Counters>,
        kept: Arc<Kept>,
    ) -> Self {
        Self {
            query,
            store,
            ingest,
            kept,
            otlp: None,
            fleet: Mutex::new(None),
        }
    }

    /// Shows what became of exported profiles too.
    #[must_use]
    pub fn with_otlp(self, counters: otlp::Counters) -> Self {
        Self {
            otlp: Some(counters),
            ..self
        }
    }

    /// In the text format of OpenMetrics. What cannot be read is left out and said so in
    /// `profiler_fleet_unreadable` and `profiler_collector_store_unreadable`.
    ///
    /// # Errors
    /// It cannot be written as text.
    pub async fn text(&self) -> Result<String, tonic::Status> {
        let fleet = self.fleet().await;
        let store = self.store.status().await;
        let mut registry = Registry::with_prefix("profiler");
        own::register(
            &mut registry,
            self.ingest.totals(),
            store.as_ref().ok(),
            self.kept.totals(),
            self.otlp.as_ref(),
        );
        registry.register(
            "fleet_unreadable",
            "1: what agents sent cannot be read now, and is left out",
            ConstGauge::new(i64::from(fleet.is_err())),
        );
        match fleet {
            Ok(fleet) => fleet.register(&mut registry),
            Err(status) => tracing::warn!(%status, "metrics of the fleet are left out"),
        }
        let mut text = String::new();
        encode(&mut text, &registry)
            .map_err(|_| tonic::Status::internal("metrics cannot be written as text"))?;
        Ok(text)
    }

    async fn fleet(&self) -> Result<Arc<fleet::Fleet>, tonic::Status> {
        // Held while reading: scrapes that come meanwhile share the answer.
        let mut latest = self.fleet.lock().await;
        if let Some((when, fleet)) = &*latest
            && when.elapsed() < FRESH
        {
            return Ok(Arc::clone(fleet));
        }
        let fleet = Arc::new(fleet::Fleet::read(&*self.query).await?);
        *latest = Some((Instant::now(), Arc::clone(&fleet)));
        Ok(fleet)
    }
}
