//! The fleet by node and container.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::AtomicU64,
};

use profiler_proto::v1::{self, query_server::Query};
use prometheus_client::{
    metrics::{
        counter::Counter,
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
    registry::{Registry, Unit},
};
use tonic::{Request, Status};

use super::{own::signed, verdicts::Verdicts};
use crate::fleet::cut;
use crate::query::VerdictStream;

/// Containers that are kept apart; the others of their node are one series, "others".
const CONTAINERS_MAX: usize = 10_000;

/// Nodes that are kept apart, in the order of names; of the others only the containers are shown.
const NODES_MAX: usize = 2_000;

/// Causes of loss of one node that are kept apart; the others are one series, "others".
const CAUSES_MAX: usize = 64;

/// Bytes of a label's value.
const VALUE_MAX: usize = 256;

pub(super) type Labels = Vec<(&'static str, String)>;
/// What is not kept apart.
const OTHERS: &str = "others";

type Gauges = Family<Labels, Gauge<u64, AtomicU64>>;

/// The fleet at one moment.
pub(super) struct Fleet {
    containers: BTreeMap<Labels, Sums>,
    /// Containers that are not kept apart.
    folded: u64,
    nodes: Vec<v1::Node>,
    verdicts: Verdicts,
}

/// Of one container.
#[derive(Clone, Copy, Default)]
struct Sums {
    committed: u64,
    live: u64,
    processes: u64,
}

impl Fleet {
    pub(super) async fn read(
        query: &dyn Query<WatchVerdictsStream = VerdictStream>,
    ) -> Result<Self, Status> {
        let request = v1::ListTargetsRequest::default();
        let targets = query.list_targets(Request::new(request)).await?;
        let nodes = query
            .list_nodes(Request::new(v1::ListNodesRequest::default()))
            .await?;
        let (containers, folded) = sums(&targets.into_inner().targets);
        Ok(Self {
            containers,
            folded,
            nodes: nodes.into_inner().nodes,
            verdicts: Verdicts::read(query).await,
        })
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        self.register_containers(registry.sub_registry_with_prefix("container"));
        self.register_nodes(registry.sub_registry_with_prefix("node"));
        self.verdicts.register(registry);
        registry.register(
            "containers_folded",
            "Containers that are only in their node's series \"others\"",
            ConstGauge::new(signed(self.folded)),
        );
        registry.register(
            "nodes_folded",
            "Nodes without series of their own",
            ConstGauge::new(signed(self.nodes.len().saturating_sub(NODES_MAX) as u64)),
        );
    }

    fn register_containers(&self, registry: &mut Registry) {
        let [committed, live, processes] = [(); 3].map(|()| Gauges::default());
        for (labels, sums) in &self.containers {
            committed.get_or_create(labels).set(fitting(sums.committed));
            live.get_or_create(labels).set(fitting(sums.live));
            processes.get_or_create(labels).set(sums.processes);
        }
        registry.register_with_unit(
            "committed",
            "Private writable anonymous memory",
            Unit::Bytes,
            committed,
        );
        registry.register_with_unit(
            "committed_live",
            "Of that, what was not given back with madvise",
            Unit::Bytes,
            live,
        );
        registry.register("processes", "Processes that are observed", processes);
    }

    fn register_nodes(&self, registry: &mut Registry) {
        let (reporting, last) = (Gauges::default(), Gauges::default());
        let losses: Family<Labels, Counter> = Family::default();
        for node in self.nodes.iter().take(NODES_MAX) {
            let labels = vec![("node", escaped(&node.node))];
            let is_reporting = node.state() == v1::NodeState::Reporting;
            reporting.get_or_create(&labels).set(is_reporting.into());
            let seconds = node.last_batch.as_ref().map_or(0, |time| time.seconds);
            last.get_or_create(&labels)
                .set(u64::try_from(seconds).unwrap_or(0));
            for (cause, count) in causes(&node.losses) {
                let labels = vec![("node", escaped(&node.node)), ("cause", cause)];
                losses.get_or_create(&labels).inc_by(count);
            }
        }
        registry.register("reporting", "1: its last batch is recent", reporting);
        registry.register_with_unit(
            "last_batch_timestamp",
            "The moment of its last batch",
            Unit::Seconds,
            last,
        );
        registry.register("losses", "What its agent lost, by cause", losses);
    }
}

/// As a gauge can be written: it is signed.
pub(super) fn fitting(value: u64) -> u64 {
    value.min(i64::MAX.cast_unsigned())
}

/// Losses by cause.
fn causes(losses: &[v1::Loss]) -> BTreeMap<String, u64> {
    let mut causes: BTreeMap<String, u64> = BTreeMap::new();
    for loss in losses {
        let mut cause = escaped(&loss.cause);
        if !causes.contains_key(&cause) && causes.len() >= CAUSES_MAX {
            cause = OTHERS.to_owned();
        }
        let sum = causes.entry(cause).or_default();
        *sum = sum.saturating_add(loss.count);
    }
    causes
}

fn sums(targets: &[v1::Target]) -> (BTreeMap<Labels, Sums>, u64) {
    let mut all: BTreeMap<Labels, Sums> = BTreeMap::new();
    let mut folded = BTreeSet::new();
    let mut nodes = BTreeSet::new();
    for target in targets {
        let mut labels = labels(target);
        if !all.contains_key(&labels) && all.len() >= CONTAINERS_MAX {
            folded.insert(labels);
            if nodes.len() < NODES_MAX {
                nodes.insert(target.node.as_str());
            }
            let node = match nodes.contains(target.node.as_str()) {
                true => escaped(&target.node),
                false => OTHERS.to_owned(),
            };
            labels = vec![("node", node), ("container", OTHERS.to_owned())];
        }
        let sums = all.entry(labels).or_default();
        let live = target.committed_bytes.saturating_sub(target.released_bytes);
        for (sum, part) in [
            (&mut sums.committed, target.committed_bytes),
            (&mut sums.live, live),
            (&mut sums.processes, 1),
        ] {
            *sum = sum.saturating_add(part);
        }
    }
    (all, folded.len() as u64)
}

/// What a container is known by; what has no value is left out.
pub(super) fn labels(target: &v1::Target) -> Labels {
    let container = match (&*target.container_id, &*target.unit) {
        ("", "") => target.container_kind.as_str(),
        ("", unit) => unit,
        (id, _) => id,
    };
    let labels = [
        ("node", target.node.as_str()),
        ("container", container),
        ("kind", &target.container_kind),
        ("namespace", &target.namespace),
        ("pod", &target.pod),
        ("pod_uid", &target.pod_uid),
        ("workload", &target.workload),
        ("image", &target.image),
    ];
    let known = labels.into_iter().filter(|(_, value)| !value.is_empty());
    known.map(|(key, value)| (key, escaped(value))).collect()
}

/// As a label's value is written: names are chosen by those who are watched, and prometheus-client
/// writes them as they are.
fn escaped(value: &str) -> String {
    let value = cut(value, VALUE_MAX)
        .replace('\\', "\\\\")
        .replace('"', "\\\"");
    value.replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    fn target(node: &str, container: u32, committed: u64, released: u64) -> v1::Target {
        v1::Target {
            node: node.to_owned(),
            container_id: format!("{container:064x}"),
            container_kind: "containerd".to_owned(),
            committed_bytes: committed,
            released_bytes: released,
            ..v1::Target::default()
        }
    }

    fn text(fleet: &Fleet) -> String {
        let mut registry = Registry::with_prefix("profiler");
        fleet.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).expect("text takes everything");
        text
    }

    #[test]
    fn processes_of_a_container_are_one_series() {
        let targets = [
            target("a", 1, 100, 30),
            target("a", 1, 10, 0),
            target("b", 1, 5, 0),
        ];
        let (containers, folded) = sums(&targets);
        let text = text(&Fleet {
            containers,
            folded,
            nodes: Vec::new(),
            verdicts: Verdicts::default(),
        });
        let line = |name: &str, node: &str| {
            let id = format!("{:064x}", 1);
            let labels = format!("{{node=\"{node}\",container=\"{id}\",kind=\"containerd\"}}");
            let start = format!("profiler_container_{name}{labels} ");
            let line = text.lines().find_map(|line| line.strip_prefix(&start));
            line.unwrap_or_else(|| panic!("no {start}in\n{text}"))
                .to_owned()
        };
        assert_eq!(line("committed_bytes", "a"), "110");
        assert_eq!(line("committed_live_bytes", "a"), "80");
        assert_eq!(line("processes", "a"), "2");
        assert_eq!(line("committed_bytes", "b"), "5");
        assert!(text.contains("profiler_containers_folded 0"));
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn containers_above_the_bound_are_one_series_of_their_node() {
        let many = u32::try_from(CONTAINERS_MAX).expect("a small number") + 7;
        let targets: Vec<_> = (0..many)
            .map(|container| target("a", container, 1, 0))
            .collect();
        let (containers, folded) = sums(&targets);
        assert_eq!(folded, 7);
        assert_eq!(containers.len(), CONTAINERS_MAX + 1);
        let all: u64 = containers.values().map(|sums| sums.committed).sum();
        assert_eq!(all, u64::from(many));
    }

    #[test]
    fn names_from_outside_cannot_break_a_line() {
        let mut hostile = target("a\"\n# EOF", 1, 1, 0);
        hostile.container_kind = "x\\".to_owned();
        let (containers, folded) = sums(&[hostile]);
        let text = text(&Fleet {
            containers,
            folded,
            nodes: Vec::new(),
            verdicts: Verdicts::default(),
        });
        assert_eq!(text.matches("# EOF\n").count(), 1, "{text}");
        assert!(text.contains(r#"node="a\"\n# EOF""#), "{text}");
    }

    #[test]
    fn what_agents_make_up_is_bounded() {
        let losses = (0..100).map(|number| v1::Loss {
            cause: format!("{number:0300}").chars().rev().collect(),
            count: u64::MAX,
            meaning: String::new(),
        });
        let node = v1::Node {
            losses: losses.collect(),
            ..v1::Node::default()
        };
        let nodes = (0..NODES_MAX + 5).map(|number| v1::Node {
            node: format!("n{number}"),
            ..node.clone()
        });
        let (containers, folded) = sums(&[target("a", 1, u64::MAX, 0), target("a", 1, 1, 0)]);
        let text = text(&Fleet {
            containers,
            folded,
            nodes: nodes.collect(),
            verdicts: Verdicts::default(),
        });
        let series = |name: &str| text.lines().filter(|line| line.starts_with(name)).count();
        assert_eq!(series("profiler_node_reporting{"), NODES_MAX);
        assert_eq!(
            series("profiler_node_losses_total{"),
            NODES_MAX * (CAUSES_MAX + 1)
        );
        assert!(text.lines().all(|line| line.len() < 400));
        assert!(text.contains("profiler_nodes_folded 5"));
    }

    #[test]
    fn nodes_show_when_they_were_heard_of() {
        let node = v1::Node {
            node: "a".to_owned(),
            state: v1::NodeState::Silent.into(),
            last_batch: Some(pbjson_types::Timestamp {
                seconds: 42,
                nanos: 0,
            }),
            losses: vec![v1::Loss {
                cause: "event_ring_full".to_owned(),
                count: 3,
                meaning: String::new(),
            }],
            ..v1::Node::default()
        };
        let text = text(&Fleet {
            containers: BTreeMap::new(),
            folded: 0,
            nodes: vec![node],
            verdicts: Verdicts::default(),
        });
        assert!(text.contains("profiler_node_reporting{node=\"a\"} 0"));
        assert!(text.contains("profiler_node_last_batch_timestamp_seconds{node=\"a\"} 42"));
        assert!(
            text.contains("profiler_node_losses_total{node=\"a\",cause=\"event_ring_full\"} 3")
        );
    }
}
