//! Growth at one moment, and between two.

use profiler_proto::v1;
use profiler_query::answer::{Clocks, Question};
use tonic::Status;

use super::{
    connections::Known,
    gather::{Gathered, Moments},
    unknown::refusal,
};
use crate::{connection::Connections, ids::BootTime, profile::Recall};

/// What answers of Top and Diff have in common.
pub(super) struct Answered {
    rows: Vec<v1::GrowthRow>,
    total: u32,
    next: String,
    from: Option<BootTime>,
    snapshot: v1::Snapshot,
    accounting: v1::Accounting,
    clocks: Clocks,
}

/// Blocks. `connections`: empty where they are not needed.
pub(super) fn answer(
    gathered: &Gathered,
    question: &Question,
    moments: &Moments,
    connections: &Connections,
    clocks: Clocks,
) -> Result<Answered, Status> {
    let inner = &gathered.inner;
    let end = gathered.end(moments.end.as_ref());
    let begin = moments.begin.as_ref().map(Recall::snapshot);
    let answer = question.answer(
        begin.as_ref(),
        &end.snapshot,
        &connections.folded,
        &*inner.names,
        &Known::new(connections, clocks),
    );
    let answer = answer.map_err(refusal)?;
    let rows = answer.rows;
    Ok(Answered {
        next: question.page.next(rows.rows.len(), rows.total, &[]),
        rows: rows.rows,
        total: rows.total,
        from: answer.from,
        snapshot: end.moment(answer.time, answer.from, clocks),
        accounting: end.account(inner, &answer.selection),
        clocks,
    })
}

impl Answered {
    pub(super) fn into_top(self) -> v1::TopResponse {
        v1::TopResponse {
            rows: self.rows,
            total_rows: self.total,
            next_page_token: self.next,
            snapshot: Some(self.snapshot),
            accounting: Some(self.accounting),
        }
    }

    pub(super) fn into_diff(self) -> v1::DiffResponse {
        v1::DiffResponse {
            rows: self.rows,
            total_rows: self.total,
            next_page_token: self.next,
            from: self.from.map(|from| self.clocks.to_wall(from)),
            to: self.snapshot.time,
            accounting: Some(self.accounting),
        }
    }
}
