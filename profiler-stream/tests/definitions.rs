//! Definitions, from a dictionary to a reader.

use std::collections::HashMap;

use profiler_proto::v1;
use profiler_stream::{
    content::{frame_hash, stack_hash},
    decode::DecodeError,
    define::{Dictionary, FRAMES_MAX, Limits, Reader, TEXT_BYTES_MAX},
};
use proptest::{collection, prelude::*};
use prost::Message as _;

fn frames() -> impl Strategy<Value = v1::Frame> {
    let text = || prop_oneof![Just(""), Just("main"), Just("größe"), Just("a")];
    (text(), text(), text(), 0..2_u32, any::<bool>()).prop_map(
        |(function, file, module, line, inlined)| v1::Frame {
            function: function.to_owned(),
            file: file.to_owned(),
            line,
            module: module.to_owned(),
            build_id: "abcd".to_owned(),
            module_offset: u64::from(line) << 40,
            inlined,
            kind: v1::FrameKind::Native.into(),
        },
    )
}

type Stack = (Vec<v1::Frame>, bool);

/// All that a reader was told, as stacks by their numbers in the run.
#[derive(Default)]
struct Known {
    frames: HashMap<u64, v1::Frame>,
    stacks: HashMap<u64, (Vec<u64>, bool)>,
    numbers: HashMap<u64, u64>,
}

impl Known {
    fn read(&mut self, reader: &mut Reader, message: &[u8]) {
        let defined = reader.read(message).unwrap();
        self.frames.extend(defined.frames);
        let stacks = defined.stacks.into_iter();
        self.stacks
            .extend(stacks.map(|(stack, frames, truncated)| (stack, (frames, truncated))));
        self.numbers.extend(defined.numbers);
    }

    fn stack(&self, number: u64) -> Stack {
        let (frames, truncated) = &self.stacks[&self.numbers[&number]];
        let frames = frames.iter().map(|frame| self.frames[frame].clone());
        (frames.collect(), *truncated)
    }
}

proptest! {
    #[test]
    fn stacks_come_over_as_they_are(
        messages in collection::vec(
            collection::vec((collection::vec(frames(), 0..5), any::<bool>()), 0..5),
            0..5,
        ),
    ) {
        let mut dictionary = Dictionary::new();
        let mut reader = Reader::new(Limits::default());
        let mut known = Known::default();
        let mut stacks: Vec<Stack> = Vec::new();
        for message in messages {
            for (frames, truncated) in message {
                let number = stacks.len() as u64 + 1;
                prop_assert!(!dictionary.knows(number));
                prop_assert!(dictionary.define(number, &frames, truncated));
                prop_assert!(dictionary.knows(number));
                stacks.push((frames, truncated));
            }
            while let Some(message) = dictionary.take() {
                known.read(&mut reader, &message);
            }
        }
        for (number, stack) in (1..).zip(&stacks) {
            prop_assert!(reader.knows(number));
            prop_assert_eq!(&known.stack(number), stack);
            let frames: Vec<_> = stack.0.iter().map(frame_hash).collect();
            prop_assert_eq!(reader.stack(number), Some(stack_hash(&frames, stack.1)));
        }
    }

    #[test]
    fn bytes_of_anything_are_refused(bytes in collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(Reader::default().read(&bytes).is_err());
    }
}

fn frame(function: String) -> v1::Frame {
    v1::Frame {
        function,
        ..v1::Frame::default()
    }
}

#[test]
fn what_is_known_is_not_sent_again() {
    let mut dictionary = Dictionary::new();
    assert!(dictionary.define(1, &[frame("main".to_owned())], false));
    let first = dictionary.take().unwrap();
    assert!(dictionary.define(1, &[frame("other".to_owned())], false));
    assert!(dictionary.take().is_none());
    assert!(dictionary.define(2, &[frame("main".to_owned())], true));
    let second = dictionary.take().unwrap();
    let mut reader = Reader::default();
    assert_eq!(reader.read(&first).unwrap().frames.len(), 1);
    assert!(reader.read(&second).unwrap().frames.is_empty());
}

