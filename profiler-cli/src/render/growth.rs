//! Growth: blocks by stack, tables by everything else. `top` and `diff` share both.

use profiler_formats::{
    connection,
    frame::{frame_name, owner_name},
};
use profiler_proto::v1::{DiffResponse, GrowthRow, TopResponse};

use crate::{
    args::{By, Order},
    render::{
        accounting, page, stack,
        target::{add_nodes, several_nodes},
    },
    screen::Look,
    table::{Align, Table},
    text::{base_name, clean, plural, short_container},
    time::shown,
    units::{bytes, count, delta, seconds},
};

/// How growth is laid out.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// What a row stands for.
    pub by: By,
    /// What comes first.
    pub order: Order,
    /// The connection that it is on behalf of; none: all growth.
    pub connection: Option<u64>,
    /// Whether it is what one target has more than another.
    pub compared: bool,
    /// Most frames of a stack.
    pub frames: usize,
    /// Width and colour.
    pub look: Look,
}

/// Growth at one moment.
pub fn top(response: &TopResponse, layout: Layout) -> String {
    let look = layout.look;
    let snapshot = response.snapshot.unwrap_or_default();
    let mut text = heading(layout, "largest", layout.order.name());
    text.push_str(&look.dim(&format!(
        "at {}, growth since {}; {}\n",
        shown(snapshot.time.as_ref()),
        shown(snapshot.since.as_ref()),
        extent(&response.rows, response.total_rows),
    )));
    text.push('\n');
    text.push_str(&rows(&response.rows, layout, false));
    text.push_str(&page::next(&response.next_page_token, look));
    text.push_str(&accounting::footer(response.accounting.as_ref(), look));
    text
}

/// Growth between two moments.
pub fn diff(response: &DiffResponse, layout: Layout) -> String {
    let look = layout.look;
    let order = match (layout.order, layout.compared) {
        (Order::Live, true) => "difference of live",
        (Order::Live, false) => "growth of live",
        (other, _) => other.name(),
    };
    let mut text = heading(layout, "largest", order);
    let (from, to) = (shown(response.from.as_ref()), shown(response.to.as_ref()));
    let moments = match layout.compared {
        true => format!("what is there at {to}, against the other target at {from}"),
        false => format!("from {from} to {to}"),
    };
    let extent = extent(&response.rows, response.total_rows);
    text.push_str(&look.dim(&format!("{moments}; {extent}\n")));
    text.push('\n');
    text.push_str(&rows(&response.rows, layout, true));
    text.push_str(&page::next(&response.next_page_token, look));
    text.push_str(&accounting::footer(response.accounting.as_ref(), look));
    text
}

fn heading(layout: Layout, how: &str, order: &str) -> String {
    let precision = match layout.by {
        By::Stack | By::Function => "sampled estimates",
        By::Process | By::Container | By::Connection | By::Node => "exact",
    };
    let behalf = behalf(layout.connection);
    let title = format!(
        "who demanded memory{behalf}, by {}, {how} {order} first",
        layout.by.name()
    );
    format!(
        "{} (tier C: demand, not retention; {precision})\n",
        layout.look.bold(&title)
    )
}

/// Whose growth it is, if it is that of one connection.
pub fn behalf(connection: Option<u64>) -> String {
    connection.map_or_else(String::new, |cookie| {
        format!(" on behalf of connection {cookie}")
    })
}

fn extent(rows: &[GrowthRow], total: u32) -> String {
    let shown = rows.len() as u64;
    if shown < u64::from(total) {
        format!(
            "{} of {}",
            count(shown),
            plural(total.into(), "row", "rows")
        )
    } else {
        plural(shown, "row", "rows")
    }
}

fn rows(rows: &[GrowthRow], layout: Layout, change: bool) -> String {
    if rows.is_empty() {
        return "no growth matches; `profiler targets` lists what is observed\n\n".into();
    }
    if layout.by == By::Stack {
        let with_node = on_several_nodes(rows);
        let blocks = rows.iter().enumerate();
        return blocks
            .map(|(index, row)| block(index + 1, row, layout, change, with_node))
            .collect();
    }
    let mut text = grouped(rows, layout, change).render(layout.look);
    text.push('\n');
    text
}

