//! Names of frames, looked up when they are asked for.

use profiler_proto::v1;
use profiler_query::answer::{NameStacks, NamedStack};

use crate::{
    ids::StackId,
    stack::{self, FrameKind, NamedFrame, Resolver},
};

impl NameStacks for Resolver {
    fn name(&self, stacks: &[StackId]) -> Vec<Option<NamedStack>> {
        let named = Resolver::name(self, stacks).into_iter();
        named.map(|stack| Some(stack_to_wire(&stack?))).collect()
    }
}

fn stack_to_wire(stack: &stack::NamedStack) -> NamedStack {
    NamedStack {
        frames: stack.frames.iter().map(frame_to_wire).collect(),
        truncated: stack.truncated.is_some(),
    }
}

fn frame_to_wire(frame: &NamedFrame) -> v1::Frame {
    let kind = match frame.kind {
        FrameKind::Native => v1::FrameKind::Native,
        FrameKind::Jit => v1::FrameKind::Jit,
        FrameKind::Vdso => v1::FrameKind::Vdso,
    };
    v1::Frame {
        function: frame.function.to_string(),
        file: frame.file.to_string(),
        line: frame.line,
        module: frame.module.to_string(),
        build_id: frame.build_id.to_string(),
        module_offset: frame.module_offset,
        inlined: frame.inlined,
        kind: kind.into(),
    }
}
