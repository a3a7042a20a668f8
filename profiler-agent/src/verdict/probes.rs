//! What probes of health are told, kept apart from the series so that no probe waits for judging.

use std::collections::{BTreeMap, BTreeSet};

use super::key::Key;
use crate::{
    health::{Health, HealthReading, HealthRules, Lookup, Probe},
    ids::BootTime,
    profile::ContainerFacts,
};

/// Probes of containers and units, and of processes, for their verdicts.
#[derive(Debug, Default)]
pub(super) struct Probes {
    rules: HealthRules,
    probes: BTreeMap<Key, Named>,
    ready: bool,
}

#[derive(Debug)]
struct Named {
    /// The runtime's id; empty for what is no container, or cannot be trusted with a name.
    id: String,
    /// Empty as above.
    pod_uid: String,
    /// The pod's cgroup directory.
    pod: String,
    probe: Probe,
}

impl Probes {
    pub(super) fn new(rules: HealthRules) -> Self {
        Self {
            rules,
            ..Self::default()
        }
    }

    pub(super) fn observe(
        &mut self,
        key: &Key,
        container: &ContainerFacts,
        reading: HealthReading,
    ) {
        let named = self.probes.entry(key.clone());
        let named = named.or_insert_with(|| Named::new(container));
        named.probe.observe(&self.rules, reading);
    }

    /// Another life begins.
    pub(super) fn forget(&mut self, key: &Key) {
        self.probes.remove(key);
    }

    pub(super) fn health(&self, key: &Key, now: BootTime) -> Health {
        let named = self.probes.get(key);
        let health = named.map(|named| named.probe.health(&self.rules, now.0));
        health.unwrap_or_else(|| Health {
            healthy: true,
            ..Health::default()
        })
    }

    /// A round is done: what is not among these keys is gone.
    pub(super) fn retain(&mut self, stays: impl Fn(&Key) -> bool) {
        self.probes.retain(|key, _| stays(key));
        self.ready = true;
    }

    pub(super) fn ready(&self) -> bool {
        self.ready
    }

    /// The container whose id begins so. Of several with the same id none is believed.
    pub(super) fn container(&self, prefix: &str, now: BootTime) -> Lookup {
        let is_meant = |named: &&Named| !named.id.is_empty() && named.id.starts_with(prefix);
        let found: Vec<&Named> = self.probes.values().filter(is_meant).collect();
        match found.as_slice() {
            [] => Lookup::Unknown,
            [one] if !prefix.is_empty() => Lookup::Found(one.probe.health(&self.rules, now.0)),
            many => Lookup::Ambiguous(many.len()),
        }
    }

    /// The worst of a pod's containers. Of several pods with the same uid none is believed.
    pub(super) fn pod(&self, uid: &str, now: BootTime) -> Lookup {
        let is_meant = |named: &&Named| !named.pod_uid.is_empty() && named.pod_uid == uid;
        let found: Vec<&Named> = self.probes.values().filter(is_meant).collect();
        let pods: BTreeSet<&str> = found.iter().map(|named| named.pod.as_str()).collect();
        match pods.len() {
            0 | 1 => self.worst(&found, now),
            many => Lookup::Ambiguous(many),
        }
    }

    fn worst(&self, found: &[&Named], now: BootTime) -> Lookup {
        let all = found.iter().map(|one| one.probe.health(&self.rules, now.0));
        let time = |one: &Health| one.time_to_limit_seconds.unwrap_or(f64::INFINITY);
        let worst = all.min_by(|one, other| {
            let by_health = one.healthy.cmp(&other.healthy);
            by_health.then_with(|| time(one).total_cmp(&time(other)))
        });
        worst.map_or(Lookup::Unknown, Lookup::Found)
    }
}

