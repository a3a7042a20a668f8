use super::{
    A, B, groups, of, only,
    tree::{MOUNT_UNIFIED, MOUNT_V1, Tree, snapshot},
};
use crate::resident::{Limit, Source};

/// Linux 6.18, with v1's controllers beside a v2 tree.
const STAT_6_18: &str = "cache 236990464\nrss 177651712\nrss_huge 0\nshmem 4096\nmapped_file 41537536\n\
    swap 0\nswapcached 0\nunevictable 0\nhierarchical_memory_limit 9223372036854771712\n\
    hierarchical_memsw_limit 9223372036854771712\ntotal_cache 236994560\ntotal_rss 177655808\n\
    total_rss_huge 2097152\ntotal_shmem 8192\ntotal_mapped_file 41537536\ntotal_dirty 26128384\n\
    total_swap 12288\ntotal_swapcached 0\ntotal_inactive_anon 177610752\ntotal_unevictable 0\n";
/// Linux 4.19, booted without accounting of swap.
const STAT_4_19: &str = "cache 40960\nrss 1048576\nrss_huge 0\nshmem 0\nmapped_file 0\ndirty 0\n\
    hierarchical_memory_limit 67108864\ntotal_cache 40960\ntotal_rss 1048576\ntotal_rss_huge 0\n\
    total_shmem 0\ntotal_mapped_file 0\ntotal_dirty 0\n";
const NO_LIMIT: &str = "9223372036854771712\n";

fn cgroup(tree: &Tree, path: &str, stat: &str, limit: &str) {
    tree.files(
        &format!("sys/fs/cgroup/memory{path}"),
        &[
            ("memory.stat", stat),
            ("memory.usage_in_bytes", "420000000\n"),
            ("memory.kmem.usage_in_bytes", "6569984\n"),
            ("memory.kmem.tcp.usage_in_bytes", "0\n"),
            ("memory.limit_in_bytes", limit),
            ("memory.memsw.limit_in_bytes", NO_LIMIT),
            (
                "memory.oom_control",
                "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
            ),
            ("memory.failcnt", "17\n"),
        ],
    );
}

#[test]
fn figures_are_those_with_all_cgroups_below() {
    let (tree, path) = (Tree::new(MOUNT_V1), format!("/docker/{A}"));
    cgroup(&tree, &path, STAT_6_18, NO_LIMIT);
    tree.process(7, &format!("4:memory:{path}\n"));
    let mut reader = tree.reader();
    let figures = only(&mut reader, &snapshot(&[(7, &path)])).unwrap();
    assert_eq!(figures.source, Source::Cgroup1);
    assert_eq!((figures.anon, figures.swap), (177_655_808, 12_288));
    assert_eq!(
        (figures.file, figures.shmem),
        (Some(236_994_560), Some(8_192))
    );
    assert_eq!(
        (figures.kernel, figures.anon_thp),
        (Some(6_569_984), Some(2_097_152))
    );
    assert_eq!((figures.usage, figures.limit), (Some(420_000_000), None));
    assert_eq!(
        (figures.events.oom_kill, figures.events.max),
        (Some(3), Some(17))
    );
    assert_eq!((figures.events.oom, figures.events.high), (None, None));
    // Without a limit on sockets v1 does not count them: that is not none.
    assert_eq!(figures.sock, None);
    assert_eq!(figures.processes, 1);
    assert_eq!(reader.losses().figures + reader.losses().unread, 0);
}

#[test]
fn an_older_kernel_tells_less() {
    let (tree, path) = (Tree::new(MOUNT_V1), format!("/docker/{A}"));
    let limit = "67108864\n";
    tree.files(
        &format!("sys/fs/cgroup/memory{path}"),
        &[("memory.stat", STAT_4_19), ("memory.limit_in_bytes", limit)],
    );
    tree.process(7, &format!("4:memory:{path}\n"));
    let mut reader = tree.reader();
    let figures = only(&mut reader, &snapshot(&[(7, &path)])).unwrap();
    assert_eq!(figures.anon, 1 << 20);
    assert_eq!(figures.usage, None);
    let limit = Limit {
        bytes: 64 << 20,
        alone: 64 << 20,
        cgroup: path,
    };
    assert_eq!(figures.limit, Some(limit));
    assert_eq!(reader.losses().figures, 0);
}

