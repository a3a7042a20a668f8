//! The collector's side: definitions of one run on one stream, turned into content.

use std::collections::HashMap;

use profiler_proto::v1;
use prost::Message as _;

use super::{FRAME_BYTES, FRAMES_MAX, TEXT_BYTES_MAX, number, stack_bytes};
use crate::{
    compress::decompress,
    content::{frame_hash, stack_hash},
    decode::{
        DecodeError,
        wire::{Field, bounded, within},
    },
};

/// Bounds on what is defined after one Run.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Texts.
    pub strings: usize,
    /// Bytes of all texts.
    pub string_bytes: usize,
    /// Frames.
    pub frames: usize,
    /// Stacks.
    pub stacks: usize,
    /// Bytes of one message, decompressed.
    pub message_bytes: usize,
    /// Bytes that frames and stacks of one message come to with their texts written out.
    pub expanded_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            strings: 1 << 18,
            string_bytes: 32 << 20,
            frames: 1 << 19,
            stacks: 1 << 17,
            message_bytes: 16 << 20,
            expanded_bytes: 32 << 20,
        }
    }
}

impl Limits {
    fn fields(&self) -> [Field; 3] {
        let frames = Field::numbers(2, "stack", FRAMES_MAX);
        [
            Field::texts(2, "strings", self.strings, TEXT_BYTES_MAX),
            Field::messages(4, "frames", self.frames, Vec::new()),
            Field::messages(5, "stacks", self.stacks, vec![frames]),
        ]
    }
}

/// What one message defined, by content.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Defined {
    /// Frames with their numbers by content.
    pub frames: Vec<(u64, v1::Frame)>,
    /// Stacks: number by content, the same of its frames, leaf first, and whether it is truncated.
    pub stacks: Vec<(u64, Vec<u64>, bool)>,
    /// Numbers in the run, and what they stand for: of which stack by content.
    pub numbers: Vec<(u64, u64)>,
}

/// What is defined after one Run. A new one has to be made for each Run.
#[derive(Debug, Default)]
pub struct Reader {
    limits: Limits,
    strings: Strings,
    /// By content, in the order of their numbers.
    frames: Vec<u64>,
    stacks: HashMap<u64, u64>,
}

/// One buffer: a text costs its bytes and 4.
#[derive(Debug, Default)]
struct Strings {
    text: String,
    ends: Vec<u32>,
}

impl Reader {
    /// Nothing is defined.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Whether the run's stack with this number is defined.
    pub fn knows(&self, number: u64) -> bool {
        self.stacks.contains_key(&number)
    }

    /// The stack that a number of the run stands for, by content.
    pub fn stack(&self, number: u64) -> Option<u64> {
        self.stacks.get(&number).copied()
    }

    /// Reads one compressed `Definitions` message.
    ///
    /// # Errors
    /// It is damaged, refers to what is not defined, defines something twice, or more than the
    /// limits allow. The reader is of no use after that.
    pub fn read(&mut self, compressed: &[u8]) -> Result<Defined, DecodeError> {
        let bytes = decompress("definitions", compressed, self.limits.message_bytes)?;
        bounded(&bytes, &mut self.limits.fields())?;
        let definitions = v1::Definitions::decode(&*bytes)?;
        self.strings(definitions.first_string, &definitions.strings)?;
        self.expanded(&definitions)?;
        let frames = self.frames(definitions.first_frame, &definitions.frames)?;
        let mut defined = Defined {
            frames,
            ..Defined::default()
        };
        self.limit("stacks", self.stacks.len(), definitions.stacks.len())?;
        for stack in definitions.stacks {
            let (number, content, frames) = self.stack_of(&stack)?;
            defined.stacks.push((content, frames, stack.truncated));
            defined.numbers.push((number, content));
        }
        Ok(defined)
    }

