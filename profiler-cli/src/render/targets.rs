//! Processes under observation.

use profiler_proto::v1::{ListTargetsResponse, Target, TargetState};

use crate::{
    render::{
        accounting, page,
        target::{add_nodes, container, pod},
    },
    screen::Look,
    table::{Align, Table},
    text::{clean, plural},
    time::shown,
    units::{bytes, count},
};

/// Columns that give way where it is narrow, the first first.
const GIVE_WAY: [&str; 4] = ["OPS", "KIND", "RELEASED", "FREED"];

/// The table of targets.
pub fn targets(response: &ListTargetsResponse, look: Look) -> String {
    let time = response.snapshot.and_then(|snapshot| snapshot.time);
    let shown_rows = response.targets.len() as u64;
    let total = plural(response.total.into(), "process", "processes");
    let mut text = if shown_rows < response.total.into() {
        format!("{} of {total}", count(shown_rows))
    } else {
        total
    };
    text = look.dim(&format!("{text}, at {}", shown(time.as_ref())));
    text.push_str("\n\n");
    if response.targets.is_empty() {
        text.push_str("no process matches\n");
    } else {
        text.push_str(&table(response).render_fitting(&GIVE_WAY, look));
    }
    text.push('\n');
    text.push_str(&page::next(&response.next_page_token, look));
    text.push_str(&accounting::footer(response.accounting.as_ref(), look));
    text
}

fn table(response: &ListTargetsResponse) -> Table {
    let targets = &response.targets;
    let mut table = Table::new([
        ("PID", Align::Right),
        ("COMMITTED", Align::Right),
        ("RELEASED", Align::Right),
        ("ALLOCATED", Align::Right),
        ("FREED", Align::Right),
        ("OPS", Align::Right),
        ("STATE", Align::Left),
        ("PROCESS", Align::Left),
        ("CONTAINER", Align::Left),
        ("KIND", Align::Left),
    ]);
    for target in targets {
        table.push(cells(target));
    }
    if targets.iter().any(|target| !target.pod.is_empty()) {
        table.insert("KIND", "POD", targets.iter().map(pod).collect());
    }
    let nodes = targets.iter().map(|target| target.node.as_str());
    add_nodes(&mut table, "PID", nodes);
    table
}

fn cells(target: &Target) -> Vec<String> {
    vec![
        target.pid.to_string(),
        bytes(target.committed_bytes),
        bytes(target.released_bytes),
        bytes(target.committed_allocated_bytes),
        bytes(target.committed_freed_bytes),
        count(target.operations),
        state(target),
        clean(&target.process_name).into_owned(),
        container(target),
        clean(&target.container_kind).into_owned(),
    ]
}

/// The state of a target, with its losses.
pub fn state(target: &Target) -> String {
    let name = match target.state() {
        TargetState::Observed => "observed",
        TargetState::Stale => "stale",
        TargetState::Counting => "counting",
        TargetState::Unsupported => "unsupported",
        TargetState::Exited => "exited",
        TargetState::Unspecified => "unknown",
    };
    match target.operations_lost {
        0 => name.into(),
        lost => format!("{name}, {} lost", count(lost)),
    }
}

#[cfg(test)]
mod tests {
    use profiler_proto::v1::Accounting;

    use super::*;

    #[test]
    fn a_line_a_process() {
        let response = ListTargetsResponse {
            next_page_token: String::new(),
            targets: vec![Target {
                pid: 4711,
                process_name: "evil\x1b[2J".into(),
                container_id: "host".into(),
                container_kind: "systemd".into(),
                unit: "redis.service".into(),
                state: TargetState::Stale.into(),
                committed_bytes: 3 << 20,
                operations: 12_345,
                operations_lost: 7,
                ..Target::default()
            }],
            total: 9,
            snapshot: None,
            accounting: Some(Accounting::default()),
        };
        let text = targets(&response, Look::plain(None));
        assert!(
            text.starts_with("1 of 9 processes, at unknown\n\n"),
            "{text}"
        );
        let line = text.lines().nth(3).unwrap();
        assert_eq!(
            line,
            "4711    3.0 MiB       0 B        0 B    0 B  12,345  stale, 7 lost  \
             evil\u{fffd}[2J  redis.service  systemd"
        );
    }

    #[test]
    fn none_is_told() {
        let text = targets(&ListTargetsResponse::default(), Look::plain(None));
        assert!(text.contains("no process matches"), "{text}");
    }
}
