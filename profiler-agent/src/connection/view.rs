//! The table at one moment, as answers are made from it.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use profiler_analysis::pattern::Evidence;

use super::{
    class::ClassKey,
    peer::{Peer, PeerId},
    record::Connection,
    table::{ConnectionTable, TableCounters},
};
use crate::ids::{BootTime, Cookie};

/// Connections of one class whose evidence is looked at: the newest.
const EVIDENCE: usize = 512;

/// A class of connections with its evidence.
#[derive(Clone, Debug)]
pub struct Class {
    /// What they have in common.
    pub key: ClassKey,
    /// How many are kept, or were and left their evidence.
    pub connections: u64,
    /// Of them closed.
    pub closed: u64,
    /// Receiving calls of those that are kept.
    pub calls: u64,
    /// Demanded on behalf of those that are kept.
    pub allocated: u64,
    /// Of that, still there.
    pub live: u64,
    /// Of that, on behalf of closed ones.
    pub live_after_close: u64,
    /// By connection.
    pub evidence: Vec<Evidence>,
}

/// All connections at one moment.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    /// The moment.
    pub time: BootTime,
    /// Those that are kept, in no particular order.
    pub connections: Vec<Connection>,
    /// Totals of those that are not.
    pub peers: BTreeMap<PeerId, Peer>,
    /// Where folded ones went; none: to those that are not kept apart.
    pub folded: HashMap<Cookie, Option<PeerId>>,
    /// Classes with growth.
    pub classes: Vec<Class>,
    /// How many are open.
    pub open: u64,
    /// What could not be kept.
    pub counters: TableCounters,
    /// What it took to make this.
    pub cost: Duration,
}

impl ConnectionTable {
    /// The table now.
    pub fn view(&self, time: BootTime) -> Connections {
        Connections {
            time,
            connections: self.connections.values().cloned().collect(),
            peers: self.peers.clone(),
            folded: self.folded.clone(),
            classes: self.classes(),
            open: self.open() as u64,
            counters: self.counters,
            cost: Duration::ZERO,
        }
    }

    fn classes(&self) -> Vec<Class> {
        let mut classes: HashMap<ClassKey, Gathered<'_>> = HashMap::new();
        for (key, evidence) in self.retired.iter() {
            let class = classes.entry(key.clone()).or_default();
            class.retired.push(evidence);
        }
        for connection in self.connections.values() {
            if let Some(key) = ClassKey::of(connection) {
                classes.entry(key).or_default().kept.push(connection);
            }
        }
        let grown = classes.into_iter().filter(|(_, class)| class.has_growth());
        grown.map(|(key, class)| class.into_class(key)).collect()
    }
}

/// The connections of one class.
#[derive(Default)]
struct Gathered<'a> {
    kept: Vec<&'a Connection>,
    retired: Vec<&'a Evidence>,
}

impl Gathered<'_> {
    fn has_growth(&self) -> bool {
        let retired = self.retired.iter().any(|one| one.allocated > 0);
        retired || self.kept.iter().any(|one| one.allocated > 0)
    }

    fn into_class(mut self, key: ClassKey) -> Class {
        let sum = |figure: fn(&Connection) -> u64| {
            let figures = self.kept.iter().map(|one| figure(one));
            figures.fold(0, u64::saturating_add)
        };
        let class = Class {
            key,
            connections: (self.kept.len() + self.retired.len()) as u64,
            closed: sum(|one| u64::from(one.closed.is_some())) + self.retired.len() as u64,
            calls: sum(|one| {
                one.facts
                    .as_ref()
                    .map_or(0, |facts| facts.traffic.received_calls)
            }),
            allocated: sum(|one| one.allocated),
            live: sum(Connection::live),
            live_after_close: sum(|one| one.closed.map_or(0, |_| one.live())),
            evidence: Vec::new(),
        };
        self.kept
            .sort_unstable_by_key(|one| std::cmp::Reverse(one.opened()));
        self.kept.truncate(EVIDENCE);
        let kept = self.kept.iter().map(|one| one.evidence());
        let mut evidence: Vec<Evidence> =
            kept.chain(self.retired.iter().copied().cloned()).collect();
        evidence.sort_unstable_by_key(|one| one.opened);
        let surplus = evidence.len().saturating_sub(EVIDENCE);
        evidence.drain(..surplus);
        Class { evidence, ..class }
    }
}
