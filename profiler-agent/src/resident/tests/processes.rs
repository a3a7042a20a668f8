use std::sync::Arc;

use super::{
    A, groups, only,
    tree::{BEGAN, MOUNT_V2, Tree, entry, snapshot},
};
use crate::{
    ids::ProcessHandle,
    profile::Snapshot,
    resident::{GROUPS_MAX, HOST_PROCESSES_MAX, Limit, SeriesKey, Source, TENANT_GROUPS_MAX},
};

#[test]
fn a_process_of_the_host_is_read_by_itself_with_the_limit_around_it() {
    let tree = Tree::new(MOUNT_V2);
    tree.process(7, "0::/user.slice\n");
    let files = [
        ("memory.stat", "anon 500000\n"),
        ("memory.max", "1000000\n"),
    ];
    tree.files("sys/fs/cgroup/user.slice", &files);
    let snapshot = snapshot(&[(7, "/user.slice")]);
    let key = SeriesKey::Process(ProcessHandle(7));
    assert_eq!(groups(&snapshot).groups[0].key, key);
    let figures = only(&mut tree.reader(), &snapshot).unwrap();
    assert_eq!((figures.source, figures.processes), (Source::Processes, 1));
    let own = 108 * 1024;
    assert_eq!(figures.series_bytes(), own);
    let limit = Limit {
        bytes: 1_000_000 - (500_000 - own),
        alone: 1_000_000,
        cgroup: "/user.slice".to_owned(),
    };
    assert_eq!(figures.limit, Some(limit));
}

#[test]
fn a_process_that_is_gone_has_no_reading_and_is_no_loss() {
    let tree = Tree::new(MOUNT_V2);
    let mut reader = tree.reader();
    assert_eq!(only(&mut reader, &snapshot(&[(7, "/")])), None);
    tree.process(7, "0::/\n");
    tree.starts(7, 251);
    assert_eq!(only(&mut reader, &snapshot(&[(7, "/")])), None);
    assert_eq!(reader.losses(), Default::default());
    let member = groups(&snapshot(&[(7, "/")])).groups[0].members[0];
    assert_eq!((member.began, reader.process(&member)), (BEGAN, None));
    tree.starts(7, 250);
    assert_eq!(reader.process(&member).unwrap().anon, 100 * 1024);
}

