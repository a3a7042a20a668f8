//! What others get to see: snapshots for the history, and answers about now.

use std::{sync::Arc, time::Duration};

use super::{Pipeline, clock, lock};
use crate::{
    export::{Ask, CapabilityFacts, Fresh, LossFacts, Moment, RangesAnswer, StatusFacts},
    ids::BootTime,
    process::{Process, State},
    profile::{ContainerFacts, NodeFacts, ProcessEntry, Snapshot, TargetInfo, TargetState},
};

/// Questions answered in one turn at the most.
const ANSWERS_PER_TURN: usize = 8;

impl Pipeline {
    /// Adds the present to the history, and hands it to those that export it.
    pub(super) fn keep_snapshot(&mut self, now: BootTime) {
        let moment = self.moment(now);
        let mut history = lock(&self.links.history);
        history.push(&moment.snapshot);
        let oldest = history.status().oldest;
        drop(history);
        if let Some(oldest) = oldest {
            self.books.growth.group_exited_before(oldest);
        }
        for exporter in &mut self.links.exporters {
            exporter.export(&moment);
        }
    }

    /// The present, as exporters get it.
    pub(super) fn moment(&mut self, now: BootTime) -> Moment {
        let snapshot = Arc::new(self.snapshot(now));
        let table = &self.table;
        let lives = |process| table.by_handle(process).is_some();
        let load = Arc::new(self.books.connections.load(lives));
        Moment { snapshot, load }
    }

    fn snapshot(&mut self, now: BootTime) -> Snapshot {
        for process in self.table.iter() {
            let known = self.books.growth.info(process.handle);
            match process.state {
                // A filter leaves it out now: for answers, it has ended.
                State::Ignored if known.is_some_and(|info| info.exited.is_none()) => {
                    self.books.growth.exited(process.handle, now);
                }
                State::Ignored | State::Exited => {}
                // What cannot be followed is listed too, so that nobody looks for it in vain.
                State::Unsupported => self
                    .books
                    .growth
                    .observe(process.handle, target_info(process, &self.settings.node)),
                _ if known.is_some() => self
                    .books
                    .growth
                    .observe(process.handle, target_info(process, &self.settings.node)),
                _ => {}
            }
        }
        let Self { books, spaces, .. } = self;
        books.growth.snapshot(now, |process| spaces.fold(process))
    }

    /// Answers what was asked since the last turn.
    pub(super) fn answer(&mut self) {
        for _ in 0..ANSWERS_PER_TURN {
            let Ok(ask) = self.links.asks.try_recv() else {
                return;
            };
            match ask {
                Ask::Snapshot(reply) => {
                    if reply.is_closed() {
                        continue;
                    }
                    let snapshot = Arc::new(self.snapshot(clock::now()));
                    let facts = Arc::new(self.facts());
                    // The asker may have gone away meanwhile.
                    let _ = reply.send(Fresh { snapshot, facts });
                }
                Ask::Connections(reply) => {
                    if reply.is_closed() {
                        continue;
                    }
                    let began = clock::now();
                    self.sweep();
                    let mut connections = self.books.connections.view(clock::now());
                    connections.cost = Duration::from_nanos(clock::now().0 - began.0);
                    let _ = reply.send(Arc::new(connections));
                }
                Ask::Ranges { pid, reply } => {
                    let _ = reply.send(self.ranges(pid));
                }
            }
        }
    }

    fn ranges(&self, pid: u32) -> Option<RangesAnswer> {
        let process = self.table.get(pid)?;
        if process.state == State::Ignored {
            return None;
        }
        let ledger = self.spaces.ledger_of(process.handle)?;
        let fold = self.spaces.fold(process.handle);
        let target = self.books.growth.entry(process.handle, fold.as_ref())?;
        Some(RangesAnswer {
            target: ProcessEntry {
                info: Arc::new(target_info(process, &self.settings.node)),
                ..target
            },
            ranges: ledger.ranges().collect(),
        })
    }

    fn facts(&self) -> StatusFacts {
        let counts = self.table.counts();
        let stacks = self.stacks.counters();
        StatusFacts {
            started: self.started,
            capabilities: self.capabilities(),
            counters: self.counters.to_vec(),
            losses: self.loss_facts(),
            processes_observed: counts.observed + counts.stale,
            processes_ignored: counts.ignored,
            processes_unsupported: counts.unsupported,
            processes_counting: counts.counting,
            capture_interval: self.budget.default_interval(),
            stacks_complete: stacks.complete,
            stacks_truncated: stacks.truncated_total(),
            stacks: u32::try_from(self.stacks.stacks()).unwrap_or(u32::MAX),
            modules: u32::try_from(self.stacks.modules()).unwrap_or(u32::MAX),
            notes: self.notes(),
        }
    }

