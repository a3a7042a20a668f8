//! What a frame is called and where it is.

use profiler_proto::v1::{Frame, FrameKind, GrowthRow, OwnerKind};

use crate::text::{base_name, clean};

/// Marks the end of a stack that could not be followed.
pub const TRUNCATED: &str = "[stack truncated]";

/// The name of a frame, where there is one, else what is known instead.
pub fn frame_name(frame: &Frame) -> String {
    match frame.kind() {
        FrameKind::Truncated => TRUNCATED.into(),
        _ if !frame.function.is_empty() => clean(&frame.function).into_owned(),
        _ if frame.module.is_empty() => format!("{:#x}", frame.module_offset),
        _ => {
            let module = clean(base_name(&frame.module));
            format!("{module}+{:#x}", frame.module_offset)
        }
    }
}

/// File and line, else the module; for a frame without a name what identifies its module.
pub fn place(frame: &Frame) -> String {
    if frame.kind() == FrameKind::Truncated {
        return String::new();
    }
    if !frame.file.is_empty() {
        let file = clean(&frame.file);
        return match frame.line {
            0 => file.into_owned(),
            line => format!("{file}:{line}"),
        };
    }
    if frame.function.is_empty() {
        return match frame.build_id.get(..frame.build_id.len().min(12)) {
            Some(id) if !id.is_empty() => format!("(build id {})", clean(id)),
            _ if frame.module.is_empty() => String::new(),
            _ => "(no build id)".into(),
        };
    }
    match frame.module.as_str() {
        "" => String::new(),
        module => format!("({})", clean(base_name(module))),
    }
}

/// What stands for the stack of memory that no stack owns.
pub fn owner_name(owner: OwnerKind) -> Option<&'static str> {
    match owner {
        OwnerKind::PreExisting => Some("[pre-existing]"),
        OwnerKind::ExecImage => Some("[exec image]"),
        OwnerKind::Unattributed => Some("[unattributed]"),
        OwnerKind::Folded => Some("[folded: stack table full]"),
        OwnerKind::Unsampled => Some("[stack not captured]"),
        OwnerKind::Unspecified | OwnerKind::Stack | OwnerKind::Aggregate => None,
    }
}

/// Whether a stack lacks its root and no frame says so.
pub fn lacks_mark(row: &GrowthRow) -> bool {
    row.truncated && !row.frames.iter().any(|f| f.kind() == FrameKind::Truncated)
}
