//! Frames and stacks, each kept once and carried by number.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::frame::Truncation;
use crate::ids::{ModuleId, ProcessHandle, StackId};

/// Code of a frame, named lazily.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FrameId {
    /// In an ELF file, at this offset of the file.
    Native {
        /// The file.
        module: ModuleId,
        /// Inside the call instruction, except for a leaf.
        offset: u64,
    },
    /// In the vDSO.
    Vdso {
        /// From its start.
        offset: u64,
    },
    /// In anonymous memory.
    Jit {
        /// Whose.
        process: ProcessHandle,
        /// Inside the call instruction, except for a leaf.
        address: u64,
    },
    /// In a file that could not be opened, or in no mapping that is known.
    Unknown {
        /// Whose.
        process: ProcessHandle,
        /// As above.
        address: u64,
    },
}

impl FrameId {
    fn process(self) -> Option<ProcessHandle> {
        match self {
            Self::Jit { process, .. } | Self::Unknown { process, .. } => Some(process),
            Self::Native { .. } | Self::Vdso { .. } => None,
        }
    }
}

/// A stack, leaf first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackFrames {
    /// Leaf first.
    pub frames: Vec<FrameId>,
    /// Why it does not reach its root; `None` if it does.
    pub truncated: Option<Truncation>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    frames: Arc<[u32]>,
    truncated: Option<Truncation>,
}

/// Bounds of the tables.
#[derive(Clone, Copy, Debug)]
pub struct InternLimits {
    /// Most stacks.
    pub stacks: usize,
    /// Most frames.
    pub frames: usize,
}

impl Default for InternLimits {
    fn default() -> Self {
        Self {
            stacks: 65_536,
            frames: 524_288,
        }
    }
}

/// The tables.
#[derive(Debug)]
pub struct Interner {
    limits: InternLimits,
    frames: Vec<FrameId>,
    free: Vec<u32>,
    by_frame: HashMap<FrameId, u32>,
    stacks: HashMap<StackId, Key>,
    by_stack: HashMap<Key, StackId>,
    next: Option<u32>,
    scratch: Vec<u32>,
}

impl Interner {
    /// Empty tables.
    pub fn new(limits: InternLimits) -> Self {
        Self {
            limits,
            frames: Vec::new(),
            free: Vec::new(),
            by_frame: HashMap::new(),
            stacks: HashMap::new(),
            by_stack: HashMap::new(),
            next: Some(0),
            scratch: Vec::new(),
        }
    }

    /// The id of a stack; `None` when a table is full.
    pub fn intern(
        &mut self,
        frames: impl Iterator<Item = FrameId>,
        truncated: Option<Truncation>,
    ) -> Option<StackId> {
        let mut places = std::mem::take(&mut self.scratch);
        places.clear();
        let mut complete = true;
        for frame in frames {
            let Some(place) = self.intern_frame(frame) else {
                complete = false;
                break;
            };
            places.push(place);
        }
        let id = if complete {
            self.intern_stack(&places, truncated)
        } else {
            None
        };
        self.scratch = places;
        id
    }

    fn intern_frame(&mut self, frame: FrameId) -> Option<u32> {
        if let Some(&place) = self.by_frame.get(&frame) {
            return Some(place);
        }
        let place = if let Some(place) = self.free.pop() {
            self.frames[place as usize] = frame;
            place
        } else if self.frames.len() < self.limits.frames {
            let place = u32::try_from(self.frames.len()).ok()?;
            self.frames.push(frame);
            place
        } else {
            return None;
        };
        self.by_frame.insert(frame, place);
        Some(place)
    }

    fn intern_stack(&mut self, places: &[u32], truncated: Option<Truncation>) -> Option<StackId> {
        let key = Key {
            frames: places.into(),
            truncated,
        };
        if let Some(&id) = self.by_stack.get(&key) {
            return Some(id);
        }
        if self.stacks.len() >= self.limits.stacks {
            return None;
        }
        let id = StackId(self.next?);
        // When the numbers are used up, new stacks are folded: none is ever used twice.
        self.next = id.0.checked_add(1);
        self.stacks.insert(id, key.clone());
        self.by_stack.insert(key, id);
        Some(id)
    }

