//! Two targets side by side: rows are matched by what their frames say, whatever process, build or
//! node they are of.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

use profiler_analysis::{Figures, FunctionFigures, by_function, sum_by};
use profiler_proto::v1::{self, GroupBy, OwnerKind};
use tonic::Status;

use super::{
    Rows, Shape,
    by_function::{names_by_stack, without_stack},
    row::owner_kind,
    view::View,
};
use crate::{
    answer::{NameStacks, NamedStack, Selection, stack_to_wire},
    ids::StackId,
    model::{Growth, OwnerKey},
};

/// What a row stands for in both targets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Key {
    /// Numbers of frames, leaf first, and whether the stack ends there.
    Stack(Vec<u32>, bool),
    Function(u32),
    Owner(OwnerKey),
}

/// Frames that say the same have one number.
#[derive(Default)]
struct Frames {
    numbers: HashMap<(String, String, u64), u32>,
    /// One of those with each number.
    known: Vec<v1::Frame>,
}

impl Shape {
    /// # Errors
    /// `INVALID_ARGUMENT`: what two targets can't be compared by.
    pub(in crate::answer) fn check_comparable(self) -> Result<(), Status> {
        if !matches!(
            self.by,
            GroupBy::Unspecified | GroupBy::Stack | GroupBy::Function
        ) {
            return Err(Status::invalid_argument(
                "by: two targets are compared by stack or by function only: they have no process, \
                 container, node or connection in common",
            ));
        }
        if self.connection.is_some() {
            return Err(Status::invalid_argument(
                "connection: two targets have no connection in common; leave it out to compare them",
            ));
        }
        Ok(())
    }

    /// What the first has and by how much that is more than the second has.
    pub(in crate::answer) fn compare(
        self,
        first: (&Growth, &Selection),
        second: (&Growth, &Selection),
        names: &dyn NameStacks,
    ) -> Rows {
        let mut first = View::new(self, first.0, first.1);
        let mut second = View::new(self, second.0, second.1);
        first.sort();
        second.sort();
        let rows = first.rows.iter().chain(&second.rows);
        let stacks = rows.filter_map(|(key, _)| key.owner.stack());
        let named = names_by_stack(names, stacks.collect());
        let mut frames = Frames::default();
        let sums = [&first, &second].map(|view| match self.by {
            GroupBy::Function => functions(view, &named, &mut frames),
            _ => stacks_of(view, &named, &mut frames),
        });
        let rows = self.differences(sums);
        let (rows, total) = first.largest(rows, |row| &row.1.inclusive, |row| row.0.clone());
        Rows {
            rows: rows
                .iter()
                .map(|(key, sum)| first.compared(key, sum, &frames))
                .collect(),
            total,
        }
    }

    fn differences(self, sums: [HashMap<Key, FunctionFigures>; 2]) -> Vec<(Key, FunctionFigures)> {
        let [first, second] = sums;
        let mut pairs: BTreeMap<Key, [FunctionFigures; 2]> = BTreeMap::new();
        for (place, sums) in [first, second].into_iter().enumerate() {
            for (key, sum) in sums {
                pairs.entry(key).or_default()[place] = sum;
            }
        }
        let wanted = |key: &Key| self.include_unattributed || !matches!(key, Key::Owner(_));
        pairs
            .into_iter()
            .filter(|(key, _)| wanted(key))
            .map(|(key, [first, second])| {
                let sum = FunctionFigures {
                    inclusive: difference(&first.inclusive, &second.inclusive),
                    own: difference(&first.own, &second.own),
                };
                (key, sum)
            })
            .filter(|(_, sum)| !sum.inclusive.is_still())
            .collect()
    }
}

/// The first's figures, and by how much more is live.
fn difference(first: &Figures, second: &Figures) -> Figures {
    Figures {
        live_delta: Figures::between(second, first).live_delta,
        ..*first
    }
}

fn stacks_of(
    view: &View<'_>,
    named: &HashMap<StackId, NamedStack>,
    frames: &mut Frames,
) -> HashMap<Key, FunctionFigures> {
    let rows = view.rows.iter().map(|(key, figures)| {
        let stack = key.owner.stack().and_then(|stack| named.get(&stack));
        let key = match stack {
            Some(stack) => Key::Stack(frames.of(stack), stack.truncated),
            None => Key::Owner(without_stack(key.owner)),
        };
        (key, *figures)
    });
    whole(sum_by(rows))
}

fn functions(
    view: &View<'_>,
    named: &HashMap<StackId, NamedStack>,
    frames: &mut Frames,
) -> HashMap<Key, FunctionFigures> {
    let (mut stacks, mut others) = (Vec::new(), Vec::new());
    for (key, figures) in &view.rows {
        match key.owner.stack().and_then(|stack| named.get(&stack)) {
            Some(stack) => stacks.push((*figures, frames.of(stack))),
            None => others.push((Key::Owner(without_stack(key.owner)), *figures)),
        }
    }
    let sums = by_function(stacks).into_iter();
    let sums = sums.map(|(number, sum)| (Key::Function(number), sum));
    sums.chain(whole(sum_by(others))).collect()
}

fn whole<K: Eq + Hash>(sums: HashMap<K, Figures>) -> HashMap<K, FunctionFigures> {
    let sums = sums.into_iter();
    sums.map(|(key, sum)| {
        let sum = FunctionFigures {
            inclusive: sum,
            own: sum,
        };
        (key, sum)
    })
    .collect()
}

impl View<'_> {
    fn compared(&self, key: &Key, sum: &FunctionFigures, frames: &Frames) -> v1::GrowthRow {
        let mut row = v1::GrowthRow {
            live_delta_bytes: sum.inclusive.live_delta,
            ..self.aggregate(&sum.inclusive)
        };
        match key {
            Key::Owner(owner) => row.owner = owner_kind(*owner).into(),
            Key::Function(number) => {
                row.frames = vec![frames.known[*number as usize].clone()];
                row.self_live_bytes = sum.own.live;
                row.self_allocated_bytes = sum.own.allocated;
            }
            Key::Stack(numbers, truncated) => {
                let numbers = numbers.iter();
                let stack = NamedStack {
                    frames: numbers
                        .map(|number| frames.known[*number as usize].clone())
                        .collect(),
                    truncated: *truncated,
                };
                (row.frames, row.truncated) = stack_to_wire(Some(&stack));
                row.owner = OwnerKind::Stack.into();
            }
        }
        row
    }
}

impl Frames {
    fn of(&mut self, stack: &NamedStack) -> Vec<u32> {
        let frames = stack.frames.iter();
        frames.map(|frame| self.number(frame)).collect()
    }

    /// A named frame is known by its function and its module's base name, another one by its place
    /// in the module.
    fn number(&mut self, frame: &v1::Frame) -> u32 {
        let module = frame.module.rsplit('/').next().unwrap_or_default();
        let offset = match frame.function.is_empty() {
            true => frame.module_offset,
            false => 0,
        };
        let next = self.known.len() as u32;
        let key = (frame.function.clone(), module.to_owned(), offset);
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            self.known.push(frame.clone());
        }
        number
    }
}
