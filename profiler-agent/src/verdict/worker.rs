//! The thread: each moment that the pipeline keeps becomes readings, judgements and what is told of
//! them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use profiler_analysis::verdict::{LifeEnd, Sample};

use super::{
    around::Around,
    book::{Book, Entry},
    evidence::Explain,
    identity::Identity,
    key::Key,
    kill::Pending,
    lives::{Life, Look, Who},
    origin::Origin,
    shared::{Shared, lock, read, write},
    state::StateFile,
};
use crate::{
    export::{Kill, Moment},
    ids::{BootTime, ProcessHandle},
    profile::{Snapshot, TargetInfo},
    resident::{self, Figures, Group, Reader, SeriesKey},
};

/// From one writing of the state to the next.
const STATE_EVERY: Duration = Duration::from_secs(60);
/// Kills whose growth is looked up within so many nanoseconds, and of these, of one lineage.
const LOOKUPS: usize = 10;
const LOOKUPS_OF_ONE: usize = 5;
const LOOKUPS_WITHIN: u64 = 60_000_000_000;

/// Judges. All of its work is done between two moments.
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) reader: Reader,
    pub(super) origin: Box<dyn Origin + Send>,
    pub(super) explain: Explain,
    pub(super) state: Option<StateFile>,
    /// When the processes that live started, cut to ticks.
    started: HashMap<ProcessHandle, BootTime>,
    state_written: BootTime,
    /// When growth before kills was looked up, of late, and of which lineage.
    lookups: Vec<(BootTime, String)>,
    /// Whether the kernel's event has told of a kill.
    pub(super) hears_of_kills: bool,
    pub(super) around: Around,
}

/// What a round reads.
pub(super) struct Round<'a> {
    pub(super) moment: &'a Moment,
    pub(super) infos: HashMap<ProcessHandle, &'a Arc<TargetInfo>>,
    pub(super) figures: HashMap<SeriesKey, Figures>,
    /// Series time.
    pub(super) time: u64,
}

impl Worker {
    pub(super) fn new(
        shared: Arc<Shared>,
        origin: Box<dyn Origin + Send>,
        explain: Explain,
        state: Option<StateFile>,
    ) -> Self {
        Self {
            state_written: shared.clock.read().now,
            shared,
            reader: Reader::new(),
            origin,
            explain,
            state,
            started: HashMap::new(),
            lookups: Vec::new(),
            hears_of_kills: false,
            around: Around::default(),
        }
    }

    /// A moment that was kept.
    pub(super) fn moment(&mut self, moment: &Moment) {
        let snapshot = &moment.snapshot;
        // Figures are of when they are read, also where the moment had to wait.
        let now = self.shared.clock.read().now.max(snapshot.time);
        let groups = self.reader.groups(snapshot);
        self.look_up_starts(snapshot);
        let shared = Arc::clone(&self.shared);
        let figures = self.reader.read(&groups).into_iter().collect();
        let mut book = write(&shared.book);
        let round = Round {
            moment,
            infos: snapshot
                .processes
                .iter()
                .map(|one| (one.handle, &one.info))
                .collect(),
            figures,
            time: book.base.to_series(now),
        };
        let clocks = shared.clock.read();
        let mut kills = self.end_what_is_gone(&mut book, &round, clocks);
        let mut counted = Vec::new();
        for group in &groups.groups {
            self.follow(&mut book, &round, group, &mut counted);
        }
        lock(&shared.probes).retain(|key| book.entries.contains_key(key));
        book.snapshot = Arc::clone(snapshot);
        let changes = self.judge(&mut book, round.time, clocks);
        let counted = self
            .explain
            .counted_kills(&book, &counted, snapshot, clocks);
        kills.extend(counted);
        shared
            .losses
            .look(self.reader.losses(), book.engine.status());
        drop(book);
        for kill in kills {
            self.tell_kill(kill, snapshot);
        }
        changes
            .into_iter()
            .for_each(|change| shared.tell_change(change));
        self.explain.explain(&shared, snapshot);
        self.write_state_if_due(snapshot.time);
    }

