use profiler_common::socket as abi;
use proptest::prelude::*;

use super::*;

const ONE: ProcessHandle = ProcessHandle(1);
const TWO: ProcessHandle = ProcessHandle(2);
const SECOND: u64 = 1_000_000_000;

fn at(seconds: u64) -> BootTime {
    BootTime(seconds * SECOND)
}

fn facts(kind: u8, calls: u64) -> SocketFacts {
    let mut entry = abi::SocketEntry {
        kind,
        family: 2,
        role: abi::ROLE_SERVER,
        opened: SECOND,
        received_calls: calls,
        received_bytes: 10 * calls,
        local_port: 80,
        peer_port: 4711,
        ..abi::SocketEntry::BLANK
    };
    entry.address[16..20].copy_from_slice(&[10, 0, 0, 2]);
    SocketFacts::new(&entry).expect("a whole entry")
}

fn tcp(calls: u64) -> SocketFacts {
    facts(abi::SOCKET_TCP, calls)
}

fn table() -> ConnectionTable {
    ConnectionTable::new(Limits {
        open: 8,
        charged: 2,
        idle: 4,
        points: 16,
        peers: 2,
        folded: 4,
    })
}

fn charge(table: &mut ConnectionTable, cookie: u64, bytes: (u64, u64), calls: u64) {
    let served = Served {
        connection: Some(Cookie(cookie)),
        calls,
        ..Served::default()
    };
    assert!(table.charge(ONE, Cookie(cookie), bytes, Some(&served), at(2)));
}

fn give_back(table: &mut ConnectionTable, cookie: u64, bytes: u64, seconds: u64) {
    assert!(table.charge(ONE, Cookie(cookie), (0, bytes), None, at(seconds)));
}

fn close(table: &mut ConnectionTable, cookie: u64, seconds: u64) {
    let facts = SocketFacts {
        end: End::Peer,
        ..tcp(5)
    };
    table.close(Cookie(cookie), facts, Some(ONE), at(seconds));
}

fn one(table: &ConnectionTable, cookie: u64) -> Option<Connection> {
    let view = table.view(at(100));
    view.connections
        .into_iter()
        .find(|one| one.cookie == Cookie(cookie))
}

#[test]
fn growth_tells_of_a_connection_before_its_socket_is_looked_up() {
    let mut table = table();
    charge(&mut table, 7, (100, 0), 3);
    assert_eq!(table.take_unknown(), [Cookie(7)]);
    assert_eq!(table.take_unknown(), []);
    assert!(!table.has_role(Cookie(7)));
    table.update(Cookie(7), tcp(4), Some(ONE), at(3));
    assert!(table.has_role(Cookie(7)));
    let known = one(&table, 7).expect("it is kept");
    assert_eq!((known.live(), known.process), (100, Some(ONE)));
    let points: Vec<_> = known
        .points()
        .map(|point| (point.calls, point.live))
        .collect();
    assert_eq!(points, [(3, 100)]);
}

#[test]
fn what_stays_is_noted_half_a_minute_after_the_close() {
    let mut table = table();
    charge(&mut table, 7, (100, 0), 1);
    close(&mut table, 7, 10);
    give_back(&mut table, 7, 30, 11);
    assert_eq!(table.tick(at(39)), []);
    assert_eq!(one(&table, 7).and_then(|one| one.live_after_close), None);
    assert_eq!(table.tick(at(40)), []);
    let closed = one(&table, 7).expect("memory is charged to it");
    assert_eq!(closed.end, End::Peer);
    assert_eq!(
        (closed.live_at_close, closed.live_after_close),
        (100, Some(70))
    );

    give_back(&mut table, 7, 70, 50);
    let folds = table.tick(at(51));
    assert_eq!(folds.len(), 1);
    assert_eq!(
        (folds[0].cookie, &folds[0].processes[..]),
        (Cookie(7), &[ONE][..])
    );
    let view = table.view(at(60));
    assert!(view.connections.is_empty());
    let peer = &view.peers[&folds[0].into.expect("nothing was left")];
    assert_eq!((peer.connections, peer.allocated), (1, 100));
    assert_eq!(peer.traffic.received_calls, 5);
    assert_eq!(view.folded.get(&Cookie(7)), Some(&folds[0].into));
    assert_eq!(view.classes.len(), 1, "its evidence is kept");
    assert_eq!(view.classes[0].evidence[0].live_after_close, Some(70));
}

