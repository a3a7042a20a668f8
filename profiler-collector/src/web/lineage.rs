//! Lives of the same workload, one after the other.

use maud::{Markup, html};
use profiler_formats::{
    text::clean,
    units::{bytes, count},
};
use profiler_proto::v1::{Life, LifeEnd, Lineage};

use super::{layout::time, overview::rate, verdict::limit};

fn end(life: &Life) -> &'static str {
    match life.end() {
        LifeEnd::Unspecified => "unknown",
        LifeEnd::Running => "still there",
        LifeEnd::OomKilled => "killed for want of memory",
        LifeEnd::Ended => "ended",
    }
}

/// Its lives, oldest first.
pub(super) fn table(lineage: &Lineage) -> Markup {
    let caption = format!(
        "Lives of {}, known by {}: {} restarts and {} OOM kills were seen; the last {} lives, oldest first",
        clean(&lineage.name),
        clean(&lineage.basis),
        count(lineage.restarts.into()),
        count(lineage.oom_kills.into()),
        lineage.lives.len(),
    );
    html! {
        @if !lineage.lives.is_empty() {
            div.scroll tabindex="0" role="region" aria-label="Lineage" {
                table.lives {
                    caption { (caption) }
                    thead { tr {
                        th scope="col" { "From" }
                        th scope="col" { "Until" }
                        th scope="col" { "End" }
                        th.number scope="col" { "At first" }
                        th.number scope="col" { "Largest" }
                        th.number scope="col" { "At last" }
                        th.number scope="col" { "Limit" }
                        th.number scope="col" { "Growth" }
                    } }
                    tbody {
                        @for life in &lineage.lives {
                            tr {
                                td.name { (time(life.started.as_ref())) }
                                td data-title="Until" {
                                    @if life.ended.is_some() { (time(life.ended.as_ref())) } @else { "now" }
                                }
                                td data-title="End" { (end(life)) }
                                td.number data-title="At first" { (bytes(life.first_bytes)) }
                                td.number data-title="Largest" { (bytes(life.peak_bytes)) }
                                td.number data-title="At last" { (bytes(life.last_bytes)) }
                                td.number data-title="Limit" { (limit(life.limit_bytes)) }
                                td.number data-title="Growth" { (rate(life.slope_bytes_per_hour)) }
                            }
                        }
                    }
                }
            }
        }
    }
}
