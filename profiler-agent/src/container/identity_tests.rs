//! Paths as they occur on real machines, and what hostile ones may claim.

use super::*;

const A: &str = "7be92808767a667f35c8505cbf40d14e931ef6db5b0210329cf193b15ba9d605";
const B: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const UID: &str = "f37ab7a6-8c3f-4c1e-9d1e-0a1b2c3d4e5f";
const UID_: &str = "f37ab7a6_8c3f_4c1e_9d1e_0a1b2c3d4e5f";

fn path(template: &str) -> String {
    template
        .replace("{A}", A)
        .replace("{B}", B)
        .replace("{U_}", UID_)
        .replace("{U}", UID)
}

/// (path, kind, id, root)
fn check(rows: &[(&str, Kind, &str, &str)]) {
    for (template, kind, id, root) in rows {
        let info = identify(&path(template));
        assert_eq!(info.kind, *kind, "{template}");
        assert_eq!(info.id, path(id), "{template}");
        assert_eq!(info.root, path(root), "{template}");
        assert_eq!(info.cgroup, path(template));
    }
}

#[test]
fn docker() {
    use Kind::Docker;
    check(&[
        ("/docker/{A}", Docker, "{A}", "/docker/{A}"),
        ("/docker/{A}/sub/group", Docker, "{A}", "/docker/{A}"),
        (
            "/system.slice/docker-{A}.scope",
            Docker,
            "{A}",
            "/system.slice/docker-{A}.scope",
        ),
        (
            "/system.slice/docker-{A}.scope/init.scope",
            Docker,
            "{A}",
            "/system.slice/docker-{A}.scope",
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/docker-{A}.scope",
            Docker,
            "{A}",
            "/user.slice/user-1000.slice/user@1000.service/app.slice/docker-{A}.scope",
        ),
        (
            "/system.slice:docker:{A}",
            Docker,
            "{A}",
            "/system.slice:docker:{A}",
        ),
        (
            "/batch/{A}",
            Kind::Other,
            "{A}",
            "/batch/{A}", // --cgroup-parent=/batch
        ),
        (
            "/ecs/1c4a9d5e7b2f4c6d8e0f1a2b3c4d5e6f/{A}",
            Docker,
            "{A}",
            "/ecs/1c4a9d5e7b2f4c6d8e0f1a2b3c4d5e6f/{A}",
        ),
        (
            "/ecs/cluster/1c4a9d5e7b2f4c6d8e0f1a2b3c4d5e6f/{A}",
            Docker,
            "{A}",
            "/ecs/cluster/1c4a9d5e7b2f4c6d8e0f1a2b3c4d5e6f/{A}",
        ),
        (
            "/ecs/34dc0b5e626f2c5c4c5170e34b10e765/34dc0b5e626f2c5c4c5170e34b10e765-1234567890",
            Docker,
            "34dc0b5e626f2c5c4c5170e34b10e765-1234567890",
            "/ecs/34dc0b5e626f2c5c4c5170e34b10e765/34dc0b5e626f2c5c4c5170e34b10e765-1234567890",
        ),
    ]);
    assert_eq!(Docker.as_str(), "docker");
}

#[test]
fn containerd_and_cri_o() {
    use Kind::{Containerd, CriO};
    let crio = "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{U_}.slice/crio-{A}.scope";
    check(&[
        ("/default/{A}", Containerd, "{A}", "/default/{A}"),
        ("/k8s.io/{A}", Containerd, "{A}", "/k8s.io/{A}"),
        (
            "/system.slice/nerdctl-{A}.scope",
            Containerd,
            "{A}",
            "/system.slice/nerdctl-{A}.scope",
        ),
        (
            "/system.slice/cri-containerd-{A}.scope",
            Containerd,
            "{A}",
            "/system.slice/cri-containerd-{A}.scope",
        ),
        (crio, CriO, "{A}", crio),
        (&format!("{crio}/container"), CriO, "{A}", crio),
        (
            "/kubepods/pod{U}/crio-{A}",
            CriO,
            "{A}",
            "/kubepods/pod{U}/crio-{A}",
        ),
        (
            "/system.slice/crio-conmon-{A}.scope",
            Kind::Systemd,
            "crio-conmon-{A}.scope",
            "/system.slice/crio-conmon-{A}.scope",
        ),
        (
            "/kubepods/pod{U}/crio-conmon-{A}",
            Kind::Kubernetes,
            "pod{U}",
            "/kubepods/pod{U}",
        ),
    ]);
}