    /// The kernel killed a process.
    pub(super) fn killed(&mut self, kill: &Kill) {
        let snapshot = &kill.moment.snapshot;
        let shared = Arc::clone(&self.shared);
        let mut book = write(&shared.book);
        let by_handle = |handle| snapshot.processes.iter().find(|one| one.handle == handle);
        let by_pid = || {
            snapshot
                .processes
                .iter()
                .find(|one| one.info.pid == kill.pid && lived_at(&one.info, kill.time))
        };
        let victim = kill.process.and_then(by_handle).or_else(by_pid);
        let who = victim.map(|one| {
            (
                self.key(&one.info, one.handle),
                self.who(&one.info, one.handle),
            )
        });
        let clocks = shared.clock.read();
        let key = who.as_ref().map(|(key, _)| key);
        let told = self.explain.kill(&book, kill, victim, key, clocks);
        if let Some((key, who)) = &who {
            let time = book.base.to_series(kill.time);
            if let Some(mut life) = book.lives.remove(key) {
                if life.killed(*who, time) {
                    book.end(key, &life, time, LifeEnd::OomKilled);
                }
                book.lives.insert(key.clone(), life);
            }
            book.tell_around(key);
        }
        drop(book);
        self.tell_kill(told, snapshot);
    }

    /// With the growth before it, if looking that up does not take the time of others' series.
    fn tell_kill(&mut self, kill: Pending, snapshot: &Snapshot) {
        let kill = match self.may_look_up(&kill, snapshot.time) {
            true => self.explain.finish(kill, snapshot),
            false => kill.without_growth(),
        };
        self.shared.tell_kill(kill);
    }

    fn may_look_up(&mut self, kill: &Pending, now: BootTime) -> bool {
        let is_recent = |time: BootTime| now.0.saturating_sub(time.0) < LOOKUPS_WITHIN;
        self.lookups.retain(|(time, _)| is_recent(*time));
        let Some(lineage) = kill.lineage() else {
            return false;
        };
        let of_it = self.lookups.iter().filter(|(_, one)| one == lineage);
        let may = self.lookups.len() < LOOKUPS && of_it.count() < LOOKUPS_OF_ONE;
        if may {
            self.lookups.push((now, lineage.to_owned()));
        }
        may
    }

    /// The agent ends.
    pub(super) fn finish(&mut self) {
        self.write_state();
        self.shared.close();
    }

    fn look_up_starts(&mut self, snapshot: &Snapshot) {
        let lives = |info: &TargetInfo| info.exited.is_none() && !info.is_group();
        let living = snapshot.processes.iter().filter(|one| lives(&one.info));
        let living: HashMap<_, _> = living.map(|one| (one.handle, one.info.pid)).collect();
        self.started.retain(|handle, _| living.contains_key(handle));
        for (handle, pid) in living {
            if !self.started.contains_key(&handle)
                && let Some(started) = self.origin.started(pid)
            {
                self.started.insert(handle, started);
            }
        }
    }

    fn who(&self, info: &TargetInfo, handle: ProcessHandle) -> Who {
        let started = self.started.get(&handle).copied();
        (info.pid, started.unwrap_or(info.started).0)
    }

    pub(super) fn key(&self, info: &TargetInfo, handle: ProcessHandle) -> Key {
        if resident::is_in_group(&info.container) {
            return Key::Group(info.container.root.clone());
        }
        let (pid, started) = self.who(info, handle);
        Key::Process { pid, started }
    }

