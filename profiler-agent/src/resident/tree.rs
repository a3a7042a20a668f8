//! Where the memory cgroups are mounted.

use std::path::{Path, PathBuf};

/// Which interface a tree has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// A mounted tree of cgroups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tree {
    pub version: Version,
    /// The directory it is mounted at.
    pub(super) point: PathBuf,
    /// The cgroup that is seen there; "/" unless only a part of the tree is mounted.
    root: String,
}

/// The trees that matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Trees {
    /// The one that the memory controller is in.
    pub memory: Option<Tree>,
    /// The v2 tree, if it is another: it tells pressure.
    pub pressure: Option<Tree>,
}

impl Trees {
    /// From the text of `/proc/self/mountinfo`; mount points are taken to be below `base`. A memory
    /// controller that is mounted for v1 is not in the v2 tree.
    pub(super) fn find(mountinfo: &str, base: &Path) -> Self {
        let mounts = || mountinfo.lines().filter_map(|line| mount(line, base));
        let of = |version| {
            let trees = mounts().filter(move |tree| tree.version == version);
            // The largest part of the tree.
            trees.min_by_key(|tree| tree.root.len())
        };
        let unified = of(Version::Two);
        match of(Version::One) {
            Some(legacy) => Self {
                memory: Some(legacy),
                pressure: unified,
            },
            None => Self {
                memory: unified,
                pressure: None,
            },
        }
    }
}

/// `id parent device root point options … - type source super-options`, of a v2 tree or of v1's
/// memory controller.
fn mount(line: &str, base: &Path) -> Option<Tree> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut file_system = file_system.split(' ');
    let version = match (file_system.next()?, file_system.nth(1)) {
        ("cgroup2", _) => Version::Two,
        ("cgroup", Some(options)) if options.split(',').any(|one| one == "memory") => Version::One,
        _ => return None,
    };
    let mut fields = mount.split(' ').skip(3);
    let (root, point) = (unescape(fields.next()?), unescape(fields.next()?));
    let within = !root.split('/').any(|part| part == "..");
    within.then(|| Tree {
        version,
        point: base.join(point.trim_start_matches('/')),
        root,
    })
}

/// The kernel writes blanks, tabs, line ends and backslashes as three octal digits.
fn unescape(text: &str) -> String {
    let plain = [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ];
    plain.iter().fold(text.to_owned(), |text, (code, byte)| {
        text.replace(code, byte)
    })
}

impl Tree {
    /// The directory of a cgroup; none if it lies outside of what is mounted, or of the reader's
    /// cgroup namespace.
    pub(super) fn directory(&self, cgroup: &str) -> Option<PathBuf> {
        let below = match self.root.as_str() {
            "/" => cgroup,
            root => cgroup.strip_prefix(root)?,
        };
        if !(below.is_empty() || below.starts_with('/'))
            || below.split('/').any(|part| part == "..")
        {
            return None;
        }
        Some(self.point.join(below.trim_start_matches('/')))
    }
}

/// A cgroup and those around it, the root of the tree left out: it has no limit.
pub(super) fn around(cgroup: &str) -> impl Iterator<Item = &str> {
    let cgroup = cgroup.trim_end_matches('/');
    std::iter::successors(Some(cgroup), |&below| Some(below.rsplit_once('/')?.0))
        .take_while(|cgroup| !cgroup.is_empty())
        .take(DEPTH_MAX)
}

/// Levels that are looked at.
const DEPTH_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n";
    const V2: &str =
        "41 31 0:38 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
    const CPU: &str =
        "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n";

    fn find(mountinfo: &str) -> Trees {
        Trees::find(mountinfo, Path::new("/base"))
    }

    fn at(tree: Option<&Tree>, cgroup: &str) -> Option<String> {
        Some(tree?.directory(cgroup)?.to_str()?.to_owned())
    }

    #[test]
    fn on_a_hybrid_machine_v1_has_the_memory_and_v2_the_pressure() {
        let trees = find(&format!("{CPU}{V2}{V1}"));
        assert_eq!(
            at(trees.memory.as_ref(), "/docker/a").as_deref(),
            Some("/base/sys/fs/cgroup/memory/docker/a")
        );
        assert_eq!(
            at(trees.pressure.as_ref(), "/a").as_deref(),
            Some("/base/sys/fs/cgroup/unified/a")
        );
    }

    #[test]
    fn v2_alone_has_both() {
        let trees = find(V2);
        assert_eq!(trees.memory.unwrap().version, Version::Two);
        assert_eq!(trees.pressure, None);
        assert_eq!(find("nonsense\n - cgroup2 x y\n"), Trees::default());
        assert_eq!(find(CPU), Trees::default());
    }

    #[test]
    fn the_largest_part_of_a_tree_is_taken_and_what_is_outside_has_no_directory() {
        let part = "50 1 0:38 /docker/a\\040b /mnt\\040x rw - cgroup2 none rw\n";
        let trees = find(part);
        let tree = trees.memory.as_ref();
        assert_eq!(at(tree, "/docker/a b/c").as_deref(), Some("/base/mnt x/c"));
        assert_eq!(at(tree, "/docker/a b").as_deref(), Some("/base/mnt x/"));
        assert_eq!(at(tree, "/docker/a bc"), None);
        assert_eq!(at(tree, "/docker"), None);
        let whole = find(&format!("{part}{V2}"));
        assert!(
            at(whole.memory.as_ref(), "/x")
                .unwrap()
                .ends_with("unified/x")
        );
        assert_eq!(at(whole.memory.as_ref(), "/../x"), None);
    }

    #[test]
    fn cgroups_around_end_below_the_root() {
        assert_eq!(
            around("/a/b/c").collect::<Vec<_>>(),
            ["/a/b/c", "/a/b", "/a"]
        );
        assert_eq!(around("/").count(), 0);
        assert_eq!(around(&"/x".repeat(1000)).count(), DEPTH_MAX);
    }
}
