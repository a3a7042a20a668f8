use super::{
    A, B, groups, of, only,
    tree::{MOUNT_V2, Tree, snapshot},
};
use crate::resident::{Limit, Source};

/// Linux 6.1.
const STAT_6_1: &str = "anon 33554432\nfile 12288000\nkernel 2097152\nkernel_stack 65536\n\
    pagetables 262144\nsec_pagetables 0\npercpu 1024\nsock 8192\nvmalloc 0\nshmem 4096\nzswap 0\n\
    zswapped 0\nfile_mapped 0\nanon_thp 4194304\nslab_reclaimable 1048576\n\
    slab_unreclaimable 524288\nslab 1572864\n";
/// What it holds besides anonymous memory: kernel memory but for caches, sockets, tmpfs.
const BESIDES: u64 = (1 << 20) + 8_192 + 4_096;
/// Linux 5.10.
const STAT_5_10: &str = "anon 33554432\nfile 12288000\nkernel_stack 65536\npercpu 1024\nsock 0\n\
    shmem 0\nanon_thp 0\nslab_reclaimable 1048576\nslab_unreclaimable 524288\nslab 1572864\n";

fn cgroup(tree: &Tree, path: &str, files: &[(&str, &str)]) {
    tree.files(&format!("sys/fs/cgroup{path}"), files);
}

#[test]
fn figures_of_a_present_kernel() {
    let (tree, path) = (
        Tree::new(MOUNT_V2),
        format!("/system.slice/docker-{A}.scope"),
    );
    cgroup(
        &tree,
        &path,
        &[
            ("memory.stat", STAT_6_1),
            ("memory.current", "50000000\n"),
            ("memory.swap.current", "16384\n"),
            ("memory.max", "67108864\n"),
            ("memory.swap.max", "max\n"),
            (
                "memory.events",
                "low 0\nhigh 4\nmax 9\noom 2\noom_kill 1\noom_group_kill 0\n",
            ),
            (
                "memory.pressure",
                "some avg10=0.00 avg60=50.00 avg300=0.00 total=1\n\
                                 full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
            ),
        ],
    );
    let mut reader = tree.reader();
    let figures = only(&mut reader, &snapshot(&[(7, &path)])).unwrap();
    assert_eq!(figures.source, Source::Cgroup2);
    assert_eq!((figures.anon, figures.swap), (32 << 20, 16_384));
    assert_eq!(
        (figures.file, figures.shmem),
        (Some(12_288_000), Some(4_096))
    );
    assert_eq!((figures.sock, figures.kernel), (Some(8_192), Some(2 << 20)));
    assert_eq!(
        (figures.anon_thp, figures.usage),
        (Some(4 << 20), Some(50_000_000))
    );
    assert_eq!(figures.events.high, Some(4));
    assert_eq!(
        (figures.events.oom, figures.events.oom_kill),
        (Some(2), Some(1))
    );
    assert_eq!(
        (figures.pressure.some, figures.pressure.full),
        (Some(0.5), Some(0.0))
    );
    let limit = Limit {
        bytes: (64 << 20) - BESIDES,
        alone: (64 << 20) - BESIDES,
        cgroup: path.clone(),
    };
    assert_eq!(figures.limit, Some(limit));
    use std::os::unix::fs::MetadataExt;
    let directory = tree.path(&format!("sys/fs/cgroup{path}"));
    assert_eq!(figures.life, Some(directory.metadata().unwrap().ino()));
    assert_eq!(reader.losses(), Default::default());
}

#[test]
fn before_5_18_kernel_memory_is_the_sum_of_its_parts() {
    let (tree, path) = (Tree::new(MOUNT_V2), format!("/docker/{A}"));
    cgroup(&tree, &path, &[("memory.stat", STAT_5_10)]);
    let figures = only(&mut tree.reader(), &snapshot(&[(7, &path)])).unwrap();
    assert_eq!(figures.kernel, Some(65_536 + 1_024 + 1_572_864));
    assert_eq!((figures.usage, figures.events.oom), (None, None));
}

#[test]
fn others_hold_anonymous_memory_tmpfs_sockets_and_kernel_memory_but_for_caches() {
    let (tree, a) = (Tree::new(MOUNT_V2), format!("/pod/{A}"));
    let b = format!("/pod/{B}");
    let stat = "anon 1000\nfile 700\nkernel 90\nslab_reclaimable 40\nsock 8\nshmem 6\n";
    cgroup(
        &tree,
        "/pod",
        &[("memory.stat", stat), ("memory.max", "10000\n")],
    );
    cgroup(
        &tree,
        &a,
        &[("memory.stat", "anon 400\n"), ("memory.max", "max\n")],
    );
    cgroup(
        &tree,
        &b,
        &[("memory.stat", "anon 600\n"), ("memory.max", "3000\n")],
    );
    let snapshot = snapshot(&[(7, &a), (8, &b)]);
    let readings = tree.reader().read(&groups(&snapshot));
    let limit = |root: &str| {
        let limit = of(&readings, root).limit.unwrap();
        (limit.bytes, limit.cgroup)
    };
    let held = 1000 + 50 + 8 + 6;
    assert_eq!(limit(&a), (10_000 - (held - 400), "/pod".to_owned()));
    assert_eq!(limit(&b), (3_000, b.clone()));
}

