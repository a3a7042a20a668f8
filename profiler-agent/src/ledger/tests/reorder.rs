//! Operations of two threads, recorded in the other order.

use super::super::reorder::WINDOW;
use super::*;

#[test]
fn an_unmap_that_comes_after_the_reuse_keeps_the_new_mapping() {
    let mut play = play();
    play.settled(A, anonymous(10, 10));
    // Thread 1 unmaps 10..20, is preempted, and thread 2 is given a part of it.
    play.thread = 2;
    play.settled(B, anonymous(12, 2));
    play.thread = 1;
    assert_eq!(play.run(A, unmap(10, 10)), Outcome::Ambiguous);
    assert_eq!(play.layout(), "L12-14");
    // The sign is used up.
    play.settled(A, unmap(12, 2));
    assert!(play.space.is_empty());
}

#[test]
fn the_sign_outlives_the_mapping_that_gave_it() {
    let mut play = play();
    play.settled(A, anonymous(10, 4));
    play.thread = 2;
    for _ in 0..3 {
        play.settled(B, anonymous(10, 4));
        play.settled(B, unmap(10, 4));
    }
    let before = play.space.clone();
    play.settled(B, anonymous(10, 4));
    play.thread = 1;
    assert_eq!(play.run(A, unmap(10, 4)), Outcome::Ambiguous);
    assert_eq!(play.live(B), 4);
    // With nothing there to keep, there is nothing in doubt.
    play.space = before;
    play.settled(A, unmap(10, 4));
}

#[test]
fn a_move_that_comes_after_the_reuse_is_left_to_the_maps() {
    let mut play = play();
    play.settled(A, anonymous(10, 4));
    play.thread = 2;
    play.settled(B, anonymous(10, 4));
    play.thread = 1;
    assert_eq!(
        play.run(A, remap((10, 4), (50, 8), false)),
        Outcome::Ambiguous
    );
    assert_eq!(play.layout(), "L10-14");
}

#[test]
fn no_doubt_without_a_sign() {
    // Another thread's brand-new mapping, in a place that was free.
    let mut play = play();
    play.settled(A, anonymous(10, 4));
    play.thread = 2;
    play.settled(B, unmap(10, 4));
    assert!(play.space.is_empty());
    // The same thread maps over its own mapping and unmaps it.
    play.settled(B, anonymous(10, 4));
    play.settled(B, anonymous(10, 4));
    play.settled(B, unmap(10, 4));
    assert!(play.space.is_empty());
    // A sign that is too old.
    play.settled(B, anonymous(10, 4));
    play.settled(B, anonymous(10, 4));
    play.time += WINDOW;
    play.thread = 1;
    play.settled(A, unmap(10, 4));
    assert!(play.space.is_empty());
}

#[test]
fn signs_are_bounded() {
    let mut play = play();
    play.settled(A, anonymous(0, 1000));
    play.thread = 2;
    for at in 0..500 {
        play.settled(B, anonymous(at * 2, 1));
    }
    play.thread = 1;
    assert_eq!(play.run(A, unmap(0, 1000)), Outcome::Ambiguous);
    assert_eq!(play.live(B), 16);
}
