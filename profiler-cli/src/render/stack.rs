//! Call stacks, leaf first.

use profiler_formats::frame::{TRUNCATED, frame_name, lacks_mark, owner_name, place};
use profiler_proto::v1::{Frame, GrowthRow};

use crate::{
    screen::Look,
    text::{base_name, columns, cut, plural},
};

const INDENT: &str = "      ";

/// The frames of a row, at most `most` of them, one a line.
pub fn lines(row: &GrowthRow, most: usize, look: Look) -> String {
    let room = look.width.map(|width| width.saturating_sub(INDENT.len()));
    let shown = row.frames.iter().take(most);
    let mut lines: Vec<String> = shown.map(|frame| frame_line(frame, room)).collect();
    let hidden = row.frames.len().saturating_sub(most);
    if hidden > 0 {
        let frames = plural(hidden as u64, "more frame", "more frames");
        lines.push(look.dim(&format!("… {frames}")));
    }
    if lacks_mark(row) {
        lines.push(TRUNCATED.into());
    }
    if row.frames.is_empty() {
        let owner = owner_name(row.owner()).unwrap_or("[no frames]");
        lines.push(owner.into());
    }
    lines
        .iter()
        .map(|line| format!("{INDENT}{line}\n"))
        .collect()
}

/// One frame in at most `room` columns: its name gives way before its place does.
pub fn frame_line(frame: &Frame, room: Option<usize>) -> String {
    let inlined = if frame.inlined { "[inlined] " } else { "" };
    let name = format!("{inlined}{}", frame_name(frame));
    let place = place(frame);
    let Some(room) = room else {
        return joined(&name, &place);
    };
    let line = joined(&name, &place);
    if columns(&line) <= room || place.is_empty() {
        return cut(&line, room).into_owned();
    }
    let short = base_name(&place);
    let left = room.saturating_sub(columns(short) + 2);
    if left < columns(&name).min(MIN_NAME) {
        return cut(&joined(&name, short), room).into_owned();
    }
    joined(&cut(&name, left), short)
}

/// Columns that a name keeps whatever its place takes.
const MIN_NAME: usize = 24;

fn joined(name: &str, place: &str) -> String {
    if place.is_empty() {
        name.to_owned()
    } else {
        format!("{name}  {place}")
    }
}

#[cfg(test)]
mod tests {
    use profiler_proto::v1::{FrameKind, OwnerKind};

    use super::*;

    fn frame() -> Frame {
        Frame {
            function: "operator new(unsigned long)".into(),
            file: "/build/gcc/libsupc++/new_op.cc".into(),
            line: 50,
            module: "/usr/lib/libstdc++.so.6".into(),
            build_id: "0123456789abcdef".into(),
            module_offset: 0xabc,
            ..Frame::default()
        }
    }

    #[test]
    fn frames_with_all_that_is_known() {
        let bare = Frame {
            file: String::new(),
            inlined: true,
            ..frame()
        };
        let nameless = Frame {
            function: String::new(),
            ..bare.clone()
        };
        let anonymous = Frame {
            module_offset: 0x7f00,
            kind: FrameKind::Jit.into(),
            ..Frame::default()
        };
        let shown = [frame(), bare, nameless, anonymous].map(|frame| frame_line(&frame, None));
        assert_eq!(
            shown,
            [
                "operator new(unsigned long)  /build/gcc/libsupc++/new_op.cc:50",
                "[inlined] operator new(unsigned long)  (libstdc++.so.6)",
                "[inlined] libstdc++.so.6+0xabc  (build id 0123456789ab)",
                "0x7f00",
            ]
        );
    }

    #[test]
    fn narrow_lines_keep_the_place_of_long_names() {
        let line = frame_line(&frame(), Some(45));
        assert_eq!(line, "operator new(unsigned long)  new_op.cc:50");
        let line = frame_line(&frame(), Some(38));
        assert_eq!(line, "operator new(unsigned l…  new_op.cc:50");
        assert!(columns(&frame_line(&frame(), Some(10))) <= 10);
    }

    #[test]
    fn depth_is_cut_and_told() {
        let row = GrowthRow {
            frames: vec![frame(); 20],
            truncated: true,
            ..GrowthRow::default()
        };
        let text = lines(&row, 12, Look::plain(None));
        assert_eq!(text.lines().count(), 14);
        assert!(
            text.ends_with("      … 8 more frames\n      [stack truncated]\n"),
            "{text}"
        );
    }

    #[test]
    fn rows_without_a_stack_name_their_owner() {
        let row = GrowthRow {
            owner: OwnerKind::PreExisting.into(),
            ..GrowthRow::default()
        };
        assert_eq!(lines(&row, 12, Look::plain(None)), "      [pre-existing]\n");
    }

    #[test]
    fn a_build_id_that_is_no_hexadecimal_is_survived() {
        let odd = Frame {
            function: String::new(),
            file: String::new(),
            build_id: "ééééééééééé\x1b".into(),
            ..frame()
        };
        assert!(!frame_line(&odd, None).contains('\x1b'));
    }
}