    fn capabilities(&self) -> Vec<CapabilityFacts> {
        let facts = self.served().iter().map(|served| CapabilityFacts {
            name: served.name.to_owned(),
            chosen: served.chosen.map_or("", |way| way.name()).to_owned(),
            refused: served.refused.clone(),
        });
        facts.collect()
    }

    fn loss_facts(&self) -> Vec<LossFacts> {
        let mut facts = self.losses.facts();
        let stacks = self.stacks.counters().losses().into_iter();
        facts.extend(stacks.chain(self.names.losses()).map(|loss| LossFacts {
            cause: loss.name,
            count: loss.count,
            meaning: loss.meaning,
        }));
        facts.push(LossFacts {
            cause: "captures_orphaned",
            count: self.waiting.orphans(),
            meaning: "captured stacks whose operation was lost: they count for nothing",
        });
        facts.push(LossFacts {
            cause: "touched_pages_full",
            count: self.spaces.pages_refused(),
            meaning: "sampled pages beyond the bound of those that are kept: resident bytes by \
                      stack are too low by their weight",
        });
        facts.push(LossFacts {
            cause: "ranges_folded",
            count: self.spaces.folded(),
            meaning: "ranges that lost their owner, because their process has more than one \
                      ledger holds",
        });
        facts.push(self.kills.loss());
        facts.extend(super::losses::of_table(&self.books.growth.status()));
        facts.extend(super::losses::of_processes(&self.table.counters()));
        facts.extend(super::losses::of_connections(
            &self.books.connections.counters(),
        ));
        let exporters = self.links.exporters.iter();
        facts.extend(exporters.flat_map(|exporter| exporter.losses()));
        facts
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let raised = self.budget.raised();
        if raised > 0 {
            notes.push(format!(
                "{raised} processes demand so much memory that their stacks are captured less \
                 often than every {} bytes; sums stay unbiased, their spread is wider",
                self.settings.capture_interval
            ));
        }
        let given_up = self.given_up.len();
        if given_up > 0 {
            notes.push(format!(
                "{given_up} processes with very many mappings are only counted, because all \
                 ledgers together are full"
            ));
        }
        let counting = (self.table.counts().counting as usize).saturating_sub(given_up);
        if counting > 0 {
            notes.push(format!(
                "{counting} processes storm (up to {} operations a second are followed) and are \
                 only counted until they calm down",
                self.settings.storm_per_second
            ));
        }
        let grouped = self.books.growth.status().exited_grouped;
        if grouped > 0 {
            notes.push(format!(
                "{grouped} processes that have ended are no longer kept apart: those of one name \
                 and container are shown as one, without a pid"
            ));
        }
        let exporters = self.links.exporters.iter();
        notes.extend(exporters.flat_map(|exporter| exporter.notes()));
        notes
    }
}

/// Its cgroup could not be read.
fn unknown_container() -> ContainerFacts {
    ContainerFacts {
        name: "unknown".to_owned(),
        ..ContainerFacts::default()
    }
}

/// A process as answers show it.
pub(super) fn target_info(process: &Process, node: &Arc<NodeFacts>) -> TargetInfo {
    let container = process
        .container
        .as_deref()
        .map_or_else(unknown_container, |known| ContainerFacts {
            id: if known.is_container() {
                known.id.clone()
            } else {
                String::new()
            },
            name: known.id.clone(),
            kind: known.kind.as_str().to_owned(),
            root: known.root.clone(),
            cgroup: known.cgroup.clone(),
            unit: known.unit.clone().unwrap_or_default(),
            pod_uid: known.pod_uid.clone().unwrap_or_default(),
            ..ContainerFacts::default()
        });
    TargetInfo {
        pid: process.pid,
        namespace_pid: process.namespace_pid,
        name: process.name.clone(),
        executable: process.executable.as_str().into(),
        container: Arc::new(container),
        node: Arc::clone(node),
        started: process.began,
        state: match process.state {
            State::Stale => TargetState::Stale,
            State::Counting => TargetState::Counting,
            State::Unsupported => TargetState::Unsupported,
            State::Observed | State::Ignored | State::Exited => TargetState::Observed,
        },
        exited: None,
    }
}
