//! Connections of one process taken together.

use profiler_formats::connection::{process, protocol, role};
use profiler_proto::v1::ConnectionGroup;

use super::Layout;
use crate::{
    args::Fold,
    render::target::add_nodes,
    table::{Align, Table},
    text::clean,
    units::{bytes, count},
};

/// Columns that give way where it is narrow, the first first.
const GIVE_WAY: [&str; 4] = ["FREED", "SENT", "RECEIVED", "ALLOCATED"];

pub(super) fn table(groups: &[ConnectionGroup], layout: Layout) -> String {
    if groups.is_empty() {
        return "no connection matches\n".into();
    }
    let mut titles = [
        "CONNECTIONS",
        "OPEN",
        "LIVE",
        "AFTER CLOSE",
        "ALLOCATED",
        "FREED",
        "CALLS",
        "RECEIVED",
        "SENT",
    ]
    .map(|title| (title, Align::Right))
    .to_vec();
    titles.push(("PROCESS", Align::Left));
    titles.extend(layout.fold.iter().map(|fold| (title(*fold), Align::Left)));
    let mut table = Table::new(titles);
    for group in groups {
        let mut cells = vec![
            count(group.connections),
            count(group.open),
            bytes(group.committed_live_bytes),
            bytes(group.live_after_close_bytes),
            bytes(group.committed_allocated_bytes),
            bytes(group.committed_freed_bytes),
            count(group.received_calls),
            bytes(group.received_bytes),
            bytes(group.sent_bytes),
        ];
        cells.push(process(&group.process_name, group.pid));
        cells.extend(layout.fold.iter().map(|fold| name(group, *fold)));
        table.push(cells);
    }
    add_nodes(
        &mut table,
        "PROCESS",
        groups.iter().map(|group| group.node.as_str()),
    );
    table.leave_out(&GIVE_WAY, layout.look);
    table.render(layout.look)
}

fn title(fold: Fold) -> &'static str {
    match fold {
        Fold::Role => "ROLE",
        Fold::Peer => "PEER",
        Fold::Port => "PORT",
        Fold::Age => "AGE",
        Fold::Protocol => "PROTOCOL",
    }
}

fn name(group: &ConnectionGroup, fold: Fold) -> String {
    let name = match fold {
        Fold::Role => role(group.role()).into(),
        Fold::Peer => clean(&group.peer),
        Fold::Port if group.port == 0 => "".into(),
        Fold::Port => group.port.to_string().into(),
        Fold::Age => clean(&group.age),
        Fold::Protocol => protocol(group.protocol()).into(),
    };
    if name.is_empty() {
        "-".into()
    } else {
        name.into_owned()
    }
}
