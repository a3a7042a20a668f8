//! Kills for want of memory: told at once, with the growth table of that moment, since the victim
//! and what it held are about to go.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read as _},
};

use tracing::info;

use super::{Pipeline, SECOND, clock};
use crate::{
    event::{Constraint, Victim},
    export::{Kill, LossFacts, Moment},
    ids::{BootTime, ProcessHandle},
    process::{Process, State},
};

/// Kills that are told in any second at the most.
const MOST_A_SECOND: usize = 100;
/// A process is chosen once; each thread of it that asks for memory while it dies is named again.
const DIES_FOR: u64 = 10 * SECOND;
/// A growth table serves the kills of so long, or of so many times as long as it took to make, up to
/// the last: under a storm of them making it would be all that is done.
const SHARED_FOR: u64 = SECOND / 5;
const SHARED_TIMES: u64 = 20;
const SHARED_MOST: u64 = 2 * SECOND;
/// Most bytes taken of one `/proc/PID/status`.
const STATUS_MAX: u64 = 16 << 10;

/// The kills of the last seconds.
#[derive(Debug, Default)]
pub(super) struct Kills {
    told: VecDeque<(BootTime, u32, Option<ProcessHandle>)>,
    /// Until when it serves.
    moment: Option<(BootTime, Moment)>,
    beyond: u64,
}

impl Kills {
    /// Whether this kill is to be told: it is news, and within the bound.
    fn admit(&mut self, time: BootTime, pid: u32, process: Option<ProcessHandle>) -> bool {
        let of_late = |told: BootTime, span| told.0.saturating_add(span) > time.0;
        while self
            .told
            .front()
            .is_some_and(|told| !of_late(told.0, DIES_FOR))
        {
            self.told.pop_front();
        }
        let same = |told: &&(_, _, _)| (told.1, told.2) == (pid, process);
        if self.told.iter().find(same).is_some() {
            return false;
        }
        let now = self.told.iter().rev();
        if now.take_while(|told| of_late(told.0, SECOND)).count() >= MOST_A_SECOND {
            self.beyond += 1;
            return false;
        }
        self.told.push_back((time, pid, process));
        true
    }

    /// The moment of a kill just before.
    fn shared(&self, now: BootTime) -> Option<Moment> {
        let (until, moment) = self.moment.as_ref()?;
        (now < *until).then(|| moment.clone())
    }

    fn share(&mut self, moment: Moment, began: BootTime, made: BootTime) {
        let took = made.0.saturating_sub(began.0);
        let serves = took
            .saturating_mul(SHARED_TIMES)
            .clamp(SHARED_FOR, SHARED_MOST);
        self.moment = Some((BootTime(made.0.saturating_add(serves)), moment));
    }

    /// Lets go of a growth table that serves no more.
    pub(super) fn expire(&mut self, now: BootTime) {
        if self.shared(now).is_none() {
            self.moment = None;
        }
    }

    /// Kills that were not told.
    pub(super) fn loss(&self) -> LossFacts {
        LossFacts {
            cause: "oom_kills_not_told",
            count: self.beyond,
            meaning: "kills for want of memory beyond 100 a second: their victims are seen to end, \
                      not why",
        }
    }
}

impl Pipeline {
    /// The kernel chose a victim. What it did before was read from the ring before.
    pub(super) fn killed(&mut self, victim: &Victim) {
        let pid = match self.table.get(victim.pid) {
            Some(_) => victim.pid,
            None => Status::of(victim.pid).leader.unwrap_or(victim.pid),
        };
        let known = self.table.get(pid).filter(|it| it.began <= victim.time);
        if known.is_some_and(|process| process.state == State::Ignored) {
            return;
        }
        let process = known.map(|process| process.handle);
        let process = process.or_else(|| self.recently_ended.get(pid));
        if !self.kills.admit(victim.time, pid, process) {
            return;
        }
        let name = victim.name.to_text();
        let anon_bytes = victim.anon_bytes;
        let anon_bytes = anon_bytes.or_else(|| Status::of(pid).anon_bytes);
        log(pid, &name, victim.constraint, anon_bytes, known);
        let kill = Kill {
            time: victim.time,
            pid,
            process,
            constraint: victim.constraint,
            name,
            anon_bytes,
            moment: self.moment_of_kill(),
        };
        for exporter in &mut self.links.exporters {
            exporter.killed(&kill);
        }
    }

    fn moment_of_kill(&mut self) -> Moment {
        let now = clock::now();
        if let Some(shared) = self.kills.shared(now) {
            return shared;
        }
        let moment = self.moment(now);
        self.kills.share(moment.clone(), now, clock::now());
        moment
    }
}

