//! What was decoded or named before and may be asked for again: the least recently used goes first.

use std::{
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lru::LruCache;

/// Values with their sizes in bytes, within a bound.
pub(crate) struct Cache<K: Eq + Hash, V> {
    inner: Mutex<Inner<K, V>>,
    bytes_max: u64,
}

struct Inner<K: Eq + Hash, V> {
    values: LruCache<K, (Arc<V>, u64)>,
    bytes: u64,
}

impl<K: Eq + Hash, V> Cache<K, V> {
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self {
            inner: Mutex::new(Inner {
                values: LruCache::unbounded(),
                bytes: 0,
            }),
            bytes_max,
        }
    }

    pub(crate) fn get(&self, key: &K) -> Option<Arc<V>> {
        let mut inner = self.lock();
        inner.values.get(key).map(|(value, _)| Arc::clone(value))
    }

    /// Keeps a value, unless it is larger than all that there is room for.
    pub(crate) fn put(&self, key: K, value: Arc<V>, bytes: u64) {
        if bytes > self.bytes_max {
            return;
        }
        let mut inner = self.lock();
        inner.bytes += bytes;
        if let Some((_, (_, replaced))) = inner.values.push(key, (value, bytes)) {
            inner.bytes -= replaced;
        }
        while inner.bytes > self.bytes_max
            && let Some((_, (_, oldest))) = inner.values.pop_lru()
        {
            inner.bytes -= oldest;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<K, V>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_makes_room() {
        let cache = Cache::new(10);
        for key in 0..3 {
            cache.put(key, Arc::new(key), 4);
            cache.get(&0);
        }
        let kept = (0..3).filter(|key| cache.get(key).is_some());
        assert_eq!(kept.collect::<Vec<_>>(), [0, 2]);
        assert_eq!(cache.lock().bytes, 8);
    }

    #[test]
    fn a_value_that_is_put_again_counts_once() {
        let cache = Cache::new(10);
        cache.put(1, Arc::new(1), 4);
        cache.put(1, Arc::new(2), 6);
        assert_eq!(cache.lock().bytes, 6);
        assert_eq!(cache.get(&1).as_deref(), Some(&2));
        cache.put(2, Arc::new(2), 11);
        assert!(cache.get(&2).is_none() && cache.get(&1).is_some());
    }
}