    fn strings(&mut self, first: u32, strings: &[String]) -> Result<(), DecodeError> {
        follows("strings", first, self.strings.ends.len(), strings.len())?;
        self.limit("strings", self.strings.ends.len(), strings.len())?;
        for text in strings {
            self.limit("bytes of strings", self.strings.text.len(), text.len())?;
            self.strings.push(text);
        }
        Ok(())
    }

    /// Looks at it before it is made: frames name the same long text as often as they like.
    fn expanded(&self, definitions: &v1::Definitions) -> Result<(), DecodeError> {
        let limit = self.limits.expanded_bytes;
        let mut size = 0_usize;
        for stack in &definitions.stacks {
            size += stack_bytes(stack.frames.len());
        }
        for frame in &definitions.frames {
            let texts = [frame.function, frame.file, frame.module, frame.build_id];
            size += FRAME_BYTES;
            for text in texts {
                size += self.strings.text(text)?.len();
            }
            within("frames with their texts", size, limit)?;
        }
        within("frames and stacks", size, limit)
    }

    fn frames(
        &mut self,
        first: u32,
        frames: &[v1::FrameDefinition],
    ) -> Result<Vec<(u64, v1::Frame)>, DecodeError> {
        follows("frames", first, self.frames.len(), frames.len())?;
        self.limit("frames", self.frames.len(), frames.len())?;
        let mut named = Vec::with_capacity(frames.len());
        for frame in frames {
            let frame = self.strings.frame(frame)?;
            let content = frame_hash(&frame);
            self.frames.push(content);
            named.push((content, frame));
        }
        Ok(named)
    }

    fn stack_of(
        &mut self,
        stack: &v1::StackDefinition,
    ) -> Result<(u64, u64, Vec<u64>), DecodeError> {
        let frames = stack.frames.iter().map(|frame| {
            let found = place(*frame).and_then(|place| self.frames.get(place));
            found.copied().ok_or(DecodeError::Undefined("frame"))
        });
        let frames: Vec<_> = frames.collect::<Result<_, _>>()?;
        let content = stack_hash(&frames, stack.truncated);
        if stack.number == 0 || self.stacks.insert(stack.number, content).is_some() {
            return Err(DecodeError::Numbering("stacks"));
        }
        Ok((stack.number, content, frames))
    }

    fn limit(&self, what: &'static str, there: usize, more: usize) -> Result<(), DecodeError> {
        let limit = match what {
            "strings" => self.limits.strings,
            "bytes of strings" => self.limits.string_bytes,
            "frames" => self.limits.frames,
            _ => self.limits.stacks,
        };
        within(what, there.saturating_add(more), limit)
    }
}

impl Strings {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        let end = u32::try_from(self.text.len());
        self.ends.push(end.unwrap_or(u32::MAX));
    }

    fn text(&self, number: u32) -> Result<&str, DecodeError> {
        let Some(place) = place(number) else {
            return Ok("");
        };
        let start = place
            .checked_sub(1)
            .map_or(Some(&0), |at| self.ends.get(at));
        let text = start
            .zip(self.ends.get(place))
            .and_then(|(start, end)| self.text.get(*start as usize..*end as usize));
        text.ok_or(DecodeError::Undefined("text"))
    }

    fn frame(&self, frame: &v1::FrameDefinition) -> Result<v1::Frame, DecodeError> {
        Ok(v1::Frame {
            function: self.text(frame.function)?.to_owned(),
            file: self.text(frame.file)?.to_owned(),
            line: frame.line,
            module: self.text(frame.module)?.to_owned(),
            build_id: self.text(frame.build_id)?.to_owned(),
            module_offset: frame.module_offset,
            inlined: frame.inlined,
            kind: frame.kind,
        })
    }
}

/// Numbers go on where they ended.
fn follows(what: &'static str, first: u32, there: usize, more: usize) -> Result<(), DecodeError> {
    if more == 0 || first == number(there) {
        Ok(())
    } else {
        Err(DecodeError::Numbering(what))
    }
}

fn place(number: u32) -> Option<usize> {
    number.checked_sub(1).map(|place| place as usize)
}
