//! Frames and stacks by their content: the same numbers on every node and in every version, so that
//! a store can keep each of them once.
//!
//! A number is the first 8 bytes (little-endian) of the BLAKE3 hash of an encoding in which every
//! field stands: a byte that says what it is, texts with their length before them, integers in 8
//! bytes, little-endian. Changing it makes everything that is stored unknown: it is fixed.

use profiler_proto::v1;

const FRAME: u8 = 1;
const STACK: u8 = 2;

/// A frame's number: of all its fields.
pub fn frame_hash(frame: &v1::Frame) -> u64 {
    let mut content = Content::new(FRAME);
    content.text(&frame.function);
    content.text(&frame.file);
    content.number(u64::from(frame.line));
    content.text(&frame.module);
    content.text(&frame.build_id);
    content.number(frame.module_offset);
    content.number(u64::from(frame.inlined));
    content.number(u64::from(frame.kind.cast_unsigned()));
    content.hash()
}

/// A stack's number: of its frames' numbers, leaf first, and of whether it reaches the thread's root.
pub fn stack_hash(frames: &[u64], truncated: bool) -> u64 {
    let mut content = Content::new(STACK);
    content.number(u64::from(truncated));
    content.number(frames.len() as u64);
    for frame in frames {
        content.number(*frame);
    }
    content.hash()
}

struct Content(Vec<u8>);

impl Content {
    fn new(what: u8) -> Self {
        let mut bytes = Vec::with_capacity(512);
        bytes.push(what);
        Self(bytes)
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn hash(&self) -> u64 {
        let hash = blake3::hash(&self.0);
        let mut prefix = [0; 8];
        prefix.copy_from_slice(&hash.as_bytes()[..8]);
        u64::from_le_bytes(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, file: &str) -> v1::Frame {
        v1::Frame {
            function: function.to_owned(),
            file: file.to_owned(),
            line: 7,
            module: "/usr/bin/app".to_owned(),
            build_id: "abcd".to_owned(),
            module_offset: 0x1234,
            inlined: true,
            kind: v1::FrameKind::Native.into(),
        }
    }

    #[test]
    fn numbers_never_change() {
        assert_eq!(
            frame_hash(&frame("main", "a.c")),
            11_617_283_942_363_297_974
        );
        assert_eq!(stack_hash(&[1, 2, 3], true), 11_018_462_354_414_711_882);
    }

    #[test]
    fn text_that_moves_from_one_field_to_the_next_is_other_content() {
        assert_ne!(frame_hash(&frame("ab", "c")), frame_hash(&frame("a", "bc")));
    }

    #[test]
    fn a_truncated_stack_is_another() {
        assert_ne!(stack_hash(&[1], true), stack_hash(&[1], false));
        assert_ne!(stack_hash(&[], true), stack_hash(&[0], true));
    }
}
