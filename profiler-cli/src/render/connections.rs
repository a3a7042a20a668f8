//! Connections: what becomes of the memory of each class, the connections themselves, and how much
//! of the growth could be joined to any.

use profiler_proto::v1::ListConnectionsResponse;

use crate::{
    args::{Fold, Sort},
    render::{accounting, page},
    screen::Look,
    text::plural,
    time::shown,
    units::count,
};

mod classes;
mod groups;
mod joins;
mod points;
mod rows;

/// How connections are laid out.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'a> {
    /// What comes first.
    pub sort: Sort,
    /// What they are taken together by; empty: not at all.
    pub fold: &'a [Fold],
    /// Width and colour.
    pub look: Look,
}

/// The whole answer.
pub fn connections(response: &ListConnectionsResponse, layout: Layout) -> String {
    let look = layout.look;
    let mut text = heading(response, look);
    text.push_str(&classes::lines(&response.classes, look));
    if layout.fold.is_empty() {
        text.push_str(&rows::table(response, layout));
        text.push_str(&points::curves(&response.connections, look));
    } else {
        text.push_str(&groups::table(&response.groups, layout));
    }
    text.push_str(&extent(response, layout));
    text.push_str(&joins::table(&response.joins, look));
    text.push_str(&accounting::footer(response.accounting.as_ref(), look));
    text
}

fn heading(response: &ListConnectionsResponse, look: Look) -> String {
    let snapshot = response.snapshot.unwrap_or_default();
    let title = look.bold("memory demanded on behalf of connections");
    let facts = look.dim(&format!(
        "at {}, growth since {}; in all: {}, {} closed ones kept, {} folded",
        shown(snapshot.time.as_ref()),
        shown(snapshot.since.as_ref()),
        plural(
            response.open_connections,
            "open connection",
            "open connections"
        ),
        count(response.closed_connections_kept),
        count(response.connections_folded),
    ));
    format!("{title} (tier C: demand, not retention; exact)\n{facts}\n\n")
}

/// How much of it was shown, and how to see more.
fn extent(response: &ListConnectionsResponse, layout: Layout) -> String {
    let (shown, one, many) = if layout.fold.is_empty() {
        (response.connections.len(), "connection", "connections")
    } else {
        (response.groups.len(), "group", "groups")
    };
    let total = plural(response.total.into(), one, many);
    let mut text = if (shown as u64) < response.total.into() {
        format!("{} of {total}", count(shown as u64))
    } else {
        total
    };
    if !response.next_page_token.is_empty() {
        text.push_str(&format!("; {}", page::told(&response.next_page_token)));
    }
    format!("{}\n\n", layout.look.dim(&text))
}

#[cfg(test)]
mod tests;
