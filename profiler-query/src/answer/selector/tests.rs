use super::*;
use crate::testing::{info, on_node};

fn selector(change: impl FnOnce(&mut v1::Selector)) -> v1::Selector {
    let mut selector = v1::Selector::default();
    change(&mut selector);
    selector
}

/// A pod's process on node a, and one of the host on node b.
fn known() -> Vec<TargetInfo> {
    let mut web = on_node(
        info(7, "node"),
        "a",
        &[("zone", "eu-1"), ("tier", "shared")],
    );
    web.container = ContainerFacts {
        id: "0123456789ab".to_owned(),
        pod_uid: "uid-1".to_owned(),
        namespace: "shop".to_owned(),
        pod: "web-1".to_owned(),
        workload: "web".to_owned(),
        image: "registry/web:2".to_owned(),
        labels: [("tier".to_owned(), "front".to_owned())].into(),
        ..ContainerFacts::default()
    }
    .into();
    vec![web, on_node(info(7, "sshd"), "b", &[("zone", "us-1")])]
}

fn chosen(selector: &v1::Selector, known: &[TargetInfo]) -> Result<Vec<u32>, Status> {
    let filter = Filter::new(Some(selector))?;
    let known = (0..).map(ProcessHandle).zip(known);
    match filter.choose(known)? {
        Selection::All => Ok(vec![0, 1]),
        Selection::Some(handles) => {
            let mut handles: Vec<_> = handles.iter().map(|handle| handle.0).collect();
            handles.sort_unstable();
            Ok(handles)
        }
    }
}

#[test]
fn each_field_narrows() {
    let known = known();
    let text = |text: &str| vec![text.to_owned()];
    let cases: Vec<(v1::Selector, &[u32])> = vec![
        (selector(|one| one.pids = vec![7]), &[0, 1]),
        (selector(|one| one.nodes = text("a")), &[0]),
        (selector(|one| one.nodes = text("?")), &[0, 1]),
        (selector(|one| one.nodes = text("c*")), &[]),
        (selector(|one| one.namespaces = text("sh*")), &[0]),
        (selector(|one| one.workloads = text("web")), &[0]),
        (selector(|one| one.images = text("*/web:*")), &[0]),
        (selector(|one| one.pods = text("uid-1")), &[0]),
        (selector(|one| one.pods = text("shop/web-1")), &[0]),
        (selector(|one| one.pods = text("other/web-1")), &[]),
        (selector(|one| one.labels = text("zone")), &[0, 1]),
        (selector(|one| one.labels = text("zone=us-*")), &[1]),
        (selector(|one| one.labels = text("tier=front")), &[0]),
        (selector(|one| one.labels = text("tier=shared")), &[]),
        (selector(|one| one.labels = text("none")), &[]),
    ];
    for (selector, expected) in cases {
        assert_eq!(
            chosen(&selector, &known).expect("a choice"),
            expected,
            "{selector:?}"
        );
    }
    let both = selector(|one| one.labels = vec!["zone=eu-1".to_owned(), "tier=back".to_owned()]);
    assert_eq!(
        chosen(&both, &known).expect("a choice"),
        [0_u32; 0],
        "all labels have to fit"
    );
}

#[test]
fn what_nothing_is_known_of_is_an_error() {
    let bare = vec![info(1, "init")];
    let text = |text: &str| vec![text.to_owned()];
    for (selector, code) in [
        (selector(|one| one.pids = vec![2]), tonic::Code::NotFound),
        (selector(|one| one.nodes = text("z")), tonic::Code::NotFound),
        (
            selector(|one| one.containers = text("ffff")),
            tonic::Code::NotFound,
        ),
        (
            selector(|one| one.pods = text("a/b")),
            tonic::Code::InvalidArgument,
        ),
        (
            selector(|one| one.namespaces = text("a")),
            tonic::Code::InvalidArgument,
        ),
        (
            selector(|one| one.workloads = text("a")),
            tonic::Code::InvalidArgument,
        ),
        (
            selector(|one| one.images = text("*")),
            tonic::Code::InvalidArgument,
        ),
    ] {
        let refused = chosen(&selector, &bare).expect_err("a refusal");
        assert_eq!(refused.code(), code, "{selector:?}: {refused}");
    }
}

#[test]
fn too_many_values_are_refused() {
    let many = vec!["x".to_owned(); VALUES_MAX + 1];
    for selector in [
        selector(|one| one.pids = vec![1; VALUES_MAX + 1]),
        selector(|one| one.labels = many.clone()),
        selector(|one| one.nodes = many.clone()),
    ] {
        assert!(Filter::new(Some(&selector)).is_err());
    }
}
