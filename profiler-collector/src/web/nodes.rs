//! Nodes: how far each has been heard of, and what its agent lost.

use std::cmp::Reverse;

use maud::{Markup, html};
use profiler_formats::{
    text::{clean, plural},
    units::{bytes, count},
};
use profiler_proto::v1::{Node, NodeState};

use super::{address::View, layout::time};

/// Nodes that stand on the overview; the rest is folded away below them.
const FIRST: usize = 5;

/// Nodes that answers about now leave out.
pub(super) fn warning(nodes: &[Node]) -> Markup {
    let silent = nodes
        .iter()
        .filter(|node| node.state() == NodeState::Silent);
    let names: Vec<_> = silent.map(|node| clean(&node.node)).collect();
    html! {
        @if !names.is_empty() {
            p.warn role="note" {
                (plural(names.len() as u64, "node is", "nodes are"))
                " silent, or their clocks are behind, and left out of answers about now: "
                (names.iter().take(FIRST).map(AsRef::as_ref).collect::<Vec<&str>>().join(", "))
                @if names.len() > FIRST { ", …" }
                ". " a href="#nodes" { "When they were heard of last" } "."
            }
        }
    }
}

/// Those that need a look first, the rest folded away.
pub(super) fn summary(nodes: &[Node], view: &View) -> Markup {
    let sorted = sorted(nodes);
    let (first, rest) = sorted.split_at(sorted.len().min(FIRST));
    html! {
        (table(first, view))
        @if !rest.is_empty() {
            details {
                summary { (plural(rest.len() as u64, "more node", "more nodes")) }
                (table(rest, view))
            }
        }
    }
}

/// All of them.
pub(super) fn all(nodes: &[Node], view: &View) -> Markup {
    table(&sorted(nodes), view)
}

/// Silent ones first, then those that lost most.
fn sorted(nodes: &[Node]) -> Vec<&Node> {
    let mut sorted: Vec<_> = nodes.iter().collect();
    sorted.sort_by_key(|node| {
        let heard = node.state() == NodeState::Reporting;
        (
            heard,
            Reverse(node.batches_missing),
            Reverse(node.losses.len()),
            &node.node,
        )
    });
    sorted
}

fn table(nodes: &[&Node], view: &View) -> Markup {
    if nodes.is_empty() {
        return html! { p.empty { "No node matches." } };
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label="Nodes" {
            table.nodes {
                caption { "Nodes, those that need a look first; " (nodes.len()) }
                thead { tr {
                    th scope="col" { "Node" }
                    th scope="col" { "State" }
                    th scope="col" { "Last heard of" }
                    th.number scope="col" { "Processes" }
                    th.number scope="col" { "Committed" }
                    th.number scope="col" { "Batches missing" }
                    th scope="col" { "Lost" }
                    th scope="col" { "Agent, kernel" }
                } }
                tbody { @for node in nodes { (row(node, view)) } }
            }
        }
    }
}

fn row(node: &Node, view: &View) -> Markup {
    let mut narrowed = view.afresh();
    narrowed.selector.nodes = vec![node.node.clone()];
    let missing = node.batches_missing > 0;
    html! {
        tr {
            td.name { a href=(narrowed.link("/")) { (clean(&node.node)) } }
            td data-title="State" { (state(node.state())) }
            td data-title="Last heard of" { (time(node.last_batch.as_ref())) }
            td.number data-title="Processes" { (count(node.targets.into())) }
            td.number data-title="Committed" { (bytes(node.committed_bytes)) }
            td.number data-title="Batches missing" { span.lost[missing] { (count(node.batches_missing)) } }
            td data-title="Lost" { (losses(node)) }
            td.note data-title="Agent, kernel" { (clean(&node.agent_version)) ", " (clean(&node.kernel)) }
        }
    }
}

fn state(state: NodeState) -> Markup {
    match state {
        NodeState::Reporting => html! { span.good { "reporting" } },
        NodeState::Silent => html! { span.lost { "silent" } },
        NodeState::Unspecified => html! { "unknown" },
    }
}

fn losses(node: &Node) -> Markup {
    html! {
        @if node.losses.is_empty() { "nothing" } @else {
            details {
                summary.lost { (plural(node.losses.len() as u64, "cause", "causes")) }
                ul.plain {
                    @for loss in &node.losses {
                        li { (count(loss.count)) " " (clean(&loss.cause))
                            @if !loss.meaning.is_empty() { " (" (clean(&loss.meaning)) ")" } }
                    }
                }
            }
        }
    }
}
