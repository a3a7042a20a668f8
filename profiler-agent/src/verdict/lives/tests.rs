use profiler_analysis::verdict::LifeEnd;

use super::*;
use crate::resident::Events;

const SECOND: u64 = 1_000_000_000;

/// What a look at a unit shows: its processes by pid, the largest first, each of which started at its
/// pid's nanosecond; the inode of its cgroup; its counter of kills.
pub(in crate::verdict) struct Shown {
    pub(in crate::verdict) group: Group,
    pub(in crate::verdict) main: Arc<TargetInfo>,
    pub(in crate::verdict) figures: Figures,
    members: Vec<(ProcessHandle, Who)>,
    load: HashMap<ProcessHandle, Load>,
}

impl Shown {
    pub(in crate::verdict) fn new(pids: &[u32], inode: u64, kills: u64) -> Self {
        let handle = |pid: u32| ProcessHandle(pid);
        Self {
            group: Group {
                key: SeriesKey::Container("/unit".to_owned()),
                container: Arc::default(),
                members: Vec::new(),
                live: 0,
            },
            main: Arc::new(TargetInfo::nothing_on(Arc::default())),
            figures: Figures {
                life: Some(inode),
                events: Events {
                    oom_kill: Some(kills),
                    ..Events::default()
                },
                ..Figures::default()
            },
            members: pids.iter().map(|&pid| (handle(pid), who(pid))).collect(),
            load: HashMap::new(),
        }
    }

    fn with_bytes(mut self, bytes: u64) -> Self {
        self.figures.anon = bytes;
        self
    }

    fn with_calls(mut self, calls: &[(u32, u64)]) -> Self {
        let load = |&(pid, received_calls): &(u32, u64)| {
            let load = Load {
                received_calls,
                ..Load::default()
            };
            (ProcessHandle(pid), load)
        };
        self.load = calls.iter().map(load).collect();
        self
    }

    pub(in crate::verdict) fn at(&self, second: u64) -> Look<'_> {
        Look {
            time: second * SECOND,
            group: &self.group,
            main: &self.main,
            members: self.members.clone(),
            began: self.members.iter().map(|(_, who)| who.1).min().unwrap_or(0),
            figures: Some(&self.figures),
            load: &self.load,
        }
    }
}

fn who(pid: u32) -> Who {
    (pid, u64::from(pid))
}

fn life(shown: &Shown) -> Life {
    Life::begin(&shown.at(10), Identity::default())
}

#[test]
fn a_worker_that_goes_while_others_stay_is_no_new_life() {
    let mut life = life(&Shown::new(&[2, 1, 3], 7, 0));
    let without_largest = Shown::new(&[1, 3], 7, 0);
    assert!(life.goes_on(&without_largest.at(20)));
    assert_eq!(life.take(&without_largest.at(20)), Found::default());
    let with_another = Shown::new(&[4, 3], 7, 0);
    assert!(life.goes_on(&with_another.at(30)));
    assert_eq!(life.take(&with_another.at(30)), Found::default());
}

#[test]
fn other_processes_with_less_memory_are_a_new_life() {
    let life = life(&Shown::new(&[1, 2], 7, 0).with_bytes(100));
    let others = Shown::new(&[3, 4], 7, 0).with_bytes(49);
    assert!(!life.goes_on(&others.at(20)));
    assert_eq!(life.gone(20 * SECOND), Some(LifeEnd::Ended));
    let next = life.next(&others.at(20), Identity::default());
    assert_eq!((next.start.began, next.first_look), (3, 20 * SECOND));
}

#[test]
fn memory_that_processes_hand_on_to_their_children_is_no_new_life() {
    let mut life = life(&Shown::new(&[1, 2], 7, 0).with_bytes(100));
    for (second, bytes) in [(20, 110), (30, 90), (40, 120)] {
        let pid = second as u32;
        let children = Shown::new(&[pid], 7, 0).with_bytes(bytes);
        assert!(life.goes_on(&children.at(second)));
        assert_eq!(life.take(&children.at(second)), Found::default());
    }
    // As much in another cgroup is another's.
    let anew = Shown::new(&[50], 8, 0).with_bytes(120);
    assert!(!life.goes_on(&anew.at(50)));
}

