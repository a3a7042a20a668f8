//! The frames next to the leaf that most stacks of a table share: allocators and the C library,
//! which tell no stack from another.

use std::collections::BTreeMap;

use profiler_formats::frame::frame_name;
use profiler_proto::v1::GrowthRow;

use super::name;

/// Frames of a trace.
const TRACED: usize = 5;

/// Names that more than half of the rows begin with, leaf first.
pub(super) struct Trunk(Vec<String>);

/// The frames that tell a stack apart, after those left out.
pub(super) struct Trace {
    pub(super) left_out: usize,
    pub(super) names: Vec<String>,
}

impl Trunk {
    /// What most of the rows that have frames share.
    pub(super) fn of(rows: &[GrowthRow]) -> Self {
        let mut sharing: Vec<_> = rows.iter().filter(|row| !row.frames.is_empty()).collect();
        let most = sharing.len() / 2;
        let mut names = Vec::new();
        loop {
            let depth = names.len();
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            for frame in sharing.iter().filter_map(|row| row.frames.get(depth)) {
                *counts.entry(frame_name(frame)).or_default() += 1;
            }
            let Some((name, count)) = counts.into_iter().max_by_key(|(_, count)| *count) else {
                break;
            };
            if count <= most || count < 2 {
                break;
            }
            sharing.retain(|row| row.frames.get(depth).map(frame_name).as_ref() == Some(&name));
            names.push(name);
        }
        Self(names)
    }

    /// The frames of a row after those that it shares with most. One frame always stays.
    pub(super) fn trace(&self, row: &GrowthRow) -> Trace {
        if row.frames.is_empty() {
            return Trace {
                left_out: 0,
                names: vec![name::owner(row).into()],
            };
        }
        let both = row.frames.iter().zip(&self.0);
        let shared = both
            .take_while(|(frame, name)| frame_name(frame) == **name)
            .count();
        let left_out = shared.min(row.frames.len() - 1);
        let rest = &row.frames[left_out..];
        let mut names: Vec<_> = rest.iter().take(TRACED).map(frame_name).collect();
        if rest.len() > TRACED {
            names.push("…".into());
        }
        Trace { left_out, names }
    }
}

#[cfg(test)]
mod tests {
    use profiler_proto::v1::Frame;

    use super::*;

    fn row(names: &[&str]) -> GrowthRow {
        let frames = names.iter().map(|name| Frame {
            function: (*name).into(),
            ..Frame::default()
        });
        GrowthRow {
            frames: frames.collect(),
            ..GrowthRow::default()
        }
    }

    #[test]
    fn what_most_stacks_share_is_left_out() {
        let rows = [
            row(&["mmap", "malloc", "cache_put", "main"]),
            row(&["mmap", "malloc", "parse", "main"]),
            row(&["brk", "malloc", "start", "main"]),
            row(&[]),
        ];
        let trunk = Trunk::of(&rows);
        let traces = rows.each_ref().map(|row| trunk.trace(row));
        assert_eq!(traces[0].left_out, 2);
        assert_eq!(traces[0].names, ["cache_put", "main"]);
        assert_eq!(traces[2].left_out, 0);
        assert_eq!(traces[3].names, ["[no frames]"]);
    }

    #[test]
    fn a_stack_that_all_share_keeps_its_last_frame() {
        let rows = [row(&["mmap", "main"]), row(&["mmap", "main"])];
        let trunk = Trunk::of(&rows);
        assert_eq!(trunk.trace(&rows[0]).names, ["main"]);
        let alone = [row(&["mmap", "main"])];
        assert_eq!(Trunk::of(&alone).trace(&alone[0]).names, ["mmap", "main"]);
    }
}