#[test]
fn podman() {
    use Kind::Podman;
    let user = "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{A}.scope";
    let pod = "/machine.slice/machine-libpod_pod_{B}.slice/libpod-{A}.scope";
    check(&[
        (
            "/machine.slice/libpod-{A}.scope",
            Podman,
            "{A}",
            "/machine.slice/libpod-{A}.scope",
        ),
        (
            "/machine.slice/libpod-{A}.scope/container",
            Podman,
            "{A}",
            "/machine.slice/libpod-{A}.scope",
        ),
        (user, Podman, "{A}", user),
        (&format!("{user}/container"), Podman, "{A}", user),
        (pod, Podman, "{A}", pod),
        (
            "/libpod_parent/libpod-{A}",
            Podman,
            "{A}",
            "/libpod_parent/libpod-{A}",
        ),
        (
            "/libpod_parent/{B}/libpod-{A}",
            Podman,
            "{A}",
            "/libpod_parent/{B}/libpod-{A}",
        ),
        (
            "/system.slice/web.service/libpod-payload-{A}",
            Podman,
            "{A}",
            "/system.slice/web.service/libpod-payload-{A}",
        ),
        ("/libpod_parent/conmon", Kind::Host, "host", "/"),
        ("/libpod_parent/libpod-conmon-{A}", Kind::Host, "host", "/"),
        (
            "/machine.slice/libpod-conmon-{A}.scope",
            Kind::Systemd,
            "libpod-conmon-{A}.scope",
            "/machine.slice/libpod-conmon-{A}.scope",
        ),
    ]);
    let web = identify(&path("/system.slice/web.service/libpod-payload-{A}"));
    assert_eq!(web.unit.as_deref(), Some("web.service"));
}

#[test]
fn kubernetes() {
    let burstable = "/kubepods/burstable/pod{U}/{A}";
    let guaranteed = "/kubepods/pod{U}/{A}";
    let scope = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{U_}.slice/cri-containerd-{A}.scope";
    let docker = "/kubepods.slice/kubepods-pod{U_}.slice/docker-{A}.scope";
    let mixed =
        "/system.slice/containerd.service/kubepods-besteffort-pod{U_}.slice:cri-containerd:{A}";
    check(&[
        (burstable, Kind::Kubernetes, "{A}", burstable),
        (guaranteed, Kind::Kubernetes, "{A}", guaranteed),
        (scope, Kind::Containerd, "{A}", scope),
        (docker, Kind::Docker, "{A}", docker),
        (mixed, Kind::Containerd, "{A}", mixed),
    ]);
    for template in [burstable, guaranteed, scope, docker, mixed] {
        let info = identify(&path(template));
        assert_eq!(info.pod_uid.as_deref(), Some(UID), "{template}");
        assert!(info.is_container());
    }
    let pod = identify(&path("/kubepods/burstable/pod{U}"));
    assert_eq!(
        (pod.kind, pod.id.clone(), pod.pod_uid.as_deref()),
        (Kind::Kubernetes, format!("pod{UID}"), Some(UID))
    );
    assert!(!pod.is_container());
    let static_pod = identify("/kubepods/burstable/pod5f4b0a1c2d3e4f5061728394a5b6c7d8");
    assert_eq!(
        static_pod.pod_uid.as_deref(),
        Some("5f4b0a1c2d3e4f5061728394a5b6c7d8")
    );
    let bad = identify("/kubepods/burstable/podXYZ");
    assert_eq!((bad.kind, bad.pod_uid), (Kind::Host, None));
}

