//! Lives whose processes are all gone.

use std::collections::HashSet;

use profiler_query::answer::Clocks;

use super::{
    book::Book,
    key::Key,
    kill::Pending,
    worker::{Round, Worker},
};

impl Worker {
    /// Ends what has no living process; what was left out of this round since there is too much has one.
    /// Returns the kills that no event told of.
    pub(super) fn end_what_is_gone(
        &mut self,
        book: &mut Book,
        round: &Round<'_>,
        clocks: Clocks,
    ) -> Vec<Pending> {
        let gone = self.gone(book, round);
        let kills = self.kills_of_what_is_gone(book, round, &gone);
        let snapshot = &round.moment.snapshot;
        let kills = self.explain.counted_kills(book, &kills, snapshot, clocks);
        for key in gone {
            if let Some(life) = book.lives.remove(&key)
                && let Some(end) = life.gone(round.time)
            {
                book.end(&key, &life, round.time, end);
            }
            book.entries.remove(&key);
        }
        kills
    }

    fn gone(&self, book: &Book, round: &Round<'_>) -> Vec<Key> {
        let living = round
            .infos
            .iter()
            .filter(|(_, info)| info.exited.is_none() && !info.is_group());
        let living: HashSet<Key> = living
            .map(|(handle, info)| self.key(info, *handle))
            .collect();
        let gone = book.lives.keys().filter(|key| !living.contains(key));
        gone.cloned().collect()
    }

    /// Those that a cgroup's own counter told of one look before; else, where the kernel's event is not
    /// to be had, what the cgroups around tell.
    fn kills_of_what_is_gone(
        &mut self,
        book: &mut Book,
        round: &Round<'_>,
        gone: &[Key],
    ) -> Vec<(Key, u64)> {
        let mut kills = Vec::new();
        for key in gone {
            let untold = book.lives.get(key).map_or(0, |life| life.untold());
            if untold > 0 {
                kills.push((key.clone(), untold));
            }
        }
        if self.hears_of_kills {
            return kills;
        }
        let read = |cgroup: &str| self.reader.kills_below(cgroup);
        for key in self.around.killed(book, &round.figures, gone, read) {
            if let Some(life) = book.lives.get_mut(&key)
                && life.killed_unheard(round.time)
            {
                kills.push((key, 1));
            }
        }
        kills
    }
}
