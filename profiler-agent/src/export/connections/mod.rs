//! The agent's connections, as answers are made from them.

mod classes;
mod gather;
mod listed;
mod part;
mod wire;

use profiler_proto::v1;
use profiler_query::answer::Selection;

use crate::{connection::Connections, profile::Snapshot};

pub(super) use self::{gather::answer, listed::Known, part::part};

/// What becomes of the memory of the connections of chosen processes, by class.
pub(crate) fn classes(
    connections: &Connections,
    selection: &Selection,
    snapshot: &Snapshot,
) -> Vec<v1::ConnectionClass> {
    let infos: std::collections::HashMap<_, _> = snapshot.targets().collect();
    let patterns = classes::Patterns::new(connections, selection);
    patterns.classes(|process| infos.get(&process).copied())
}
