//! Each operation's rule.

use super::*;

#[test]
fn a_partial_munmap_splits() {
    let mut play = play();
    play.settled(A, anonymous(10, 10));
    play.settled(B, unmap(13, 4));
    assert_eq!(play.changes, [change(A, 0, 4)]);
    assert_eq!(play.layout(), "L10-13 L17-20");
    assert_eq!(play.sums(), (6, 0));
}

#[test]
fn a_fixed_mapping_replaces() {
    let mut play = play();
    play.settled(A, anonymous(10, 10));
    play.settled(B, anonymous(12, 2));
    assert_eq!(play.changes, [change(A, 0, 2), change(B, 2, 0)]);
    play.settled(B, map(16, 8, Backing::File, true));
    assert_eq!(play.changes, [change(A, 0, 4)]);
    assert_eq!(play.layout(), "L10-12 L12-14 L14-16 F16-24");
    assert_eq!((play.live(A), play.live(B)), (4, 2));
}

#[test]
fn mprotect_commits_and_decommits() {
    let mut play = play();
    play.settled(A, map(0x100, 16, Backing::Anonymous, false));
    assert_eq!((play.changes.len(), play.sums()), (0, (0, 0)));
    play.settled(A, protect(0x100, 8, true));
    assert_eq!(play.changes, [change(A, 8, 0)]);
    // The part that is writable keeps its owner.
    play.settled(B, protect(0x104, 8, true));
    assert_eq!(play.changes, [change(B, 4, 0)]);
    play.settled(B, protect(0x106, 4, false));
    assert_eq!(play.changes, [change(A, 0, 2), change(B, 0, 2)]);
    play.settled(B, protect(0x200, 4, true));
    assert!(play.changes.is_empty(), "nothing is mapped there");
    assert_eq!(play.layout(), "L256-262 R262-266 L266-268 R268-272");
}

#[test]
fn protection_of_files_and_shared_memory_commits_nothing() {
    let mut play = play();
    for backing in [Backing::File, Backing::Shared] {
        play.settled(A, map(1, 4, backing, false));
        play.settled(A, protect(2, 1, true));
        assert!(play.changes.is_empty());
        let writable: Vec<bool> = play.space.ranges().map(|range| range.writable).collect();
        assert_eq!(writable, [false, true, false]);
        play.settled(A, release(1, 4));
        assert_eq!(play.sums(), (0, 0));
    }
}

#[test]
fn what_is_given_back_is_freed_once_and_stays_committed() {
    let mut play = play();
    play.settled(A, anonymous(10, 10));
    play.settled(B, release(12, 4));
    assert_eq!(play.changes, [change(A, 0, 4)]);
    play.settled(B, release(10, 4));
    assert_eq!(play.changes, [change(A, 0, 2)]);
    assert_eq!(
        (play.layout().as_str(), play.sums()),
        ("E10-16 L16-20", (10, 6))
    );
    play.settled(B, protect(14, 1, false));
    play.settled(B, unmap(15, 1));
    assert!(play.changes.is_empty(), "nobody had it");
    assert_eq!(play.sums(), (8, 4));
    play.settled(B, protect(10, 10, true));
    assert_eq!(play.changes, [change(B, 1, 0)]);
    assert_eq!(play.layout(), "E10-14 L14-15 L16-20");
}

#[test]
fn giving_back_a_reservation_does_nothing() {
    let mut play = play();
    play.settled(A, map(10, 10, Backing::Anonymous, false));
    play.settled(A, release(0, 100));
    assert_eq!((play.layout().as_str(), play.changes.len()), ("R10-20", 0));
}

#[test]
fn neighbours_that_are_alike_are_one() {
    let mut play = play();
    play.settled(A, map(10, 10, Backing::Anonymous, false));
    play.settled(A, map(20, 10, Backing::Anonymous, false));
    play.settled(A, map(5, 5, Backing::Anonymous, false));
    assert_eq!(play.layout(), "R5-30");
    play.settled(A, protect(8, 2, true));
    play.settled(A, protect(8, 2, false));
    assert_eq!(play.layout(), "R5-30");
}

#[test]
fn the_heap_follows_the_break() {
    let mut play = play();
    play.settled(A, set_break(100, 100));
    assert!(play.space.is_empty());
    play.settled(A, set_break(100, 133));
    play.settled(B, set_break(100, 140));
    assert_eq!(play.changes, [change(B, 7, 0)]);
    play.settled(B, unmap(110, 5));
    play.settled(B, map(120, 5, Backing::File, true));
    play.settled(B, set_break(100, 140));
    assert!(play.changes.is_empty(), "holes stay");
    assert_eq!(
        play.layout(),
        "L100-110 L115-120 F120-125 L125-133 L133-140"
    );
    play.settled(B, set_break(100, 118));
    assert_eq!(play.changes, [change(B, 0, 7), change(A, 0, 10)]);
    assert_eq!(play.layout(), "L100-110 L115-118");
}

