//! What is asked of a collector, and of two targets.

use crate::common::{Fake, OLDEST, run};

#[test]
fn every_verb_that_selects_chooses_by_node_workload_and_label() {
    let fake = Fake::collector();
    let flags = "--pod shop/cart-1 --node n* --node m1 --namespace shop --workload cart \
                 --image */cart:2.* --label app=cart --label tier=f*";
    for verb in [
        "targets",
        "top",
        "diff --from 5m",
        "flame --folded",
        "connections",
        "watch --count 1",
        "export --format folded",
        "series",
        "nodes",
    ] {
        fake.run(&format!("{verb} {flags}")).text();
        let asked = fake.asked().pop().unwrap();
        for part in [
            r#"pods: ["shop/cart-1"]"#,
            r#"nodes: ["n*", "m1"]"#,
            r#"namespaces: ["shop"]"#,
            r#"workloads: ["cart"]"#,
            r#"images: ["*/cart:2.*"]"#,
            r#"labels: ["app=cart", "tier=f*"]"#,
        ] {
            assert!(asked.contains(part), "{verb}: {part} in {asked}");
        }
    }
}

#[test]
fn a_collector_is_told_without_a_kernel_side() {
    let fake = Fake::collector();
    let text = fake.run("status").text();
    assert!(text.contains("collector  0.1.0"), "{text}");
    assert!(
        text.contains("history    since 2026-01-01 00:00:00, 3.0 GiB\n"),
        "{text}"
    );
    for absent in ["kernel", "node  ", "cost", "served", "modules"] {
        assert!(!text.contains(absent), "{absent} in {text}");
    }
    let text = fake.run("watch --count 1").text();
    assert!(text.contains("2 processes in 2 containers\n"), "{text}");
}

#[test]
fn answers_of_several_nodes_name_them() {
    let fake = Fake::collector();
    for (line, part) in [
        ("targets", "NODE   PID"),
        ("targets", "n2    4711"),
        ("targets", "shop/cart-1"),
        ("top", "app (pid 4711)  container abababababab  on n2\n"),
        ("top --by container", "NODE  CONTAINER"),
        ("top --by node", "EVENTS  NODE\n"),
        ("watch --count 1 --by stack", "  n2  app (pid 4711)"),
    ] {
        let text = fake.run(line).text();
        assert!(text.contains(part), "{line}: {part} in {text}");
    }
    fake.run("top --by node").text();
    assert!(fake.asked().pop().unwrap().contains("by: Node"));
    let agent = Fake::tcp();
    for line in ["targets", "top --by container"] {
        let text = agent.run(line).text();
        assert!(!text.contains("NODE"), "{line}: {text}");
    }
}

