//! Random sequences of operations, played on the ledger and on a model of single pages.

mod model;

use std::collections::HashMap;

use model::{BASE, Model, PAGE, PAGES, cause};
use profiler_agent::connection::Behalf;
use profiler_agent::event::{Backing, Operation};
use profiler_agent::ids::{BootTime, StackId};
use profiler_agent::ledger::{AddressSpace, Change, Drift, Owner};
use profiler_agent::process::maps;
use proptest::prelude::*;
use proptest::strategy::Union;

/// One step of a sequence.
#[derive(Clone, Debug)]
enum Step {
    Do(Operation, Owner),
    /// The maps are read after these operations, which were lost.
    Reconcile(Vec<Operation>),
    Fork,
    Exec,
}

fn address(page: usize) -> u64 {
    BASE + page as u64 * PAGE
}

fn owner() -> impl Strategy<Value = Owner> {
    prop_oneof![
            4 => (0..3_u32).prop_map(|stack| Owner::Stack {
                stack: StackId(stack),
                inclusion: 1 << 20,
        behalf: Behalf::NOBODY,
    }),
            1 => Just(Owner::Unsampled { behalf: Behalf::NOBODY }),
        ]
}

fn backing() -> impl Strategy<Value = Backing> {
    prop_oneof![
        3 => Just(Backing::Anonymous),
        1 => Just(Backing::File),
        1 => Just(Backing::Shared),
    ]
}

/// A stretch inside the first `pages`: first address and length.
fn stretch(pages: usize) -> impl Strategy<Value = (u64, u64)> {
    (0..pages, 1..20_usize)
        .prop_map(move |(at, count)| (address(at), count.min(pages - at) as u64 * PAGE))
}

/// Operations that say all about the pages they touch.
fn local(pages: usize) -> Union<BoxedStrategy<Operation>> {
    let map = (stretch(pages), backing(), any::<bool>()).prop_map(
        |((start, length), backing, writable)| Operation::Map {
            start,
            length,
            backing,
            writable,
        },
    );
    let unmap = stretch(pages).prop_map(|(start, length)| Operation::Unmap { start, length });
    let protect = (stretch(pages), any::<bool>()).prop_map(|((start, length), writable)| {
        Operation::Protect {
            start,
            length,
            writable,
        }
    });
    let release = stretch(pages).prop_map(|(start, length)| Operation::Release { start, length });
    let detach = (0..pages).prop_map(|at| Operation::Detach { start: address(at) });
    Union::new_weighted(vec![
        (4, map.boxed()),
        (2, unmap.boxed()),
        (3, protect.boxed()),
        (2, release.boxed()),
        (1, detach.boxed()),
    ])
}

fn remap() -> impl Strategy<Value = Operation> {
    let ends = (0..PAGES, 0..PAGES, any::<bool>());
    let counts = (0..12_usize, 1..16_usize);
    (ends, counts, any::<bool>()).prop_map(|((old, new, in_place), (count, grown), keep_old)| {
        let new = if in_place && count > 0 { old } else { new };
        let old_length = count.min(PAGES - old) as u64 * PAGE;
        let new_length = grown.min(PAGES - new) as u64 * PAGE;
        Operation::Remap {
            old_start: address(old),
            old_length,
            new_start: address(new),
            // The kernel refuses to leave the old mapping unless the lengths are the same.
            new_length,
            keep_old: keep_old && new != old && old_length == new_length,
        }
    })
}

fn dontunmap() -> impl Strategy<Value = Operation> {
    (stretch(PAGES / 2), PAGES / 2..PAGES - 20).prop_map(|((old_start, length), new)| {
        Operation::Remap {
            old_start,
            old_length: length,
            new_start: address(new),
            new_length: length,
            keep_old: true,
        }
    })
}

/// Mostly one heap; now and then it starts elsewhere, as after `PR_SET_MM`.
fn set_break() -> impl Strategy<Value = Operation> {
    (prop_oneof![9 => Just(40_usize), 1 => Just(36)], 0..24_usize).prop_map(|(start, count)| {
        Operation::Break {
            start: address(start),
            end: address(start + count),
        }
    })
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        12 => local(PAGES),
        4 => remap(),
        1 => dontunmap(),
        3 => set_break(),
        1 => stretch(PAGES).prop_map(|(start, length)| Operation::Suspect { start, length }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        30 => (operation(), owner()).prop_map(|(operation, owner)| Step::Do(operation, owner)),
        2 => prop::collection::vec(operation(), 0..4).prop_map(Step::Reconcile),
        1 => Just(Step::Fork),
        1 => Just(Step::Exec),
    ]
}

/// A ledger, and what its changes add up to.
struct Books {
    space: AddressSpace,
    live: HashMap<Owner, u64>,
    changes: Vec<Change>,
}

impl Books {
    fn new() -> Self {
        Self {
            space: AddressSpace::new(),
            live: HashMap::new(),
            changes: Vec::new(),
        }
    }

    fn reconcile(&mut self, truth: &Model, owner: Owner, time: BootTime) -> Drift {
        let text = truth.maps();
        let parsed = maps::parse(text.as_bytes());
        assert_eq!(parsed.rejected, 0, "{text}");
        self.space
            .reconcile(&parsed.entries, owner, time, &mut self.changes)
    }

