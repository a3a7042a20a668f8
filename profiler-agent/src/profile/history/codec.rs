//! Differences between two columns of counters, as bytes.
//!
//! A column is a `Vec<[u64; N]>`; the place of an entry is its slot, all zeros is an empty one. A
//! difference lists the slots that changed in ascending order: a varint of the gap to the slot before
//! and a mask of the fields that changed, and for each of those the wrapping difference as a zigzag
//! varint. Differences can be applied forwards and backwards, and two that follow each other add
//! up to one.

/// The fields of one entry.
pub(super) type Entry<const N: usize> = [u64; N];

/// What changed from `before` to `after`; the shorter one counts as filled up with empty entries.
pub(super) fn difference<const N: usize>(before: &[Entry<N>], after: &[Entry<N>]) -> Vec<u8> {
    let mut writer = Writer::default();
    let empty = [0; N];
    for slot in 0..before.len().max(after.len()) {
        let old = before.get(slot).unwrap_or(&empty);
        let new = after.get(slot).unwrap_or(&empty);
        if old != new {
            writer.put(slot, &subtract(new, old));
        }
    }
    writer.bytes
}

/// One difference that stands for `first` and then `second`, and the slots in which they cancel out.
pub(super) fn compose<const N: usize>(first: &[u8], second: &[u8]) -> (Vec<u8>, Vec<usize>) {
    let mut cancelled = Vec::new();
    let mut writer = Writer::default();
    let mut first = Reader::<N>::new(first).peekable();
    let mut second = Reader::<N>::new(second).peekable();
    let slot_of = |entry: Option<&(usize, Entry<N>)>| entry.map(|&(slot, _)| slot);
    loop {
        let heads = [slot_of(first.peek()), slot_of(second.peek())];
        let Some(slot) = heads.into_iter().flatten().min() else {
            return (writer.bytes, cancelled);
        };
        let earlier = first.next_if(|entry| entry.0 == slot);
        let later = second.next_if(|entry| entry.0 == slot);
        let parts = [earlier, later].into_iter().flatten();
        let sum = parts.fold([0; N], |sum, (_, delta)| add(&sum, &delta));
        if sum == [0; N] {
            cancelled.push(slot);
        } else {
            writer.put(slot, &sum);
        }
    }
}

/// Takes a column from before the difference to after it.
pub(super) fn forward<const N: usize>(column: &mut Vec<Entry<N>>, bytes: &[u8]) {
    for (slot, delta) in Reader::<N>::new(bytes) {
        let entry = entry(column, slot);
        *entry = add(entry, &delta);
    }
}

/// Takes a column from after the difference to before it.
pub(super) fn backward<const N: usize>(column: &mut Vec<Entry<N>>, bytes: &[u8]) {
    for (slot, delta) in Reader::<N>::new(bytes) {
        let entry = entry(column, slot);
        *entry = subtract(entry, &delta);
    }
}

fn entry<const N: usize>(column: &mut Vec<Entry<N>>, slot: usize) -> &mut Entry<N> {
    if slot >= column.len() {
        column.resize(slot + 1, [0; N]);
    }
    &mut column[slot]
}

fn add<const N: usize>(one: &Entry<N>, other: &Entry<N>) -> Entry<N> {
    std::array::from_fn(|field| one[field].wrapping_add(other[field]))
}

fn subtract<const N: usize>(one: &Entry<N>, other: &Entry<N>) -> Entry<N> {
    std::array::from_fn(|field| one[field].wrapping_sub(other[field]))
}

#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    next_slot: usize,
}

impl Writer {
    fn put<const N: usize>(&mut self, slot: usize, delta: &Entry<N>) {
        let mask = (0..N).fold(0, |mask, field| {
            mask | u64::from(delta[field] != 0) << field
        });
        let gap = (slot - self.next_slot) as u64;
        self.varint(gap << N | mask);
        self.next_slot = slot + 1;
        for &value in delta.iter().filter(|&&value| value != 0) {
            let signed = value as i64;
            self.varint(((signed << 1) ^ (signed >> 63)) as u64);
        }
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}

struct Reader<'a, const N: usize> {
    bytes: &'a [u8],
    next_slot: usize,
}

impl<'a, const N: usize> Reader<'a, N> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            next_slot: 0,
        }
    }

    #[inline]
    fn varint(&mut self) -> Option<u64> {
        let Some(word) = self.bytes.first_chunk::<8>() else {
            return self.long_varint();
        };
        let word = u64::from_le_bytes(*word);
        let ends = !word & 0x8080_8080_8080_8080;
        if ends == 0 {
            return self.long_varint();
        }
        let bits = ends.trailing_zeros() + 1;
        self.bytes = &self.bytes[bits as usize / 8..];
        // Eight groups of seven bits move together, in pairs, fours and eights.
        let groups = word & (u64::MAX >> (64 - bits)) & 0x7f7f_7f7f_7f7f_7f7f;
        let pairs = (groups & 0x007f_007f_007f_007f) | (groups & 0x7f00_7f00_7f00_7f00) >> 1;
        let fours = (pairs & 0x0000_3fff_0000_3fff) | (pairs & 0x3fff_0000_3fff_0000) >> 2;
        Some((fours & 0x0000_0000_0fff_ffff) | (fours & 0x0fff_ffff_0000_0000) >> 4)
    }

    /// One of more than eight bytes, or near the end.
    fn long_varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for (place, &byte) in self.bytes.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                self.bytes = &self.bytes[place + 1..];
                return Some(value);
            }
        }
        None
    }
}

impl<const N: usize> Iterator for Reader<'_, N> {
    type Item = (usize, Entry<N>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let head = self.varint()?;
        let (gap, mask) = (head >> N, head & ((1 << N) - 1));
        let slot = self.next_slot + gap as usize;
        self.next_slot = slot + 1;
        let mut delta = [0; N];
        for (field, value) in delta.iter_mut().enumerate() {
            if mask & (1 << field) != 0 {
                let zigzag = self.varint()?;
                *value = (zigzag >> 1) ^ (zigzag & 1).wrapping_neg();
            }
        }
        Some((slot, delta))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn column() -> impl Strategy<Value = Vec<Entry<3>>> {
        let value = prop_oneof![3 => Just(0), 2 => 0..5_u64, 1 => any::<u64>()];
        prop::collection::vec([value.clone(), value.clone(), value], 0..40)
    }

    fn same(one: &[Entry<3>], other: &[Entry<3>]) -> bool {
        difference(one, other).is_empty()
    }

    proptest! {
        #[test]
        fn goes_there_and_back(before in column(), after in column()) {
            let bytes = difference(&before, &after);
            let mut moved = before.clone();
            forward(&mut moved, &bytes);
            prop_assert!(same(&moved, &after));
            backward(&mut moved, &bytes);
            prop_assert!(same(&moved, &before));
        }

        #[test]
        fn two_differences_add_up_to_one(a in column(), b in column(), c in column()) {
            let (composed, cancelled) = compose::<3>(&difference(&a, &b), &difference(&b, &c));
            prop_assert_eq!(composed, difference(&a, &c));
            for slot in cancelled {
                prop_assert_eq!(a.get(slot).unwrap_or(&[0; 3]), c.get(slot).unwrap_or(&[0; 3]));
            }
        }
    }
}