#[test]
fn connections_without_growth_go_by_themselves() {
    let mut table = table();
    for cookie in 1..=8 {
        table.update(Cookie(cookie), tcp(1), Some(ONE), at(1));
    }
    table.update(Cookie(9), tcp(1), Some(ONE), at(1));
    assert_eq!((table.open(), table.counters().refused), (8, 1));
    for cookie in 1..=8 {
        close(&mut table, cookie, 2);
    }
    assert_eq!(table.open(), 0);
    assert_eq!(table.view(at(2)).connections.len(), 4, "at once");
    assert_eq!(table.tick(at(3)), [], "no growth has to be folded");
    assert_eq!(
        table.view(at(3)).connections.len(),
        4,
        "the bound of idle ones"
    );
    table.tick(at(33));
    let view = table.view(at(33));
    assert!(view.connections.is_empty());
    assert_eq!((view.counters.folded, view.peers.len()), (8, 1));
}

#[test]
fn more_charged_ones_than_there_is_room_for_are_folded_with_their_memory() {
    let mut table = table();
    for cookie in 1..=3 {
        charge(&mut table, cookie, (100, 0), 1);
        close(&mut table, cookie, 10);
    }
    let folds = table.tick(at(40));
    assert_eq!(folds.len(), 1);
    assert_eq!((folds[0].cookie, folds[0].into), (Cookie(1), None));
    assert_eq!(table.counters().folded_charged, 1);
}

#[test]
fn a_later_connection_knows_what_an_allocator_could_have_free() {
    let mut table = table();
    charge(&mut table, 1, (100, 0), 1);
    charge(&mut table, 2, (50, 0), 1);
    close(&mut table, 1, 10);
    charge(&mut table, 3, (10, 0), 1);
    give_back(&mut table, 1, 40, 12);
    table.update(Cookie(4), tcp(1), Some(ONE), at(13));
    let pools: Vec<_> = (1..=4)
        .map(|cookie| one(&table, cookie).unwrap().pool)
        .collect();
    assert_eq!(pools, [0, 0, 100, 60]);
}

#[test]
fn a_socket_that_is_gone_without_a_word_is_closed() {
    let mut table = table();
    table.update(Cookie(1), tcp(1), Some(ONE), at(1));
    table.update(Cookie(2), tcp(1), Some(ONE), at(1));
    table.update(Cookie(3), tcp(1), Some(ONE), at(9));
    table.absent(|cookie| cookie == Cookie(1), at(5));
    let closed = |cookie| one(&table, cookie).unwrap().closed;
    assert_eq!((closed(1), closed(2), closed(3)), (None, Some(at(5)), None));
    assert_eq!(table.counters().ends_unseen, 1);
}

#[test]
fn a_socket_without_states_is_closed_when_two_passes_miss_it() {
    let mut table = table();
    let udp = SocketFacts {
        pid: 5,
        ..facts(abi::SOCKET_UDP, 1)
    };
    for (cookie, process) in [(1, ONE), (2, TWO)] {
        table.update(Cookie(cookie), udp.clone(), Some(process), at(1));
    }
    table.update(Cookie(3), tcp(1), Some(ONE), at(1));
    let lives = |process| process == ONE;
    assert_eq!(table.passed(1, at(5), lives), []);
    let seen = SocketFacts { pass: 2, ..udp };
    table.update(Cookie(1), seen, Some(ONE), at(6));
    assert_eq!(table.passed(2, at(15), lives), [Cookie(2)]);
    assert_eq!(one(&table, 2).unwrap().end, End::Exit);
    assert_eq!(one(&table, 1).unwrap().closed, None);
    table.passed(3, at(25), lives);
    assert_eq!(table.passed(4, at(35), lives), [Cookie(1)]);
    assert_eq!(one(&table, 1).unwrap().end, End::Ours);
}

#[test]
fn what_goes_with_its_process_says_nothing_about_close() {
    let mut table = table();
    for cookie in 1..=3 {
        charge(&mut table, cookie, (100, 0), 1);
    }
    close(&mut table, 1, 10);
    table.tick(at(40));
    close(&mut table, 2, 39);
    table.process_ends(ONE);
    for cookie in 1..=3 {
        give_back(&mut table, cookie, 100, 41);
    }
    table.process_ended(ONE);
    close(&mut table, 3, 42);
    table.tick(at(80));
    let mut evidence = table.view(at(80)).classes.remove(0).evidence;
    evidence.sort_by_key(|one| one.closed);
    let seen: Vec<_> = evidence
        .iter()
        .map(|one| (one.closed.is_some(), one.live, one.live_after_close))
        .collect();
    assert_eq!(
        seen,
        [
            (false, 100, None),
            (false, 100, None),
            (true, 100, Some(100))
        ]
    );
    assert!(table.held.is_empty() && table.closed_live.is_empty());
}

