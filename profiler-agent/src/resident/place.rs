//! Which memory cgroup belongs to a group.

use super::{
    Group,
    tree::{Trees, Version},
};
use crate::container::identify;
use crate::profile::ContainerFacts;

/// Lines of `/proc/PID/cgroup` that are looked at.
const LINES_MAX: usize = 64;

/// Cgroups of one process or container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// In the tree that the memory controller is in.
    pub memory: Option<String>,
    /// In the v2 tree, where that is another.
    pub pressure: Option<String>,
}

impl Place {
    /// Of one process, by its `/proc/PID/cgroup`.
    pub(super) fn of_process(trees: &Trees, file: &str) -> Self {
        let (legacy, unified) = (path(file, false), path(file, true));
        match trees.memory.as_ref().map(|tree| tree.version) {
            Some(Version::One) => Self {
                memory: legacy,
                pressure: unified,
            },
            Some(Version::Two) => Self {
                memory: unified,
                pressure: None,
            },
            None => Self::default(),
        }
    }

    /// Of the container or unit that one of its processes is in. The trees may disagree, since a
    /// runtime sets up one after the other, and each may leave processes higher up than another: a
    /// cgroup counts if its name says that it is the same container or unit.
    pub(super) fn of_container(trees: &Trees, file: &str, container: &ContainerFacts) -> Self {
        let process = Self::of_process(trees, file);
        let same = |path: String| {
            let info = identify(&path);
            let named =
                info.id == container.name && info.is_container() == container.is_container();
            (info.root == container.root || named).then_some(info.root)
        };
        Self {
            memory: process.memory.and_then(same),
            pressure: process.pressure.and_then(same),
        }
    }

    /// Under v2 alone the group's own directory is the place: there is only one tree.
    pub(super) fn of_group(group: &Group) -> Self {
        Self {
            memory: Some(group.container.root.clone()),
            pressure: None,
        }
    }
}

/// The path of v1's memory controller, or of the v2 tree: `hierarchy:controllers:path`.
fn path(file: &str, unified: bool) -> Option<String> {
    file.lines().take(LINES_MAX).find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (hierarchy, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let wanted = match unified {
            true => hierarchy == "0" && controllers.is_empty(),
            false => controllers.split(',').any(|one| one == "memory"),
        };
        (wanted && path.starts_with('/')).then(|| path.to_owned())
    })
}
