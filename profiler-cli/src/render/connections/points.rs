//! The curves of connections: what each had after how many calls.

use profiler_formats::connection::describe;
use profiler_proto::v1::Connection;

use crate::{
    screen::Look,
    table::{Align, Table},
    time::shown,
    units::{bytes, count},
};

/// One table for each connection that came with points.
pub(super) fn curves(connections: &[Connection], look: Look) -> String {
    let with_points = connections.iter().filter(|one| !one.points.is_empty());
    with_points.map(|one| curve(one, look)).collect()
}

fn curve(connection: &Connection, look: Look) -> String {
    let mut table = Table::new([
        ("CALLS", Align::Right),
        ("RECEIVED", Align::Right),
        ("LIVE", Align::Right),
        ("ALLOCATED", Align::Right),
        ("TIME", Align::Left),
    ]);
    for point in &connection.points {
        table.push(vec![
            count(point.received_calls),
            bytes(point.received_bytes),
            bytes(point.committed_live_bytes),
            bytes(point.committed_allocated_bytes),
            shown(point.time.as_ref()),
        ]);
    }
    let title = format!("\n#{} {}", connection.cookie, describe(connection));
    format!("{}\n{}", look.bold(&title), table.render(look))
}
