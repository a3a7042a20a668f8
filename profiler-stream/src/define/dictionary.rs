//! The agent's side: what the file of the spool that is being written has defined.

use std::collections::{HashMap, HashSet, VecDeque};

use profiler_proto::v1;
use prost::Message as _;

use super::{FRAME_BYTES, FRAMES_MAX, Limits, TEXT_BYTES_MAX, number, stack_bytes};
use crate::{compress::compress, fit::prefix};

/// Bytes of texts and numbers after which a message of definitions is closed. With a last stack of
/// the longest texts on top, some 8 MiB, it is still less than what a reader refuses.
const MESSAGE_BYTES: usize = 1 << 20;
/// The same with the texts of each frame written out. A last stack comes to some 8 MiB here too.
const EXPANDED_BYTES: usize = 8 << 20;

/// Gives numbers to texts and frames, each once. One for each file of the spool.
#[derive(Debug, Default)]
pub struct Dictionary {
    limits: Limits,
    strings: HashMap<Box<str>, u32>,
    string_bytes: usize,
    frames: HashMap<v1::FrameDefinition, u32>,
    stacks: HashSet<u64>,
    open: Message,
    closed: VecDeque<v1::Definitions>,
}

/// What is defined but not taken yet.
#[derive(Debug, Default)]
struct Message {
    definitions: v1::Definitions,
    bytes: usize,
    /// As a reader counts them.
    expanded: usize,
}

impl Dictionary {
    /// Knows nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the stack with this number is defined.
    pub fn knows(&self, number: u64) -> bool {
        self.stacks.contains(&number)
    }

    /// Defines a stack; one that is known stays as it is. Texts and stacks that are too long are
    /// cut, a stack is truncated then.
    ///
    /// Returns `false` when there is no room for it: then a new file with a new dictionary has to
    /// begin.
    #[must_use]
    pub fn define(&mut self, number: u64, frames: &[v1::Frame], truncated: bool) -> bool {
        if self.knows(number) {
            return true;
        }
        let cut = frames.len() > FRAMES_MAX;
        let frames = &frames[..frames.len().min(FRAMES_MAX)];
        if !self.has_room(frames) {
            return false;
        }
        let frames: Vec<_> = frames.iter().map(|frame| self.frame(frame)).collect();
        self.stacks.insert(number);
        self.open.bytes += 16 + 4 * frames.len();
        self.open.expanded += stack_bytes(frames.len());
        self.open.definitions.stacks.push(v1::StackDefinition {
            number,
            frames,
            truncated: truncated || cut,
        });
        if self.open.bytes >= MESSAGE_BYTES || self.open.expanded >= EXPANDED_BYTES {
            self.close();
        }
        true
    }

    /// The next compressed `Definitions` message of what was defined since it was taken last; none
    /// when there is nothing more.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        if self.closed.is_empty() {
            self.close();
        }
        let definitions = self.closed.pop_front()?;
        Some(compress(&definitions.encode_to_vec()))
    }

    fn close(&mut self) {
        let Message { definitions, .. } = std::mem::take(&mut self.open);
        if definitions != v1::Definitions::default() {
            self.closed.push_back(definitions);
        }
    }

    /// As if nothing of it were known.
    fn has_room(&self, frames: &[v1::Frame]) -> bool {
        let bytes = frames.iter().flat_map(texts);
        let bytes: usize = bytes.map(|text| cut(text).len()).sum();
        self.stacks.len() < self.limits.stacks
            && self.frames.len() + frames.len() <= self.limits.frames
            && self.strings.len() + 4 * frames.len() <= self.limits.strings
            && self.string_bytes + bytes <= self.limits.string_bytes
    }

    fn frame(&mut self, frame: &v1::Frame) -> u32 {
        let texts = texts(frame).map(cut);
        let [function, file, module, build_id] = texts.map(|text| self.string(text));
        let frame = v1::FrameDefinition {
            function,
            file,
            line: frame.line,
            module,
            build_id,
            module_offset: frame.module_offset,
            inlined: frame.inlined,
            kind: frame.kind,
        };
        if let Some(number) = self.frames.get(&frame) {
            return *number;
        }
        let number = number(self.frames.len());
        self.frames.insert(frame, number);
        let definitions = &mut self.open.definitions;
        if definitions.frames.is_empty() {
            definitions.first_frame = number;
        }
        definitions.frames.push(frame);
        self.open.bytes += 48;
        self.open.expanded += FRAME_BYTES + texts.map(str::len).iter().sum::<usize>();
        number
    }

    fn string(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        if let Some(number) = self.strings.get(text) {
            return *number;
        }
        let number = number(self.strings.len());
        self.strings.insert(text.into(), number);
        self.string_bytes += text.len();
        let definitions = &mut self.open.definitions;
        if definitions.strings.is_empty() {
            definitions.first_string = number;
        }
        definitions.strings.push(text.to_owned());
        self.open.bytes += 8 + text.len();
        number
    }
}

fn texts(frame: &v1::Frame) -> [&str; 4] {
    [&frame.function, &frame.file, &frame.module, &frame.build_id]
}

fn cut(text: &str) -> &str {
    prefix(text, TEXT_BYTES_MAX)
}
