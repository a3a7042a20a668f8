use super::*;
use crate::container::identify;

const A: &str = "7be92808767a667f35c8505cbf40d14e931ef6db5b0210329cf193b15ba9d605";
const B: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn rules(containers: &[&str], cgroups: &[&str], processes: &[&str], pids: &[u32]) -> Rules {
    let owned = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect();
    Rules {
        containers: owned(containers),
        cgroups: owned(cgroups),
        processes: owned(processes),
        pids: pids.to_vec(),
    }
}

fn filter(include: Rules, exclude: Rules) -> Filter {
    Filter::new(&FilterSpec { include, exclude }).unwrap()
}

fn observed(filter: &Filter, pid: u32, name: &str, cgroup: &str) -> bool {
    let info = identify(cgroup);
    let subject = Subject {
        pid,
        name,
        container: Some(&info),
    };
    filter.decide(subject) == Decision::Observe
}

#[test]
fn nothing_configured_observes_everything() {
    assert!(observed(&Filter::default(), 1, "init", "/"));
}

#[test]
fn include_lists_narrow_each_other() {
    let both = filter(
        rules(&["7be9", "host"], &[], &["node*", "redis"], &[]),
        Rules::default(),
    );
    let docker = format!("/docker/{A}");
    assert!(observed(&both, 1, "node-20", &docker));
    assert!(observed(&both, 1, "redis", "/"));
    assert!(!observed(&both, 1, "python3", &docker));
    assert!(!observed(&both, 1, "node", &format!("/docker/{B}")));
    let pids = filter(rules(&[], &[], &[], &[7, 8]), Rules::default());
    assert!(observed(&pids, 8, "x", "/") && !observed(&pids, 9, "x", "/"));
}

#[test]
fn exclude_wins_and_any_value_is_enough() {
    let both = filter(
        rules(&["7be9"], &[], &[], &[]),
        rules(&[], &["/docker/*/batch"], &["sh"], &[42]),
    );
    let docker = format!("/docker/{A}");
    assert!(observed(&both, 1, "node", &docker));
    assert!(!observed(&both, 1, "sh", &docker));
    assert!(!observed(&both, 42, "node", &docker));
    assert!(!observed(&both, 1, "node", &format!("{docker}/batch/sub")));
}

#[test]
fn cgroup_patterns_take_in_what_lies_below() {
    let slices = filter(
        rules(
            &[],
            &[
                "/system.slice/nginx.service",
                "/user.slice/*/session-?.scope/",
            ],
            &[],
            &[],
        ),
        Rules::default(),
    );
    assert!(observed(&slices, 1, "x", "/system.slice/nginx.service"));
    assert!(observed(&slices, 1, "x", "/system.slice/nginx.service/sub"));
    assert!(!observed(&slices, 1, "x", "/system.slice/nginx.service2"));
    assert!(observed(&slices, 1, "x", "/user.slice/u/session-1.scope"));
    assert!(!observed(
        &slices,
        1,
        "x",
        "/user.slice/u/v/session-1.scope"
    ));
    let any = filter(
        rules(&[], &["**/nginx.service"], &[], &[]),
        Rules::default(),
    );
    assert!(observed(&any, 1, "x", "/a/b/nginx.service"));
}

#[test]
fn host_is_the_host_alone() {
    let host = filter(Rules::default(), rules(&["host"], &[], &[], &[]));
    assert!(!observed(&host, 1, "x", "/"));
    assert!(observed(&host, 1, "x", "/system.slice/hostapd.service"));
    assert!(observed(&host, 1, "x", "/lxc/host"));
}

#[test]
fn a_nested_container_cannot_leave_by_its_own_choice_of_name() {
    let pod = "pod00000000-0000-0000-0000-000000000000";
    let nested = format!("/docker/{A}/kubepods/{pod}/{B}");
    let excludes = |value: &str| {
        let filter = filter(Rules::default(), rules(&[value], &[], &[], &[]));
        !observed(&filter, 1, "x", &nested)
    };
    assert!(!excludes(B), "the id of a container of the host");
    assert!(excludes(A), "the container around it");
    assert!(excludes(&format!("{B}@7be9")), "spelled out");
    // Looking at more does no harm.
    let include = filter(rules(&[&B[..8]], &[], &[], &[]), Rules::default());
    assert!(observed(&include, 1, "x", &nested));
}

#[test]
fn rules_about_an_unknown_container_let_through() {
    let subject = Subject {
        pid: 1,
        name: "x",
        container: None,
    };
    let by_container = filter(
        rules(&["7be9"], &["/a"], &[], &[]),
        rules(&["7be9"], &["/**"], &[], &[]),
    );
    assert_eq!(by_container.decide(subject), Decision::Observe);
    let by_name = filter(rules(&["7be9"], &[], &["y"], &[]), Rules::default());
    assert_eq!(by_name.decide(subject), Decision::Ignore);
}

#[test]
fn names_are_compared_as_the_kernel_cuts_them() {
    let long = filter(
        rules(&[], &[], &["clickhouse-server", "prometheus-node*"], &[]),
        Rules::default(),
    );
    assert!(observed(&long, 1, "clickhouse-serv", "/"));
    assert!(!observed(&long, 1, "clickhouse", "/"));
}

fn refusal(include: Rules) -> String {
    let spec = FilterSpec {
        include,
        exclude: Rules::default(),
    };
    Filter::new(&spec).unwrap_err().to_string()
}

#[test]
fn bad_values_are_named() {
    assert_eq!(
        refusal(rules(&["7be"], &[], &[], &[])),
        "\"7be\" is no container: at least 4 characters of its id are needed, or \"host\""
    );
    assert_eq!(
        refusal(rules(&["a/../b"], &[], &[], &[])),
        "\"a/../b\" is no container: at least 4 characters of its id are needed, or \"host\""
    );
    assert_eq!(
        refusal(rules(&[], &["system.slice"], &[], &[])),
        "\"system.slice\" is no cgroup path: it has to begin with / or *"
    );
    let glob = refusal(rules(&[], &[], &["node[a"], &[]));
    assert!(
        glob.starts_with("\"node[a\" is no pattern: unclosed character class"),
        "{glob}"
    );
    assert_eq!(
        refusal(rules(&[&"a".repeat(5000)], &[], &[], &[])),
        "a value of 5000 bytes is too long (at most 4096)"
    );
    assert_eq!(
        refusal(rules(&[], &[], &vec!["a"; 1001], &[])),
        "1001 values are too many (at most 1000 in one list)"
    );
    assert_eq!(
        refusal(rules(&[], &[], &[], &[1; 1001])),
        "1001 values are too many (at most 1000 in one list)"
    );
}
