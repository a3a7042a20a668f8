//! What happened: kills, and changes of verdicts, numbered as the stream wants them. Where there is too
//! much the oldest goes of the lineage that has the most: what is killed in a loop pushes out its own.

use std::{
    cmp::Reverse,
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use profiler_proto::v1::{self, event::Kind};

/// Kills that answers are made from, and events that wait for the stream.
const KILLS: usize = 64;
const EVENTS: usize = 256;

/// Kills and events of this run.
#[derive(Debug, Default)]
pub(super) struct Told {
    kills: VecDeque<v1::OomKill>,
    forgotten: u64,
    events: VecDeque<Arc<v1::Event>>,
    last: u64,
    /// Up to which number a stream has taken them; none: there is no stream.
    taken: Option<u64>,
}

impl Told {
    /// Kills of runs before, oldest first.
    pub(super) fn restore(&mut self, kills: Vec<v1::OomKill>, forgotten: u64) {
        self.forgotten = forgotten;
        kills.into_iter().for_each(|kill| self.keep(kill));
    }

    /// Returns how many events went that no stream had taken.
    pub(super) fn kill(&mut self, kill: v1::OomKill) -> u64 {
        self.keep(kill.clone());
        let time = kill.time;
        self.event(time, Kind::OomKill(kill))
    }

    /// The same.
    pub(super) fn change(&mut self, change: v1::VerdictChange) -> u64 {
        let time = change.time;
        self.event(time, Kind::VerdictChange(change))
    }

    /// Oldest first, and how many there were before.
    pub(super) fn kills(&self) -> (Vec<v1::OomKill>, u64) {
        (self.kills.iter().cloned().collect(), self.forgotten)
    }

    /// How many kills there were.
    pub(super) fn count(&self) -> u64 {
        self.forgotten + self.kills.len() as u64
    }

    /// Events after this number, which are then taken.
    pub(super) fn take_after(&mut self, number: u64) -> Vec<Arc<v1::Event>> {
        self.taken = Some(self.last);
        let events = self.events.iter();
        events
            .filter(|event| event.number > number)
            .cloned()
            .collect()
    }

    fn keep(&mut self, kill: v1::OomKill) {
        if self.kills.len() == KILLS {
            let lineages = self.kills.iter().map(|kill| kill.lineage.as_str());
            self.kills.remove(oldest_of_most(lineages));
            self.forgotten += 1;
        }
        self.kills.push_back(kill);
    }

    fn event(&mut self, time: Option<pbjson_types::Timestamp>, kind: Kind) -> u64 {
        let dropped = match self.events.len() < EVENTS {
            true => 0,
            false => self.drop_event(),
        };
        self.last += 1;
        self.events.push_back(Arc::new(v1::Event {
            number: self.last,
            time,
            kind: Some(kind),
        }));
        dropped
    }

    /// Those that a stream has taken go first. Returns how many went that none had.
    fn drop_event(&mut self) -> u64 {
        let taken = self.taken.unwrap_or(0);
        if self.events.front().is_some_and(|one| one.number <= taken) {
            self.events.pop_front();
            return 0;
        }
        let lineages = self.events.iter().map(|event| lineage(event));
        self.events.remove(oldest_of_most(lineages));
        u64::from(self.taken.is_some())
    }
}

fn lineage(event: &v1::Event) -> &str {
    match &event.kind {
        Some(Kind::OomKill(kill)) => &kill.lineage,
        Some(Kind::VerdictChange(change)) => {
            let verdict = change.verdict.as_ref();
            let lineage = verdict.and_then(|verdict| verdict.lineage.as_ref());
            lineage.map_or("", |lineage| &lineage.id)
        }
        None => "",
    }
}

/// Where it stands.
fn oldest_of_most<'a>(lineages: impl Iterator<Item = &'a str> + Clone) -> usize {
    let mut counts = HashMap::<&str, usize>::new();
    for one in lineages.clone() {
        *counts.entry(one).or_default() += 1;
    }
    let all = lineages.enumerate();
    let most = all.max_by_key(|(at, one)| (counts.get(one), Reverse(*at)));
    most.map_or(0, |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kill(pid: u32) -> v1::OomKill {
        v1::OomKill {
            pid,
            ..v1::OomKill::default()
        }
    }

    #[test]
    fn the_last_kills_are_kept_and_the_others_counted() {
        let mut told = Told::default();
        told.restore((0..10).map(kill).collect(), 5);
        for pid in 10..70 {
            told.kill(kill(pid));
        }
        let (kills, forgotten) = told.kills();
        assert_eq!((kills.len(), kills[0].pid, forgotten), (64, 6, 11));
    }

    #[test]
    fn events_count_from_one_and_are_given_to_each_who_asks() {
        let mut told = Told::default();
        told.restore(vec![kill(1)], 0);
        told.kill(kill(2));
        told.change(v1::VerdictChange::default());
        let numbers = |events: Vec<Arc<v1::Event>>| -> Vec<u64> {
            events.iter().map(|event| event.number).collect()
        };
        assert_eq!(numbers(told.take_after(0)), [1, 2]);
        assert_eq!(numbers(told.take_after(1)), [2]);
        assert!(numbers(told.take_after(2)).is_empty());
    }

    #[test]
    fn events_that_nobody_took_are_counted_when_they_go() {
        let mut told = Told::default();
        let untaken: u64 = (0..300).map(|pid| told.kill(kill(pid))).sum();
        assert_eq!(untaken, 0, "there is no stream");
        told.take_after(0);
        let untaken: u64 = (0..300).map(|pid| told.kill(kill(pid))).sum();
        assert_eq!(untaken, 44);
    }

    #[test]
    fn what_is_killed_in_a_loop_pushes_out_its_own() {
        let of = |lineage: &str, pid| v1::OomKill {
            lineage: lineage.to_owned(),
            ..kill(pid)
        };
        let mut told = Told::default();
        told.kill(of("other", 1));
        (2..1_000).for_each(|pid| {
            told.kill(of("loop", pid));
        });
        let (kills, forgotten) = told.kills();
        assert_eq!((kills.len(), forgotten), (64, 999 - 64));
        assert_eq!((kills[0].pid, kills[1].pid), (1, 999 - 62));
        let events = told.take_after(0);
        assert_eq!((events.len(), events[0].number), (256, 1));
    }
}
