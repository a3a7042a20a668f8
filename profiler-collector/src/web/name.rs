//! What targets and rows are called, and the addresses of their pages. Names are chosen by the
//! watched: text that could steer is cleaned here, markup is escaped where pages are made.

use profiler_formats::{
    connection,
    frame::owner_name,
    text::{clean, short_container},
};
use profiler_proto::v1::{GrowthRow, Selector, Target};

use super::address::View;

/// What a selector takes for the container of a target.
pub(super) fn container(target: &Target) -> &str {
    match (target.container_id.as_str(), target.unit.as_str()) {
        ("", "") => "host",
        ("", unit) => unit,
        (id, _) => id,
    }
}

/// A container as people know it: its pod or unit, else its short id.
pub(super) fn of(target: &Target) -> String {
    let pod = match (target.namespace.as_str(), target.pod.as_str()) {
        (_, "") => String::new(),
        ("", pod) => clean(pod).into_owned(),
        (namespace, pod) => format!("{}/{}", clean(namespace), clean(pod)),
    };
    if pod.is_empty() {
        return short_container(container(target)).into_owned();
    }
    pod
}

/// The view of one container on its node.
pub(super) fn container_view(view: &View, container: &str, node: &str) -> View {
    let named = |name: &str| match name {
        "" => Vec::new(),
        name => vec![name.to_owned()],
    };
    View {
        selector: Selector {
            containers: named(container),
            nodes: named(node),
            ..Selector::default()
        },
        connection: 0,
        mark: None,
        ..view.afresh()
    }
}

/// The same view of one process.
pub(super) fn process_view(view: &View, row: &GrowthRow) -> View {
    let mut narrowed = view.afresh();
    narrowed.selector.pids = vec![row.pid];
    if !row.node.is_empty() {
        // Pids are a node's own.
        narrowed.selector.nodes = vec![row.node.clone()];
    }
    narrowed
}

/// A process with its pid.
pub(super) fn process(row: &GrowthRow) -> String {
    match connection::process(&row.process_name, row.pid) {
        unknown if unknown.is_empty() => "unknown process".into(),
        process => process,
    }
}

/// What stands for the stack of memory that no stack owns.
pub(super) fn owner(row: &GrowthRow) -> &'static str {
    owner_name(row.owner()).unwrap_or("[no frames]")
}

/// What a selector chooses, in words; "everything" where it chooses nothing.
pub(super) fn selection(selector: &Selector) -> String {
    let pairs = super::address::selected("", selector).into_iter();
    let words: Vec<_> = pairs
        .map(|(key, value)| match key.as_str() {
            "container" => format!("container={}", short_container(&value)),
            key => format!("{key}={}", clean(&value)),
        })
        .collect();
    if words.is_empty() {
        return "everything".into();
    }
    words.join(", ")
}