#[test]
fn many_definitions_are_several_messages_that_a_reader_takes() {
    let mut dictionary = Dictionary::new();
    for number in 1..2_000 {
        let frames: Vec<_> = (0..40)
            .map(|at| frame(format!("{number}::{at}").repeat(5)))
            .collect();
        assert!(dictionary.define(number, &frames, false));
    }
    let mut reader = Reader::default();
    let mut messages = 0;
    while let Some(message) = dictionary.take() {
        reader.read(&message).unwrap();
        messages += 1;
    }
    assert!(messages > 1);
    assert!((1..2_000).all(|number| reader.knows(number)));
}

#[test]
fn what_is_too_long_is_cut_so_that_a_reader_takes_it() {
    let mut dictionary = Dictionary::new();
    let long = frame("é".repeat(TEXT_BYTES_MAX));
    assert!(dictionary.define(1, &vec![long; FRAMES_MAX + 1], false));
    let mut reader = Reader::default();
    let defined = reader.read(&dictionary.take().unwrap()).unwrap();
    assert_eq!(defined.frames[0].1.function.len(), TEXT_BYTES_MAX);
    let (_, frames, truncated) = &defined.stacks[0];
    assert_eq!(frames.len(), FRAMES_MAX);
    assert!(truncated);
}

#[test]
fn a_reader_takes_the_largest_stack_on_top_of_a_message_that_is_nearly_full() {
    let mut dictionary = Dictionary::new();
    let text = |place: usize, at: usize| format!("{place}-{at}-").repeat(TEXT_BYTES_MAX / 4);
    let mut largest = Vec::new();
    for at in 0..FRAMES_MAX {
        largest.push(v1::Frame {
            function: text(1, at),
            file: text(2, at),
            module: text(3, at),
            build_id: text(4, at),
            ..v1::Frame::default()
        });
    }
    assert!(dictionary.define(1, &largest[..60], false));
    assert!(dictionary.define(2, &largest, false));
    let mut reader = Reader::default();
    reader.read(&dictionary.take().unwrap()).unwrap();
    assert!(reader.knows(1) && reader.knows(2));
}

#[test]
fn a_dictionary_says_when_it_is_full() {
    let mut dictionary = Dictionary::new();
    let mut texts = (0_u64..).map(|at| frame(format!("{at:04000}")));
    let mut reader = Reader::default();
    let full = (1..).find(|number| {
        let frames: Vec<_> = texts.by_ref().take(100).collect();
        !dictionary.define(*number, &frames, false)
    });
    while let Some(message) = dictionary.take() {
        reader.read(&message).unwrap();
    }
    assert_eq!(full, Some((32 << 20) / 400_000 + 1));
    assert!(!dictionary.knows(full.unwrap()));
}

fn read(definitions: &v1::Definitions) -> Result<(), DecodeError> {
    let limits = Limits {
        strings: 3,
        string_bytes: 10,
        frames: 2,
        stacks: 2,
        message_bytes: 8192,
        expanded_bytes: 8192,
    };
    let bytes = zstd::bulk::compress(&definitions.encode_to_vec(), 3).unwrap();
    Reader::new(limits).read(&bytes).map(drop)
}

fn strings(first_string: u32, strings: &[&str]) -> v1::Definitions {
    v1::Definitions {
        first_string,
        strings: strings.iter().map(|&text| text.to_owned()).collect(),
        ..Default::default()
    }
}

fn stacks(stacks: &[(u64, usize)]) -> v1::Definitions {
    let stacks = stacks.iter().map(|(number, frames)| v1::StackDefinition {
        number: *number,
        frames: vec![1; *frames],
        truncated: false,
    });
    v1::Definitions {
        first_frame: 1,
        frames: vec![v1::FrameDefinition::default()],
        stacks: stacks.collect(),
        ..Default::default()
    }
}