/// Whether rows need their node to be told apart.
pub fn on_several_nodes(rows: &[GrowthRow]) -> bool {
    several_nodes(nodes(rows))
}

fn nodes(rows: &[GrowthRow]) -> impl Iterator<Item = &str> + Clone {
    rows.iter().map(|row| row.node.as_str())
}

/// One stack: a line of figures, a line of whose it is, its frames.
fn block(number: usize, row: &GrowthRow, layout: Layout, change: bool, with_node: bool) -> String {
    let look = layout.look;
    let mut figures = vec![look.bold(&format!("#{number}"))];
    if change {
        let word = if layout.compared { "more" } else { "growth" };
        let change = coloured(row.live_delta_bytes, look);
        figures.push(format!("{word} {change}"));
    }
    figures.push(format!("live {}", bytes(row.committed_live_bytes)));
    figures.push(format!(
        "allocated {}",
        bytes(row.committed_allocated_bytes)
    ));
    figures.push(format!("freed {}", bytes(row.committed_freed_bytes)));
    if let Some(resident) = row.resident_live_bytes {
        figures.push(format!("resident {}", bytes(resident)));
    }
    figures.push(plural(row.events, "event", "events"));
    if row.committed_live_bytes > 0 {
        figures.push(format!("age {}", age(row)));
    }
    let mut text = figures.join("  ");
    // What is compared is matched whatever process it is of.
    if !layout.compared {
        let node = if with_node { on(row) } else { String::new() };
        text.push_str(&format!("\n    {}{node}", look.dim(&whose(row))));
    }
    format!("{text}\n{}\n", stack::lines(row, layout.frames, look))
}

/// Oldest to newest of what is live.
fn age(row: &GrowthRow) -> String {
    let oldest = seconds(row.oldest_live_age_seconds);
    let newest = seconds(row.newest_live_age_seconds);
    if oldest == newest {
        oldest
    } else {
        format!("{oldest} to {newest}")
    }
}

fn process(row: &GrowthRow) -> String {
    let name = match row.process_name.as_str() {
        "" => "unknown process".into(),
        name => clean(name),
    };
    match row.pid {
        0 => name.into_owned(),
        pid => format!("{name} (pid {pid})"),
    }
}

/// Process and container.
fn whose(row: &GrowthRow) -> String {
    let mut text = process(row);
    if !row.container_id.is_empty() {
        text.push_str(&format!(
            "  container {}",
            short_container(&row.container_id)
        ));
    }
    text
}

/// The node of a row.
fn on(row: &GrowthRow) -> String {
    match row.node.as_str() {
        "" => String::new(),
        node => format!("  on {}", clean(node)),
    }
}

fn coloured(change: i64, look: Look) -> String {
    match change {
        1.. => look.warn(&delta(change)),
        0 => delta(change),
        _ => look.good(&delta(change)),
    }
}

fn grouped(rows: &[GrowthRow], layout: Layout, change: bool) -> Table {
    let by = layout.by;
    let named = name_titles(by);
    let resident = rows.iter().any(|row| row.resident_live_bytes.is_some());
    let mut titles = figure_titles(layout, change);
    titles.extend(resident.then_some(("RESIDENT", Align::Right)));
    titles.extend_from_slice(named);
    let mut table = Table::new(titles);
    for row in rows {
        let mut cells = figures(row, by, change);
        cells.extend(resident.then(|| row.resident_live_bytes.map_or(String::new(), bytes)));
        cells.extend(names(row, by));
        table.push(cells);
    }
    if by != By::Node {
        add_nodes(&mut table, named[0].0, nodes(rows));
    }
    table
}

fn figure_titles(layout: Layout, change: bool) -> Vec<(&'static str, Align)> {
    let mut titles = Vec::new();
    let more = if layout.compared { "MORE" } else { "GROWTH" };
    titles.extend(change.then_some(more));
    titles.push("LIVE");
    titles.extend((layout.by == By::Function).then_some("SELF"));
    titles.extend(["ALLOCATED", "FREED", "EVENTS"]);
    titles
        .into_iter()
        .map(|title| (title, Align::Right))
        .collect()
}