#[test]
fn figures_from_elsewhere_are_another_series_of_the_same_life() {
    let mut life = life(&Shown::new(&[1], 7, 0));
    let mut summed = Shown::new(&[1], 7, 0);
    summed.figures.source = Source::Cgroup2;
    assert!(life.goes_on(&summed.at(20)));
    assert!(life.take(&summed.at(20)).is_read_otherwise);
    assert!(!life.take(&summed.at(30)).is_read_otherwise);
    assert_eq!(life.first_look, 20 * SECOND);
}

#[test]
fn a_kill_of_another_process_than_the_only_one_ends_no_life() {
    let mut life = life(&Shown::new(&[1], 7, 0));
    assert!(!life.killed(who(9), 15 * SECOND));
    assert!(life.goes_on(&Shown::new(&[1], 7, 1).at(20)));
}

#[test]
fn what_it_belongs_to_is_settled_after_its_first_window() {
    let shown = Shown::new(&[1], 7, 0);
    let mut life = life(&shown);
    assert!(!life.is_settled(10 * SECOND, 60 * SECOND));
    let identity = Identity {
        id: "later".to_owned(),
        ..Identity::default()
    };
    life.settle(identity);
    assert_eq!(life.start.lineage, "later");
    assert!(life.is_settled(70 * SECOND, 60 * SECOND));
}

#[test]
fn a_pid_that_is_used_again_is_another_process() {
    let life = life(&Shown::new(&[1], 7, 0).with_bytes(100));
    let mut again = Shown::new(&[1], 7, 0);
    again.members[0].1.1 += 1;
    assert!(!life.goes_on(&again.at(20)));
}

#[test]
fn a_cgroup_that_was_made_anew_is_a_new_life() {
    let life = life(&Shown::new(&[1], 7, 5));
    let anew = Shown::new(&[1], 8, 1);
    assert!(!life.goes_on(&anew.at(20)));
    // Its counter began at zero: the kill in it is of this life.
    let mut next = life.next(&anew.at(20), Identity::default());
    next.take(&anew.at(30));
    assert_eq!(next.take(&anew.at(40)).kills, 1);
}

#[test]
fn a_reading_that_failed_ends_nothing() {
    let shown = Shown::new(&[1], 7, 0);
    let mut life = life(&shown);
    let unread = Look {
        figures: None,
        ..shown.at(20)
    };
    assert!(life.goes_on(&unread));
    life.take(&unread);
    assert!(!life.goes_on(&Shown::new(&[1], 8, 0).at(30)));
}

#[test]
fn a_kill_of_the_largest_process_ends_the_life_even_if_a_supervisor_goes_on() {
    let mut life = life(&Shown::new(&[2, 1], 7, 0));
    assert!(life.killed(who(2), 15 * SECOND));
    let after = Shown::new(&[3, 1], 7, 1);
    assert!(!life.goes_on(&after.at(20)));
    assert_eq!(life.gone(20 * SECOND), None, "it was said before");
    let mut next = life.next(&after.at(20), Identity::default());
    assert_eq!(next.start.began, 15 * SECOND);
    // The counter tells of the same kill.
    assert_eq!(next.take(&after.at(30)), Found::default());
    assert!(next.goes_on(&after.at(40)));
}

#[test]
fn a_kill_of_a_small_process_ends_no_life() {
    let mut life = life(&Shown::new(&[2, 1, 3], 7, 0));
    assert!(!life.killed(who(3), 15 * SECOND));
    let after = Shown::new(&[2, 1], 7, 1);
    assert!(life.goes_on(&after.at(20)));
    assert_eq!(life.take(&after.at(20)), Found::default());
}

