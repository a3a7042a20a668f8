//! The ledger of one process.

use profiler_formats::connection::behalf;
use profiler_proto::v1::{Behalf, GrowthRow, ListRangesResponse, OwnerKind, Range};

use crate::{
    render::stack,
    screen::Look,
    text::{clean, plural},
    time::shown,
    units::bytes,
};

/// Range by range, with at most `frames` frames of each owner.
pub fn ranges(response: &ListRangesResponse, frames: usize, look: Look) -> String {
    let mut text = look.bold(&title(response));
    text.push('\n');
    for range in &response.ranges {
        text.push_str(&line(range));
        text.push('\n');
        if !range.frames.is_empty() {
            let row = GrowthRow {
                frames: range.frames.clone(),
                ..GrowthRow::default()
            };
            text.push_str(&stack::lines(&row, frames, look));
        }
    }
    text
}

fn title(response: &ListRangesResponse) -> String {
    let committed = response.ranges.iter().filter(|range| range.committed);
    let sum = committed.map(length).fold(0, u64::saturating_add);
    let ranges = plural(response.ranges.len() as u64, "range", "ranges");
    let process = response.target.as_ref().map_or_else(String::new, |target| {
        format!("{} (pid {}): ", clean(&target.process_name), target.pid)
    });
    format!("{process}{} committed, {ranges} of the ledger", bytes(sum))
}

fn length(range: &Range) -> u64 {
    range.end.saturating_sub(range.start)
}

fn line(range: &Range) -> String {
    let state = match (range.committed, range.released) {
        (false, _) => "-",
        (true, false) => "committed",
        (true, true) => "released",
    };
    let owner = match range.owner() {
        OwnerKind::Stack => format!("stack {}", range.stack_id),
        OwnerKind::PreExisting => "pre-existing".into(),
        OwnerKind::ExecImage => "exec image".into(),
        OwnerKind::Unattributed => "unattributed".into(),
        OwnerKind::Folded => "folded".into(),
        OwnerKind::Unsampled => "stack not captured".into(),
        OwnerKind::Aggregate => "several".into(),
        OwnerKind::Unspecified => "-".into(),
    };
    let since = match &range.since {
        Some(since) => format!("  since {}", shown(Some(since))),
        None => String::new(),
    };
    format!(
        "{:012x}-{:012x}  {:>10}  {state:<9}  {owner}{}{since}",
        range.start,
        range.end,
        bytes(length(range)),
        served(range),
    )
}

/// What the thread served that committed a range, where that is known.
fn served(range: &Range) -> String {
    match range.behalf() {
        Behalf::Unspecified => String::new(),
        Behalf::Connection => format!("  connection {}", range.connection),
        other => format!("  {}", behalf(other)),
    }
}

#[cfg(test)]
mod tests {
    use profiler_proto::v1::{Frame, Target};

    use super::*;

    #[test]
    fn a_line_a_range_and_their_sum() {
        let response = ListRangesResponse {
            ranges: vec![
                Range {
                    start: 0x1000,
                    end: 0x3000,
                    committed: true,
                    owner: OwnerKind::Stack.into(),
                    stack_id: 5,
                    frames: vec![Frame {
                        function: "f".into(),
                        ..Frame::default()
                    }],
                    ..Range::default()
                },
                Range {
                    start: 0x5000,
                    end: 0x4000,
                    ..Range::default()
                },
                Range {
                    behalf: Behalf::Connection.into(),
                    connection: 8193,
                    ..Range::default()
                },
                Range {
                    behalf: Behalf::HelperThread.into(),
                    ..Range::default()
                },
            ],
            target: Some(Target {
                pid: 7,
                process_name: "a".into(),
                ..Target::default()
            }),
        };
        assert_eq!(
            ranges(&response, 6, Look::plain(None)),
            "a (pid 7): 8.0 KiB committed, 4 ranges of the ledger\n\
             000000001000-000000003000     8.0 KiB  committed  stack 5\n      f\n\
             000000005000-000000004000         0 B  -          -\n\
             000000000000-000000000000         0 B  -          -  connection 8193\n\
             000000000000-000000000000         0 B  -          -  (helper threads)\n"
        );
    }
}
