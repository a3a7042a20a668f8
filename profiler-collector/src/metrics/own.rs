//! The collector's own figures.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    metrics::{counter::ConstCounter, family::Family, gauge::ConstGauge, gauge::Gauge},
    registry::{Registry, Unit},
};

use crate::{
    ingest::Totals,
    otlp,
    store::{Retained, StoreStatus},
};

pub(super) fn register(
    registry: &mut Registry,
    ingest: Totals,
    store: Option<&StoreStatus>,
    retained: Retained,
    otlp: Option<&otlp::Counters>,
) {
    let registry = registry.sub_registry_with_prefix("collector");
    let counters = [
        (
            "batches_stored",
            "Batches made durable",
            ingest.batches_stored,
        ),
        (
            "batches_repeated",
            "Batches that came again and were there already",
            ingest.batches_repeated,
        ),
        (
            "batches_refused",
            "Batches that cannot be stored: see the log",
            ingest.batches_refused,
        ),
        (
            "events_refused",
            "Events that are not kept since their run has too many",
            ingest.events_refused,
        ),
        (
            "changes_untold",
            "Changes of verdicts that were not told to who watches: too many at one time, or too large",
            ingest.changes_untold,
        ),
        (
            "streams_failed",
            "Streams of agents that ended with an error",
            ingest.streams_failed,
        ),
        (
            "streams_refused",
            "Streams above the bound",
            ingest.streams_refused,
        ),
        (
            "store_failures",
            "Writes that the store did not take",
            ingest.store_failures,
        ),
        (
            "batches_thinned",
            "Batches that went because their age is kept less finely",
            retained.thinned,
        ),
        (
            "batches_expired",
            "Batches that were too old",
            retained.expired,
        ),
        (
            "batches_evicted",
            "Batches that went before their time because the store is full",
            retained.evicted,
        ),
        (
            "events_dropped",
            "OOM kills and changes of verdicts that were too old, or too many",
            retained.events,
        ),
    ];
    for (name, help, value) in counters {
        registry.register(name, help, ConstCounter::new(value));
    }
    registry.register_with_unit(
        "received",
        "Batches and definitions as they came",
        Unit::Bytes,
        ConstCounter::new(ingest.bytes_received),
    );
    if let Some(otlp) = otlp {
        otlp.register(registry);
    }
    registry.register(
        "streams_open",
        "Agents that are connected",
        ConstGauge::new(signed(ingest.streams_open)),
    );
    registry.register(
        "store_unreadable",
        "1: the store does not say how it is",
        ConstGauge::new(i64::from(store.is_none())),
    );
    let info: Family<[(&str, &str); 2], Gauge<u64, AtomicU64>> = Family::default();
    let labels = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("store", store.map_or("unknown", |store| store.engine)),
    ];
    info.get_or_create(&labels).set(1);
    registry.register("build", "Always 1", info);
    if let Some(store) = store {
        register_store(registry, store);
    }
}

fn register_store(registry: &mut Registry, store: &StoreStatus) {
    let gauges = [
        ("store_batches", "Batches that are kept", store.batches),
        ("store_runs", "Runs of agents that are kept", store.runs),
        ("store_stacks", "Stacks that are kept", store.stacks),
        (
            "store_events",
            "OOM kills and changes of verdicts that are kept",
            store.events,
        ),
    ];
    for (name, help, value) in gauges {
        registry.register(name, help, ConstGauge::new(signed(value)));
    }
    registry.register_with_unit(
        "store",
        "Size of the store on disk",
        Unit::Bytes,
        ConstGauge::new(signed(store.bytes)),
    );
}

pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