#[test]
fn mremap_moves_owners_and_grows_for_the_caller() {
    let mut play = play();
    play.settled(A, anonymous(10, 4));
    play.settled(B, protect(12, 2, false));
    play.settled(B, protect(12, 2, true));
    play.settled(
        Owner::Unsampled {
            behalf: Behalf::NOBODY,
        },
        remap((10, 4), (50, 6), false),
    );
    assert_eq!(
        play.changes,
        [change(
            Owner::Unsampled {
                behalf: Behalf::NOBODY
            },
            2,
            0
        )]
    );
    assert_eq!(play.layout(), "L50-52 L52-54 L54-56");
    play.settled(B, remap((50, 6), (50, 3), false));
    assert_eq!(
        play.changes,
        [
            change(
                Owner::Unsampled {
                    behalf: Behalf::NOBODY
                },
                0,
                2
            ),
            change(B, 0, 1)
        ]
    );
    play.settled(B, remap((50, 3), (50, 4), false));
    assert_eq!(play.changes, [change(B, 1, 0)]);
    assert_eq!((play.live(A), play.live(B)), (2, 2));
}

#[test]
fn mremap_to_a_fixed_place_replaces_and_cuts() {
    let mut play = play();
    play.settled(A, anonymous(10, 4));
    play.settled(B, anonymous(50, 4));
    play.settled(B, remap((10, 4), (51, 2), false));
    assert_eq!(play.changes, [change(A, 0, 2), change(B, 0, 2)]);
    assert_eq!(play.layout(), "L50-51 L51-53 L53-54");
}

#[test]
fn a_gap_between_moved_mappings_moves_nothing() {
    let mut play = play();
    play.settled(A, anonymous(10, 2));
    play.settled(A, anonymous(14, 2));
    play.settled(B, anonymous(50, 6));
    play.settled(B, remap((10, 6), (50, 6), false));
    assert_eq!(play.changes, [change(B, 0, 4)]);
    assert_eq!(play.layout(), "L50-52 L52-54 L54-56");
    assert_eq!((play.live(A), play.live(B)), (4, 2));
}

#[test]
fn dontunmap_leaves_the_old_range_empty() {
    let mut play = play();
    play.settled(A, anonymous(10, 4));
    play.settled(A, release(13, 1));
    play.settled(B, remap((10, 4), (50, 4), true));
    assert!(play.changes.is_empty());
    assert_eq!(play.layout(), "E10-14 L50-53 E53-54");
    assert_eq!(play.sums(), (8, 5));
}

#[test]
fn mremap_of_the_unknown_keeps_what_is_there() {
    let mut play = play();
    play.settled(A, anonymous(50, 4));
    let outcome = play.run(B, remap((10, 4), (50, 4), false));
    assert_eq!((outcome, play.live(A)), (Outcome::Suspect, 4));
}

#[test]
fn shared_memory_is_duplicated_and_detached_by_its_base() {
    let mut play = play();
    play.settled(A, map(10, 4, Backing::Shared, true));
    play.settled(A, map(14, 4, Backing::Shared, true));
    play.settled(A, protect(11, 1, false));
    play.settled(A, remap((10, 0), (30, 4), false));
    assert_eq!(play.layout(), "S10-11 S11-12 S12-14 S14-18 S30-34");
    play.settled(A, Operation::Detach { start: 10 * K });
    assert_eq!(play.layout(), "S14-18 S30-34");
    play.settled(A, Operation::Detach { start: 30 * K });
    play.settled(A, Operation::Detach { start: 15 * K });
    assert_eq!(play.layout(), "S14-18");
    play.settled(A, anonymous(40, 1));
    assert_eq!(
        play.run(A, remap((40, 0), (60, 1), false)),
        Outcome::Suspect
    );
}

#[test]
fn a_fork_is_a_clone_and_an_exec_frees_all() {
    let mut play = play();
    play.settled(A, anonymous(10, 4));
    let mut child = play.space.clone();
    play.settled(A, unmap(10, 4));
    assert_eq!(child.committed_bytes(), 4 * K);
    let mut changes = Vec::new();
    child.clear(&mut changes);
    assert_eq!(changes, [change(A, 0, 4)]);
    assert_eq!((child.committed_bytes(), child.len()), (0, 0));
}
