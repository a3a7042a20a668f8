//! Held against a model that knows each page on its own.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::{
    event::{Backing, Operation},
    ids::StackId,
};

const PAGE: u64 = 4096;
/// The model's whole address space, in pages.
const SPACE: u64 = 64;

fn by(stack: u32) -> Toucher {
    Toucher {
        owner: OwnerKey::Stack(StackId(stack)),
        inclusion: 1 << 26,
    }
}

/// What each toucher has, by the changes.
#[derive(Default)]
struct Sums(HashMap<Toucher, i64>);

impl Sums {
    fn book(&mut self, changes: &mut Vec<TouchChange>) {
        for change in changes.drain(..) {
            let bytes = change.bytes as i64;
            let signed = if change.came { bytes } else { -bytes };
            *self.0.entry(change.toucher).or_default() += signed;
        }
        self.0.retain(|_, bytes| *bytes != 0);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Touch {
        at: u64,
        pages: u64,
        stack: u32,
    },
    Drop {
        at: u64,
        pages: u64,
        how: u8,
    },
    Move {
        from: u64,
        old: u64,
        to: u64,
        new: u64,
    },
    Heap {
        end: u64,
        mapped_from: u64,
    },
    Keep {
        from: u64,
        to: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let at = || 0..SPACE;
    prop_oneof![
        4 => (at(), prop_oneof![Just(1_u64), Just(8)], 0..4_u32)
            .prop_map(|(at, pages, stack)| Step::Touch { at: at / pages * pages, pages, stack }),
        2 => (at(), 0..12_u64, 0..3_u8).prop_map(|(at, pages, how)| Step::Drop { at, pages, how }),
        1 => (0..SPACE / 2, 0..12_u64, SPACE / 2..SPACE, 0..12_u64)
            .prop_map(|(from, old, to, new)| Step::Move { from, old, to, new }),
        1 => (at(), at()).prop_map(|(one, other)| Step::Heap {
            end: one.min(other),
            mapped_from: one.max(other),
        }),
        1 => (at(), at()).prop_map(|(one, other)| Step::Keep {
            from: one.min(other),
            to: one.max(other),
        }),
    ]
}

/// Who has each page.
type Model = HashMap<u64, u32>;

fn play_model(model: &mut Model, step: &Step) {
    match *step {
        Step::Touch { at, pages, stack } => {
            let has = |page: &u64| model.contains_key(page);
            if !(at..at + pages).all(|page| has(&page)) {
                model.extend((at..at + pages).map(|page| (page, stack)));
            }
        }
        Step::Drop { at, pages, .. } => model.retain(|page, _| !(at..at + pages).contains(page)),
        Step::Move { from, old, to, new } => {
            let kept = old.min(new);
            let moved: Vec<_> = (0..kept)
                .filter_map(|page| Some((to + page, *model.get(&(from + page))?)))
                .collect();
            model.retain(|page, _| {
                !(from..from + old).contains(page) && !(to..to + new).contains(page)
            });
            model.extend(moved);
        }
        Step::Heap { end, mapped_from } => {
            model.retain(|page, _| !(end..mapped_from).contains(page));
        }
        Step::Keep { from, to } => model.retain(|page, _| (from..to).contains(page)),
    }
}

fn play(pages: &mut Pages, step: &Step, room: &mut Room, changes: &mut Vec<TouchChange>) {
    match *step {
        Step::Touch {
            at,
            pages: count,
            stack,
        } => {
            let range = (at * PAGE, (at + count) * PAGE);
            pages.touch(range, by(stack), room, changes);
        }
        Step::Drop {
            at,
            pages: count,
            how,
        } => {
            let (start, length) = (at * PAGE, count * PAGE);
            let operation = match how {
                0 => Operation::Unmap { start, length },
                1 => Operation::Release { start, length },
                _ => Operation::Map {
                    start,
                    length,
                    backing: Backing::File,
                    writable: false,
                },
            };
            pages.play(&operation, room, changes);
        }
        Step::Move { from, old, to, new } => {
            let operation = Operation::Remap {
                old_start: from * PAGE,
                old_length: old * PAGE,
                new_start: to * PAGE,
                new_length: new * PAGE,
                keep_old: false,
            };
            pages.play(&operation, room, changes);
        }
        Step::Heap { end, mapped_from } => {
            let is_mapped = |address| address >= mapped_from * PAGE;
            // The first page above the gap may begin below it, if it is a huge one.
            pages.end_heap(end * PAGE, is_mapped, room, changes);
            let gap = Operation::Unmap {
                start: end * PAGE,
                length: (mapped_from - end) * PAGE,
            };
            pages.play(&gap, room, changes);
        }
        Step::Keep { from, to } => {
            let range = (from * PAGE, to * PAGE);
            pages.keep([range].into_iter(), room, changes);
        }
    }
}

proptest! {
    #[test]
    fn agrees_with_a_model_of_single_pages(steps in prop::collection::vec(step(), 1..80)) {
        // Of a page that a huge one is put over, the owner of the part that was known matters not:
        // a model of pages cannot tell "wholly known" from "known in pieces". Sizes of 8 pages are
        // only touched where nothing, or one piece that covers all, is known.
        let (mut pages, mut room) = (Pages::default(), Room::new(1000));
        let (mut sums, mut changes) = (Sums::default(), Vec::new());
        let mut model = Model::new();
        for step in &steps {
            if let Step::Touch { at, pages: count @ 8, .. } = *step
                && (at..at + count).any(|page| model.contains_key(&page))
            {
                continue;
            }
            if let Step::Heap { end, mapped_from } = *step
                && end == mapped_from
            {
                continue;
            }
            play(&mut pages, step, &mut room, &mut changes);
            play_model(&mut model, step);
            sums.book(&mut changes);
            let mut expected: HashMap<Toucher, i64> = HashMap::new();
            for stack in model.values() {
                *expected.entry(by(*stack)).or_default() += PAGE as i64;
            }
            prop_assert_eq!(&sums.0, &expected, "after {:?}", step);
        }
        pages.clear(&mut room, &mut changes);
        sums.book(&mut changes);
        prop_assert!(sums.0.is_empty() && pages.is_empty());
        prop_assert_eq!(room, Room::new(1000));
    }

    #[test]
    fn the_bound_holds_and_sums_stay_exact(steps in prop::collection::vec(step(), 1..80)) {
        let (mut pages, mut room) = (Pages::default(), Room::new(5));
        let (mut sums, mut changes) = (Sums::default(), Vec::new());
        for step in &steps {
            play(&mut pages, step, &mut room, &mut changes);
            sums.book(&mut changes);
            prop_assert!(sums.0.values().all(|bytes| *bytes > 0));
            prop_assert!(pages.pages.len() <= 5);
            prop_assert_eq!(pages.pages.len() + room.left, 5);
        }
    }
}

#[test]
fn a_page_is_touched_first_once() {
    let (mut pages, mut room, mut changes) = (Pages::default(), Room::default(), Vec::new());
    pages.touch((PAGE, 2 * PAGE), by(1), &mut room, &mut changes);
    pages.touch((PAGE, 2 * PAGE), by(2), &mut room, &mut changes);
    assert_eq!(changes, [change_of(1, true)]);
    let release = Operation::Release {
        start: 0,
        length: 4 * PAGE,
    };
    pages.play(&release, &mut room, &mut changes);
    pages.touch((PAGE, 2 * PAGE), by(2), &mut room, &mut changes);
    let expected = [change_of(1, true), change_of(1, false), change_of(2, true)];
    assert_eq!(changes, expected);
}

fn change_of(stack: u32, came: bool) -> TouchChange {
    TouchChange {
        toucher: by(stack),
        came,
        bytes: PAGE,
    }
}
