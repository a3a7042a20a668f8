//! By what lives are the same thing: what a lineage is made of (see ADR 14).

use serde::{Deserialize, Serialize};

use super::{
    origin::{Origin, Root},
    probes::is_named_by_others,
};
use crate::{
    container::Kind,
    profile::TargetInfo,
    resident::{is_in_group, tenant},
};

/// Which lineage a life belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    /// Hexadecimal, made of what is compared.
    pub id: String,
    /// By what lives are the same, for people.
    pub basis: String,
    /// What people call it.
    pub name: String,
}

impl Identity {
    /// Of a container, unit or process; `main` is its oldest process.
    pub(super) fn of(main: &TargetInfo, origin: &dyn Origin) -> Self {
        Self::whole(main, origin).unwrap_or_else(|| {
            let parts = [executable(main), &parent(&main.container.root)];
            Self::new("executable and parent cgroup", file_name(main), &parts)
        })
    }

    /// The same; none while not all can be read: the process is about to end, or has just been made.
    pub(super) fn whole(main: &TargetInfo, origin: &dyn Origin) -> Option<Self> {
        let container = &main.container;
        if !container.image.is_empty() && !container.workload.is_empty() {
            let parts = [&container.namespace, &container.workload, &container.image];
            let parts = parts.map(String::as_str);
            return Some(Self::new("image and workload", &container.workload, &parts));
        }
        let executable = executable(main);
        if container.kind == Kind::Systemd.as_str() {
            let unit = unit_pattern(&container.name);
            // Users call their units as they like, others' names too.
            let parts = [&unit, executable, tenant(container).unwrap_or_default()];
            return Some(Self::new("executable and unit", &unit, &parts));
        }
        let directory = origin.directory(main.pid)?;
        if !is_in_group(container) {
            let parts = [executable, &main.name, &directory];
            return Some(Self::new("executable and directory", &main.name, &parts));
        }
        Some(Self::of_container(main, &directory, origin))
    }

    /// Two tenants may run one image: their pods' names tell them apart.
    fn of_container(main: &TargetInfo, directory: &str, origin: &dyn Origin) -> Self {
        let (container, parent) = (&main.container, parent(&main.container.root));
        let root = origin.root(main.pid);
        let root = root.and_then(|root| root_text(root, &container.kind));
        let has_pod = !container.pod_uid.is_empty() && !is_named_by_others(container);
        let pod = has_pod.then(|| origin.pod(&container.pod_uid)).flatten();
        let mut basis = "executable, directory and parent cgroup".to_owned();
        let mut parts = vec![executable(main), directory, &parent];
        if let Some(root) = &root {
            "root file system, executable and directory".clone_into(&mut basis);
            parts.push(root);
        }
        let Some(pod) = &pod else {
            return Self::new(&basis, file_name(main), &parts);
        };
        parts.extend([pod.namespace.as_str(), &pod.workload]);
        Self::new(&format!("pod's name, {basis}"), &pod.workload, &parts)
    }

    fn new(basis: &str, name: &str, parts: &[&str]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in [basis].iter().chain(parts) {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        let hash = hasher.finalize().to_hex();
        Self {
            id: hash[..32].to_owned(),
            basis: basis.to_owned(),
            name: name.to_owned(),
        }
    }
}

/// Where it can't be read, the name has to do.
fn executable(main: &TargetInfo) -> &str {
    match &*main.executable {
        "" => &main.name,
        path => path,
    }
}

fn file_name(main: &TargetInfo) -> &str {
    let path = executable(main);
    path.rsplit('/').next().unwrap_or(path)
}

/// The uppermost layer is the container's own under Docker, which puts one above the image's. None: a
/// directory that was made for this container alone.
fn root_text(root: Root, kind: &str) -> Option<String> {
    match root {
        Root::Directory(directory) => (!is_made_up(&directory)).then_some(directory),
        Root::Layers(mut layers) => {
            if kind == Kind::Docker.as_str() && layers.len() > 1 {
                layers.remove(0);
            }
            Some(layers.join(":"))
        }
    }
}

/// The cgroup above, without what is another one after each restart: ids and uids.
fn parent(root: &str) -> String {
    let above = root.rsplit_once('/').map_or("", |(above, _)| above);
    let parts = above.split('/').map(
        |part| match part.bytes().any(|byte| byte.is_ascii_digit()) {
            true if is_made_up(part) => "*",
            _ => part,
        },
    );
    parts.collect::<Vec<_>>().join("/")
}

/// It has eight hexadecimal digits in a row.
fn is_made_up(text: &str) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_hexdigit();
    text.as_bytes()
        .windows(8)
        .any(|eight| eight.iter().all(is_digit))
}