fn figures(row: &GrowthRow, by: By, change: bool) -> Vec<String> {
    let mut cells = Vec::new();
    cells.extend(change.then(|| delta(row.live_delta_bytes)));
    cells.push(bytes(row.committed_live_bytes));
    cells.extend((by == By::Function).then(|| bytes(row.self_live_bytes)));
    cells.push(bytes(row.committed_allocated_bytes));
    cells.push(bytes(row.committed_freed_bytes));
    cells.push(count(row.events));
    cells
}

fn name_titles(by: By) -> &'static [(&'static str, Align)] {
    match by {
        By::Node => &[("NODE", Align::Left)],
        By::Function => &[("FUNCTION", Align::Left), ("PLACE", Align::Left)],
        By::Container => &[("CONTAINER", Align::Left), ("CGROUP", Align::Left)],
        By::Connection => &[
            ("COOKIE", Align::Right),
            ("PROCESS", Align::Left),
            ("CONNECTION", Align::Left),
        ],
        By::Process | By::Stack => &[
            ("PID", Align::Right),
            ("PROCESS", Align::Left),
            ("CONTAINER", Align::Left),
        ],
    }
}

/// What a row is called, in as many cells as its grouping has names.
fn names(row: &GrowthRow, by: By) -> Vec<String> {
    match by {
        By::Node => vec![clean(&row.node).into_owned()],
        By::Function => vec![function(row), function_place(row)],
        By::Container => vec![
            short_container(&row.container_id).into_owned(),
            clean(&row.cgroup).into_owned(),
        ],
        By::Connection => vec![
            match cookie(row) {
                0 => "-".into(),
                cookie => cookie.to_string(),
            },
            served_by(row),
            connection::on_behalf(row),
        ],
        By::Process | By::Stack => vec![
            row.pid.to_string(),
            clean(&row.process_name).into_owned(),
            short_container(&row.container_id).into_owned(),
        ],
    }
}

/// Its node, and what a row is called, in one line.
pub fn label_on_node(row: &GrowthRow, by: By) -> String {
    match by {
        By::Node => label(row, by),
        _ => format!("{}  {}", clean(&row.node), label(row, by)),
    }
}

/// What a row is called, in one line.
pub fn label(row: &GrowthRow, by: By) -> String {
    match by {
        By::Node => clean(&row.node).into_owned(),
        By::Stack => format!("{}  {}", process(row), trace(row)),
        By::Process => whose(row),
        By::Container => short_container(&row.container_id).into_owned(),
        By::Function => format!("{}  {}", function(row), function_place(row)),
        By::Connection => {
            let mut text = connection::on_behalf(row);
            if cookie(row) != 0 {
                text = format!("#{} {text}", cookie(row));
            }
            match served_by(row).as_str() {
                "" => text,
                process => format!("{text}  {process}"),
            }
        }
    }
}

/// The cookie of the connection that a row stands for; 0 where it stands for none.
pub fn cookie(row: &GrowthRow) -> u64 {
    row.connection.as_ref().map_or(0, |one| one.cookie)
}

/// The process of a row by connection.
fn served_by(row: &GrowthRow) -> String {
    match &row.connection {
        Some(one) if row.pid == 0 => connection::process(&one.process_name, one.pid),
        _ => connection::process(&row.process_name, row.pid),
    }
}

/// Frames that tell stacks apart: the leaf alone is the C library's in most.
const TRACED: usize = 8;

/// The frames next to the leaf, in one line.
fn trace(row: &GrowthRow) -> String {
    if row.frames.is_empty() {
        return function(row);
    }
    let frames = row.frames.iter().take(TRACED).map(frame_name);
    let mut text = frames.collect::<Vec<_>>().join(" < ");
    if row.frames.len() > TRACED {
        text.push_str(" < …");
    }
    text
}

/// The function that a row by function stands for, or the leaf of its stack.
pub fn function(row: &GrowthRow) -> String {
    match row.frames.first() {
        Some(frame) => frame_name(frame),
        None => owner_name(row.owner()).unwrap_or("?").into(),
    }
}

fn function_place(row: &GrowthRow) -> String {
    let Some(frame) = row.frames.first() else {
        return String::new();
    };
    let module = clean(base_name(&frame.module));
    if frame.file.is_empty() {
        return module.into_owned();
    }
    format!("{}:{}", clean(base_name(&frame.file)), frame.line)
}

#[cfg(test)]
mod tests;
