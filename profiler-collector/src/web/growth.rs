//! Tables of growth: who demanded memory.

use maud::{Markup, html};
use profiler_formats::{
    connection::on_behalf,
    frame::{TRUNCATED, frame_name, lacks_mark, place},
    text::{clean, short_container},
    units::{bytes, count, delta, seconds},
};
use profiler_proto::v1::{GroupBy, GrowthRow};

use super::{
    address::{By, View},
    name,
    plot::bar,
    trunk::Trunk,
};

/// Rows of a table at first sight.
pub(super) const ROWS: u32 = 30;

/// As the wire carries it.
pub(super) fn group_by(by: By) -> i32 {
    let by = match by {
        By::Stack => GroupBy::Stack,
        By::Function => GroupBy::Function,
        By::Process => GroupBy::Process,
        By::Container => GroupBy::Container,
        By::Connection => GroupBy::Connection,
        By::Node => GroupBy::Node,
    };
    by.into()
}

/// What figures of such rows rest on.
pub(super) fn precision(by: By) -> &'static str {
    match by {
        By::Stack | By::Function => "tier C: demand, not retention; sampled estimates",
        By::Process | By::Container | By::Connection | By::Node => {
            "tier C: demand, not retention; exact"
        }
    }
}

/// What a table shows.
pub(super) struct Table<'a> {
    pub(super) rows: &'a [GrowthRow],
    /// Before the limit.
    pub(super) total: u32,
    pub(super) by: By,
    /// Between two moments: growth first.
    pub(super) change: bool,
    /// For links to what rows stand for.
    pub(super) view: &'a View,
    /// Where the page is, and the token of its next rows.
    pub(super) path: &'a str,
    pub(super) next: &'a str,
}

impl Table<'_> {
    /// The table in a box of its own, with the way to its next rows.
    pub(super) fn show(&self) -> Markup {
        if self.rows.is_empty() {
            return html! { p.empty { "No growth matches." } };
        }
        let largest = self.rows.iter().map(|row| self.weight(row)).max();
        let trunk = Trunk::of(self.rows);
        html! {
            div.scroll tabindex="0" role="region" aria-label=(self.caption()) {
                table class=(format!("growth by-{}", self.by.name())) {
                    caption { (self.caption()) }
                    thead { tr { (self.titles()) } }
                    tbody {
                        @for row in self.rows { (self.row(row, largest.unwrap_or(0), &trunk)) }
                    }
                }
            }
            @if !self.next.is_empty() {
                @let view = View { token: self.next.into(), ..self.view.clone() };
                p.more { a href=(view.link(self.path)) rel="next" { "Next rows" } }
            }
            @if !self.view.token.is_empty() {
                p.more { a href=(self.view.afresh().link(self.path)) { "First rows" } }
            }
        }
    }

    fn caption(&self) -> String {
        let shown = count(self.rows.len() as u64);
        let extent = if u64::from(self.total) > self.rows.len() as u64 {
            format!("{shown} of {} rows", count(self.total.into()))
        } else if self.rows.len() == 1 {
            "1 row".into()
        } else {
            format!("{shown} rows")
        };
        let first = if self.change {
            "most growth"
        } else {
            "largest live"
        };
        format!(
            "By {}, {first} first; {extent} ({})",
            self.by.name(),
            precision(self.by)
        )
    }

    fn titles(&self) -> Markup {
        let name = match self.by {
            By::Stack => "Demanded by (leaf first)",
            By::Function => "Function",
            By::Process => "Process",
            By::Container => "Container",
            By::Connection => "On behalf of",
            By::Node => "Node",
        };
        html! {
            @if self.change { th.number scope="col" { "Growth" } }
            th.number scope="col" { "Live" }
            @if self.by == By::Function { th.number scope="col" { "As leaf" } }
            th.number scope="col" { "Allocated" }
            th.number scope="col" { "Freed" }
            th.number scope="col" { "Events" }
            @if self.by == By::Stack && !self.change { th.number scope="col" { "Age" } }
            th scope="col" { (name) }
        }
    }

    fn row(&self, row: &GrowthRow, largest: u64, trunk: &Trunk) -> Markup {
        let share = self.weight(row) as f64 / (largest as f64).max(1.0);
        let growth = match row.live_delta_bytes {
            1.. => "number more",
            0 => "number",
            _ => "number less",
        };
        html! {
            tr {
                @if self.change { td class=(growth) data-title="Growth" { (bar(share)) (delta(row.live_delta_bytes)) } }
                td.number data-title="Live" {
                    @if !self.change { (bar(share)) }
                    (bytes(row.committed_live_bytes))
                }
                @if self.by == By::Function { td.number data-title="As leaf" { (bytes(row.self_live_bytes)) } }
                td.number data-title="Allocated" { (bytes(row.committed_allocated_bytes)) }
                td.number data-title="Freed" { (bytes(row.committed_freed_bytes)) }
                td.number data-title="Events" { (count(row.events)) }
                @if self.by == By::Stack && !self.change { td.number data-title="Age" { (age(row)) } }
                td.name { (self.named(row, trunk)) }
            }
        }
    }

    /// What the bar beside a row is about.
    fn weight(&self, row: &GrowthRow) -> u64 {
        if self.change {
            row.live_delta_bytes.unsigned_abs()
        } else {
            row.committed_live_bytes
        }
    }

    fn named(&self, row: &GrowthRow, trunk: &Trunk) -> Markup {
        match self.by {
            By::Stack => stack(row, trunk),
            By::Function => function(row),
            By::Process => {
                let link = name::process_view(self.view, row).link("/container");
                html! {
                    @if row.pid == 0 { (name::process(row)) }
                    @else { a href=(link) { (name::process(row)) } }
                    " " (whose(row))
                }
            }
            By::Container => {
                let view = name::container_view(self.view, &row.container_id, &row.node);
                html! {
                    a href=(view.link("/container")) { (short_container(&row.container_id)) }
                    " " span.note { (clean(&row.node)) " " (clean(&row.cgroup)) }
                }
            }
            By::Connection => self.connection(row),
            By::Node => html! { (clean(&row.node)) },
        }
    }

    fn connection(&self, row: &GrowthRow) -> Markup {
        let cookie = row.connection.as_ref().map_or(0, |one| one.cookie);
        let view = View {
            connection: cookie,
            by: By::Stack,
            ..self.view.afresh()
        };
        html! {
            @if cookie == 0 { (on_behalf(row)) }
            @else { a href=(view.link(self.path)) { "#" (cookie) } " " (on_behalf(row)) }
            " " span.note { (name::process(row)) }
        }
    }
}