#[test]
fn what_ends_soon_after_a_kill_was_ended_by_it() {
    let mut life = life(&Shown::new(&[2, 1, 3], 7, 0));
    life.killed(who(3), 15 * SECOND);
    assert_eq!(life.gone(20 * SECOND), Some(LifeEnd::OomKilled));
    assert_eq!(life.gone(80 * SECOND), Some(LifeEnd::Ended));
}

#[test]
fn a_kill_that_only_the_counter_tells_of_is_told_once_and_ends_the_life_of_the_largest() {
    let mut life = life(&Shown::new(&[2, 1], 7, 3));
    let after = Shown::new(&[1], 7, 4);
    assert!(life.goes_on(&after.at(20)));
    let found = life.take(&after.at(20));
    assert_eq!(found.ended, Some(LifeEnd::OomKilled));
    // The event may still come; one look later it is known that it does not.
    assert_eq!(found.kills, 0);
    let mut next = life.next(&after.at(20), Identity::default());
    assert_eq!(next.take(&after.at(30)).kills, 1);
    assert_eq!(next.take(&after.at(40)).kills, 0);
}

#[test]
fn an_event_that_comes_after_the_counter_is_the_same_kill() {
    let mut life = life(&Shown::new(&[2, 1, 3], 7, 0));
    let after = Shown::new(&[2, 1], 7, 1);
    life.take(&after.at(20));
    life.killed(who(3), 21 * SECOND);
    assert_eq!(life.take(&after.at(30)), Found::default());
}

#[test]
fn a_kill_in_a_cgroup_below_that_was_told_is_not_told_again() {
    let mut life = life(&Shown::new(&[2, 1, 3], 7, 0));
    life.killed_below();
    let after = Shown::new(&[2, 1], 7, 1);
    assert_eq!(life.take(&after.at(20)), Found::default());
    assert_eq!(life.take(&after.at(30)), Found::default());
}

#[test]
fn load_does_not_fall_when_a_process_ends() {
    let mut life = life(&Shown::new(&[1, 2], 7, 0).with_calls(&[(1, 5), (2, 7)]));
    assert_eq!(life.load.received_calls, 12);
    life.take(&Shown::new(&[1], 7, 0).with_calls(&[(1, 6)]).at(20));
    assert_eq!(life.load.received_calls, 13);
    let anew = Shown::new(&[1, 3], 7, 0).with_calls(&[(1, 6), (3, 2)]);
    life.take(&anew.at(30));
    assert_eq!(life.load.received_calls, 15);
}

#[test]
fn a_kill_that_its_cgroup_took_along_ends_it_once() {
    let mut life = life(&Shown::new(&[1, 2], 7, 0));
    assert!(life.killed_unheard(20 * SECOND));
    assert_eq!(life.gone(20 * SECOND), Some(LifeEnd::OomKilled));
    assert!(!life.killed_unheard(20 * SECOND));
}

#[test]
fn what_its_counter_told_and_no_event_is_known_when_it_goes() {
    let mut life = life(&Shown::new(&[2, 1], 7, 3));
    life.take(&Shown::new(&[2, 1], 7, 4).at(20));
    assert_eq!(life.untold(), 1);
    assert!(life.is_in_cgroup_of(&Shown::new(&[1], 7, 0).at(30)));
    assert!(!life.is_in_cgroup_of(&Shown::new(&[1], 8, 0).at(30)));
}

#[test]
fn a_counter_tells_of_the_kill_of_all_that_were_started_again_in_place() {
    let again = Shown::new(&[3], 7, 4).with_bytes(10);
    let ended = |counted| {
        let mut life = life(&Shown::new(&[1, 2], 7, counted).with_bytes(100));
        assert!(!life.goes_on(&again.at(20)));
        life.look_for_a_kill(&again.at(20));
        life.gone(20 * SECOND)
    };
    assert_eq!(ended(3), Some(LifeEnd::OomKilled));
    assert_eq!(ended(4), Some(LifeEnd::Ended));
}