#[test]
fn beside_a_v2_tree_the_memory_cgroup_is_found_through_a_process() {
    let tree = Tree::new(&format!("{MOUNT_UNIFIED}{MOUNT_V1}"));
    let (unified, legacy) = (
        format!("/libpod_parent/libpod-{A}"),
        format!("/machine/libpod-{A}"),
    );
    cgroup(&tree, &legacy, STAT_6_18, NO_LIMIT);
    let pressure = "some avg10=0.00 avg60=12.50 avg300=0.00 total=7365980\n\
                    full avg10=0.00 avg60=1.00 avg300=0.00 total=2819718\n";
    tree.file(
        &format!("sys/fs/cgroup/unified{unified}/memory.pressure"),
        pressure,
    );
    tree.process(7, &format!("4:memory:{legacy}/init\n0::{unified}/init\n"));
    let figures = only(&mut tree.reader(), &snapshot(&[(7, &unified)])).unwrap();
    assert_eq!(
        (figures.source, figures.anon),
        (Source::Cgroup1, 177_655_808)
    );
    assert_eq!(figures.pressure.some, Some(0.125));
    assert_eq!(figures.pressure.full, Some(0.01));
}

#[test]
fn a_process_that_is_another_containers_by_now_does_not_lead_there() {
    let tree = Tree::new(&format!("{MOUNT_UNIFIED}{MOUNT_V1}"));
    let (mine, other) = (format!("/docker/{A}"), format!("/docker/{B}"));
    cgroup(&tree, &other, STAT_6_18, NO_LIMIT);
    tree.process(7, &format!("4:memory:{other}\n0::{other}\n"));
    // Still the same process, moved while its container was set up: by its own figures.
    let figures = only(&mut tree.reader(), &snapshot(&[(7, &mine)])).unwrap();
    assert_eq!(figures.source, Source::Processes);
    // Its pid went to another.
    tree.starts(7, 251);
    assert_eq!(only(&mut tree.reader(), &snapshot(&[(7, &mine)])), None);
    // One that lives still leads.
    cgroup(&tree, &mine, STAT_4_19, NO_LIMIT);
    tree.process(8, &format!("4:memory:{mine}\n0::{mine}\n"));
    let figures = only(&mut tree.reader(), &snapshot(&[(7, &mine), (8, &mine)])).unwrap();
    assert_eq!((figures.source, figures.anon), (Source::Cgroup1, 1 << 20));
}

#[test]
fn limits_include_swap_and_leave_out_what_others_hold() {
    let tree = Tree::new(MOUNT_V1);
    let (a, b) = (format!("/pods/{A}"), format!("/pods/{B}"));
    let stat = |megabytes: u64| format!("total_rss {}\ntotal_swap 0\n", megabytes << 20);
    let limit = |megabytes: u64| format!("{}\n", megabytes << 20);
    cgroup(&tree, "/pods", &stat(60), &limit(100));
    cgroup(&tree, &a, &stat(20), &limit(90));
    cgroup(&tree, &b, &stat(40), NO_LIMIT);
    tree.process(7, &format!("4:memory:{a}\n"));
    tree.process(8, &format!("4:memory:{b}\n"));
    let snapshot = snapshot(&[(7, &a), (8, &b)]);
    let limits = |tree: &Tree| {
        let readings = tree.reader().read(&groups(&snapshot));
        let limit = |root: &str| of(&readings, root).limit.unwrap();
        (limit(&a), limit(&b))
    };
    let around = |megabytes: u64, alone: u64| Limit {
        bytes: megabytes << 20,
        alone: alone << 20,
        cgroup: "/pods".to_owned(),
    };
    // 100 less the other's 40, which is less than its own 90; 100 less the other's 20.
    assert_eq!(limits(&tree), (around(60, 90), around(80, 100)));
    tree.file("proc/meminfo", "SwapTotal:    51200 kB\n");
    assert_eq!(limits(&tree), (around(110, 140), around(130, 150)));
    // Memory and swap together.
    tree.file(
        "sys/fs/cgroup/memory/pods/memory.memsw.limit_in_bytes",
        &limit(120),
    );
    assert_eq!(limits(&tree), (around(80, 120), around(100, 120)));
}

#[test]
fn a_limit_above_what_is_mounted_counts_without_a_name() {
    let part = "35 31 0:32 /docker /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
    let (tree, path) = (Tree::new(part), format!("/docker/{A}"));
    let stat = "total_rss 4096\nhierarchical_memory_limit 1048576\n";
    tree.file(&format!("sys/fs/cgroup/memory/{A}/memory.stat"), stat);
    tree.process(7, &format!("4:memory:{path}\n"));
    let figures = only(&mut tree.reader(), &snapshot(&[(7, &path)])).unwrap();
    let limit = Limit {
        bytes: 1 << 20,
        alone: 1 << 20,
        cgroup: String::new(),
    };
    assert_eq!(figures.limit, Some(limit));
}

#[test]
fn kills_in_cgroups_below_are_not_counted() {
    let tree = Tree::new(MOUNT_V1);
    let files = [("memory.oom_control", "oom_kill 3\n")];
    tree.files("sys/fs/cgroup/memory/kubepods/pod1", &files);
    assert_eq!(tree.reader().kills_below("/kubepods/pod1"), None);
}
