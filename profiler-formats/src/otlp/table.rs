//! One table of a dictionary.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
};

use prost::Message;

/// Tag and length of an entry, at most.
const AROUND: usize = 6;

/// Entries without repetition, known by what they were made from. The first one is the zero value,
/// as the proto demands; what is equal to it has its number.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    ids: HashMap<K, i32>,
    entries: Vec<V>,
    bytes: usize,
}

impl<K: Hash + Eq + Default, V: Message + Default> Table<K, V> {
    pub(super) fn new() -> Self {
        Self {
            ids: HashMap::from([(K::default(), 0)]),
            entries: vec![V::default()],
            bytes: AROUND,
        }
    }

    /// The number of an entry, which is made if it is new. Tables stay far below 2^31 entries: a
    /// request is cut by its size before.
    pub(super) fn id(&mut self, key: K, make: impl FnOnce(&K) -> V) -> i32 {
        match self.ids.entry(key) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let entry = make(new.key());
                self.bytes += entry.encoded_len() + AROUND;
                self.entries.push(entry);
                *new.insert(self.entries.len() as i32 - 1)
            }
        }
    }

    /// An entry, to be changed in figures that [`Self::reserve`] was told of.
    pub(super) fn entry_mut(&mut self, id: i32) -> Option<&mut V> {
        self.entries.get_mut(usize::try_from(id).ok()?)
    }

    /// An entry may become larger by so much.
    pub(super) fn reserve(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// What the table takes at most, encoded.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn into_entries(self) -> Vec<V> {
        self.entries
    }
}
