//! Definitions: as they come, and as messages that are nearly right.
#![no_main]

use std::collections::HashMap;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use profiler_proto::v1;
use profiler_stream::content::{frame_hash, stack_hash};
use profiler_stream::define::{Limits, Reader};
use prost::Message;

#[derive(Arbitrary, Debug)]
struct Definitions {
    /// By how much the first number is off.
    off: Option<u8>,
    strings: Vec<String>,
    frames: Vec<[u8; 6]>,
    stacks: Vec<(u8, Vec<u8>, bool)>,
}

#[derive(Arbitrary, Debug)]
enum Input {
    Compressed(Vec<u8>),
    Bytes(Vec<Vec<u8>>),
    Messages(Vec<Definitions>),
}

const LIMITS: Limits = Limits {
    strings: 40,
    string_bytes: 400,
    frames: 40,
    stacks: 40,
    message_bytes: 4096,
    expanded_bytes: 20_000,
};

/// What is defined, as a collector would keep it.
#[derive(Default)]
struct Stream {
    reader: Reader,
    strings: u32,
    frames: HashMap<u64, v1::Frame>,
    frame_count: u32,
    numbers: HashMap<u64, u64>,
}

impl Stream {
    fn message(&self, definitions: &Definitions) -> v1::Definitions {
        let off = definitions.off.filter(|off| *off < 20).map_or(0, u32::from);
        let frames = definitions.frames.iter().map(|frame| v1::FrameDefinition {
            function: frame[0].into(),
            file: frame[1].into(),
            line: frame[2].into(),
            module: frame[3].into(),
            module_offset: frame[4].into(),
            kind: frame[5].into(),
            ..Default::default()
        });
        let stacks = definitions.stacks.iter();
        v1::Definitions {
            first_string: self.strings + 1 + off,
            strings: definitions.strings.clone(),
            first_frame: self.frame_count + 1 + off,
            frames: frames.collect(),
            stacks: stacks
                .map(|(number, frames, truncated)| v1::StackDefinition {
                    number: (*number).into(),
                    frames: frames.iter().copied().map(u32::from).collect(),
                    truncated: *truncated,
                })
                .collect(),
        }
    }

    /// `false`: it was refused.
    fn read(&mut self, compressed: &[u8]) -> bool {
        let Ok(defined) = self.reader.read(compressed) else {
            return false;
        };
        for (content, frame) in defined.frames {
            assert_eq!(content, frame_hash(&frame));
            self.frames.insert(content, frame);
            self.frame_count += 1;
        }
        for (content, frames, truncated) in &defined.stacks {
            assert_eq!(*content, stack_hash(frames, *truncated));
            assert!(frames.iter().all(|frame| self.frames.contains_key(frame)));
        }
        for (number, content) in defined.numbers {
            assert!(self.numbers.insert(number, content).is_none());
            assert_eq!(self.reader.stack(number), Some(content));
        }
        assert!(self.numbers.len() <= LIMITS.stacks);
        assert!(self.frames.len() <= LIMITS.frames);
        true
    }
}

fn compress(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 1).expect("memory")
}

fuzz_target!(|input: Input| {
    let mut stream = Stream {
        reader: Reader::new(LIMITS),
        ..Stream::default()
    };
    match input {
        Input::Compressed(bytes) => drop(stream.read(&bytes)),
        Input::Bytes(messages) => {
            let _ = messages.iter().all(|bytes| stream.read(&compress(bytes)));
        }
        Input::Messages(messages) => {
            for definitions in &messages {
                let message = stream.message(definitions);
                if !stream.read(&compress(&message.encode_to_vec())) {
                    break;
                }
                stream.strings += definitions.strings.len() as u32;
            }
        }
    }
});