#[test]
fn lxc_and_nspawn() {
    use Kind::{Lxc, Nspawn};
    check(&[
        ("/lxc/web1", Lxc, "web1", "/lxc/web1"),
        (
            "/lxc.payload.web1/system.slice/ssh.service",
            Lxc,
            "web1",
            "/lxc.payload.web1",
        ),
        ("/lxc.payload/web1", Lxc, "web1", "/lxc.payload/web1"),
        ("/lxc.monitor.web1", Kind::Host, "host", "/"),
        (
            "/machine.slice/machine-lxc\\x2d3\\x2ddb.scope",
            Lxc,
            "3-db",
            "/machine.slice/machine-lxc\\x2d3\\x2ddb.scope",
        ),
        (
            "/machine.slice/systemd-nspawn@deb\\x2d12.service/payload/init.scope",
            Nspawn,
            "deb-12",
            "/machine.slice/systemd-nspawn@deb\\x2d12.service",
        ),
        (
            "/machine.slice/machine-deb.scope/payload",
            Nspawn,
            "deb",
            "/machine.slice/machine-deb.scope",
        ),
        (
            "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator",
            Kind::Systemd,
            "machine-qemu\\x2d1\\x2dvm.scope",
            "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope",
        ),
    ]);
}

#[test]
fn systemd_units_and_the_host() {
    use Kind::{Host, Systemd};
    let app = "/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service";
    check(&[
        ("/", Host, "host", "/"),
        ("", Host, "host", "/"),
        ("/user.slice/user-1000.slice", Host, "host", "/"),
        ("/custom/group", Host, "host", "/"),
        (
            "/process_api/aecf999dc05e32300fa1a030326ec2f9",
            Host,
            "host",
            "/",
        ),
        (
            "/system.slice/nginx.service",
            Systemd,
            "nginx.service",
            "/system.slice/nginx.service",
        ),
        (
            "/system.slice/system-getty.slice/getty@tty1.service",
            Systemd,
            "getty@tty1.service",
            "/system.slice/system-getty.slice/getty@tty1.service",
        ),
        ("/init.scope", Systemd, "init.scope", "/init.scope"),
        (
            "/user.slice/user-1000.slice/session-3.scope",
            Systemd,
            "session-3.scope",
            "/user.slice/user-1000.slice/session-3.scope",
        ),
        (app, Systemd, "user@1000.service/foo.service", app),
        (
            "/user.slice/user-1000.slice/user@1000.service/init.scope",
            Systemd,
            "user@1000.service/init.scope",
            "/user.slice/user-1000.slice/user@1000.service/init.scope",
        ),
        (
            "/system.slice/_cgroup.service",
            Systemd,
            "cgroup.service",
            "/system.slice/_cgroup.service",
        ),
        ("/system.slice/.service", Host, "host", "/"),
    ]);
    assert_eq!(identify(app).unit.as_deref(), Some("foo.service"));
}

#[test]
fn a_kubelet_inside_a_container_is_followed_and_named_after_both() {
    let digits = &A[..12];
    for (template, kind) in [
        (
            "/docker/{A}/kubelet/kubepods/burstable/pod{U}/{B}",
            Kind::Kubernetes,
        ),
        (
            "/system.slice/docker-{A}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod{U_}.slice/cri-containerd-{B}.scope",
            Kind::Containerd,
        ),
        ("/docker/{A}/kubepods/pod{U}/{B}/deeper", Kind::Kubernetes),
    ] {
        let info = identify(&path(template));
        assert_eq!(info.id, format!("{B}@{digits}"), "{template}");
        assert_eq!(info.runtime_id(), B);
        assert_eq!(info.outer_id.as_deref(), Some(A));
        assert_eq!(info.kind, kind, "{template}");
        assert_eq!(info.pod_uid.as_deref(), Some(UID));
        assert!(info.root.starts_with('/') && info.root.contains(A) && info.root.contains(B));
        assert!(!info.root.ends_with("deeper"));
    }
}

