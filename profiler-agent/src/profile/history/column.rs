//! A growing set of keys, each with a slot in a column of counters.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::Arc,
};

use super::codec::{self, Entry};
use crate::ids::BootTime;

/// Keys with their counters at the oldest and the newest kept moment. A key keeps its slot as long
/// as any kept moment has it.
#[derive(Debug)]
pub(super) struct Column<K, const N: usize> {
    keys: Arc<Vec<Option<K>>>,
    slots: HashMap<K, u32>,
    vacant: Vec<u32>,
    /// Slots that were emptied, and when; in the order of time.
    emptied: VecDeque<(BootTime, u32)>,
    /// By slot, when its key was first seen, and when it was emptied last.
    lives: Vec<(BootTime, BootTime)>,
    oldest: Arc<Vec<Entry<N>>>,
    newest: Arc<Vec<Entry<N>>>,
}

impl<K, const N: usize> Default for Column<K, N> {
    fn default() -> Self {
        Self {
            keys: Arc::default(),
            slots: HashMap::new(),
            vacant: Vec::new(),
            emptied: VecDeque::new(),
            lives: Vec::new(),
            oldest: Arc::default(),
            newest: Arc::default(),
        }
    }
}

impl<K: Copy + Eq + Hash, const N: usize> Column<K, N> {
    /// Takes the next moment over and returns how it differs from the newest one before.
    pub(super) fn push(
        &mut self,
        time: BootTime,
        entries: impl Iterator<Item = (K, Entry<N>)>,
    ) -> Vec<u8> {
        let mut next = vec![[0; N]; self.newest.len()];
        for (key, entry) in entries.filter(|(_, entry)| *entry != [0; N]) {
            let slot = self.slot(key, time);
            if slot >= next.len() {
                next.resize(slot + 1, [0; N]);
            }
            next[slot] = entry;
        }
        let bytes = codec::difference(&self.newest, &next);
        for (slot, old) in self.newest.iter().enumerate() {
            if *old != [0; N] && next[slot] == [0; N] {
                self.emptied.push_back((time, slot as u32));
                self.lives[slot].1 = time;
            }
        }
        self.newest = Arc::new(next);
        bytes
    }

    fn slot(&mut self, key: K, time: BootTime) -> usize {
        if let Some(&slot) = self.slots.get(&key) {
            return slot as usize;
        }
        let keys = Arc::make_mut(&mut self.keys);
        let slot = self.vacant.pop().unwrap_or_else(|| {
            keys.push(None);
            self.lives.push((time, BootTime(0)));
            (keys.len() - 1) as u32
        });
        keys[slot as usize] = Some(key);
        self.lives[slot as usize].0 = time;
        self.slots.insert(key, slot);
        slot as usize
    }

    /// Moves the oldest kept moment forward by the difference to its successor, kept for `time`;
    /// hands every key that no kept moment has any more to `forgotten`.
    pub(super) fn advance(&mut self, bytes: &[u8], time: BootTime, mut forgotten: impl FnMut(K)) {
        codec::forward(Arc::make_mut(&mut self.oldest), bytes);
        while let Some(&(emptied, slot)) = self.emptied.front() {
            if emptied > time {
                break;
            }
            self.emptied.pop_front();
            if self.lives[slot as usize].1 == emptied {
                self.vacate(slot, &mut forgotten);
            }
        }
    }

    /// The same for a snapshot that was dropped between those kept for `before` and `after`, by the
    /// slots whose entries cancelled out: those that came after the one and were empty by the
    /// other.
    pub(super) fn reclaim(
        &mut self,
        slots: &[usize],
        before: BootTime,
        after: BootTime,
        mut forgotten: impl FnMut(K),
    ) {
        for &slot in slots {
            let (first, emptied) = self.lives[slot];
            if first > before && emptied > first && emptied <= after {
                self.vacate(slot as u32, &mut forgotten);
            }
        }
    }

    /// Gives the slot free unless the newest snapshot has its key.
    fn vacate(&mut self, slot: u32, forgotten: &mut impl FnMut(K)) {
        let place = slot as usize;
        let empty = self.newest.get(place).is_none_or(|entry| *entry == [0; N]);
        if empty && let Some(key) = Arc::make_mut(&mut self.keys)[place].take() {
            self.slots.remove(&key);
            self.vacant.push(slot);
            forgotten(key);
        }
    }

    /// The oldest kept moment becomes the newest one.
    pub(super) fn start_at_newest(&mut self) {
        self.oldest = Arc::clone(&self.newest);
    }

    pub(super) fn oldest(&self) -> Arc<Vec<Entry<N>>> {
        Arc::clone(&self.oldest)
    }

    pub(super) fn newest(&self) -> Arc<Vec<Entry<N>>> {
        Arc::clone(&self.newest)
    }

    pub(super) fn keys(&self) -> Arc<Vec<Option<K>>> {
        Arc::clone(&self.keys)
    }

    /// Room that more than half the slots would give back if the keys were laid out again.
    pub(super) fn is_sparse(&self) -> bool {
        self.keys.len() > 1024 && self.vacant.len() * 2 > self.keys.len()
    }

    /// Memory in use.
    pub(super) fn bytes(&self) -> usize {
        let entry = size_of::<Entry<N>>();
        let table = size_of::<(K, u32)>() + 1;
        self.keys.capacity() * size_of::<Option<K>>()
            + self.slots.capacity() * table * 8 / 7
            + self.vacant.capacity() * 4
            + self.emptied.capacity() * size_of::<(BootTime, u32)>()
            + self.lives.capacity() * 16
            + (self.oldest.capacity() + self.newest.capacity()) * entry
    }
}
