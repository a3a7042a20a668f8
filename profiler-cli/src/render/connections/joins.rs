//! How much of each container's growth could be joined to connections.

use std::cmp::Reverse;

use profiler_proto::v1::ConnectionJoin;

use crate::{
    render::target::add_nodes,
    screen::Look,
    table::{Align, Table},
    text::{plural, short_container},
    units::{bytes, count, share},
};

/// Containers shown; JSON has all.
const MOST: usize = 10;

/// Containers by bytes demanded, largest first.
pub(super) fn table(joins: &[ConnectionJoin], look: Look) -> String {
    if joins.is_empty() {
        return String::new();
    }
    let mut sorted: Vec<_> = joins.iter().collect();
    sorted.sort_by_key(|join| Reverse(demanded(join)));
    let mut table = Table::new([
        ("JOINED", Align::Right),
        ("NO CONNECTION", Align::Right),
        ("HELPER THREADS", Align::Right),
        ("IO_URING", Align::Right),
        ("OPEN", Align::Right),
        ("QUEUES", Align::Right),
        ("CONTAINER", Align::Left),
    ]);
    for join in sorted.iter().take(MOST) {
        table.push(vec![
            part(join.joined_bytes, join.joined_share),
            part(join.no_connection_bytes, join.no_connection_share),
            part(join.helper_thread_bytes, join.helper_thread_share),
            part(join.io_uring_bytes, join.io_uring_share),
            count(join.open_connections),
            bytes(join.socket_queue_bytes),
            short_container(&join.container_id).into_owned(),
        ]);
    }
    let nodes = sorted.iter().take(MOST).map(|join| join.node.as_str());
    add_nodes(&mut table, "CONTAINER", nodes);
    let title = "bytes demanded since observation began, by what the thread served";
    let mut text = format!("{}\n{}", look.bold(title), table.render(look));
    if sorted.len() > MOST {
        let more = (sorted.len() - MOST) as u64;
        let more = plural(more, "more container", "more containers");
        text.push_str(&look.dim(&format!("… {more}; --format json has all")));
        text.push('\n');
    }
    text.push('\n');
    text
}

fn demanded(join: &ConnectionJoin) -> u64 {
    [
        join.joined_bytes,
        join.no_connection_bytes,
        join.helper_thread_bytes,
        join.io_uring_bytes,
    ]
    .into_iter()
    .fold(0, u64::saturating_add)
}

fn part(amount: u64, of_all: f64) -> String {
    format!("{} ({})", bytes(amount), share(of_all))
}
