//! Where lives begin and end.
//!
//! A container or unit lives as long as its memory cgroup is the same and some process of it goes on
//! from one look to the next. When all of them are others than before, and its memory has fallen as well,
//! it was started again in place; where it has not, the processes have handed it on.
//! When the kernel kills its largest process, what comes after is another life, even if a supervisor
//! beside it goes on. A process lives from its start to its end, or until it becomes another program.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use profiler_analysis::verdict::{LifeEnd, LifeStart, Load};
use serde::{Deserialize, Serialize};

use super::{identity::Identity, key::Key};
use crate::{
    ids::ProcessHandle,
    profile::TargetInfo,
    resident::{Figures, Group, SeriesKey, Source, tenant},
};

/// A process of a life, by pid and start time.
pub(super) type Who = (u32, u64);

/// One look at a group.
#[derive(Debug)]
pub(super) struct Look<'a> {
    /// Series time.
    pub(super) time: u64,
    pub(super) group: &'a Group,
    /// Its oldest process.
    pub(super) main: &'a Arc<TargetInfo>,
    /// Its processes, the largest first.
    pub(super) members: Vec<(ProcessHandle, Who)>,
    /// When the oldest of them started, in series time.
    pub(super) began: u64,
    /// None: it could not be read.
    pub(super) figures: Option<&'a Figures>,
    pub(super) load: &'a HashMap<ProcessHandle, Load>,
}

/// A life that goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Life {
    pub(super) start: LifeStart,
    pub(super) identity: Identity,
    /// Who made it, if it was not the system: a tenant, or anybody on the host.
    pub(super) owner: Option<String>,
    /// The first reading, in series time.
    pub(super) first_look: u64,
    members: BTreeSet<Who>,
    largest: Option<Who>,
    executable: String,
    cgroup: Option<u64>,
    /// By the last reading.
    bytes: u64,
    source: Option<Source>,
    pub(super) load: Load,
    /// The last kill of one of its processes.
    killed: Option<u64>,
    /// It has ended, and what follows has not been seen yet.
    over: bool,
    kills: KillCount,
    #[serde(skip)]
    loads: HashMap<ProcessHandle, Load>,
}

/// Kills by the cgroup's own counter, beside those that the kernel's event told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct KillCount {
    counted: Option<u64>,
    /// Told of by the event, and not seen in the counter yet.
    told: u64,
    /// Counted, and not told of: the event may still come.
    untold: u64,
}

/// What a look found.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Found {
    /// The life before has ended so.
    pub(super) ended: Option<LifeEnd>,
    /// It goes on, and its figures come from elsewhere: they make another series.
    pub(super) is_read_otherwise: bool,
    /// Kills that only the cgroup's counter tells of.
    pub(super) kills: u64,
}

/// A kill counts for the end of a life that comes within this time after it (nanoseconds).
const KILL_COUNTS_FOR: u64 = 60_000_000_000;

impl Life {
    /// Of a key that was not there before.
    pub(super) fn begin(look: &Look<'_>, identity: Identity) -> Self {
        let container = &look.main.container;
        let (label, owner) = match look.group.key {
            SeriesKey::Container(_) => {
                (container.name.clone(), tenant(container).map(str::to_owned))
            }
            SeriesKey::Process(_) => (look.main.pid.to_string(), Some(String::new())),
        };
        let mut life = Self {
            start: LifeStart {
                lineage: identity.id.clone(),
                began: look.began,
                label,
            },
            identity,
            owner,
            first_look: look.time,
            members: BTreeSet::new(),
            largest: None,
            executable: look.main.executable.to_string(),
            cgroup: None,
            bytes: 0,
            source: None,
            load: Load::default(),
            killed: None,
            over: false,
            kills: KillCount::default(),
            loads: HashMap::new(),
        };
        life.kills.counted = look.figures.and_then(|figures| figures.events.oom_kill);
        life.take(look);
        life
    }

    /// What was just made is not yet what it is going to be: the runtime's or a shell's program, on the
    /// host's file system, in another directory. So it is looked at again until its first window is
    /// over.
    pub(super) fn is_settled(&self, time: u64, window: u64) -> bool {
        time.saturating_sub(self.first_look) >= window
    }

    /// It belongs to this.
    pub(super) fn settle(&mut self, identity: Identity) {
        self.start.lineage.clone_from(&identity.id);
        self.identity = identity;
    }

    /// Whether it goes on, as a look at the same key shows it.
    pub(super) fn goes_on(&self, look: &Look<'_>) -> bool {
        let is_process = matches!(look.group.key, SeriesKey::Process(_));
        let cgroup = look.figures.and_then(|figures| figures.life);
        !self.over
            && (self.shares_a_process(look) || self.is_handed_on(look))
            && !(is_process && *self.executable != *look.main.executable)
            && (cgroup.is_none() || self.cgroup.is_none() || cgroup == self.cgroup)
    }

    fn shares_a_process(&self, look: &Look<'_>) -> bool {
        let mut members = look.members.iter();
        members.any(|(_, who)| self.members.contains(who))
    }

    /// Children keep what a parent had that ends: all processes are others, and the memory is there.
    fn is_handed_on(&self, look: &Look<'_>) -> bool {
        look.figures.is_some_and(|figures| {
            figures.life.is_some()
                && figures.life == self.cgroup
                && figures.series_bytes() >= self.bytes / 2
        })
    }

