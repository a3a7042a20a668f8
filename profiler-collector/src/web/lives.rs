//! The lives on a plot as a table.

use maud::{Markup, html};
use profiler_formats::{
    connection::process,
    text::{clean, short_container},
    units::bytes,
};
use profiler_proto::v1::Series;

use super::{address::View, layout::time, moment, name, overview::rate, plot::COLOURS};

/// The lives on the plot as text, each a way to its end.
pub(super) fn table(path: &str, view: &View, series: &[Series], total: u32) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Lives" {
            table.lives {
                caption {
                    "Lives, oldest first; " (series.len())
                    @if u64::from(total) > series.len() as u64 { " of " (total) ", those that grew fastest" }
                }
                thead { tr {
                    th scope="col" { "Life" }
                    th scope="col" { "Seen from" }
                    th scope="col" { "Until" }
                    th.number scope="col" { "Growth" }
                    th.number scope="col" { "Live at the end" }
                    th.number scope="col" { "Committed" }
                    th scope="col" { "Look" }
                } }
                tbody {
                    @for (index, one) in series.iter().enumerate() { (life(path, view, index, one)) }
                }
            }
        }
    }
}

fn life(path: &str, view: &View, index: usize, one: &Series) -> Markup {
    let target = one.target.clone().unwrap_or_default();
    let mut alone = name::container_view(view, name::container(&target), &target.node);
    if target.pid != 0 {
        alone.selector.pids = vec![target.pid];
    }
    (alone.from, alone.to, alone.span) = (one.first, one.last, None);
    let has_length = match (&one.first, &one.last) {
        (Some(first), Some(last)) => moment::before(first, last),
        _ => false,
    };
    let title = if target.pid == 0 {
        name::of(&target)
    } else {
        process(&target.process_name, target.pid)
    };
    let last = one.points.last().copied().unwrap_or_default();
    html! {
        tr {
            td.name { span class=(format!("swatch c{}", index % COLOURS)) aria-hidden="true" {} (title)
                " " span.note { (short_container(name::container(&target))) " " (clean(&target.node)) } }
            td data-title="Seen from" { (time(one.first.as_ref())) }
            td data-title="Until" { @if one.alive { "still there" } @else { (time(one.last.as_ref())) } }
            td.number data-title="Growth" { (rate(one.live_slope_bytes_per_hour)) }
            td.number data-title="Live at the end" { (bytes(last.committed_live_bytes)) }
            td.number data-title="Committed" { (bytes(last.committed_bytes)) }
            td data-title="Look" { @if has_length { a href=(alone.link(path)) { "this life" } } }
        }
    }
}
