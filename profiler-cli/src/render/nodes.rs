//! Nodes, and how far each has been heard of.

use pbjson_types::Timestamp;
use profiler_proto::v1::{ListNodesResponse, Node, NodeState};

use crate::{
    screen::Look,
    table::{Align, Table},
    text::{clean, plural},
    time::seconds_between,
    units::{bytes, count, seconds},
};

/// The table of nodes; ages are those of `now`.
pub fn nodes(response: &ListNodesResponse, now: &Timestamp, look: Look) -> String {
    let all = &response.nodes;
    if all.is_empty() {
        return "no node matches\n".into();
    }
    let silent = all.iter().filter(|node| is_silent(node)).count() as u64;
    let missing = all.iter().any(|node| node.batches_missing > 0);
    let mut text = look.dim(&plural(all.len() as u64, "node", "nodes"));
    text.push_str("\n\n");
    text.push_str(&table(all, now).render(look));
    if silent > 0 {
        let nodes = plural(silent, "node is", "nodes are");
        let told = format!("{nodes} silent: answers about now leave out what is there");
        text.push_str(&format!("\n{}\n", look.warn(&told)));
    }
    if missing {
        let told = "missing batches are still in the spool of the agent, or were dropped there";
        text.push_str(&format!("\n{}\n", look.dim(told)));
    }
    text
}

fn table(nodes: &[Node], now: &Timestamp) -> Table {
    let mut table = Table::new([
        ("NODE", Align::Left),
        ("STATE", Align::Left),
        ("LAST BATCH", Align::Right),
        ("BATCHES", Align::Right),
        ("MISSING", Align::Right),
        ("TARGETS", Align::Right),
        ("COMMITTED", Align::Right),
        ("AGENT", Align::Left),
        ("LOST", Align::Left),
    ]);
    for node in nodes {
        table.push(cells(node, now));
    }
    table
}

fn cells(node: &Node, now: &Timestamp) -> Vec<String> {
    let age = match &node.last_batch {
        Some(last) => format!("{} ago", seconds(seconds_between(Some(last), Some(now)))),
        None => "never".into(),
    };
    // What a silent node has now is not known.
    let known = |figure: String| match is_silent(node) {
        true => "-".into(),
        false => figure,
    };
    vec![
        clean(&node.node).into_owned(),
        state(node).into(),
        age,
        count(node.batches),
        count(node.batches_missing),
        known(count(node.targets.into())),
        known(bytes(node.committed_bytes)),
        clean(&node.agent_version).into_owned(),
        lost(node),
    ]
}

fn is_silent(node: &Node) -> bool {
    node.state() == NodeState::Silent
}

fn state(node: &Node) -> &'static str {
    match node.state() {
        NodeState::Reporting => "reporting",
        NodeState::Silent => "silent",
        NodeState::Unspecified => "unknown",
    }
}

fn lost(node: &Node) -> String {
    if node.losses.is_empty() {
        return "nothing".into();
    }
    let losses = node.losses.iter();
    let losses: Vec<_> = losses
        .map(|loss| format!("{} {}", count(loss.count), clean(&loss.cause)))
        .collect();
    losses.join(", ")
}

#[cfg(test)]
mod tests {
    use profiler_proto::v1::Loss;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp { seconds, nanos: 0 }
    }

    fn node(name: &str) -> Node {
        Node {
            node: name.into(),
            state: NodeState::Reporting.into(),
            agent_version: "0.1.0".into(),
            last_batch: Some(at(1_000)),
            batches: 8_640,
            targets: 213,
            committed_bytes: 3 << 30,
            ..Node::default()
        }
    }

    fn shown(nodes_: Vec<Node>) -> String {
        let response = ListNodesResponse { nodes: nodes_ };
        nodes(&response, &at(1_008), Look::plain(Some(100)))
    }

    #[test]
    fn a_line_a_node() {
        let text = shown(vec![node("evil\x1b[2J")]);
        let expected = "\
1 node

NODE      STATE      LAST BATCH  BATCHES  MISSING  TARGETS  COMMITTED  AGENT  LOST
evil\u{fffd}[2J  reporting      8s ago    8,640        0      213    3.0 GiB  0.1.0  nothing
";
        assert_eq!(text, expected);
    }

    #[test]
    fn silence_gaps_and_losses_are_told() {
        let silent = Node {
            state: NodeState::Silent.into(),
            last_batch: Some(at(400)),
            batches_missing: 7,
            losses: vec![Loss {
                cause: "event_ring_full".into(),
                count: 12,
                ..Loss::default()
            }],
            ..node("b")
        };
        let text = shown(vec![node("a"), silent]);
        for part in [
            "2 nodes\n",
            "silent     10m08s ago    8,640        7        -          -  0.1.0",
            "12 event_ring_full\n",
            "1 node is silent: answers about now leave out",
            "still in the spool",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn none_and_never_are_told() {
        assert_eq!(shown(vec![]), "no node matches\n");
        let new = Node {
            last_batch: None,
            ..node("a")
        };
        assert!(shown(vec![new]).contains("never"));
    }
}
