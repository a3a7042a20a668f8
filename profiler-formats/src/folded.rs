//! Folded stacks: one line a stack, root first, frames apart by `;`, then its bytes.

use std::collections::BTreeMap;

use profiler_proto::v1::GrowthRow;

use crate::{
    connection::describe,
    frame::{TRUNCATED, frame_name, lacks_mark, owner_name},
    text::clean,
};

/// Which bytes are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Value {
    /// Still there.
    #[default]
    Live,
    /// Demanded, whether given back or not.
    Allocated,
}

/// Bytes by folded stack; rows that fold to the same line are added up.
pub type Folded = BTreeMap<String, u64>;

/// Folds rows by stack.
pub fn fold(rows: &[GrowthRow], value: Value) -> Folded {
    folded(rows, value, stack)
}

/// Folds rows by stack, under the connection that each is of.
pub fn fold_by_connection(rows: &[GrowthRow], value: Value) -> Folded {
    folded(rows, value, |row| {
        let root = match &row.connection {
            Some(connection) => format!("#{} {}", connection.cookie, describe(connection)),
            None => REST.into(),
        };
        format!("{};{}", escaped(&root), stack(row))
    })
}

/// Over what belongs to none of the connections that are apart.
const REST: &str = "[no connection, or a smaller one]";

fn folded(rows: &[GrowthRow], value: Value, line: impl Fn(&GrowthRow) -> String) -> Folded {
    let mut folded = Folded::new();
    for row in rows {
        let bytes = match value {
            Value::Live => row.committed_live_bytes,
            Value::Allocated => row.committed_allocated_bytes,
        };
        if bytes > 0 {
            let sum = folded.entry(line(row)).or_default();
            *sum = sum.saturating_add(bytes);
        }
    }
    folded
}

/// One line a stack.
pub fn lines(folded: &Folded) -> String {
    let line = |(stack, bytes): (&String, &u64)| format!("{stack} {bytes}\n");
    folded.iter().map(line).collect()
}

fn stack(row: &GrowthRow) -> String {
    let process = match row.process_name.as_str() {
        "" => "[unknown process]",
        name => name,
    };
    let mut parts = vec![escaped(&clean(process))];
    if lacks_mark(row) {
        parts.push(TRUNCATED.into());
    }
    let frames = row.frames.iter().rev();
    parts.extend(frames.map(|frame| escaped(&frame_name(frame))));
    if let (true, Some(owner)) = (row.frames.is_empty(), owner_name(row.owner())) {
        parts.push(owner.into());
    }
    let mut line = parts.join(";");
    // Readers take a last word that is a number for a second figure.
    if let Some(at) = line.rfind(' ')
        && line[at + 1..].parse::<f64>().is_ok()
    {
        line.replace_range(at..=at, "_");
    }
    line
}

fn escaped(name: &str) -> String {
    let name = name.trim().replace(';', ":");
    if name.is_empty() { "?".into() } else { name }
}

#[cfg(test)]
mod tests {
    use profiler_proto::v1::{Connection, Frame, FrameKind, OwnerKind};

    use super::*;

    fn named(function: &str) -> Frame {
        Frame {
            function: function.into(),
            kind: FrameKind::Native.into(),
            ..Frame::default()
        }
    }

    fn row(frames: Vec<Frame>) -> GrowthRow {
        GrowthRow {
            process_name: "node".into(),
            committed_live_bytes: 10,
            committed_allocated_bytes: 30,
            frames,
            ..GrowthRow::default()
        }
    }

    #[test]
    fn root_first_with_the_process_as_root() {
        let rows = [row(vec![named("malloc"), named("main")])];
        assert_eq!(lines(&fold(&rows, Value::Live)), "node;main;malloc 10\n");
        assert_eq!(
            lines(&fold(&rows, Value::Allocated)),
            "node;main;malloc 30\n"
        );
    }

    #[test]
    fn equal_stacks_add_up_and_empty_ones_are_left_out() {
        let mut rows = vec![row(vec![named("f")]), row(vec![named("f")])];
        rows.push(GrowthRow {
            committed_live_bytes: 0,
            ..row(vec![named("g")])
        });
        assert_eq!(lines(&fold(&rows, Value::Live)), "node;f 20\n");
    }

    #[test]
    fn names_cannot_break_the_format() {
        let rows = [row(vec![named("leaf 12"), named("a;b\nc"), named(" ")])];
        assert_eq!(
            lines(&fold(&rows, Value::Live)),
            "node;?;a:b\u{fffd}c;leaf_12 10\n"
        );
    }

    #[test]
    fn connections_are_roots_and_their_paths_cannot_break_the_format() {
        let of_one = GrowthRow {
            connection: Some(Connection {
                cookie: 7,
                peer: "unix:/a;b\n".into(),
                ..Connection::default()
            }),
            ..row(vec![named("f")])
        };
        let rows = [of_one, row(vec![named("f")])];
        assert_eq!(
            lines(&fold_by_connection(&rows, Value::Live)),
            "#7 with unix:/a:b\u{fffd};node;f 10\n[no connection, or a smaller one];node;f 10\n"
        );
        assert_eq!(lines(&fold(&rows, Value::Live)), "node;f 20\n");
    }

    #[test]
    fn what_is_not_known_is_marked() {
        let nameless = Frame {
            module: "/usr/lib/libc.so.6".into(),
            module_offset: 0x1234,
            ..Frame::default()
        };
        let truncated = GrowthRow {
            truncated: true,
            ..row(vec![nameless])
        };
        let pre_existing = GrowthRow {
            owner: OwnerKind::PreExisting.into(),
            ..row(vec![])
        };
        assert_eq!(
            lines(&fold(&[truncated, pre_existing], Value::Live)),
            "node;[pre-existing] 10\nnode;[stack truncated];libc.so.6+0x1234 10\n"
        );
    }
}
