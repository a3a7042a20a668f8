//! OOM kills as answers carry them.

use profiler_proto::v1;
use profiler_query::answer::{Clocks, Selection, seconds_between, target};

use super::{
    book::{Book, Entry},
    evidence::Explain,
    key::Key,
    words,
};
use crate::{
    event::Constraint,
    export::Kill,
    ids::{BootTime, ProcessHandle},
    profile::{ProcessEntry, Snapshot},
    resident::is_in_group,
};

/// Growth of so long before a kill is shown, by so many rows.
const BEFORE: u64 = 15 * 60 * 1_000_000_000;
const ROWS: u32 = 10;

impl Explain {
    /// A kill that the kernel's event told of, without its growth.
    pub(super) fn kill(
        &self,
        book: &Book,
        kill: &Kill,
        victim: Option<&ProcessEntry>,
        key: Option<&Key>,
        clocks: Clocks,
    ) -> Pending {
        let of_victim = victim.map(|one| target(&one.info, &one.totals, clocks));
        let name = match (kill.name.as_str(), victim) {
            ("", Some(one)) => one.info.name.clone(),
            (name, _) => name.to_owned(),
        };
        let known = v1::OomKill {
            node: self.node.clone(),
            target: of_victim,
            pid: kill.pid,
            process_name: name,
            constraint: match kill.constraint {
                Some(Constraint::Cgroup) => "cgroup",
                Some(Constraint::Host) => "host",
                None => "",
            }
            .to_owned(),
            source: "mark_victim".to_owned(),
            victim_anon_bytes: kill.anon_bytes,
            ..v1::OomKill::default()
        };
        with_past(known, book, key, &kill.moment.snapshot, kill.time, clocks)
    }

    /// Kills that only the cgroups' counters told of, likewise.
    pub(super) fn counted_kills(
        &self,
        book: &Book,
        counted: &[(Key, u64)],
        snapshot: &Snapshot,
        clocks: Clocks,
    ) -> Vec<Pending> {
        let each = counted.iter().filter_map(|(key, count)| {
            let entry = book.entries.get(key)?;
            let known = v1::OomKill {
                node: self.node.clone(),
                target: Some(book.target(key, entry, clocks)),
                source: "memory.events".to_owned(),
                ..v1::OomKill::default()
            };
            let kill = with_past(known, book, Some(key), snapshot, snapshot.time, clocks);
            // More of them in one round are bounded by what a round may count.
            Some(vec![kill; (*count).min(COUNTED_MAX) as usize])
        });
        each.flatten().collect()
    }

    /// Adds the growth before it. Blocks while frames are named.
    pub(super) fn finish(&self, pending: Pending, snapshot: &Snapshot) -> v1::OomKill {
        let Pending {
            kill,
            selection,
            time,
        } = pending;
        let Some(selection) = selection else {
            return kill;
        };
        let (growth, since) = self.growth(before(time), snapshot, &selection, ROWS);
        v1::OomKill {
            growth,
            growth_seconds: seconds_between(since, time),
            ..kill
        }
    }
}

/// A kill whose growth is still to be looked up.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    kill: v1::OomKill,
    /// The processes whose growth it is; none: nothing is known of the victim.
    selection: Option<Selection>,
    time: BootTime,
}

impl Pending {
    /// Of whose past it is a part; none if nothing is known of it.
    pub(super) fn lineage(&self) -> Option<&str> {
        self.selection.as_ref().map(|_| self.kill.lineage.as_str())
    }

    pub(super) fn without_growth(self) -> v1::OomKill {
        self.kill
    }
}

fn before(time: BootTime) -> BootTime {
    BootTime(time.0.saturating_sub(BEFORE))
}

fn with_past(
    known: v1::OomKill,
    book: &Book,
    key: Option<&Key>,
    snapshot: &Snapshot,
    time: BootTime,
    clocks: Clocks,
) -> Pending {
    let wall = Some(clocks.to_wall(time));
    let Some(key) = key else {
        let kill = v1::OomKill {
            time: wall,
            ..known
        };
        return Pending {
            kill,
            selection: None,
            time,
        };
    };
    let oldest = clocks.to_wall(before(time)).seconds;
    let is_recent = |point: &v1::ResidentPoint| {
        point
            .time
            .as_ref()
            .is_some_and(|time| time.seconds >= oldest)
    };
    let points = book.points(key, clocks).into_iter();
    let state = book
        .engine
        .verdict(key)
        .map(|verdict| verdict.judgement.state);
    let life = book.lives.get(key);
    let kill = v1::OomKill {
        time: wall,
        resident: book.resident(key, clocks),
        lineage: life
            .map(|life| life.identity.id.clone())
            .unwrap_or_default(),
        state_before: state.map(words::state).unwrap_or_default().into(),
        points: points.filter(is_recent).collect(),
        ..known
    };
    Pending {
        kill,
        selection: Some(selection(key, book.entries.get(key), snapshot)),
        time,
    }
}

/// Kills of one container that are written down one by one in a round.
const COUNTED_MAX: u64 = 8;

/// The processes of a container, those that have ended too, or the one process.
pub(super) fn selection(key: &Key, entry: Option<&Entry>, snapshot: &Snapshot) -> Selection {
    let handles = match key {
        Key::Group(root) => {
            let all = snapshot.processes.iter();
            let is_in = |one: &&ProcessEntry| {
                one.info.container.root == *root && is_in_group(&one.info.container)
            };
            all.filter(is_in).map(|one| one.handle).collect()
        }
        Key::Process { .. } => {
            let members = entry.map(|entry| entry.group.members.iter());
            let handle = |member: &crate::resident::Member| -> ProcessHandle { member.handle };
            members.into_iter().flatten().map(handle).collect()
        }
    };
    Selection::Some(handles)
}