    /// Takes over what a look shows of a life that goes on.
    pub(super) fn take(&mut self, look: &Look<'_>) -> Found {
        let counter = look.figures.and_then(|figures| figures.events.oom_kill);
        let (risen, kills) = self.kills.count(counter);
        self.add_load(look);
        let before = self.largest;
        self.members = look.members.iter().map(|(_, who)| *who).collect();
        self.largest = look.members.first().map(|(_, who)| *who);
        self.cgroup = look
            .figures
            .and_then(|figures| figures.life)
            .or(self.cgroup);
        let source = look.figures.map(|figures| figures.source);
        let is_read_otherwise = self.source.is_some() && source.is_some() && source != self.source;
        if is_read_otherwise {
            self.first_look = look.time;
        }
        self.source = source.or(self.source);
        self.bytes = look.figures.map_or(self.bytes, Figures::series_bytes);
        if risen {
            self.killed = Some(look.time);
        }
        let is_gone = before.is_some_and(|who| !self.members.contains(&who));
        let ended = (risen && is_gone).then_some(LifeEnd::OomKilled);
        self.over |= ended.is_some();
        Found {
            ended,
            is_read_otherwise,
            kills,
        }
    }

    /// The kernel told that it kills a process of it. Whether that ends this life.
    pub(super) fn killed(&mut self, victim: Who, time: u64) -> bool {
        self.kills.tell();
        if time < self.start.began {
            return false;
        }
        self.killed = Some(time);
        let is_all = self.largest == Some(victim) || self.members.len() == 1;
        let ends = !self.over && is_all && self.members.contains(&victim);
        self.over |= ends;
        ends
    }

    /// It does not go on, and its cgroup does: the counter may tell of a kill that no event told of.
    pub(super) fn look_for_a_kill(&mut self, look: &Look<'_>) {
        let counter = look.figures.and_then(|figures| figures.events.oom_kill);
        let risen = self
            .kills
            .counted
            .zip(counter)
            .map(|(before, now)| now.saturating_sub(before));
        if self.is_in_cgroup_of(look) && risen.is_some_and(|risen| risen > self.kills.told) {
            self.killed = Some(look.time);
        }
    }

    /// Kills that its cgroup's counter tells of, and no event has so far.
    pub(super) fn untold(&self) -> u64 {
        self.kills.untold
    }

    /// A kill in a cgroup below its own was told, which its own counter counts too.
    pub(super) fn killed_below(&mut self) {
        self.kills.tell();
    }

    /// A kill that ended it together with its cgroup. Whether it is news.
    pub(super) fn killed_unheard(&mut self, time: u64) -> bool {
        let is_news = self.killed.is_none() && !self.over;
        self.killed = self.killed.or(Some(time));
        is_news
    }

    pub(super) fn is_in_cgroup_of(&self, look: &Look<'_>) -> bool {
        look.figures.and_then(|figures| figures.life) == self.cgroup
    }

    /// It is not there any more. How it ended, unless that was said before.
    pub(super) fn gone(&self, time: u64) -> Option<LifeEnd> {
        let is_recent = |killed: u64| time.saturating_sub(killed) <= KILL_COUNTS_FOR;
        match self.killed {
            _ if self.over => None,
            Some(killed) if is_recent(killed) => Some(LifeEnd::OomKilled),
            _ => Some(LifeEnd::Ended),
        }
    }

    /// The life that comes after it under the same key.
    pub(super) fn next(&self, look: &Look<'_>, identity: Identity) -> Self {
        let mut next = Self::begin(look, identity);
        if self.shares_a_process(look) {
            // A supervisor is older than what it supervises.
            next.start.began = self.killed.unwrap_or(look.time).max(self.start.began + 1);
        }
        let same_cgroup = next.cgroup == self.cgroup;
        if same_cgroup {
            next.kills = self.kills;
        } else {
            next.kills.counted = Some(0);
        }
        next
    }

    /// Load does not fall when a process of a group ends.
    fn add_load(&mut self, look: &Look<'_>) {
        let mut loads = HashMap::new();
        let mut open = 0_u64;
        for (handle, _) in &look.members {
            let Some(load) = look.load.get(handle) else {
                continue;
            };
            let before = self.loads.get(handle).copied().unwrap_or_default();
            let more = |now: u64, before: u64| now.saturating_sub(before);
            let total = &mut self.load;
            total.received_bytes += more(load.received_bytes, before.received_bytes);
            total.received_calls += more(load.received_calls, before.received_calls);
            open = open.saturating_add(load.open_connections);
            loads.insert(*handle, *load);
        }
        self.load.open_connections = open;
        self.loads = loads;
    }
}

impl KillCount {
    fn tell(&mut self) {
        if self.untold > 0 {
            self.untold -= 1;
        } else {
            self.told += 1;
        }
    }

    /// Whether the counter has risen by more than was told, and how many kills of the look before
    /// were never told.
    fn count(&mut self, counter: Option<u64>) -> (bool, u64) {
        let Some(counter) = counter else {
            return (false, 0);
        };
        let risen = counter.saturating_sub(self.counted.unwrap_or(counter));
        self.counted = Some(counter);
        let told = risen.min(self.told);
        self.told -= told;
        let never_told = std::mem::replace(&mut self.untold, risen - told);
        (risen > told, never_told)
    }
}

/// All lives that go on.
pub(super) type Lives = std::collections::BTreeMap<Key, Life>;

#[cfg(test)]
pub(super) mod tests;