#[test]
fn a_container_cannot_pass_for_another() {
    // Whatever A's processes name their sub-cgroups, they stay under A's root, and no id is B's.
    let victim = identify(&path("/docker/{B}"));
    for template in [
        "/docker/{A}/docker-{B}.scope",
        "/docker/{A}/docker/{B}",
        "/docker/{A}/{B}",
        "/docker/{A}/system.slice/docker-{B}.scope",
        "/docker/{A}/system.slice:docker:{B}",
        "/docker/{A}/lxc/host",
        "/docker/{A}/machine-host.scope",
        "/docker/{A}/system.slice/nginx.service",
        "/docker/{A}/kubepods/{B}",
        "/docker/{A}/pod{U}/{B}",
        "/docker/{A}/kubepods/pod{U}/x/{B}",
        "/docker/{A}/../docker/{B}",
    ] {
        let info = identify(&path(template));
        assert_eq!(info.id, A, "{template}");
        assert_eq!(info.root, path("/docker/{A}"), "{template}");
        assert_eq!(info.pod_uid, None, "{template}");
        assert_eq!(info.unit, None, "{template}");
    }
    let nested = identify(&path("/docker/{A}/kubepods/pod{U}/{B}"));
    assert_ne!(nested.id, victim.id);
    assert_ne!(nested.root, victim.root);
    // A pod's container does not change its pod by naming a group like one.
    let pod = "/kubepods/burstable/pod{U}/{A}";
    let other = "/kubepods/pod00000000-0000-0000-0000-000000000000/{B}";
    let info = identify(&path(&format!("{pod}/docker-{B}.scope")));
    assert_eq!((info.id.as_str(), info.root), (A, path(pod)));
    let info = identify(&path(&format!("{pod}{other}")));
    assert_eq!(info.id, format!("{B}@{}", &A[..12]));
    assert_ne!(info.root, path(other));
}

#[test]
fn an_unprivileged_user_shares_at_most_the_id() {
    let user = "/user.slice/user-1000.slice/user@1000.service/docker-{B}.scope";
    let (mine, theirs) = (identify(&path(user)), identify(&path("/docker/{B}")));
    assert_eq!(mine.id, theirs.id);
    assert_ne!(mine.root, theirs.root);
}

#[test]
fn paths_from_above_the_own_namespace() {
    check(&[
        ("/../{A}", Kind::Other, "{A}", "/../{A}"),
        (
            "/../../system.slice/docker-{A}.scope",
            Kind::Docker,
            "{A}",
            "/../../system.slice/docker-{A}.scope",
        ),
        ("/../../pod{U}/{A}", Kind::Other, "{A}", "/../../pod{U}/{A}"),
        ("/..", Kind::Host, "host", "/"),
    ]);
}

#[test]
fn odd_names_do_no_harm() {
    let deep = format!("/docker/{A}{}", "/x".repeat(2000));
    assert_eq!(identify(&deep).id, A);
    let deeper = format!("{}/docker/{A}", "/x".repeat(DEPTH_MAX));
    assert_eq!(identify(&deeper).kind, Kind::Host);
    for odd in [
        "///",
        "/docker-.scope",
        "/:::",
        "/a:docker:",
        "/machine-.scope",
        "/machine-\\x.scope",
        "/machine-\\xé.scope",
        "/lxc/",
        "/lxc.payload.",
        "/kubepods-pod.slice",
        "/kubepods.slice/kubepods-pod.slice",
        "/ecs/a/-",
        "/\u{fffd}",
    ] {
        let info = identify(odd);
        assert_ne!(info.id, "", "{odd}");
    }
    let upper = A.to_ascii_uppercase();
    assert_eq!(identify(&format!("/docker/{upper}")).kind, Kind::Host);
}
