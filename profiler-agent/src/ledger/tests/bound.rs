//! Folding.

use super::*;

#[test]
fn ages_are_folded_before_owners() {
    let mut play = play();
    play.space.fold_above = 8;
    for at in 0..8 {
        play.settled(if at < 4 { A } else { B }, anonymous(at, 1));
    }
    let first = play.space.live_by_owner()[&A];
    assert_eq!(play.space.len(), 8);
    play.settled(B, anonymous(8, 1));
    assert_eq!(play.changes, [change(B, 1, 0)], "no owner lost a byte");
    assert_eq!(play.space.len(), 2);
    assert_eq!(play.space.live_by_owner()[&A].oldest, first.oldest);
    assert_eq!(play.space.folded().ages, 7);
}

#[test]
fn owners_are_folded_before_what_was_given_back() {
    let mut play = play();
    play.space.fold_above = 8;
    for at in 0..9 {
        play.settled(if at % 2 == 0 { A } else { B }, anonymous(at, 1));
    }
    assert_eq!((play.space.len(), play.live(Owner::Folded)), (1, 9));
    for at in 0..8 {
        play.settled(A, release(at * 2, 1));
        play.settled(A, anonymous(9 + at, 1));
    }
    let folded = play.space.folded();
    assert!(folded.owners >= 9 && folded.released > 0, "{folded:?}");
    assert_eq!(play.sums().0, 17);
}

#[test]
fn what_cannot_be_folded_is_kept() {
    let mut play = play();
    play.space.fold_above = 8;
    for at in 0..100 {
        play.settled(A, anonymous(at * 2, 1));
    }
    assert_eq!((play.space.len(), play.sums().0), (100, 100));
}

#[test]
fn folding_keeps_every_sum() {
    // A linear congruential generator: two spaces, one of them folded all the time.
    let (mut free, mut tight) = (play(), play());
    tight.space.fold_above = 6;
    let mut live = std::collections::HashMap::<Owner, u64>::new();
    let mut state = 1_u64;
    for _ in 0..20_000 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let (at, pages) = ((state >> 32) % 60, (state >> 40) % 8 + 1);
        let owner = if state & (1 << 50) == 0 { A } else { B };
        let operation = match (state >> 54) % 5 {
            0 | 1 => anonymous(at, pages),
            2 => unmap(at, pages),
            3 => protect(at, pages, state & (1 << 52) == 0),
            _ => release(at, pages),
        };
        free.settled(owner, operation);
        tight.settled(owner, operation);
        tight.space.fold_above = 6;
        for change in &tight.changes {
            let live = live.entry(change.owner).or_default();
            *live = *live + change.committed - change.freed;
        }
        live.retain(|_, bytes| *bytes > 0);
        let told = tight.space.live_by_owner();
        assert_eq!(told.len(), live.len());
        assert!(told.iter().all(|(owner, sum)| live[owner] == sum.bytes));
        assert_eq!(tight.sums().0, free.sums().0);
    }
    assert!(tight.space.folded().released > 0);
}