    /// The frames of a stack, while it is kept.
    pub fn resolve(&self, id: StackId) -> Option<StackFrames> {
        let key = self.stacks.get(&id)?;
        let frames = key.frames.iter().map(|&place| self.frames[place as usize]);
        Some(StackFrames {
            frames: frames.collect(),
            truncated: key.truncated,
        })
    }

    /// Forgets every stack that is not in `live`, and the frames that only those had.
    pub fn retain(&mut self, live: &HashSet<StackId>) {
        self.stacks.retain(|id, _| live.contains(id));
        self.by_stack.retain(|_, id| live.contains(id));
        let mut used = vec![false; self.frames.len()];
        for key in self.stacks.values() {
            for &place in key.frames.iter() {
                used[place as usize] = true;
            }
        }
        self.by_frame.retain(|_, place| used[*place as usize]);
        let unused = (0_u32..).zip(&used).filter(|(_, used)| !**used);
        self.free = unused.map(|(place, _)| place).collect();
    }

    /// How many stacks there are.
    pub fn stacks(&self) -> usize {
        self.stacks.len()
    }

    /// How many frames there are.
    pub fn frames(&self) -> usize {
        self.by_frame.len()
    }

    /// A share of at least 7/8 of a table is in use: time to say what is still live.
    pub fn is_nearly_full(&self) -> bool {
        let nearly = |used: usize, limit: usize| used >= limit - limit / 8;
        nearly(self.stacks(), self.limits.stacks) || nearly(self.frames(), self.limits.frames)
    }

    /// Modules that a stack leads through.
    pub fn modules(&self) -> HashSet<ModuleId> {
        self.by_frame
            .keys()
            .filter_map(|frame| match frame {
                FrameId::Native { module, .. } => Some(*module),
                _ => None,
            })
            .collect()
    }

    /// Processes whose addresses a stack carries.
    pub fn processes(&self) -> HashSet<ProcessHandle> {
        self.by_frame
            .keys()
            .filter_map(|frame| frame.process())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn native(offset: u64) -> FrameId {
        FrameId::Native {
            module: ModuleId(1),
            offset,
        }
    }

    fn small() -> Interner {
        Interner::new(InternLimits {
            stacks: 2,
            frames: 4,
        })
    }

    #[test]
    fn equal_stacks_are_one_and_a_truncated_one_is_another() {
        let mut interner = small();
        let whole = interner.intern([native(1), native(2)].into_iter(), None);
        assert_eq!(
            interner.intern([native(1), native(2)].into_iter(), None),
            whole
        );
        let cut = interner.intern(
            [native(1), native(2)].into_iter(),
            Some(Truncation::SliceEnd),
        );
        assert_ne!(cut, whole);
        let resolved = interner.resolve(cut.expect("room")).expect("kept");
        assert_eq!(resolved.frames, [native(1), native(2)]);
        assert_eq!(resolved.truncated, Some(Truncation::SliceEnd));
    }

    #[test]
    fn full_tables_refuse_and_sweeping_makes_room_without_reusing_ids() {
        let mut interner = small();
        let first = interner
            .intern([native(1), native(2)].into_iter(), None)
            .expect("room");
        let second = interner
            .intern([native(2), native(3)].into_iter(), None)
            .expect("room");
        assert!(interner.is_nearly_full());
        assert_eq!(interner.intern([native(1)].into_iter(), None), None);
        interner.retain(&HashSet::from([second]));
        assert_eq!(interner.resolve(first), None);
        assert_eq!(interner.frames(), 2);
        let third = interner
            .intern([native(7), native(8)].into_iter(), None)
            .expect("room");
        assert!(third > second);
        assert_eq!(
            interner.resolve(second).expect("kept").frames,
            [native(2), native(3)]
        );
        assert_eq!(
            interner.resolve(third).expect("kept").frames,
            [native(7), native(8)]
        );
        interner.retain(&HashSet::from([third]));
        assert_eq!(
            interner.intern((0..9).map(native), None),
            None,
            "more frames than fit"
        );
    }
}
