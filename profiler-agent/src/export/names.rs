//! Names of frames, looked up when they are asked for.

use profiler_proto::v1;

use crate::{
    ids::StackId,
    stack::{FrameKind, NamedFrame, NamedStack, Resolver},
};

/// Names stacks. May take long and block: it is called on threads that may.
pub trait NameStacks: Send + Sync {
    /// One answer for each stack, in the same order; none for one that is not kept any more.
    fn name(&self, stacks: &[StackId]) -> Vec<Option<NamedStack>>;
}

impl NameStacks for Resolver {
    fn name(&self, stacks: &[StackId]) -> Vec<Option<NamedStack>> {
        Resolver::name(self, stacks)
    }
}

/// A stack for the wire, with a marker in the place of the frames that are missing, and whether
/// there are such. Of a stack that is not kept any more all are.
pub(super) fn stack_to_wire(stack: Option<&NamedStack>) -> (Vec<v1::Frame>, bool) {
    let frames = stack.map(|stack| &stack.frames[..]).unwrap_or_default();
    let mut frames: Vec<v1::Frame> = frames.iter().map(frame_to_wire).collect();
    let truncated = stack.is_none_or(|stack| stack.truncated.is_some());
    if truncated {
        frames.push(v1::Frame {
            kind: v1::FrameKind::Truncated.into(),
            ..v1::Frame::default()
        });
    }
    (frames, truncated)
}

pub(super) fn frame_to_wire(frame: &NamedFrame) -> v1::Frame {
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
