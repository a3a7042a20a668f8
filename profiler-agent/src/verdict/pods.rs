//! What the cluster calls the pods of this node: the kubelet names the directories of their logs
//! `<namespace>_<pod>_<uid>`. Only these names are read, nothing in them.

use std::{fs, path::Path};

/// A node has a few hundred at most, and those that are gone stay for a while.
const PODS_MAX: usize = 8_192;
/// Of what a name is made that the cluster makes up.
const MADE_UP: &str = "bcdfghjklmnpqrstvwxz2456789";

/// A pod by its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pod {
    pub(super) namespace: String,
    /// The pod's name without what is another one for each pod of the same workload.
    pub(super) workload: String,
}

/// The pod of this uid, among the directories of logs.
pub(super) fn find(logs: &Path, uid: &str) -> Option<Pod> {
    let mut names = fs::read_dir(logs).ok()?.take(PODS_MAX);
    names.find_map(|name| named(name.ok()?.file_name().to_str()?, uid))
}

/// Neither namespaces nor pods have an underscore in their names.
fn named(directory: &str, uid: &str) -> Option<Pod> {
    let names = directory.strip_suffix(uid)?.strip_suffix('_')?;
    let (namespace, name) = names.split_once('_')?;
    Some(Pod {
        namespace: namespace.to_owned(),
        workload: workload(name).to_owned(),
    })
}

/// Pods of a Deployment end in the hash of its template and five letters, those of a CronJob in a number
/// and five letters, others in five letters, and those of a StatefulSet in their number, which stays.
fn workload(pod: &str) -> &str {
    let Some((before, last)) = pod.rsplit_once('-') else {
        return pod;
    };
    if !(last.len() == 5 && is_made_up(last)) {
        return pod;
    }
    match before.rsplit_once('-') {
        Some((name, hash)) if is_hash(hash) || is_long_number(hash) => name,
        _ => before,
    }
}

fn is_hash(text: &str) -> bool {
    (6..=10).contains(&text.len()) && is_made_up(text)
}

fn is_long_number(text: &str) -> bool {
    text.len() >= 8 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_made_up(text: &str) -> bool {
    text.chars().all(|letter| MADE_UP.contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workloads_are_pods_without_what_the_cluster_makes_up() {
        for (pod, expected) in [
            ("web-7d9f8b6c5-x2x4q", "web"),
            ("api-grpc-6c8b5dfc7b-zzkpw", "api-grpc"),
            ("node-exporter-kq5fm", "node-exporter"),
            ("backup-29012340-4wv8x", "backup"),
            ("db-0", "db-0"),
            ("etcd-node-1", "etcd-node-1"),
            ("build", "build"),
            ("my-build", "my-build"),
            ("", ""),
        ] {
            assert_eq!(workload(pod), expected, "{pod}");
        }
    }

    #[test]
    fn a_pod_is_found_by_its_uid_among_directories() {
        let logs = tempfile::tempdir().expect("a directory");
        let uid = "0f0e0d0c-0000-4000-8000-000000000001";
        for name in [
            format!("shop_web-7d9f8b6c5-x2x4q_{uid}"),
            "shop_web-7d9f8b6c5-bbbbb_another".to_owned(),
            "nonsense".to_owned(),
        ] {
            fs::create_dir(logs.path().join(name)).expect("made");
        }
        let found = find(logs.path(), uid).expect("it is there");
        assert_eq!((&*found.namespace, &*found.workload), ("shop", "web"));
        assert_eq!(find(logs.path(), "none"), None);
        assert_eq!(find(&logs.path().join("none"), uid), None);
    }
}