/// Container and node of a row, as far as it has them.
fn whose(row: &GrowthRow) -> Markup {
    html! {
        span.note {
            @if !row.container_id.is_empty() { (short_container(&row.container_id)) " " }
            (clean(&row.node))
        }
    }
}

/// The frames that tell a stack apart in a line, and all of them with their places when it is
/// opened.
fn stack(row: &GrowthRow, trunk: &Trunk) -> Markup {
    let trace = trunk.trace(row);
    html! {
        details {
            summary {
                @if trace.left_out > 0 {
                    @let leaf = row.frames.first().map(frame_name).unwrap_or_default();
                    span.under title="frames next to the leaf that most rows share" {
                        code { (leaf) } " ‹ "
                        @if trace.left_out > 1 { (trace.left_out - 1) " more ‹ " }
                    }
                }
                @for (index, name) in trace.names.iter().enumerate() {
                    @if index > 0 { span.under { " ‹ " } }
                    code { (name) }
                }
            }
            ol.frames {
                @for frame in &row.frames {
                    li {
                        @if frame.inlined { span.note { "[inlined] " } }
                        code { (frame_name(frame)) }
                        " " span.note { (place(frame)) }
                    }
                }
                @if lacks_mark(row) { li { (TRUNCATED) } }
            }
        }
        span.note { (name::process(row)) " " } (whose(row))
    }
}

fn function(row: &GrowthRow) -> Markup {
    html! {
        @match row.frames.first() {
            Some(frame) => { code { (frame_name(frame)) } " " span.note { (place(frame)) } }
            None => { (name::owner(row)) }
        }
    }
}

/// Oldest to newest of what is live.
fn age(row: &GrowthRow) -> String {
    if row.committed_live_bytes == 0 {
        return "–".into();
    }
    let oldest = seconds(row.oldest_live_age_seconds);
    let newest = seconds(row.newest_live_age_seconds);
    if oldest == newest {
        return oldest;
    }
    format!("{newest} to {oldest}")
}

/// Links to the same by something else.
pub(super) fn tabs(path: &str, view: &View, choices: &[By]) -> Markup {
    html! {
        nav.tabs aria-label="Rows by" {
            span { "By" }
            @for by in choices {
                @let link = View { by: *by, ..view.afresh() }.link(path);
                a href=(link) aria-current=[(*by == view.by).then_some("true")] { (by.name()) }
            }
        }
    }
}

/// The flame graph at `path` of a view as a picture, which also stands alone.
pub(super) fn flame(path: &str, view: &View, told: &str) -> Markup {
    let view = View {
        by: By::Stack,
        mark: None,
        ..view.afresh()
    };
    let link = view.link(path);
    html! {
        figure {
            div.scroll tabindex="0" role="region" aria-label="Flame graph" {
                img.flame src=(link) alt=(told) loading="lazy";
            }
            figcaption {
                "Width is bytes, the root is at the bottom; it shows who demanded memory, and \
                 what no stack owns. The table above has the same as text. "
                a href=(link) { "Open it alone" }
            }
        }
    }
}
