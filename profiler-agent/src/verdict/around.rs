//! Kills that neither the kernel's event nor the cgroup's own counter tells of, since the container went
//! with its cgroup. Under v2 the counters of the cgroups around it count what happens below them too.

use std::collections::{BTreeSet, HashMap};

use super::{book::Book, key::Key};
use crate::resident::{Figures, SeriesKey};

/// Counters of the cgroups around containers and units, as they were last.
#[derive(Debug, Default)]
pub(super) struct Around {
    counted: HashMap<String, u64>,
}

impl Around {
    /// Which of those that are gone were killed: in their cgroup there were at least as many kills,
    /// beyond those of what lives on in it, as are gone of it. Where there were fewer nobody can say.
    pub(super) fn killed(
        &mut self,
        book: &Book,
        figures: &HashMap<SeriesKey, Figures>,
        gone: &[Key],
        read: impl Fn(&str) -> Option<u64>,
    ) -> Vec<Key> {
        let all: BTreeSet<&str> = book.lives.keys().filter_map(around).collect();
        let now = all.into_iter();
        let now = now.filter_map(|cgroup| Some((cgroup.to_owned(), read(cgroup)?)));
        let before = std::mem::replace(&mut self.counted, now.collect());
        let (inside, gone_of) = (told_inside(book, figures), count(gone));
        let is_killed = |key: &&Key| {
            let of = |counts: &HashMap<String, u64>| {
                around(key).and_then(|cgroup| counts.get(cgroup)).copied()
            };
            let (Some(now), Some(before)) = (of(&self.counted), of(&before)) else {
                return false;
            };
            let inside = of(&inside).unwrap_or(0);
            let kills = now.saturating_sub(before).saturating_sub(inside);
            kills > 0 && Some(kills) >= of(&gone_of)
        };
        gone.iter().filter(is_killed).cloned().collect()
    }
}

/// The cgroup around a container or unit.
fn around(key: &Key) -> Option<&str> {
    match key {
        Key::Group(root) => Some(root.rsplit_once('/')?.0).filter(|around| !around.is_empty()),
        Key::Process { .. } => None,
    }
}

/// How many there are in each cgroup.
fn count(keys: &[Key]) -> HashMap<String, u64> {
    let mut counts = HashMap::new();
    for around in keys.iter().filter_map(around) {
        *counts.entry(around.to_owned()).or_default() += 1;
    }
    counts
}

/// Kills since the last look that the counters of those that live on tell of, by the cgroup around them.
fn told_inside(book: &Book, figures: &HashMap<SeriesKey, Figures>) -> HashMap<String, u64> {
    let mut inside = HashMap::new();
    for (key, figures) in figures {
        let SeriesKey::Container(root) = key else {
            continue;
        };
        let key = Key::Group(root.clone());
        let before = book.entries.get(&key).map(|entry| &entry.figures);
        let before = before.filter(|before| before.life == figures.life);
        let before = before.and_then(|before| before.events.oom_kill);
        let risen = figures.events.oom_kill.unwrap_or(0);
        if let Some(around) = around(&key) {
            *inside.entry(around.to_owned()).or_default() +=
                risen.saturating_sub(before.unwrap_or(0));
        }
    }
    inside
}

#[cfg(test)]
mod tests {
    use profiler_analysis::verdict::Rules;

    use super::*;
    use crate::{
        ids::BootTime,
        resident::Events,
        verdict::{
            identity::Identity,
            lives::{Life, tests::Shown},
            time::Base,
        },
    };

    /// Containers of one pod that live.
    fn book(names: &[&str]) -> Book {
        let clocks = profiler_query::answer::Clocks::wall(BootTime(0));
        let mut book = Book::new(Rules::default(), Base::new(clocks));
        for name in names {
            let shown = Shown::new(&[1], 7, 0);
            let life = Life::begin(&shown.at(1), Identity::default());
            book.lives.insert(key(name), life);
        }
        book
    }

    fn key(name: &str) -> Key {
        Key::Group(format!("/pod/{name}"))
    }

    /// Which are told when the pod's counter goes from one to the other; "c" lives, with this counter.
    fn killed(gone: &[&str], from: u64, to: u64, of_c: u64) -> Vec<Key> {
        let book = book(&["a", "b", "c"]);
        let mut around = Around::default();
        let first = around.killed(&book, &HashMap::new(), &[], |_| Some(from));
        assert!(first.is_empty());
        let events = Events {
            oom_kill: Some(of_c),
            ..Events::default()
        };
        let figures = Figures {
            events,
            ..Figures::default()
        };
        let figures = [(SeriesKey::Container("/pod/c".to_owned()), figures)];
        let gone: Vec<Key> = gone.iter().map(|name| key(name)).collect();
        around.killed(&book, &figures.into(), &gone, |_| Some(to))
    }

    #[test]
    fn who_went_with_a_kill_around_it_was_killed() {
        assert_eq!(killed(&["a"], 3, 4, 0), [key("a")]);
        assert_eq!(killed(&["a", "b"], 3, 5, 0), [key("a"), key("b")]);
        assert!(killed(&["a"], 3, 3, 0).is_empty());
    }

    #[test]
    fn where_it_may_have_been_another_nobody_was() {
        assert!(killed(&["a", "b"], 3, 4, 0).is_empty());
        assert!(
            killed(&["a"], 3, 4, 1).is_empty(),
            "it was the one that lives"
        );
    }

    #[test]
    fn what_was_not_counted_before_says_nothing() {
        let (book, mut around) = (book(&["a"]), Around::default());
        let told = around.killed(&book, &HashMap::new(), &[key("a")], |_| Some(9));
        assert!(told.is_empty());
    }
}
