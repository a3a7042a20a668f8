//! The maps, and operations that come after them.

use super::*;

#[test]
fn a_break_that_was_not_known_asks_for_the_maps() {
    let mut fresh = play();
    fresh.space = AddressSpace::new();
    assert_eq!(fresh.run(A, set_break(100, 133)), Outcome::Suspect);
    fresh.settled(A, set_break(100, 135));
    assert_eq!(fresh.changes, [change(A, 2, 0)]);
    // A process may move its heap anywhere; what lies between is not its.
    assert_eq!(fresh.run(A, set_break(1, 1 << 30)), Outcome::Suspect);
    assert_eq!(fresh.sums(), (2, 0));
}

#[test]
fn the_maps_tell_where_the_heap_ends() {
    let mut play = play();
    play.space = AddressSpace::new();
    let _ = play.reconcile("64000-85000 rw-p 00000000 00:00 0 [heap]\n");
    play.settled(A, set_break(0x64, 0x90));
    assert_eq!(play.changes, [change(A, 0x90 - 0x85, 0)]);

    play.space = AddressSpace::new();
    let _ = play.reconcile("1000-2000 r--p 00000000 00:00 0\n");
    play.settled(A, set_break(0x64, 0x66));
    assert_eq!(play.changes, [change(A, 2, 0)], "it was empty");
}

#[test]
fn reconcile_keeps_what_the_maps_cannot_tell() {
    let mut play = play();
    play.settled(A, anonymous(0x10, 8));
    play.settled(A, release(0x10, 2));
    play.settled(A, map(0x20, 4, Backing::Anonymous, false));
    play.settled(A, anonymous(0x40, 4));
    let drift = play.reconcile(
        "12000-1a000 rw-p 00000000 00:00 0\n\
         11000-13000 rw-p 00000000 00:00 0\n\
         1a000-1c000 rw-p 00000000 00:00 0\n\
         20000-22000 rw-p 00000000 00:00 0\n\
         42000-44000 rw-s 00000000 00:01 5 /dev/shm/x\n\
         ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n",
    );
    assert_eq!(play.layout(), "L18-24 L24-28 L32-34 S66-68");
    assert_eq!(
        drift,
        Drift {
            added: 4 * K,
            removed: 6 * K,
            changed: 4 * K,
            committed: 6 * K,
            decommitted: 6 * K,
        }
    );
    assert_eq!((play.live(A), play.live(Owner::Unattributed)), (6, 6));
}

#[test]
fn an_operation_older_than_the_maps_names_the_owner_only() {
    let mut play = play();
    let late = play.time;
    let _ = play.reconcile(
        "10000-20000 rw-p 00000000 00:00 0\n\
         64000-85000 rw-p 00000000 00:00 0 [heap]\n",
    );
    play.time = late - 100;
    play.settled(B, unmap(0, 0x100));
    play.settled(A, anonymous(0x18, 0x10));
    assert_eq!((play.live(A), play.sums().0), (8, 0x10 + 0x21));
    play.settled(B, protect(0x10, 0x10, true));
    assert_eq!((play.live(A), play.live(B)), (8, 8));
    play.settled(A, set_break(0x64, 0x65));
    play.settled(B, set_break(0x64, 0x66));
    assert_eq!((play.live(A), play.live(B)), (9, 9));
    play.settled(
        B,
        Operation::Suspect {
            start: 0,
            length: K,
        },
    );
    play.settled(B, release(0x10, 8));
    assert_eq!(play.sums(), (0x31, 8));
    // What was given back and unmapped is there: somebody mapped it again.
    play.settled(B, unmap(0x10, 8));
    assert_eq!(play.sums(), (0x31, 0));
    // From here on the ledger leads again.
    play.time = late + 100;
    play.settled(B, unmap(0x10, 8));
    assert_eq!(play.sums(), (0x29, 0));
}
