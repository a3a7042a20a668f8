//! Growth by stack with the connections apart on whose behalf it was demanded.

use std::collections::HashMap;

use profiler_proto::v1::{
    Connection, ConnectionOrder, GrowthRow, ListConnectionsRequest, Selector, TopRequest,
    TopResponse,
};

use crate::{args::Value, client::Client, failure::Failure};

/// Connections kept apart: each costs a request.
const MOST: u32 = 64;

/// Rows with `connection` are of that connection, rows without are the rest. The second part says
/// how many connections are apart.
pub(super) async fn by_connection(
    request: TopRequest,
    value: Value,
    client: &mut Client,
) -> Result<(TopResponse, String), Failure> {
    let (connections, total) = largest(&request, value, client).await?;
    let mut owned = Vec::new();
    let mut apart = 0;
    for connection in &connections {
        let one = TopRequest {
            selector: Some(on_its_node(request.selector.as_ref(), connection)),
            connection: connection.cookie,
            include_unattributed: false,
            ..request.clone()
        };
        // One that was folded since it was listed is part of the rest.
        if let Some(answer) = client.top_of_connection(one).await? {
            apart += 1;
            owned.extend(answer.rows.into_iter().map(|row| GrowthRow {
                connection: Some(connection.clone()),
                ..row
            }));
        }
    }
    // Asked last, so that what grew meanwhile is in the rest, and not missing from it.
    let mut response = client.top(request).await?;
    let cut = response.total_rows.saturating_sub(count(&response.rows));
    let rest = rest(std::mem::take(&mut response.rows), &owned);
    response.rows = owned;
    response.rows.extend(rest);
    response.total_rows = count(&response.rows).saturating_add(cut);
    let told = format!("{apart} of {total} connections apart");
    Ok((response, told))
}

/// The connections with the most growth in the selection, and how many have any.
async fn largest(
    request: &TopRequest,
    value: Value,
    client: &mut Client,
) -> Result<(Vec<Connection>, u32), Failure> {
    let order = match value {
        Value::Live => ConnectionOrder::Live,
        Value::Allocated => ConnectionOrder::Allocated,
    };
    let request = ListConnectionsRequest {
        selector: request.selector.clone(),
        with_growth: true,
        order: order.into(),
        limit: MOST,
        ..ListConnectionsRequest::default()
    };
    let mut response = client.connections(request).await?;
    // Those to one peer that were taken together have no cookie to ask by.
    response.connections.retain(|one| one.cookie != 0);
    Ok((response.connections, response.total))
}

/// A cookie is a node's own.
fn on_its_node(selector: Option<&Selector>, connection: &Connection) -> Selector {
    let mut selector = selector.cloned().unwrap_or_default();
    if !connection.node.is_empty() {
        selector.nodes = vec![connection.node.clone()];
    }
    selector
}

/// What makes a row by stack the same in two answers.
type Key = (String, u32, String, String, i32, u64);

fn key(row: &GrowthRow) -> Key {
    let (process, container) = (row.process_name.clone(), row.container_id.clone());
    let node = row.node.clone();
    (node, row.pid, process, container, row.owner, row.stack_id)
}

/// All growth less that of connections. Both are estimates, of moments that are not quite the
/// same: a difference below nothing is nothing.
fn rest(all: Vec<GrowthRow>, owned: &[GrowthRow]) -> Vec<GrowthRow> {
    let mut sums: HashMap<Key, [u64; 4]> = HashMap::new();
    for row in owned {
        let sum = sums.entry(key(row)).or_default();
        for (sum, figure) in sum.iter_mut().zip(figures(row)) {
            *sum = sum.saturating_add(figure);
        }
    }
    let left = |mut row: GrowthRow| match sums.get(&key(&row)) {
        None => Some(row),
        Some([live, allocated, freed, events]) => {
            row.committed_live_bytes = row.committed_live_bytes.saturating_sub(*live);
            row.committed_allocated_bytes =
                row.committed_allocated_bytes.saturating_sub(*allocated);
            row.committed_freed_bytes = row.committed_freed_bytes.saturating_sub(*freed);
            row.events = row.events.saturating_sub(*events);
            (figures(&row) != [0; 4]).then_some(row)
        }
    };
    all.into_iter().filter_map(left).collect()
}

fn figures(row: &GrowthRow) -> [u64; 4] {
    [
        row.committed_live_bytes,
        row.committed_allocated_bytes,
        row.committed_freed_bytes,
        row.events,
    ]
}

fn count(rows: &[GrowthRow]) -> u32 {
    u32::try_from(rows.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(stack_id: u64, live: u64, events: u64) -> GrowthRow {
        GrowthRow {
            pid: 7,
            stack_id,
            committed_live_bytes: live,
            events,
            ..GrowthRow::default()
        }
    }

    #[test]
    fn the_rest_is_what_no_connection_has_and_never_less_than_nothing() {
        let all = vec![row(1, 100, 4), row(2, 50, 2), row(3, 10, 1), row(4, 10, 1)];
        let owned = [row(1, 30, 1), row(1, 20, 1), row(2, 50, 2), row(3, 99, 0)];
        let rest = rest(all, &owned);
        assert_eq!(rest, [row(1, 50, 2), row(3, 0, 1), row(4, 10, 1)]);
    }

    #[test]
    fn the_same_stack_in_another_process_is_another() {
        let other = GrowthRow {
            pid: 8,
            ..row(1, 5, 1)
        };
        let rest = rest(vec![row(1, 5, 1), other.clone()], &[row(1, 5, 1)]);
        assert_eq!(rest, [other]);
    }
}
