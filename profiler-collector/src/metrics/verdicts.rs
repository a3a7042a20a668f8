//! Verdicts by container, of the worst that one answer holds.

use std::{collections::BTreeSet, sync::atomic::AtomicU64};

use profiler_proto::v1::{self, VerdictState, query_server::Query};
use prometheus_client::{
    metrics::{
        counter::Counter,
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
    registry::{Registry, Unit},
};
use tonic::{Request, Response, Status};

use super::{
    fleet::{Labels, fitting, labels},
    own::signed,
};
use crate::query::VerdictStream;

/// As many as an answer may have.
const VERDICTS_MAX: u32 = 1_000;

type Bytes = Family<Labels, Gauge<u64, AtomicU64>>;
type Floats = Family<Labels, Gauge<f64, AtomicU64>>;

/// Verdicts of containers and units.
#[derive(Default)]
pub(super) struct Verdicts {
    shown: Vec<v1::Verdict>,
    /// Those of others, which are no worse.
    left_out: u64,
    /// They cannot be told; what else is known of the fleet can.
    failed: bool,
}

#[derive(Default)]
struct Families {
    verdict: Bytes,
    anon: Bytes,
    limit: Bytes,
    growth: Floats,
    growth_lower: Floats,
    growth_upper: Floats,
    time_to_limit: Floats,
    kills: Family<Labels, Counter>,
}

impl Verdicts {
    pub(super) async fn read(query: &dyn Query<WatchVerdictsStream = VerdictStream>) -> Self {
        let request = v1::ListVerdictsRequest {
            limit: VERDICTS_MAX,
            containers_only: true,
            ..v1::ListVerdictsRequest::default()
        };
        let answer = query.list_verdicts(Request::new(request)).await;
        Self::of(answer.map(Response::into_inner))
    }

    fn of(answer: Result<v1::ListVerdictsResponse, Status>) -> Self {
        answer.map_or_else(
            |error| {
                tracing::warn!(%error, "metrics are without verdicts");
                Self {
                    failed: true,
                    ..Self::default()
                }
            },
            Self::new,
        )
    }

    fn new(answer: v1::ListVerdictsResponse) -> Self {
        Self {
            left_out: u64::from(answer.total).saturating_sub(answer.verdicts.len() as u64),
            shown: answer.verdicts,
            failed: false,
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let families = Families::default();
        let mut seen = BTreeSet::new();
        for verdict in &self.shown {
            let labels = verdict.target.as_ref().map(labels).unwrap_or_default();
            // Labels are cut: of two that are then the same the worse counts.
            if seen.insert(labels.clone()) {
                families.put(labels, verdict);
            }
        }
        families.register(registry.sub_registry_with_prefix("container"));
        registry.register(
            "verdicts_failed",
            "1: verdicts could not be read, see the log",
            ConstGauge::new(i64::from(self.failed)),
        );
        registry.register(
            "verdicts_left_out",
            "Containers with a verdict that is no worse than those shown",
            ConstGauge::new(signed(self.left_out)),
        );
    }
}

impl Families {
    fn put(&self, labels: Labels, verdict: &v1::Verdict) {
        let gauge = |family: &Floats, value: Option<f64>| {
            if let Some(value) = value.filter(|value| value.is_finite()) {
                family.get_or_create(&labels).set(value);
            }
        };
        gauge(&self.growth, Some(verdict.slope_bytes_per_hour));
        gauge(&self.growth_lower, verdict.slope_lower_bytes_per_hour);
        gauge(&self.growth_upper, verdict.slope_upper_bytes_per_hour);
        gauge(&self.time_to_limit, verdict.time_to_limit_seconds);
        self.anon
            .get_or_create(&labels)
            .set(fitting(verdict.anon_bytes));
        if verdict.limit_bytes > 0 {
            self.limit
                .get_or_create(&labels)
                .set(fitting(verdict.limit_bytes));
        }
        let kills = verdict
            .lineage
            .as_ref()
            .map_or(0, |lineage| lineage.oom_kills);
        self.kills.get_or_create(&labels).inc_by(kills.into());
        let mut with_state = labels;
        with_state.push(("state", state(verdict.state()).to_owned()));
        self.verdict.get_or_create(&with_state).set(1);
    }

    fn register(self, registry: &mut Registry) {
        registry.register(
            "verdict",
            "1 for the state that its verdict has",
            self.verdict,
        );
        let bytes = [
            (
                "anon",
                "Anonymous memory with swap, by the kernel",
                self.anon,
            ),
            (
                "limit",
                "The limit of its memory, if it has one",
                self.limit,
            ),
        ];
        for (name, help, family) in bytes {
            registry.register_with_unit(name, help, Unit::Bytes, family);
        }
        let growth = [
            ("growth_bytes_per_hour", "Slope of its floors", self.growth),
            (
                "growth_lower_bytes_per_hour",
                "Lower bound of that slope, 99%",
                self.growth_lower,
            ),
            (
                "growth_upper_bytes_per_hour",
                "Upper bound of that slope, 99%",
                self.growth_upper,
            ),
        ];
        for (name, help, family) in growth {
            registry.register(name, help, family);
        }
        registry.register_with_unit(
            "time_to_limit",
            "Until the limit is reached if it goes on like this",
            Unit::Seconds,
            self.time_to_limit,
        );
        registry.register("oom_kills", "OOM kills in all of its lives", self.kills);
    }
}

/// As the label's value stands.
fn state(state: VerdictState) -> &'static str {
    match state {
        VerdictState::Unspecified => "unknown",
        VerdictState::WarmingUp => "warming-up",
        VerdictState::Steady => "steady",
        VerdictState::Growing => "growing",
        VerdictState::Leaking => "leaking",
        VerdictState::SawtoothLeak => "sawtooth-leak",
        VerdictState::RestartMaskedLeak => "restart-masked-leak",
        VerdictState::Undetermined => "undetermined",
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    fn text(verdicts: Vec<v1::Verdict>, total: u32) -> String {
        let answer = v1::ListVerdictsResponse {
            verdicts,
            total,
            ..v1::ListVerdictsResponse::default()
        };
        let mut registry = Registry::with_prefix("profiler");
        Verdicts::new(answer).register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).expect("text takes everything");
        text
    }

    fn verdict(container: &str) -> v1::Verdict {
        v1::Verdict {
            target: Some(v1::Target {
                node: "a".to_owned(),
                container_id: container.to_owned(),
                ..v1::Target::default()
            }),
            state: VerdictState::RestartMaskedLeak.into(),
            anon_bytes: 100,
            limit_bytes: 500,
            slope_bytes_per_hour: 1.5,
            time_to_limit_seconds: Some(3_600.0),
            lineage: Some(v1::Lineage {
                oom_kills: 3,
                ..v1::Lineage::default()
            }),
            ..v1::Verdict::default()
        }
    }

    #[test]
    fn a_verdict_is_a_series_of_each_figure() {
        let text = text(vec![verdict("c")], 4);
        for line in [
            "verdict{node=\"a\",container=\"c\",state=\"restart-masked-leak\"} 1",
            "anon_bytes{node=\"a\",container=\"c\"} 100",
            "limit_bytes{node=\"a\",container=\"c\"} 500",
            "growth_bytes_per_hour{node=\"a\",container=\"c\"} 1.5",
            "time_to_limit_seconds{node=\"a\",container=\"c\"} 3600.0",
            "oom_kills_total{node=\"a\",container=\"c\"} 3",
        ] {
            assert!(
                text.contains(&format!("profiler_container_{line}\n")),
                "{line}\n{text}"
            );
        }
        assert!(text.contains("profiler_verdicts_left_out 3\n"));
    }

    #[test]
    fn what_is_not_known_has_no_series() {
        let unknown = v1::Verdict {
            limit_bytes: 0,
            time_to_limit_seconds: None,
            slope_upper_bytes_per_hour: Some(f64::NAN),
            ..verdict("c\"}\n# EOF")
        };
        let text = text(vec![unknown.clone(), unknown], 2);
        for name in [
            "limit_bytes{",
            "time_to_limit_seconds{",
            "growth_upper_bytes_per_hour{",
        ] {
            assert!(
                !text.contains(&format!("profiler_container_{name}")),
                "{name}\n{text}"
            );
        }
        assert_eq!(text.matches("# EOF\n").count(), 1, "{text}");
        assert!(text.contains("oom_kills_total{node=\"a\",container=\"c\\\"}\\n# EOF\"} 3\n"));
    }

    #[test]
    fn verdicts_that_cannot_be_read_say_so() {
        let texts = [
            Err(Status::resource_exhausted("too much")),
            Ok(v1::ListVerdictsResponse::default()),
        ];
        let texts = texts.map(|answer| {
            let mut registry = Registry::with_prefix("profiler");
            Verdicts::of(answer).register(&mut registry);
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).expect("a text");
            text
        });
        assert!(
            texts[0].contains("profiler_verdicts_failed 1"),
            "{}",
            texts[0]
        );
        assert!(
            texts[1].contains("profiler_verdicts_failed 0"),
            "{}",
            texts[1]
        );
    }
}
