//! Names of frames, looked up when they are asked for.

use profiler_proto::v1;

use crate::ids::StackId;

/// A stack with its frames.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamedStack {
    /// Leaf first.
    pub frames: Vec<v1::Frame>,
    /// It does not reach the thread's root.
    pub truncated: bool,
}

/// Names stacks. May take long and block: it is called on threads that may.
pub trait NameStacks: Send + Sync {
    /// One answer for each stack, in the same order; none for one that is not kept any more.
    fn name(&self, stacks: &[StackId]) -> Vec<Option<NamedStack>>;
}

/// A stack for the wire, with a marker in the place of the frames that are missing, and whether
/// there are such. Of a stack that is not kept any more all are.
pub fn stack_to_wire(stack: Option<&NamedStack>) -> (Vec<v1::Frame>, bool) {
    let mut frames = stack.map_or_else(Vec::new, |stack| stack.frames.clone());
    let truncated = stack.is_none_or(|stack| stack.truncated);
    if truncated {
        frames.push(v1::Frame {
            kind: v1::FrameKind::Truncated.into(),
            ..v1::Frame::default()
        });
    }
    (frames, truncated)
}