#[test]
fn a_reader_refuses_more_than_its_limits() {
    let is_too_large = |read| matches!(read, Err(DecodeError::TooLarge { .. }));
    read(&strings(1, &["a", "b", "c"])).unwrap();
    assert!(is_too_large(read(&strings(1, &["a", "b", "c", "d"]))));
    assert!(is_too_large(read(&strings(1, &["0123456789", "0"]))));
    assert!(is_too_large(read(&strings(1, &[&"0".repeat(5000)]))));
    read(&stacks(&[(1, 512), (2, 1)])).unwrap();
    assert!(is_too_large(read(&stacks(&[(1, 513)]))));
    assert!(is_too_large(read(&stacks(&[(1, 1), (2, 1), (3, 1)]))));
}

/// A string of 4 KiB that each of so many frames names four times.
fn expanding(frames: usize) -> Vec<u8> {
    let frame = v1::FrameDefinition {
        function: 1,
        file: 1,
        module: 1,
        build_id: 1,
        ..Default::default()
    };
    let definitions = v1::Definitions {
        first_frame: 1,
        frames: vec![frame; frames],
        ..strings(1, &[&"0".repeat(TEXT_BYTES_MAX)])
    };
    zstd::bulk::compress(&definitions.encode_to_vec(), 3).unwrap()
}

#[test]
fn a_reader_refuses_frames_that_come_to_much_more_than_their_message() {
    Reader::default().read(&expanding(1_000)).unwrap();
    let refused = Reader::default().read(&expanding(1 << 19)).unwrap_err();
    assert!(matches!(refused, DecodeError::TooLarge { .. }), "{refused}");
}

#[test]
fn a_reader_takes_frames_of_the_longest_texts_in_any_number() {
    let mut dictionary = Dictionary::new();
    let text = "0".repeat(TEXT_BYTES_MAX);
    for number in 1..=8 {
        let frames = (0..512).map(|line| v1::Frame {
            function: text.clone(),
            file: text.clone(),
            module: text.clone(),
            build_id: text.clone(),
            line: number * 1_000 + line,
            ..Default::default()
        });
        assert!(dictionary.define(number.into(), &frames.collect::<Vec<_>>(), false));
    }
    let mut reader = Reader::default();
    while let Some(message) = dictionary.take() {
        reader.read(&message).unwrap();
    }
    assert!(reader.knows(8));
}

#[test]
fn a_reader_counts_before_it_decodes() {
    let empty_stacks = b"\x2a\0".repeat(1 << 18);
    let bytes = zstd::bulk::compress(&empty_stacks, 3).unwrap();
    let refused = Reader::default().read(&bytes).unwrap_err();
    assert!(
        matches!(refused, DecodeError::TooLarge { what: "stacks", .. }),
        "{refused}"
    );
}

#[test]
fn a_reader_refuses_numbers_that_do_not_follow() {
    assert_eq!(
        read(&strings(2, &["a"])),
        Err(DecodeError::Numbering("strings"))
    );
    assert_eq!(
        read(&strings(0, &["a"])),
        Err(DecodeError::Numbering("strings"))
    );
    assert_eq!(
        read(&stacks(&[(1, 1), (1, 1)])),
        Err(DecodeError::Numbering("stacks"))
    );
    assert_eq!(
        read(&stacks(&[(0, 1)])),
        Err(DecodeError::Numbering("stacks"))
    );
    let mut undefined = stacks(&[(1, 1)]);
    undefined.stacks[0].frames = vec![2];
    assert_eq!(read(&undefined), Err(DecodeError::Undefined("frame")));
    undefined.stacks[0].frames = vec![0];
    assert_eq!(read(&undefined), Err(DecodeError::Undefined("frame")));
    undefined.frames[0].function = 1;
    assert_eq!(read(&undefined), Err(DecodeError::Undefined("text")));
}