    /// Enters the changes and compares every sum with the ranges.
    fn balance(&mut self) {
        for change in self.changes.drain(..) {
            let live = self.live.entry(change.owner).or_default();
            *live = (*live + change.committed)
                .checked_sub(change.freed)
                .expect("no more is freed than was committed");
        }
        self.live.retain(|_, bytes| *bytes != 0);
        let told = self.space.live_by_owner();
        let told: HashMap<Owner, u64> = told.iter().map(|(&who, live)| (who, live.bytes)).collect();
        assert_eq!(self.live, told, "changes against ranges");

        let (mut committed, mut released) = (0, 0);
        for range in self.space.ranges() {
            let bytes = range.end - range.start;
            if range.backing == Backing::Anonymous && range.writable {
                committed += bytes;
            }
            if range.released {
                released += bytes;
            }
        }
        assert_eq!(self.space.committed_bytes(), committed);
        assert_eq!(self.space.released_bytes(), released);
        assert_eq!(told.values().sum::<u64>(), committed - released);
    }
}

fn run(steps: &[Step]) {
    let mut books = Books::new();
    let mut model = Model::new();
    for (number, step) in steps.iter().enumerate() {
        match step {
            Step::Do(operation, owner) => {
                let cause = cause(*owner, number);
                let outcome = books.space.apply(operation, cause, &mut books.changes);
                assert_eq!(outcome, model.apply(operation, *owner), "{operation:?}");
            }
            Step::Reconcile(lost) => {
                let mut truth = model.clone();
                for operation in lost {
                    let _ = truth.apply(operation, Owner::Folded);
                }
                let time = cause(
                    Owner::Unsampled {
                        behalf: Behalf::NOBODY,
                    },
                    number,
                )
                .time;
                let drift = books.reconcile(&truth, Owner::Unattributed, time);
                model.reconcile(&truth, Owner::Unattributed);
                assert!(!lost.is_empty() || drift == Drift::default(), "{drift:?}");
            }
            Step::Fork => books.space = books.space.clone(),
            Step::Exec => {
                books.space.clear(&mut books.changes);
                model.clear();
            }
        }
        assert_eq!(Model::of(&books.space), model.visible(), "after {step:?}");
        books.balance();
    }
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(10_000))]

    #[test]
    fn agrees_with_the_model_page_by_page(steps in prop::collection::vec(step(), 1..40)) {
        run(&steps);
    }
}

proptest! {
    #![proptest_config(config(3_000))]

    /// The maps were read after the operations took effect; they come through the ring later.
    #[test]
    fn late_operations_leave_the_maps_in_force(
        early in prop::collection::vec((operation(), owner()), 0..15),
        late in prop::collection::vec((operation(), owner()), 0..25),
    ) {
        let mut books = Books::new();
        let mut truth = Model::new();
        books.space.clear(&mut books.changes);
        truth.clear();
        for (number, (operation, owner)) in early.iter().enumerate() {
            let _ = books.space.apply(operation, cause(*owner, number), &mut books.changes);
            let _ = truth.apply(operation, *owner);
        }
        for (operation, owner) in &late {
            let _ = truth.apply(operation, *owner);
        }
        let number = early.len() + late.len();
        let time = cause(Owner::Unsampled { behalf: Behalf::NOBODY }, number).time;
        let _ = books.reconcile(&truth, Owner::Unattributed, time);
        books.balance();
        for (number, (operation, owner)) in late.iter().enumerate() {
            let cause = cause(*owner, early.len() + number);
            let outcome = books.space.apply(operation, cause, &mut books.changes);
            prop_assert!(!outcome.needs_reconcile());
            let (ours, theirs) = (Model::of(&books.space), truth.visible());
            for (ours, theirs) in ours.iter().zip(&theirs) {
                let kind = |page: &model::Page| (page.backing, page.writable);
                prop_assert_eq!(ours.as_ref().map(kind), theirs.as_ref().map(kind));
            }
            books.balance();
        }
    }

    /// The maps were read while the operations went on: what took effect before the text was
    /// written has a later time than the beginning of the reading.
    #[test]
    fn operations_during_the_reading_converge(
        early in prop::collection::vec((during(), owner()), 0..15),
        late in prop::collection::vec((during(), owner()), 0..25),
        seen in 0..25_usize,
    ) {
        let mut books = Books::new();
        let mut truth = Model::new();
        books.space.clear(&mut books.changes);
        truth.clear();
        for (number, (operation, owner)) in early.iter().enumerate() {
            let _ = books.space.apply(operation, cause(*owner, number), &mut books.changes);
            let _ = truth.apply(operation, *owner);
        }
        let time = cause(Owner::Unsampled { behalf: Behalf::NOBODY }, early.len()).time;
        for (operation, owner) in late.iter().take(seen) {
            let _ = truth.apply(operation, *owner);
        }
        let _ = books.reconcile(&truth, Owner::Unattributed, time);
        for (operation, owner) in late.iter().skip(seen) {
            let _ = truth.apply(operation, *owner);
        }
        for (number, (operation, owner)) in late.iter().enumerate() {
            let cause = cause(*owner, early.len() + number);
            let _ = books.space.apply(operation, cause, &mut books.changes);
            books.balance();
        }
        let ours = Model::committed(&Model::of(&books.space));
        prop_assert_eq!(ours, Model::committed(&truth.pages));
    }
}

/// All that can be recovered from a reading under way: not mremap (its source may be gone or be
/// another mapping already), nor a hole at the heap's upper end (the maps do not tell the break).
fn during() -> impl Strategy<Value = Operation> {
    let heap = (0..24_usize).prop_map(|count| Operation::Break {
        start: address(40),
        end: address(40 + count),
    });
    prop_oneof![8 => local(40), 1 => heap]
}
