//! What targets are called.

use profiler_proto::v1::Target;

use crate::{
    table::Table,
    text::{clean, short_container},
};

/// Whether these are names of more than one node: only then is a node worth a column.
pub fn several_nodes<'a>(names: impl IntoIterator<Item = &'a str>) -> bool {
    let mut names = names.into_iter().filter(|name| !name.is_empty());
    let first = names.next();
    names.any(|name| Some(name) != first)
}

/// Adds a column with the nodes of the rows, where there are several, before another column.
pub fn add_nodes<'a>(
    table: &mut Table,
    before: &str,
    nodes: impl IntoIterator<Item = &'a str> + Clone,
) {
    if several_nodes(nodes.clone()) {
        let cells = nodes.into_iter().map(|node| clean(node).into_owned());
        table.insert(before, "NODE", cells.collect());
    }
}

/// The container or, for a process in none, the systemd unit or the host.
pub fn container(target: &Target) -> String {
    match target.container_id.as_str() {
        "" | "host" if !target.unit.is_empty() => clean(&target.unit).into_owned(),
        "" => clean(&target.container_kind).into_owned(),
        id => short_container(id).into_owned(),
    }
}

/// The pod as a selector takes it: namespace and name, or its uid; empty where it is in none.
pub fn pod(target: &Target) -> String {
    match (target.namespace.as_str(), target.pod.as_str()) {
        (_, "") => clean(&target.pod_uid).into_owned(),
        ("", pod) => clean(pod).into_owned(),
        (namespace, pod) => clean(&format!("{namespace}/{pod}")).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_node_is_not_worth_a_column() {
        assert!(!several_nodes(["", "a", "a"]));
        assert!(!several_nodes([]));
        assert!(several_nodes(["a", "", "b"]));
    }

    #[test]
    fn pods_are_named_as_selectors_take_them() {
        let named = |namespace: &str, name: &str| {
            pod(&Target {
                namespace: namespace.into(),
                pod: name.into(),
                pod_uid: "u-1".into(),
                ..Target::default()
            })
        };
        assert_eq!(named("shop", "cart-1"), "shop/cart-1");
        assert_eq!(named("", "cart-1"), "cart-1");
        assert_eq!(named("shop", ""), "u-1");
    }
}