fn log(
    pid: u32,
    name: &str,
    constraint: Option<Constraint>,
    anon_bytes: Option<u64>,
    known: Option<&Process>,
) {
    let name = known.map_or(name, |process| &process.name);
    let container = known.and_then(|process| process.container.as_deref());
    info!(
        pid,
        // Names are the watched programs' own: nothing in them may steer a terminal.
        ?name,
        container = ?container.map_or("", |container| &container.id),
        constraint = constraint.map_or("", Constraint::as_str),
        anon_bytes,
        "a process was killed for want of memory"
    );
}

/// What `/proc/PID/status` says of a victim as long as it has not given up its memory.
#[derive(Debug, Default, PartialEq, Eq)]
struct Status {
    /// The process that the thread belongs to.
    leader: Option<u32>,
    anon_bytes: Option<u64>,
}

impl Status {
    /// Nothing is known of a victim that is gone by now.
    fn of(pid: u32) -> Self {
        read_status(pid).map_or_else(|_| Self::default(), |text| Self::parse(&text))
    }

    /// The kernel escapes line ends in the name: no process can write a line of its own here.
    fn parse(text: &[u8]) -> Self {
        let mut status = Self::default();
        for line in text.split(|&byte| byte == b'\n') {
            let line = String::from_utf8_lossy(line);
            let mut words = line.split_ascii_whitespace();
            match (words.next(), words.next()) {
                (Some("Tgid:"), Some(value)) => status.leader = value.parse().ok(),
                (Some("RssAnon:"), Some(value)) => {
                    let kibibytes = value.parse::<u64>().ok();
                    status.anon_bytes = kibibytes.and_then(|it| it.checked_mul(1024));
                }
                _ => {}
            }
        }
        status
    }
}

fn read_status(pid: u32) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(format!("/proc/{pid}/status"))?
        .take(STATUS_MAX)
        .read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_killed_once() {
        let mut kills = Kills::default();
        let process = Some(ProcessHandle(1));
        assert!(kills.admit(BootTime(SECOND), 7, process));
        assert!(!kills.admit(BootTime(2 * SECOND), 7, process));
        // Another life of the same pid.
        assert!(kills.admit(BootTime(3 * SECOND), 7, Some(ProcessHandle(2))));
        assert!(kills.admit(BootTime(14 * SECOND), 7, process));
        assert_eq!((kills.told.len(), kills.loss().count), (1, 0));
    }

    #[test]
    fn a_storm_of_kills_is_bounded_and_counted() {
        let mut kills = Kills::default();
        let told = (0..1_000).filter(|&pid| kills.admit(BootTime(SECOND), pid, None));
        assert_eq!(told.count(), MOST_A_SECOND);
        assert_eq!(kills.loss().count, 900);
        assert!(kills.admit(BootTime(2 * SECOND), 5_000, None));
    }

    #[test]
    fn kills_close_together_share_a_growth_table() {
        let mut kills = Kills::default();
        assert!(kills.shared(BootTime(SECOND)).is_none());
        kills.share(Moment::default(), BootTime(SECOND), BootTime(SECOND));
        assert!(kills.shared(BootTime(SECOND + SHARED_FOR - 1)).is_some());
        assert!(kills.shared(BootTime(SECOND + SHARED_FOR)).is_none());
        kills.expire(BootTime(SECOND + SHARED_FOR));
        assert!(kills.moment.is_none());
    }

    #[test]
    fn a_growth_table_that_takes_long_to_make_serves_for_longer() {
        let mut kills = Kills::default();
        let mut serves = |milliseconds: u64, after: u64| {
            let made = BootTime(SECOND + milliseconds * SECOND / 1_000);
            kills.share(Moment::default(), BootTime(SECOND), made);
            kills.shared(BootTime(made.0 + after)).is_some()
        };
        assert!(serves(50, SECOND - 1) && !serves(50, SECOND));
        assert!(serves(900, 2 * SECOND - 1) && !serves(900, 2 * SECOND));
    }

    #[test]
    fn a_victim_is_looked_up_by_its_thread() {
        let text = b"Name:\tgrow\\nTgid:\t1\nTgid:\t41\nPid:\t42\nRssAnon:\t      64 kB\n";
        let known = Status {
            leader: Some(41),
            anon_bytes: Some(65_536),
        };
        assert_eq!(Status::parse(text), known);
        assert_eq!(
            Status::parse(b"Tgid:\nRssAnon:\tmany kB\n"),
            Status::default()
        );
    }
}