#[test]
fn a_limit_that_is_full_is_not_taken_for_none() {
    let (tree, path) = (Tree::new(MOUNT_V2), format!("/pod/{A}"));
    let full = [("memory.stat", "anon 9000\n"), ("memory.max", "8000\n")];
    cgroup(&tree, "/pod", &full);
    let own = [("memory.stat", "anon 10\n"), ("memory.max", "3000\n")];
    cgroup(&tree, &path, &own);
    let figures = only(&mut tree.reader(), &snapshot(&[(7, &path)])).unwrap();
    let limit = Limit {
        bytes: 1,
        alone: 3000,
        cgroup: "/pod".to_owned(),
    };
    assert_eq!(figures.limit, Some(limit));
}

#[test]
fn swap_that_may_be_used_adds_to_the_limit() {
    let (tree, path) = (Tree::new(MOUNT_V2), format!("/docker/{A}"));
    let files = [("memory.stat", STAT_6_1), ("memory.max", "67108864\n")];
    cgroup(&tree, &path, &files);
    cgroup(
        &tree,
        &path,
        &[("memory.swap.max", "max\n"), ("memory.swap.current", "0\n")],
    );
    tree.file("proc/meminfo", "SwapTotal:    1024 kB\n");
    let snapshot = snapshot(&[(7, &path)]);
    let limit = || {
        only(&mut tree.reader(), &snapshot)
            .unwrap()
            .limit
            .unwrap()
            .bytes
    };
    assert_eq!(limit(), (65 << 20) - BESIDES);
    cgroup(&tree, &path, &[("memory.swap.max", "4096\n")]);
    assert_eq!(limit(), (64 << 20) + 4096 - BESIDES);
    cgroup(&tree, &path, &[("memory.swap.max", "0\n")]);
    assert_eq!(limit(), (64 << 20) - BESIDES);
}

#[test]
fn a_unit_without_the_controller_is_summed_over_its_processes() {
    let (tree, path) = (Tree::new(MOUNT_V2), "/system.slice/a.service");
    cgroup(&tree, path, &[("cgroup.procs", "7\n8\n")]);
    tree.process(7, "0::/system.slice/a.service\n");
    tree.process(8, "0::/system.slice/a.service\n");
    let figures = only(
        &mut tree.reader(),
        &snapshot(&[(7, path), (8, path), (9, path)]),
    )
    .unwrap();
    assert_eq!((figures.source, figures.life), (Source::Processes, None));
    assert_eq!((figures.anon, figures.swap), (204_800, 16_384));
}

#[test]
fn what_is_garbage_is_absent_and_counted() {
    let (tree, path) = (Tree::new(MOUNT_V2), format!("/docker/{A}"));
    let long = "x".repeat(1 << 20);
    cgroup(
        &tree,
        &path,
        &[
            ("memory.stat", "anon 4096\nfile many\n\n \nnonsense"),
            ("memory.current", "many\n"),
            ("memory.max", &long),
            ("memory.swap.current", "-1\n"),
            ("memory.events", "oom_kill 99999999999999999999\n"),
            ("memory.pressure", "some avg60=nan\nfull avg60=1e9\n"),
        ],
    );
    let mut reader = tree.reader();
    let figures = only(&mut reader, &snapshot(&[(7, &path)])).unwrap();
    assert_eq!(
        (figures.anon, figures.file, figures.usage),
        (4096, None, None)
    );
    assert_eq!((figures.limit, figures.events.oom_kill), (None, None));
    assert_eq!((figures.pressure.some, figures.pressure.full), (None, None));
    assert_eq!(reader.losses().figures, 3);
    // Without the one figure that matters there is no reading.
    cgroup(&tree, &path, &[("memory.stat", "file 1\n")]);
    assert_eq!(only(&mut reader, &snapshot(&[(7, &path)])), None);
    assert_eq!(reader.losses().unread, 1);
}

#[test]
fn kills_below_a_cgroup_are_counted_there() {
    let tree = Tree::new(MOUNT_V2);
    let files = [("memory.events", "low 0\noom 4\noom_kill 3\n")];
    tree.files("sys/fs/cgroup/kubepods/pod1", &files);
    let reader = tree.reader();
    assert_eq!(reader.kills_below("/kubepods/pod1"), Some(3));
    assert_eq!(reader.kills_below("/kubepods/pod2"), None);
    assert_eq!(reader.kills_below("/.."), None);
}