impl Named {
    fn new(container: &ContainerFacts) -> Self {
        let of = |text: &String| match is_named_by_others(container) {
            true => String::new(),
            false => text.clone(),
        };
        let root = container.root.as_str();
        let around = root.rsplit_once('/').map_or("", |(around, _)| around);
        Self {
            id: of(&container.id),
            pod_uid: of(&container.pod_uid),
            pod: match container.id.is_empty() {
                true => root.to_owned(),
                false => around.to_owned(),
            },
            probe: Probe::default(),
        }
    }
}

/// Users name the cgroups below their own slice as they like, and containers those inside them: also
/// by the id of a stranger's container, which would then be killed for what they do.
pub(super) fn is_named_by_others(container: &ContainerFacts) -> bool {
    let of_user = |part: &str| part == "user.slice" || part.starts_with("user@");
    container.id.contains('@') || container.root.split('/').any(of_user)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(id: &str, pod: &str) -> ContainerFacts {
        ContainerFacts {
            id: id.to_owned(),
            pod_uid: pod.to_owned(),
            ..ContainerFacts::default()
        }
    }

    fn probes(of: &[(&str, &str, &str)]) -> Probes {
        let mut probes = Probes::default();
        for (root, id, pod) in of {
            let key = Key::Group((*root).to_owned());
            let reading = HealthReading {
                time: 1,
                state: profiler_analysis::verdict::State::Steady,
                growth: crate::health::Growth::default(),
                bytes: 1,
                limit: None,
                limit_alone: None,
                time_to_limit_seconds: None,
            };
            let facts = ContainerFacts {
                root: (*root).to_owned(),
                ..container(id, pod)
            };
            probes.observe(&key, &facts, reading);
        }
        probes
    }

    #[test]
    fn a_container_is_found_by_the_beginning_of_its_id() {
        let probes = probes(&[("/p/a", "abc1", "p"), ("/p/b", "abd2", "p"), ("/c", "", "")]);
        let of = |prefix| probes.container(prefix, BootTime(2));
        assert!(matches!(of("abc"), Lookup::Found(_)));
        assert_eq!(of("ab"), Lookup::Ambiguous(2));
        assert_eq!(of("x"), Lookup::Unknown);
        assert!(matches!(probes.pod("p", BootTime(2)), Lookup::Found(_)));
        assert_eq!(probes.pod("", BootTime(2)), Lookup::Unknown);
    }

    #[test]
    fn what_is_gone_is_not_known_any_more() {
        let mut probes = probes(&[("/a", "abc1", "")]);
        assert!(!probes.ready());
        probes.retain(|_| false);
        assert!(probes.ready());
        assert_eq!(probes.container("abc1", BootTime(2)), Lookup::Unknown);
    }

    #[test]
    fn a_stranger_does_not_answer_for_a_container_or_pod() {
        let own = ("/kubepods/podp/abc1", "abc1", "p");
        let user = "/user.slice/user-1.slice/user@1.service";
        let found = |stranger: (&str, &str, &str)| {
            let probes = probes(&[own, stranger]);
            let now = BootTime(2);
            (probes.container("abc1", now), probes.pod("p", now))
        };
        let is_found = |lookup| matches!(lookup, Lookup::Found(_));
        let (container, pod) = found((&format!("{user}/docker-abc1.scope"), "abc1", "p"));
        assert!(is_found(container) && is_found(pod));
        let (container, pod) = found(("/docker/x/kubepods/podp/abc1", "abc1@x", "p"));
        assert!(is_found(container) && is_found(pod));
        // Of a service that may make cgroups below its own.
        let (container, pod) = found(("/system.slice/a.service/podp/abc1", "abc1", "p"));
        assert_eq!(
            (container, pod),
            (Lookup::Ambiguous(2), Lookup::Ambiguous(2))
        );
        let probes = probes(&[own, ("/kubepods/podp/abc2", "abc2", "p")]);
        assert!(is_found(probes.pod("p", BootTime(2))));
        assert_eq!(probes.container("", BootTime(2)), Lookup::Ambiguous(2));
    }
}
