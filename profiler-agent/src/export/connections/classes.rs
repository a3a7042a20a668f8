//! What becomes of the memory of each class of connections.

use std::{cmp::Reverse, collections::HashMap, net::SocketAddr};

use profiler_analysis::pattern::{self, Basis, Judgement};
use profiler_proto::v1;
use profiler_query::answer::Selection;

use super::wire;
use crate::{
    connection::{Address, Class, ClassKey, Connection, Connections},
    ids::ProcessHandle,
    profile::TargetInfo,
};

/// Classes that are judged: those with the most growth.
const CLASSES: usize = 200;

/// The patterns of the classes with growth.
pub(super) struct Patterns<'a> {
    judged: Vec<(&'a Class, Judgement)>,
    by_key: HashMap<&'a ClassKey, v1::Pattern>,
    total: usize,
}

impl<'a> Patterns<'a> {
    pub(super) fn new(connections: &'a Connections, selection: &Selection) -> Self {
        let classes = connections.classes.iter();
        let chosen = classes.filter(|class| selection.has(class.key.process));
        let mut chosen: Vec<&Class> = chosen.collect();
        chosen.sort_unstable_by_key(|class| Reverse(class.allocated));
        let total = chosen.len();
        chosen.truncate(CLASSES);
        let judged: Vec<_> = chosen
            .into_iter()
            .map(|class| (class, pattern::judge(&class.evidence)))
            .collect();
        let by_key = judged.iter();
        Self {
            by_key: by_key
                .map(|(class, judgement)| (&class.key, to_wire(judgement.pattern)))
                .collect(),
            judged,
            total,
        }
    }

    /// How many classes with growth there are.
    pub(super) fn total(&self) -> u32 {
        u32::try_from(self.total).unwrap_or(u32::MAX)
    }

    /// Of a connection's class; unspecified where it has no growth.
    pub(super) fn of(&self, connection: &Connection) -> v1::Pattern {
        let key = ClassKey::of(connection);
        let known = key.and_then(|key| self.by_key.get(&key).copied());
        known.unwrap_or_default()
    }

    /// For the wire, most live bytes first.
    pub(super) fn classes(
        &self,
        info: impl Fn(ProcessHandle) -> Option<&'a TargetInfo>,
    ) -> Vec<v1::ConnectionClass> {
        let mut judged: Vec<_> = self.judged.iter().collect();
        judged.sort_by_key(|(class, _)| (Reverse(class.live), &class.key));
        let classes = judged.into_iter();
        classes
            .map(|(class, judgement)| class_to_wire(class, judgement, info(class.key.process)))
            .collect()
    }
}

fn to_wire(pattern: pattern::Pattern) -> v1::Pattern {
    match pattern {
        pattern::Pattern::Undetermined => v1::Pattern::Undetermined,
        pattern::Pattern::RetainedWhileOpen => v1::Pattern::RetainedWhileOpen,
        pattern::Pattern::BoundedPerConnection => v1::Pattern::BoundedPerConnection,
        pattern::Pattern::RetainedAfterClose => v1::Pattern::RetainedAfterClose,
        pattern::Pattern::PerRequest => v1::Pattern::PerRequest,
        pattern::Pattern::NoGrowth => v1::Pattern::NoGrowth,
    }
}

fn class_to_wire(
    class: &Class,
    judgement: &Judgement,
    info: Option<&TargetInfo>,
) -> v1::ConnectionClass {
    let late = judgement.late_growth;
    v1::ConnectionClass {
        node: info.map_or_else(String::new, |info| info.node.name.clone()),
        pid: info.map_or(0, |info| info.pid),
        process_name: info.map_or_else(String::new, |info| info.name.clone()),
        container_id: info.map_or_else(String::new, |info| info.container.id.clone()),
        kind: wire::kind(class.key.kind).into(),
        role: wire::role(class.key.role).into(),
        protocol: wire::protocol(class.key.protocol).into(),
        endpoint: endpoint(&class.key),
        pattern: to_wire(judgement.pattern).into(),
        basis: match judgement.basis {
            None => v1::ReleaseBasis::Unspecified,
            Some(Basis::Committed) => v1::ReleaseBasis::Committed,
            Some(Basis::Refill) => v1::ReleaseBasis::Refill,
        }
        .into(),
        reason: judgement.reason.clone(),
        connections: class.connections,
        closed: class.closed,
        judged: judgement.judged,
        received_calls: class.calls,
        committed_allocated_bytes: class.allocated,
        committed_live_bytes: class.live,
        live_after_close_bytes: class.live_after_close,
        late_growth: late.map(|late| late.value),
        late_growth_low: late.map(|late| late.low),
        late_growth_high: late.map(|late| late.high),
        released_share: judgement.released_share,
        refill_ratio: judgement.refill_ratio,
        bytes_per_connection: judgement.bytes_per_connection,
        bytes_per_call: judgement.bytes_per_call,
    }
}

fn endpoint(key: &ClassKey) -> String {
    match (&key.address, key.port) {
        (Address::None, 0) => String::new(),
        (Address::None, port) => format!(":{port}"),
        (Address::Ip(address), port) => SocketAddr::new(*address, port).to_string(),
        (path, _) => path.to_string(),
    }
}
