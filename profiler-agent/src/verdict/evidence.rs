//! What stacks and connections say about growth: demand, not retention (tier C). It takes names, so
//! that it is looked up only for what grows, and only now and then.

use std::{
    cmp::Reverse,
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use profiler_proto::v1::{self, GroupBy, Pattern};
use profiler_query::answer::{
    NameStacks, Selection, Shape, connections::ConnectionFacts, verdicts::worst_first,
};
use tokio::sync::{mpsc, oneshot};

use super::{
    book::Entry,
    key::Key,
    kill::selection,
    shared::{Shared, lock, read, write},
    words::{grows, size},
};
use crate::{
    connection::Connections,
    export::{Ask, Sources, classes},
    ids::{BootTime, Cookie, PeerId},
    profile::{Growth, History, Snapshot},
};

/// How far back the growth of stacks is looked at.
const BEFORE: u64 = 3_600_000_000_000;
/// From one look to the next at the least.
const EVERY: Duration = Duration::from_secs(60);
/// Series that are looked at in one round: the worst.
const SERIES: usize = 20;
/// Frames of a stack that are told.
const FRAMES: usize = 4;

/// Looks things up.
pub(super) struct Explain {
    pub(super) node: String,
    names: Arc<dyn NameStacks>,
    history: Arc<Mutex<History>>,
    asks: mpsc::Sender<Ask>,
    every: Duration,
    looked: BootTime,
}

impl Explain {
    /// `window`: of the series; evidence is looked up once in it, or in a minute.
    pub(super) fn new(sources: &Sources, window: Duration) -> Self {
        Self {
            node: sources.node.name.clone(),
            names: Arc::clone(&sources.names),
            history: Arc::clone(&sources.history),
            asks: sources.asks.clone(),
            every: EVERY.min(window),
            looked: BootTime(0),
        }
    }

    /// Gives what grows its evidence, if it is time.
    pub(super) fn explain(&mut self, shared: &Shared, snapshot: &Snapshot) {
        let since = Duration::from_nanos(snapshot.time.0.saturating_sub(self.looked.0));
        if since < self.every {
            return;
        }
        self.looked = snapshot.time;
        let growing = growing(shared, snapshot);
        if growing.is_empty() {
            return;
        }
        let connections = self.connections();
        let from = BootTime(snapshot.time.0.saturating_sub(BEFORE));
        let found = growing.into_iter().map(|(key, selection)| {
            let stack = self.stack(from, snapshot, &selection);
            let connections = connections.as_deref();
            let class = connections.and_then(|all| held(&classes(all, &selection, snapshot)));
            (key, stack.into_iter().chain(class).collect())
        });
        let found: HashMap<Key, Vec<v1::Evidence>> = found.collect();
        let mut book = write(&shared.book);
        for (key, evidence) in found {
            if let Some(entry) = book.entries.get_mut(&key) {
                entry.evidence = evidence;
            }
        }
    }

    /// Growth by stack since a moment, or since as far back as anything is kept: the largest first,
    /// and since when. Blocks while frames are named.
    pub(super) fn growth(
        &self,
        from: BootTime,
        snapshot: &Snapshot,
        selection: &Selection,
        rows: u32,
    ) -> (Vec<v1::GrowthRow>, BootTime) {
        let before = {
            let history = lock(&self.history);
            let oldest = history.status().oldest.unwrap_or(from);
            history.at(from.max(oldest)).ok()
        };
        let growth = match before.map(|recall| recall.snapshot()) {
            Some(before) if before.time < snapshot.time => {
                Growth::between(&before, snapshot, &HashMap::new())
            }
            _ => Growth::since_start(snapshot),
        };
        let since = growth.from.unwrap_or(snapshot.time);
        let Ok(shape) = Shape::new(GroupBy::Stack.into(), 0, rows, false, true) else {
            return (Vec::new(), since);
        };
        let found = shape.rows(&growth, selection, &*self.names, &NoConnections);
        (found.rows, since)
    }

    fn stack(
        &self,
        from: BootTime,
        snapshot: &Snapshot,
        selection: &Selection,
    ) -> Option<v1::Evidence> {
        let (rows, since) = self.growth(from, snapshot, selection, 1);
        let row = rows
            .into_iter()
            .next()
            .filter(|row| row.live_delta_bytes > 0)?;
        let minutes = (snapshot.time.0 - since.0.min(snapshot.time.0)) / 60_000_000_000;
        let bytes = row.live_delta_bytes as f64;
        Some(v1::Evidence {
            name: "top_stack".to_owned(),
            tier: v1::EvidenceTier::C.into(),
            text: format!(
                "of what was demanded in {minutes} min and is still there, the most ({}) by {}: \
                 who demanded it, not who retains it",
                size(bytes),
                frames(&row),
            ),
            figure: bytes,
            unit: "bytes".to_owned(),
        })
    }

    /// None while the agent ends. Waits for the pipeline.
    fn connections(&self) -> Option<Arc<Connections>> {
        let (reply, answer) = oneshot::channel();
        self.asks.blocking_send(Ask::Connections(reply)).ok()?;
        answer.blocking_recv().ok()
    }
}

/// Rows by stack have no connections.
struct NoConnections;

impl ConnectionFacts for NoConnections {
    fn connection(&self, _: &str, _: Cookie) -> Option<v1::Connection> {
        None
    }

    fn peer(&self, _: PeerId) -> Option<v1::Connection> {
        None
    }

    fn knows(&self, _: Cookie) -> bool {
        false
    }

    fn was_folded(&self, _: Cookie) -> bool {
        false
    }
}

/// The worst of what grows.
fn growing(shared: &Shared, snapshot: &Snapshot) -> Vec<(Key, Selection)> {
    let clocks = shared.clock.read();
    let book = read(&shared.book);
    let is_growing = |key: &Key| {
        let verdict = book.engine.verdict(key);
        verdict.is_some_and(|verdict| grows(verdict.judgement.state))
    };
    let all = book.entries.iter().filter(|(key, _)| is_growing(key));
    let mut all: Vec<(v1::Verdict, &Key, &Entry)> = all
        .filter_map(|(key, entry)| {
            let verdict = book.verdict(key, clocks)?;
            Some((verdict, key, entry))
        })
        .collect();
    all.sort_by(|one, other| worst_first(&one.0, &other.0));
    all.truncate(SERIES);
    let all = all.into_iter();
    all.map(|(_, key, entry)| (key.clone(), selection(key, Some(entry), snapshot)))
        .collect()
}

/// The class of connections that holds the most, if it holds anything for longer than it should.
fn held(classes: &[v1::ConnectionClass]) -> Option<v1::Evidence> {
    let holds = |class: &&v1::ConnectionClass| {
        matches!(
            class.pattern(),
            Pattern::RetainedWhileOpen | Pattern::RetainedAfterClose | Pattern::PerRequest
        )
    };
    let most = classes.iter().filter(holds);
    let class = most.min_by_key(|class| Reverse(class.committed_live_bytes))?;
    let pattern = match class.pattern() {
        Pattern::RetainedWhileOpen => "retained while they are open",
        Pattern::RetainedAfterClose => "retained after they were closed",
        _ => "retained for each request",
    };
    Some(v1::Evidence {
        name: "connections".to_owned(),
        tier: v1::EvidenceTier::C.into(),
        text: format!(
            "memory that was demanded on behalf of connections with {} is {pattern} ({} live): {}",
            class.endpoint,
            size(class.committed_live_bytes as f64),
            class.reason,
        ),
        figure: class.committed_live_bytes as f64,
        unit: "bytes".to_owned(),
    })
}

/// Leaf first, those that have a name.
fn frames(row: &v1::GrowthRow) -> String {
    let named = row.frames.iter().filter(|frame| !frame.function.is_empty());
    let names: Vec<&str> = named
        .map(|frame| frame.function.as_str())
        .take(FRAMES)
        .collect();
    match (names.is_empty(), row.frames.first()) {
        (false, _) => names.join(" < "),
        (true, Some(frame)) => format!("code of {} without names", frame.module),
        (true, None) => "a stack without frames".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(pattern: Pattern, bytes: u64) -> v1::ConnectionClass {
        v1::ConnectionClass {
            pattern: pattern.into(),
            endpoint: format!("peer {bytes}"),
            committed_live_bytes: bytes,
            ..v1::ConnectionClass::default()
        }
    }

    #[test]
    fn of_the_classes_that_hold_memory_the_largest_is_told() {
        let classes = [
            class(Pattern::BoundedPerConnection, 900),
            class(Pattern::PerRequest, 200),
            class(Pattern::RetainedAfterClose, 300),
        ];
        let told = held(&classes).expect("one of them holds");
        assert_eq!(told.tier(), v1::EvidenceTier::C);
        assert!(told.text.contains("peer 300"), "{}", told.text);
        assert!(held(&classes[..1]).is_none());
    }

    #[test]
    fn frames_without_names_are_told_by_their_module() {
        let frame = |function: &str| v1::Frame {
            function: function.to_owned(),
            module: "/lib/x.so".to_owned(),
            ..v1::Frame::default()
        };
        let row = |functions: &[&str]| v1::GrowthRow {
            frames: functions.iter().copied().map(frame).collect(),
            ..v1::GrowthRow::default()
        };
        let named = row(&["a", "", "b", "c", "d", "e"]);
        assert_eq!(frames(&named), "a < b < c < d");
        assert_eq!(frames(&row(&[""])), "code of /lib/x.so without names");
        assert_eq!(frames(&row(&[])), "a stack without frames");
    }
}
