//! What an answer is made from.

use std::{collections::HashMap, sync::Arc};

use profiler_proto::v1;
use profiler_query::{
    answer::{Answer, Question, Selection, account},
    ids::BootTime,
    model::{OwnerKey, Snapshot},
};
use tonic::Status;

use super::{Inner, moments::Span};
use crate::{
    fleet::{Cost, Gathered, Missing, Names, Sides, With, boot_time},
    store::Run,
};

/// What an answer is made from.
pub(super) struct Inputs {
    /// What is asked about.
    pub(super) gathered: Gathered,
    /// What it is compared with, if that is not the same table.
    other: Option<Snapshot>,
    pub(super) names: Names,
    /// What is missing in it.
    losses: Vec<v1::Loss>,
    /// When observation began.
    started: BootTime,
    is_now: bool,
}

impl Inputs {
    /// Growth since the span's beginning, of all nodes of these runs.
    pub(super) async fn read(
        inner: &Inner,
        runs: &[Run],
        span: &Span,
        with: With,
        cost: &Arc<Cost>,
    ) -> Result<Self, Status> {
        let Span { from, at, now, .. } = *span;
        let fleet = &inner.fleet;
        let after = fleet.side(runs, at, now, with, cost);
        let sides = match from {
            None => Sides::one(&after.await?),
            Some(from) => {
                let before = fleet.side(runs, from, now, with, cost);
                let (before, after) = tokio::try_join!(before, after)?;
                Sides::two(from, &before, &after)
            }
        };
        let mut inputs = Self::gather(inner, vec![sides], span, cost).await?;
        let growth = &mut inputs.gathered.growth;
        growth.from = from.map(|from| growth.from.unwrap_or(boot_time(from)));
        if with == With::Connections {
            let unknown = connections_unknown(&inputs.gathered);
            inputs.losses.extend(unknown);
        }
        Ok(inputs)
    }

    /// The tables at the beginning and at the end of the span, to be compared.
    pub(super) async fn apart(
        inner: &Inner,
        runs: &[Run],
        span: &Span,
        cost: &Arc<Cost>,
    ) -> Result<Self, Status> {
        let Span { from, at, now, .. } = *span;
        let side = |at| inner.fleet.side(runs, at, now, With::Growth, cost);
        let mut sides = vec![Sides::one(&side(at).await?)];
        if let Some(from) = from {
            sides.push(Sides::one(&side(from).await?));
        }
        let mut inputs = Self::gather(inner, sides, span, cost).await?;
        // Processes of one table have the same numbers on both sides.
        let time = inputs.gathered.end.time;
        inputs.other = inputs.other.filter(|other| other.time != time);
        Ok(inputs)
    }

    async fn gather(
        inner: &Inner,
        sides: Vec<Sides>,
        span: &Span,
        cost: &Arc<Cost>,
    ) -> Result<Self, Status> {
        let mut missing = Missing::default();
        let mut ends = Vec::with_capacity(sides.len());
        for side in sides {
            missing = missing.and(&side.missing);
            ends.push(side.ends);
        }
        let (gathered, names) = inner.fleet.gather(ends, cost).await?;
        let mut gathered = gathered.into_iter();
        let mut first = gathered.next().unwrap_or_default();
        // Of no nodes at all.
        for time in [&mut first.growth.time, &mut first.end.time] {
            if *time == BootTime(0) {
                *time = boot_time(span.at);
            }
        }
        Ok(Self {
            gathered: first,
            other: gathered.next().map(|other| other.end),
            names,
            losses: missing.losses(),
            started: boot_time(missing.started.unwrap_or(span.at)),
            is_now: span.is_now,
        })
    }

    /// Gives equal stacks one number, for answers that need the names of all.
    pub(super) async fn name_all(&mut self, cost: &Cost) -> Result<(), Status> {
        let growth = self.gathered.growth.rows.iter_mut();
        let growth = growth.map(|(key, _)| &mut key.owner);
        let end = self.gathered.end.rows.iter_mut();
        let end = end.map(|(key, _)| &mut key.owner);
        let other = self.other.iter_mut().flat_map(|other| &mut other.rows);
        let other = other.map(|(key, _)| &mut key.owner);
        let owners: Vec<&mut OwnerKey> = growth.chain(end).chain(other).collect();
        self.names.equal(owners, cost).await
    }

    /// What is asked about against what it is compared with. Blocks.
    pub(super) fn compare(&self, question: &Question) -> Result<Answer, Status> {
        let end = &self.gathered.end;
        let answer = question.answer(self.other.as_ref(), end, &HashMap::new(), &self.names, &());
        Ok(answer?)
    }

    /// How far an answer about the chosen processes can be trusted.
    pub(super) fn account(&self, selection: &Selection) -> v1::Accounting {
        let Gathered { end, whole, .. } = &self.gathered;
        let mut accounting = account(end, selection, whole, self.is_now);
        accounting.losses.extend_from_slice(&self.losses);
        accounting
    }

    /// What agents said of themselves.
    pub(super) fn statuses(&self) -> impl Iterator<Item = &v1::GetStatusResponse> {
        let states = self.gathered.states.iter();
        states.filter_map(|state| state.status.as_ref())
    }

    /// The moments that the answer stands for.
    pub(super) fn moment(
        &self,
        from: Option<BootTime>,
        time: BootTime,
        span: &Span,
    ) -> v1::Snapshot {
        let clocks = span.clocks();
        v1::Snapshot {
            time: Some(clocks.to_wall(time)),
            since: Some(clocks.to_wall(from.unwrap_or(self.started))),
        }
    }
}

fn connections_unknown(gathered: &Gathered) -> Option<v1::Loss> {
    let states = gathered.states.iter();
    let count = states.filter(|state| state.connections.is_none()).count() as u64;
    (count > 0).then(|| v1::Loss {
        cause: "connections_unknown".to_owned(),
        count,
        meaning: "agents that sent nothing of connections with their last whole batch: theirs are \
                  left out"
            .to_owned(),
    })
}
