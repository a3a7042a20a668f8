//! The collector's own state: its store, its cost, the nodes it hears of.

use axum::response::Html;
use maud::{Markup, html};
use profiler_formats::{
    text::clean,
    units::{bytes, count, seconds, share},
};
use profiler_proto::v1::{GetStatusResponse, Selector};

use super::{
    address::View,
    ask::Ask,
    failure::Failure,
    layout::{self, Place, time},
    moment, nodes,
};

/// The page.
pub(super) async fn page(ask: Ask, _: View) -> Result<Html<String>, Failure> {
    let (status, nodes) = tokio::try_join!(ask.status(), ask.nodes(Selector::default()))?;
    let links = [
        ("status (JSON)", "/status.json".to_owned()),
        ("nodes (JSON)", "/nodes.json".to_owned()),
    ];
    let body = html! {
        h1 { "The collector" }
        p.lead {
            (clean(&status.version)) " on " (clean(&status.node)) ", running for "
            b { (seconds(uptime(&status))) } ", keeps "
            b { (bytes(status.history_bytes)) } " of " (bytes(status.history_budget_bytes)) "."
        }
        p.stand { "As of " (time(Some(&moment::now()))) " (now)" }
        (nodes::warning(&nodes.nodes))
        (layout::warning(status.accounting.as_ref()))
        (notes(&status))
        (facts(&status))
        (capabilities(&status))
        section #nodes aria-labelledby="nodes-title" {
            h2 #nodes-title { "Nodes" }
            (nodes::all(&nodes.nodes, &View::default()))
        }
        (layout::downloads(&links))
        (layout::accounting(status.accounting.as_ref()))
    };
    Ok(layout::page("Status", Place::Status, &body))
}

fn uptime(status: &GetStatusResponse) -> f64 {
    let uptime = status.uptime.unwrap_or_default();
    uptime.seconds as f64 + f64::from(uptime.nanos) / 1e9
}

fn notes(status: &GetStatusResponse) -> Markup {
    html! {
        @if !status.notes.is_empty() {
            ul.plain { @for note in &status.notes { li.warn { (clean(note)) } } }
        }
    }
}

fn facts(status: &GetStatusResponse) -> Markup {
    let up = uptime(status);
    let cpu = if up > 0.0 {
        status.agent_cpu_seconds / up
    } else {
        0.0
    };
    html! {
        section aria-labelledby="own-title" {
            h2 #own-title { "Its store and its cost" }
            dl.facts {
                dt { "Answers reach back to" } dd { (time(status.history_oldest.as_ref())) }
                dt { "Store" }
                dd { (bytes(status.history_bytes)) " of " (bytes(status.history_budget_bytes)) }
                dt { "Kept apart" }
                dd { (count(status.stacks.into())) " stacks, " (count(status.modules.into())) " modules" }
                dt { "Observed" }
                dd {
                    (count(status.processes_observed.into())) " processes in "
                    (count(status.containers.into())) " containers"
                    @for (number, what) in [
                        (status.processes_ignored, "left out by filters"),
                        (status.processes_unsupported, "unsupported (32-bit)"),
                        (status.processes_counting, "storming: counted only"),
                    ] {
                        @if number > 0 { ", " (count(number.into())) " " (what) }
                    }
                }
                dt { "Its own memory" } dd { (bytes(status.agent_resident_bytes)) " resident" }
                dt { "Its own CPU time" }
                dd { (format!("{:.1} s", status.agent_cpu_seconds)) " (" (share(cpu)) " of one CPU)" }
                dt { "Started" } dd { (time(status.started.as_ref())) ", pid " (status.agent_pid) }
                dt { "Kernel" } dd { (clean(&status.kernel)) }
            }
        }
    }
}

fn capabilities(status: &GetStatusResponse) -> Markup {
    html! {
        @if !status.capabilities.is_empty() {
            ul.plain {
                @for one in &status.capabilities {
                    li {
                        (clean(&one.name)) ": "
                        @if one.chosen.is_empty() { span.lost { "not at all" } }
                        @else { (clean(&one.chosen)) }
                        @for why in &one.refused { span.note { "; refused: " (clean(why)) } }
                    }
                }
            }
        }
    }
}
