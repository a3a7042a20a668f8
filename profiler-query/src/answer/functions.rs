//! Which functions occur in stacks.

use std::collections::HashMap;

use profiler_proto::v1;

use super::NamedStack;
use crate::ids::ProcessHandle;

/// A function that occurs in a stack.
pub(super) struct Function {
    /// As one of its frames has it, without what differs from call to call.
    pub(super) frame: v1::Frame,
    /// The process, while it was met in one only.
    pub(super) process: Option<ProcessHandle>,
}

/// Functions by the order in which they were met.
#[derive(Default)]
pub(super) struct Functions {
    numbers: HashMap<v1::Frame, u32>,
    pub(super) known: Vec<Function>,
}

impl Functions {
    /// The functions of a stack, leaf first. `process`: the only one that it was met in.
    pub(super) fn of(&mut self, stack: &NamedStack, process: Option<ProcessHandle>) -> Vec<u32> {
        let frames = stack.frames.iter();
        frames
            .map(|frame| self.number(identity(frame), process))
            .collect()
    }

    fn number(&mut self, frame: v1::Frame, process: Option<ProcessHandle>) -> u32 {
        if let Some(&number) = self.numbers.get(&frame) {
            let function = &mut self.known[number as usize];
            if function.process != process {
                function.process = None;
            }
            return number;
        }
        let number = self.known.len() as u32;
        self.numbers.insert(frame.clone(), number);
        self.known.push(Function { frame, process });
        number
    }
}

/// A frame without what tells two places in one function apart. One without a name stands for
/// its place.
fn identity(frame: &v1::Frame) -> v1::Frame {
    let mut frame = frame.clone();
    if !frame.function.is_empty() {
        frame.line = 0;
        frame.module_offset = 0;
        frame.inlined = false;
    }
    frame
}
