//! What became of profiles.

use prometheus_client::{metrics::counter::Counter, registry::Registry};

/// Counted from the collector's start. Clones share everything.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Profiles that the receiver took.
    pub profiles_sent: Counter,
    /// Profiles that the receiver did not want.
    pub profiles_rejected: Counter,
    /// Profiles that waited for too long: newer ones needed the room.
    pub profiles_dropped: Counter,
    /// Requests that failed and are tried again.
    pub retries: Counter,
    /// Rows above the bounds of a node or a request.
    pub rows_left_out: Counter,
    /// Questions that were not answered: a node, or all of an interval, is missing.
    pub questions_failed: Counter,
}

impl Counters {
    /// Shows them as `otlp_…`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("otlp");
        let counters = [
            (
                "profiles_sent",
                "Profiles that the receiver took",
                &self.profiles_sent,
            ),
            (
                "profiles_rejected",
                "Profiles that the receiver did not want: see the log",
                &self.profiles_rejected,
            ),
            (
                "profiles_dropped",
                "Profiles that gave way to newer ones while the receiver was away",
                &self.profiles_dropped,
            ),
            (
                "retries",
                "Requests that failed and are tried again",
                &self.retries,
            ),
            (
                "rows_left_out",
                "Rows above the bounds of a node or a request",
                &self.rows_left_out,
            ),
            (
                "questions_failed",
                "Nodes, or all of an interval, that could not be asked for: see the log",
                &self.questions_failed,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
    }
}