/// Units that are made for one run have numbers that are no part of what they are. Others are called
/// by people, who mean what they write: `redis@6379.service`.
fn unit_pattern(name: &str) -> String {
    // A manager around it, such as `user@1000.service/`, is somebody's.
    let (manager, unit) = name.split_at(name.rfind('/').map_or(0, |at| at + 1));
    let is_passing = unit.starts_with("run-") || unit.ends_with(".scope") || is_made_up(unit);
    if !is_passing {
        return name.to_owned();
    }
    let mut pattern = manager.to_owned();
    for part in unit.split_inclusive(|letter: char| !letter.is_ascii_hexdigit()) {
        let (word, rest) = match part.char_indices().next_back() {
            Some((at, last)) if !last.is_ascii_hexdigit() => part.split_at(at),
            _ => (part, ""),
        };
        let is_number = word.bytes().any(|byte| byte.is_ascii_digit());
        pattern.push_str(if is_number { "*" } else { word });
        pattern.push_str(rest);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, sync::Arc};

    use super::*;
    use crate::verdict::pods::Pod;
    use crate::{
        ids::BootTime,
        profile::{ContainerFacts, TargetInfo},
    };

    #[derive(Default)]
    struct Said(HashMap<u32, (&'static str, &'static str)>);

    impl Origin for Said {
        fn started(&self, _: u32) -> Option<BootTime> {
            None
        }

        fn directory(&self, pid: u32) -> Option<String> {
            self.0.get(&pid).map(|said| said.0.to_owned())
        }

        fn root(&self, pid: u32) -> Option<Root> {
            let layers = self.0.get(&pid)?.1;
            Some(Root::Layers(layers.split(':').map(str::to_owned).collect()))
        }

        fn pod(&self, uid: &str) -> Option<Pod> {
            let (namespace, workload) = uid.split_once('/')?;
            Some(Pod {
                namespace: namespace.to_owned(),
                workload: workload.to_owned(),
            })
        }
    }

    fn process(pid: u32, kind: Kind, root: &str) -> TargetInfo {
        let facts = ContainerFacts {
            id: root.rsplit('/').next().unwrap_or("").to_owned(),
            name: root.rsplit('/').next().unwrap_or("").to_owned(),
            kind: kind.as_str().to_owned(),
            root: root.to_owned(),
            ..ContainerFacts::default()
        };
        TargetInfo {
            pid,
            name: "node".to_owned(),
            executable: "/usr/bin/node".into(),
            container: Arc::new(facts),
            ..TargetInfo::nothing_on(Arc::default())
        }
    }

    fn id(pid: u32, kind: Kind, root: &str, said: &Said) -> String {
        Identity::of(&process(pid, kind, root), said).id
    }

    #[test]
    fn a_container_that_is_made_anew_from_its_image_is_the_same() {
        let said = Said([(1, ("/app", "init1:a:b")), (2, ("/app", "init2:a:b"))].into());
        let (one, other) = ("/docker/aaaaaaaa0001", "/docker/aaaaaaaa0002");
        assert_eq!(
            id(1, Kind::Docker, one, &said),
            id(2, Kind::Docker, other, &said)
        );
        // Podman puts no layer of its own there: these are two images.
        assert_ne!(
            id(1, Kind::Podman, one, &said),
            id(2, Kind::Podman, other, &said)
        );
    }

    #[test]
    fn two_services_that_both_run_node_are_told_apart_by_image_or_directory() {
        let said = Said(
            [
                (1, ("/app", "a:node")),
                (2, ("/app", "b:node")),
                (3, ("/shop", "a:node")),
            ]
            .into(),
        );
        let of = |pid| id(pid, Kind::Podman, "/machine/aaaaaaaa0001", &said);
        assert_ne!(of(1), of(2));
        assert_ne!(of(1), of(3));
    }

    #[test]
    fn a_process_that_cannot_be_looked_at_is_not_taken_for_another_service() {
        let (said, root) = (Said::default(), "/docker/aaaaaaaa0001");
        let gone = process(1, Kind::Docker, root);
        assert_eq!(Identity::whole(&gone, &said), None);
        assert_eq!(
            Identity::of(&gone, &said).basis,
            "executable and parent cgroup"
        );
    }

    #[test]
    fn a_directory_of_one_container_alone_is_no_image() {
        let directory = |path: &str| root_text(Root::Directory(path.to_owned()), "podman");
        let own = format!("8:1 /storage/vfs/dir/{}", "0a".repeat(32));
        assert_eq!(directory(&own), None);
        assert!(directory("8:1 /srv/rootfs").is_some());
    }

    #[test]
    fn a_pod_that_is_replaced_is_the_same() {
        let said = Said([(1, ("/", "a")), (2, ("/", "a"))].into());
        let root = |uid: &str| format!("/kubepods/burstable/pod{uid}/aaaaaaaa0001");
        let (one, other) = (root("1b2c3d4e-0001"), root("99999999-0002"));
        let kind = Kind::Containerd;
        assert_eq!(id(1, kind, &one, &said), id(2, kind, &other, &said));
    }

    #[test]
    fn two_tenants_that_run_one_image_are_told_apart_by_their_pods() {
        let said = Said([(1, ("/", "a"))].into());
        let root = "/kubepods/burstable/pod99999999-0002/aaaaaaaa0001";
        let of = |pod: &str, root: &str| {
            let mut info = process(1, Kind::Containerd, root);
            let facts = Arc::make_mut(&mut info.container);
            pod.clone_into(&mut facts.pod_uid);
            Identity::of(&info, &said)
        };
        let (one, other) = (of("mine/envoy", root), of("yours/envoy", root));
        assert_eq!((&*one.name, &*other.name), ("envoy", "envoy"));
        assert_ne!(one.id, other.id);
        assert_eq!(one, of("mine/envoy", root));
        // Users call their own cgroups by any uid.
        let user = "/user.slice/user-1.slice/user@1.service/kubepods/pod99999999-0002/aaaaaaaa0001";
        assert_eq!(of("mine/envoy", user).name, "node");
    }

    #[test]
    fn numbers_count_in_units_that_people_name_only() {
        for (unit, pattern) in [
            ("redis@6379.service", "redis@6379.service"),
            ("postgresql@15-main.service", "postgresql@15-main.service"),
            ("run-r0a1b2c3d4e5f.service", "run-r*.service"),
            ("run-u123.service", "run-u*.service"),
            ("session-4.scope", "session-*.scope"),
            (
                "user@1000.service/run-4.scope",
                "user@1000.service/run-*.scope",
            ),
        ] {
            assert_eq!(unit_pattern(unit), pattern);
        }
    }

    #[test]
    fn what_runs_in_a_unit_counts() {
        let said = Said::default();
        let unit = |executable: &str| {
            let info = TargetInfo {
                executable: executable.into(),
                ..process(1, Kind::Systemd, "/system.slice/app.service")
            };
            Identity::of(&info, &said)
        };
        assert_eq!(unit("/a").basis, "executable and unit");
        assert_ne!(unit("/a").id, unit("/b").id);
    }
}