#[test]
fn a_connection_without_room_belongs_to_those_that_are_not_kept_apart() {
    let mut table = table();
    for cookie in 1..=8 {
        charge(&mut table, cookie, (1, 0), 1);
    }
    assert!(!table.charge(ONE, Cookie(9), (1, 0), None, at(2)));
    assert!(
        table.charge(ONE, Cookie(9), (0, 1), None, at(2)),
        "nothing of it is kept"
    );
    for number in 2..65 {
        assert!(table.charge(ProcessHandle(number), Cookie(1), (1, 0), None, at(2)));
    }
    assert!(!table.charge(ProcessHandle(65), Cookie(1), (1, 0), None, at(2)));
    table.process_ended(ProcessHandle(2));
    assert!(table.charge(ProcessHandle(65), Cookie(1), (1, 0), None, at(2)));
}

#[test]
fn growth_without_a_socket_is_not_taken_for_a_closed_one_at_once() {
    let mut table = table();
    charge(&mut table, 7, (100, 0), 1);
    table.absent(|_| false, at(10));
    assert_eq!(one(&table, 7).unwrap().closed, None);
    table.absent(|_| false, at(63));
    assert_eq!(one(&table, 7).unwrap().closed, Some(at(63)));
}

#[test]
fn a_tcp_socket_that_no_process_has_was_lost() {
    let mut table = table();
    let used = SocketFacts { pid: 5, ..tcp(1) };
    table.update(Cookie(1), used, Some(ONE), at(1));
    table.update(Cookie(2), tcp(1), None, at(1));
    table.passed(1, at(5), |_| true);
    assert_eq!(
        table.passed(2, at(15), |_| true),
        [Cookie(1)],
        "2 waits for accept"
    );
    assert_eq!(one(&table, 1).unwrap().end, End::Unknown);
    assert_eq!(table.counters().ends_unseen, 1);
}

#[test]
fn what_an_idle_connection_demands_after_its_close_is_judged_too() {
    let mut table = table();
    table.update(Cookie(7), tcp(1), Some(ONE), at(1));
    close(&mut table, 7, 10);
    charge(&mut table, 7, (100, 0), 1);
    assert_eq!(table.tick(at(40)), []);
    assert_eq!(one(&table, 7).unwrap().live_after_close, Some(100));
}

#[test]
fn one_that_demanded_nothing_is_evidence_where_others_did() {
    let mut table = table();
    charge(&mut table, 1, (100, 0), 1);
    close(&mut table, 1, 10);
    close(&mut table, 2, 11);
    table.close(Cookie(3), tcp(1), Some(TWO), at(11));
    table.tick(at(60));
    let view = table.view(at(60));
    let seen: Vec<_> = view
        .classes
        .iter()
        .map(|class| class.evidence.len())
        .collect();
    assert_eq!((seen, view.classes[0].closed), (vec![2], 2));
}

#[test]
fn what_is_given_back_in_a_later_call_was_there_until_then() {
    let mut table = table();
    charge(&mut table, 7, (100, 0), 3);
    charge(&mut table, 7, (0, 10), 3);
    charge(&mut table, 7, (0, 30), 4);
    charge(&mut table, 7, (0, 60), 4);
    let known = one(&table, 7).unwrap();
    let points: Vec<_> = known
        .points()
        .map(|point| (point.calls, point.live))
        .collect();
    assert_eq!(points, [(3, 100), (4, 90)]);
}

#[test]
fn totals_by_peer_make_room_for_others() {
    let mut table = table();
    for (cookie, port) in [(1, 1), (2, 2), (3, 3)] {
        let facts = SocketFacts {
            local: crate::connection::Endpoint::Ip(([10, 0, 0, 1], port).into()),
            ..tcp(1)
        };
        table.close(Cookie(cookie), facts, Some(ONE), at(1));
        table.tick(at(40));
    }
    let ports: Vec<_> = table
        .view(at(41))
        .peers
        .values()
        .map(|peer| peer.key.port)
        .collect();
    assert_eq!(ports, [2, 3]);
    assert_eq!(table.counters().peers_dropped, 1);
}

#[test]
fn a_role_that_was_found_out_stays() {
    let mut table = table();
    table.update(Cookie(1), tcp(1), Some(ONE), at(1));
    let unknown = SocketFacts {
        role: crate::connection::Role::Unknown,
        ..tcp(2)
    };
    table.update(Cookie(1), unknown, None, at(2));
    let known = one(&table, 1).unwrap();
    assert_eq!(known.process, Some(ONE));
    let facts = known.facts.unwrap();
    assert_eq!(facts.role, crate::connection::Role::Server);
    assert_eq!(facts.traffic.received_calls, 2);
}

