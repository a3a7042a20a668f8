//! Growth by function.

use std::collections::HashMap;

use profiler_analysis::{Figures, FunctionFigures, by_function, sum_by};
use profiler_proto::v1;

use super::{
    Rows,
    row::{owner_kind, put_process},
    view::View,
};
use crate::{
    answer::{NameStacks, NamedStack, functions::Functions},
    ids::{ProcessHandle, StackId},
    model::OwnerKey,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum FunctionRow {
    Function(u32),
    Owner(OwnerKey),
}

/// Stacks in the order in which they were met: many processes have the same, and finding a stack's
/// functions takes longer than adding up its figures.
#[derive(Default)]
struct Stacks {
    places: HashMap<StackId, usize>,
    /// With the only process that it was met in.
    met: Vec<(StackId, Option<ProcessHandle>, Figures)>,
}

impl Stacks {
    fn add(&mut self, stack: StackId, process: ProcessHandle, figures: &Figures) {
        let place = *self.places.entry(stack).or_insert(self.met.len());
        if place == self.met.len() {
            self.met.push((stack, Some(process), *figures));
            return;
        }
        let (_, only, sum) = &mut self.met[place];
        if *only != Some(process) {
            *only = None;
        }
        sum.add(figures);
    }
}

impl View<'_> {
    pub(super) fn by_function(mut self, names: &dyn NameStacks) -> Rows {
        self.sort();
        let stacks = self.rows.iter().filter_map(|row| row.0.owner.stack());
        let named = names_by_stack(names, stacks.collect());
        let mut stacks = Stacks::default();
        let mut others = Vec::new();
        for (key, figures) in &self.rows {
            match key.owner.stack().filter(|stack| named.contains_key(stack)) {
                Some(stack) => stacks.add(stack, key.process, figures),
                None => others.push((without_stack(key.owner), *figures)),
            }
        }
        let mut functions = Functions::default();
        let stacks = stacks
            .met
            .iter()
            .map(|(stack, process, sum)| (*sum, functions.of(&named[stack], *process)));
        let mut rows: Vec<(FunctionRow, FunctionFigures)> = by_function(stacks)
            .into_iter()
            .map(|(number, sum)| (FunctionRow::Function(number), sum))
            .collect();
        if self.shape.include_unattributed {
            rows.extend(sum_by(others).into_iter().map(|(owner, sum)| {
                let sum = FunctionFigures {
                    inclusive: sum,
                    own: sum,
                };
                (FunctionRow::Owner(owner), sum)
            }));
        }
        let (rows, total) = self.largest(rows, |row| &row.1.inclusive, |row| row.0);
        Rows {
            rows: rows
                .iter()
                .map(|(row, sum)| self.function_row(&functions, *row, sum))
                .collect(),
            total,
        }
    }

    fn function_row(
        &self,
        functions: &Functions,
        row: FunctionRow,
        sum: &FunctionFigures,
    ) -> v1::GrowthRow {
        let mut wire = v1::GrowthRow {
            self_live_bytes: sum.own.live,
            self_allocated_bytes: sum.own.allocated,
            ..self.aggregate(&sum.inclusive)
        };
        match row {
            FunctionRow::Owner(owner) => wire.owner = owner_kind(owner).into(),
            FunctionRow::Function(number) => {
                let function = &functions.known[number as usize];
                wire.frames = vec![function.frame.clone()];
                let process = function
                    .process
                    .and_then(|handle| self.processes.get(&handle));
                if let Some(process) = process {
                    put_process(&mut wire, &process.info);
                }
            }
        }
        wire
    }
}

/// Stacks that are not kept any more are not among them.
pub(in crate::answer) fn names_by_stack(
    names: &dyn NameStacks,
    mut stacks: Vec<StackId>,
) -> HashMap<StackId, NamedStack> {
    stacks.sort_unstable();
    stacks.dedup();
    let named = names.name(&stacks);
    let named = stacks.into_iter().zip(named);
    named
        .filter_map(|(stack, named)| Some((stack, named?)))
        .collect()
}

/// By content, a stack that is not kept any more is as good as none.
pub(in crate::answer) fn without_stack(owner: OwnerKey) -> OwnerKey {
    match owner {
        OwnerKey::Stack(_) => OwnerKey::Folded,
        owner => owner,
    }
}