    fn follow(
        &self,
        book: &mut Book,
        round: &Round<'_>,
        group: &Group,
        kills: &mut Vec<(Key, u64)>,
    ) {
        let Some((key, look)) = self.look(book, round, group) else {
            return;
        };
        let time = round.time;
        let identity = || Identity::of(look.main, &*self.origin);
        let life = match book.lives.remove(&key) {
            None => Life::begin(&look, identity()),
            Some(mut life) if life.goes_on(&look) => {
                let found = life.take(&look);
                if found.kills > 0 {
                    kills.push((key.clone(), found.kills));
                }
                if found.is_read_otherwise {
                    book.engine.forget(&key);
                    self.begin_anew(book, &key);
                }
                match found.ended {
                    None => self.settled(life, &look, book.window),
                    Some(end) => {
                        self.end(book, &key, &life, time, Some(end));
                        life.next(&look, identity())
                    }
                }
            }
            Some(mut life) => {
                life.look_for_a_kill(&look);
                if !life.is_in_cgroup_of(&look) && life.untold() > 0 {
                    kills.push((key.clone(), life.untold()));
                }
                self.end(book, &key, &life, time, life.gone(time));
                life.next(&look, identity())
            }
        };
        if let Some(figures) = look.figures {
            let sample = Sample {
                time,
                bytes: figures.series_bytes(),
                limit: figures.limit.as_ref().map(|limit| limit.bytes),
                load: life.load,
            };
            book.engine.observe(&key, &life.start, sample);
            self.enter(book, &key, &look, figures);
        }
        book.lives.insert(key, life);
    }

    /// Belonging to what it is found to belong to in its first window.
    fn settled(&self, mut life: Life, look: &Look<'_>, window: u64) -> Life {
        if !life.is_settled(look.time, window)
            && let Some(identity) = Identity::whole(look.main, &*self.origin)
        {
            life.settle(identity);
        }
        life
    }

    /// Another life begins under the same key.
    fn end(&self, book: &mut Book, key: &Key, life: &Life, time: u64, end: Option<LifeEnd>) {
        if let Some(end) = end {
            book.end(key, life, time, end);
        }
        self.begin_anew(book, key);
    }

    /// What was found of the series before does not hold for the next.
    fn begin_anew(&self, book: &mut Book, key: &Key) {
        lock(&self.shared.probes).forget(key);
        if let Some(entry) = book.entries.get_mut(key) {
            entry.evidence.clear();
            entry.forecast = None;
        }
    }

    fn look<'a>(
        &self,
        book: &Book,
        round: &'a Round<'_>,
        group: &'a Group,
    ) -> Option<(Key, Look<'a>)> {
        let members: Vec<(ProcessHandle, Who, &Arc<TargetInfo>)> = group
            .members
            .iter()
            .filter_map(|member| {
                let info = *round.infos.get(&member.handle)?;
                Some((member.handle, self.who(info, member.handle), info))
            })
            .collect();
        let (handle, who, main) = members
            .iter()
            .min_by_key(|(_, (pid, started), _)| (*started, *pid))?;
        let key = self.key(main, *handle);
        let began = book.base.to_series(BootTime(who.1));
        Some((
            key,
            Look {
                time: round.time,
                group,
                main,
                members: members
                    .iter()
                    .map(|(handle, who, _)| (*handle, *who))
                    .collect(),
                began,
                figures: round.figures.get(&group.key),
                load: &round.moment.load,
            },
        ))
    }

    fn enter(&self, book: &mut Book, key: &Key, look: &Look<'_>, figures: &Figures) {
        let before = book.entries.remove(key);
        let entry = Entry {
            group: look.group.clone(),
            main: Arc::clone(look.main),
            figures: figures.clone(),
            time: look.time,
            forecast: before.as_ref().and_then(|before| before.forecast),
            healthy: before.as_ref().is_none_or(|before| before.healthy),
            health_reason: String::new(),
            evidence: before.map(|before| before.evidence).unwrap_or_default(),
        };
        book.entries.insert(key.clone(), entry);
    }

    fn write_state_if_due(&mut self, now: BootTime) {
        let since = Duration::from_nanos(now.0.saturating_sub(self.state_written.0));
        if since >= STATE_EVERY {
            self.state_written = now;
            self.write_state();
        }
    }

    fn write_state(&self) {
        let Some(state) = &self.state else {
            return;
        };
        let (kills, forgotten) = self.shared.kills();
        let body = state.body(&read(&self.shared.book), &kills, forgotten);
        if let Err(error) = body.and_then(|body| state.write(&body)) {
            super::losses::count(&self.shared.losses.state_failed);
            tracing::warn!("the state of verdicts is not written: {error:#}");
        }
    }
}

fn lived_at(info: &TargetInfo, time: BootTime) -> bool {
    info.started <= time && info.exited.is_none_or(|exited| exited >= time)
}

#[cfg(test)]
mod tests;