#[test]
fn nodes_are_told_with_silence_and_losses() {
    let fake = Fake::collector();
    let text = fake.run("nodes").text();
    for part in [
        "n1    reporting",
        "n2    silent",
        "12 event_ring_full",
        "1 node is silent",
        "missing batches are still in the spool",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let text = fake.run("nodes --format json").text();
    assert!(
        text.contains(r#""state": "NODE_STATE_SILENT""#)
            && text.contains(r#""batchesMissing": "7""#),
        "{text}"
    );
}

#[test]
fn each_life_of_a_container_is_a_row() {
    let fake = Fake::collector();
    let text = fake.run("series --no-truncate").text();
    let rows: Vec<_> = text
        .lines()
        .filter(|line| line.contains("abababababab"))
        .collect();
    assert_eq!(rows.len(), 2, "{text}");
    assert!(rows[0].starts_with("+840.0 MiB  80.0 MiB"), "{text}");
    assert!(
        rows[0].contains("still there") && rows[0].contains("             ▁▁▁▁▁▄▄▄▄▄█"),
        "{text}"
    );
    assert!(
        rows[1].contains("2026-01-01 00:05:00  ▁▁▁▁▁▁▄▄▄▄▄▄█           "),
        "{text}"
    );
    let line = format!("series --by process --from {OLDEST} --to 1m --points 400 --limit 7");
    fake.run(&line).text();
    let asked = fake.asked().pop().unwrap();
    for part in [
        "by: Process",
        "seconds: 1767225600",
        "points: 400",
        "limit: 7",
    ] {
        assert!(asked.contains(part), "{part} in {asked}");
    }
    let text = fake.run("series --format json").text();
    assert!(text.contains(r#""liveSlopeBytesPerHour""#), "{text}");
}

#[test]
fn the_next_page_is_named_below_the_rows() {
    let fake = Fake::tcp();
    for verb in ["top", "top --by process", "diff --from 5m", "targets"] {
        let text = fake.run(&format!("{verb} --limit 2")).text();
        let (rows, footer) = text.split_once("the next page: --page second\n").unwrap();
        assert!(
            rows.contains("4711") && footer.contains("accounting"),
            "{text}"
        );
        let text = fake.run(&format!("{verb} --limit 2 --page second")).text();
        assert!(!text.contains("--page"), "{verb}: {text}");
        let asked = fake.asked().pop().unwrap();
        assert!(asked.contains(r#"page_token: "second""#), "{asked}");
        let ran = fake.run(&format!("{verb} --page third"));
        assert!(ran.error().contains("no such page"), "{}", ran.err);
    }
}

#[test]
fn targets_of_another_moment() {
    let fake = Fake::tcp();
    fake.run("targets --at 1767225660").text();
    assert!(fake.asked().pop().unwrap().contains("seconds: 1767225660"));
    let ran = fake.run(&format!("targets --at {}", OLDEST - 1));
    assert!(ran.error().contains("time out of range"), "{}", ran.err);
}

#[test]
fn two_targets_are_compared() {
    let fake = Fake::collector();
    let line = "diff --pod shop/cart-1 --against pod=shop/cart-2,process=node \
                --against label=app=cart,pid=7";
    let text = fake.run(line).text();
    for part in [
        "by stack, largest difference of live first",
        "against the other target at 2026-01-01 00:00:00; 1 row",
        "#1  more +2.0 MiB  live 6.0 MiB",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("unknown process"), "{text}");
    let asked = fake.asked().pop().unwrap();
    let (first, against) = asked.split_once("against: Some").unwrap();
    assert!(first.contains(r#"pods: ["shop/cart-1"]"#) && first.contains("from: None"));
    for part in [
        "pids: [7]",
        r#"processes: ["node"]"#,
        r#"pods: ["shop/cart-2"]"#,
        r#"labels: ["app=cart"]"#,
    ] {
        assert!(against.contains(part), "{part} in {asked}");
    }
    let text = fake
        .run("diff --against node=n2 --from 1h --to 5m --by function")
        .text();
    assert!(text.contains("MORE"), "{text}");
}

#[test]
fn two_targets_are_drawn_whatever_their_processes_are_called() {
    let fake = Fake::collector();
    let line = format!("--pod a --against pod=b --from {OLDEST} --folded");
    let folded = fake.run(&format!("flame {line}")).text();
    // The canned answer about the past has less.
    assert!(
        folded.starts_with(
            "[any process];main;cache_put;hash_insert;libc.so.6+0x1020 1048576 6291456\n"
        ),
        "{folded}"
    );
    let asked = fake.asked();
    assert!(asked[0].contains(r#"pods: ["a"]"#) && asked[0].contains("at: None"));
    assert!(asked[1].contains(r#"pods: ["b"]"#) && asked[1].contains("seconds: 1767225600"));
    let picture = fake.run("flame --pod a --against pod=b --to 5m").text();
    assert!(
        picture.contains("</svg>") && picture.contains("red: more than the other target"),
        "{picture}"
    );
    // Both at the same moment.
    let asked = fake.asked();
    let moments: Vec<_> = asked[2..]
        .iter()
        .map(|one| one.split_once("at: Some").unwrap().1)
        .map(|rest| rest.split_once("since").unwrap().0)
        .collect();
    assert_eq!(moments.len(), 2);
    assert_eq!(moments[0], moments[1]);
}

#[test]
fn comparisons_that_make_no_sense_say_what_does() {
    for (line, part) in [
        ("diff --against pod", "allowed: KEY=VALUE"),
        ("diff --against pods=a", "pid, container, process"),
        ("diff --against pod=", "has no value"),
        ("diff --against pid=0", "no process id"),
        (
            "diff --against pod=a --by process",
            "--by stack or --by function",
        ),
        (
            "flame --against pod=a --by connection",
            "exclude each other",
        ),
        ("flame --against pod=a --at 5m", "--to names the moment"),
        ("flame --to 5m", "--against"),
        ("series --points 2001", "1..=2000"),
        ("series --by function", "possible values: container"),
    ] {
        let words: Vec<_> = line.split_whitespace().collect();
        let ran = run(&words);
        assert!(ran.error().contains(part), "{line}: {}", ran.err);
    }
    let help = run(&["diff", "--help"]).text();
    assert!(
        help.contains("--pod shop/cart-1 --against pod=shop/cart-2"),
        "{help}"
    );
}

#[test]
fn an_older_agent_is_told_from_a_fault() {
    let fake = Fake::old();
    for verb in ["series", "nodes"] {
        let ran = fake.run(verb);
        assert!(ran.error().contains("older than the client"), "{}", ran.err);
    }
}