#[test]
fn groups_are_by_container_and_largest_first() {
    let container = format!("/docker/{A}");
    let mut snapshot = Snapshot {
        processes: vec![
            entry(1, &container, 10),
            entry(2, &format!("{container}/sub"), 30),
            entry(3, "/", 35),
            entry(4, "/system.slice/a.service", 50),
            entry(5, "/", 90),
        ],
        ..Snapshot::default()
    };
    Arc::make_mut(&mut snapshot.processes[4].info).exited = Some(BEGAN);
    let found = groups(&snapshot).groups;
    let keys: Vec<_> = found.iter().map(|group| (&group.key, group.live)).collect();
    let root = |root: &str| SeriesKey::Container(root.to_owned());
    assert_eq!(
        keys,
        [
            (&root("/system.slice/a.service"), 50),
            (&root(&container), 40),
            (&SeriesKey::Process(ProcessHandle(3)), 35),
        ]
    );
    let members = found[1].members.iter().map(|member| member.pid);
    assert_eq!(members.collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn beyond_the_bounds_the_smallest_are_left_out_and_counted() {
    let containers = (0..GROUPS_MAX as u32 + 3).map(|pid| {
        entry(
            pid + 1,
            &format!("/system.slice/{pid}.service"),
            1_000 + u64::from(pid),
        )
    });
    let processes = (0..HOST_PROCESSES_MAX as u32 + 2).map(|pid| entry(9_000 + pid, "/", 5));
    let snapshot = Snapshot {
        processes: containers.chain(processes).collect(),
        ..Snapshot::default()
    };
    let found = groups(&snapshot);
    assert_eq!(found.groups.len(), GROUPS_MAX + HOST_PROCESSES_MAX);
    assert_eq!(
        (found.containers_left_out, found.processes_left_out),
        (3, 2)
    );
    assert!(found.groups.iter().all(|group| group.live != 1_000));
    let mut reader = Tree::new(MOUNT_V2).reader();
    reader.read(&found);
    assert_eq!(reader.losses().left_out, 5);
}

#[test]
fn what_users_make_comes_last_and_has_a_quota() {
    let user = |pid: u32| {
        let manager = "/user.slice/user-1.slice/user@1.service";
        entry(9_000 + pid, &format!("{manager}/x{pid}.service"), 1 << 40)
    };
    let users = (0..TENANT_GROUPS_MAX as u32 + 4).map(user);
    let own = [entry(1, "/system.slice/a.service", 1), entry(2, "/", 1)];
    let snapshot = Snapshot {
        processes: users.chain(own).collect(),
        ..Snapshot::default()
    };
    let found = groups(&snapshot);
    let pids = found.groups.iter().take(2).map(|one| one.members[0].pid);
    assert_eq!(pids.collect::<Vec<_>>(), [1, 2]);
    assert_eq!(found.groups.len(), TENANT_GROUPS_MAX + 2);
    assert_eq!(found.containers_left_out, 4);
}

#[test]
fn those_with_memory_stay_where_others_have_committed_more() {
    let (tree, most) = (Tree::new(MOUNT_V2), HOST_PROCESSES_MAX as u32);
    let real = (1..=most).map(|pid| entry(pid, "/", 1));
    (1..=most).for_each(|pid| tree.process(pid, "0::/\n"));
    // They have a terabyte each, and nothing of it is there.
    let empty = (1_000..1_000 + most).map(|pid| entry(pid, "/", 1 << 40));
    let round = |reader: &mut super::Reader, processes: Vec<_>| {
        let snapshot = Snapshot {
            processes,
            ..Snapshot::default()
        };
        let groups = reader.groups(&snapshot);
        reader.read(&groups);
        let pids: Vec<u32> = groups.groups.iter().map(|one| one.members[0].pid).collect();
        pids
    };
    let mut reader = tree.reader();
    assert_eq!(
        round(&mut reader, real.clone().collect()).len(),
        most as usize
    );
    for _ in 0..20 {
        let pids = round(&mut reader, real.clone().chain(empty.clone()).collect());
        let stay = pids.iter().filter(|&&pid| pid <= most).count();
        assert!(stay as u32 >= most - most / 8, "{stay} stay");
        assert_eq!(pids.len(), most as usize);
    }
}

#[test]
fn what_has_grown_among_those_left_out_is_found() {
    let (tree, most) = (Tree::new(MOUNT_V2), HOST_PROCESSES_MAX as u32);
    (1..=2 * most).for_each(|pid| tree.process(pid, "0::/\n"));
    let snapshot = Snapshot {
        processes: (1..=2 * most).map(|pid| entry(pid, "/", 1)).collect(),
        ..Snapshot::default()
    };
    let mut reader = tree.reader();
    let mut round = || {
        let groups = reader.groups(&snapshot);
        let readings = reader.read(&groups);
        readings.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    let first = round();
    let left_out =
        (1..=2 * most).find(|&pid| !first.contains(&SeriesKey::Process(ProcessHandle(pid))));
    let grown = left_out.expect("half of them are left out");
    let status = "RssAnon:\t 900000 kB\nVmSwap:\t 0 kB\n";
    tree.file(&format!("proc/{grown}/status"), status);
    (0..20).for_each(|_| drop(round()));
    assert!((0..5).all(|_| round().contains(&SeriesKey::Process(ProcessHandle(grown)))));
}

#[test]
fn a_tree_that_is_mounted_later_is_found_behind_many_mounts() {
    let tree = Tree::new("");
    let path = format!("/docker/{A}");
    let files = [("memory.stat", "anon 4096\n")];
    tree.files(&format!("sys/fs/cgroup{path}"), &files);
    tree.process(7, &format!("0::{path}\n"));
    let (mut reader, snapshot) = (tree.reader(), snapshot(&[(7, &path)]));
    let source = |reader: &mut _| only(reader, &snapshot).map(|one| one.source);
    assert_eq!(source(&mut reader), Some(Source::Processes));
    let mut facts = reader.losses().facts().into_iter();
    let told = facts.find(|fact| fact.cause == "resident_without_cgroups");
    assert_eq!(told.map(|fact| fact.count), Some(1));
    let others = "90 1 0:9 / /mnt/x rw - tmpfs tmpfs rw\n".repeat(10_000);
    tree.file("proc/self/mountinfo", &format!("{others}{MOUNT_V2}"));
    assert_eq!(source(&mut reader), Some(Source::Cgroup2));
    assert_eq!(reader.losses().without_cgroups, 1);
}

#[test]
fn a_unit_that_gets_a_memory_cgroup_while_it_runs_is_measured_as_before() {
    let (tree, unit) = (Tree::new(MOUNT_V2), "/system.slice/a.service");
    tree.process(7, &format!("0::{unit}\n"));
    tree.process(8, &format!("0::{unit}\n"));
    let (mut reader, running) = (tree.reader(), snapshot(&[(7, unit)]));
    let before = only(&mut reader, &running).unwrap();
    let files = [("memory.stat", "anon 4096\n")];
    tree.files(&format!("sys/fs/cgroup{unit}"), &files);
    assert_eq!(only(&mut reader, &running), Some(before));
    let again = only(&mut reader, &snapshot(&[(8, unit)])).unwrap();
    assert_eq!((again.source, again.anon), (Source::Cgroup2, 4096));
}

#[test]
fn keys_survive_being_written_down() {
    for key in [
        SeriesKey::Container("/a".to_owned()),
        SeriesKey::Process(ProcessHandle(7)),
    ] {
        let text = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<SeriesKey>(&text).unwrap(), key);
    }
}