proptest! {
    /// Whatever comes: bounds hold, the open ones are counted right, and what a connection holds is
    /// what was demanded on its behalf less what was given back.
    #[test]
    fn bounds_and_sums_hold(
        steps in prop::collection::vec((0..6_u8, 1..14_u64, 0..100_u64, 0..100_u64), 0..300),
    ) {
        let mut table = table();
        let limits = table.limits;
        for (number, (what, cookie, first, second)) in steps.into_iter().enumerate() {
            let now = at(number as u64);
            let process = if second % 5 == 0 { TWO } else { ONE };
            match what {
                0 => table.update(Cookie(cookie), tcp(first), Some(process), now),
                1 => table.close(Cookie(cookie), tcp(first), Some(process), now),
                2 => { table.tick(now); }
                3 => { table.passed(first as u32, now, |_| true); }
                4 => table.absent(|there| there.0 % 2 == 0, now),
                _ => {
                    let served = Served {
                        connection: Some(Cookie(cookie)),
                        calls: number as u64,
                        ..Served::default()
                    };
                    let bytes = (first, second);
                    let _ = table.charge(process, Cookie(cookie), bytes, Some(&served), now);
                }
            }
            let view = table.view(now);
            let open = view.connections.iter().filter(|one| one.closed.is_none()).count();
            prop_assert_eq!(open, table.open());
            prop_assert!(open <= limits.open);
            let points: usize = view.connections.iter().map(|one| one.points().count()).sum();
            prop_assert_eq!(points, table.points);
            prop_assert!(view.peers.len() <= limits.peers && view.folded.len() <= limits.folded);
            for one in &view.connections {
                let held: u64 = one.holders.iter().map(|(_, held)| held).sum();
                prop_assert_eq!(one.live(), held);
                prop_assert!(one.peak >= one.live());
            }
            if what == 2 {
                let closed = view.connections.len() - open;
                prop_assert!(closed <= limits.idle + 2 * limits.charged);
            }
            for (process, sum) in &table.closed_live {
                let closed = view.connections.iter().filter(|one| one.closed.is_some());
                let held = closed.flat_map(|one| &one.holders);
                let held = held.filter(|(holder, _)| holder == process);
                prop_assert_eq!(*sum, held.map(|(_, held)| held).sum::<u64>());
            }
        }
    }
}

fn load_of(table: &mut ConnectionTable, process: ProcessHandle) -> (u64, u64, u64) {
    let load = table.load(|_| true).remove(&process).unwrap_or_default();
    (
        load.received_bytes,
        load.received_calls,
        load.open_connections,
    )
}

#[test]
fn what_a_process_received_does_not_fall_when_connections_close_and_are_folded() {
    let mut table = table();
    table.update(Cookie(1), tcp(4), Some(ONE), at(1));
    table.update(Cookie(2), tcp(2), Some(ONE), at(1));
    assert_eq!(load_of(&mut table, ONE), (60, 6, 2));
    // The same again adds nothing.
    table.update(Cookie(1), tcp(4), Some(ONE), at(2));
    assert_eq!(load_of(&mut table, ONE), (60, 6, 2));
    close(&mut table, 1, 3);
    assert_eq!(load_of(&mut table, ONE), (70, 7, 1));
    table.tick(at(60));
    assert!(one(&table, 1).is_none());
    assert_eq!(load_of(&mut table, ONE), (70, 7, 1));
}

#[test]
fn what_was_received_before_its_process_was_known_is_added_then() {
    let mut table = table();
    table.update(Cookie(1), tcp(4), None, at(1));
    assert_eq!(table.load(|_| true).len(), 0);
    table.update(Cookie(1), tcp(5), Some(ONE), at(2));
    assert_eq!(load_of(&mut table, ONE), (50, 5, 1));
    // From then on another process uses it.
    let facts = SocketFacts { pid: 9, ..tcp(7) };
    table.update(Cookie(1), facts, Some(TWO), at(3));
    assert_eq!(load_of(&mut table, ONE), (50, 5, 0));
    assert_eq!(load_of(&mut table, TWO), (20, 2, 1));
}

#[test]
fn processes_that_do_not_live_any_more_have_no_load() {
    let mut table = table();
    table.update(Cookie(1), tcp(4), Some(ONE), at(1));
    assert_eq!(table.load(|process| process != ONE).len(), 0);
    assert_eq!(load_of(&mut table, ONE), (0, 0, 1));
}
