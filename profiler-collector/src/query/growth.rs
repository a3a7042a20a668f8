//! Growth at one moment or between two: `Top` and `Diff`.

use std::sync::Arc;

use profiler_proto::v1;
use profiler_query::answer::{Answer, Filter, Question};
use tonic::Status;

use super::{Inner, inputs::Inputs, moments::Span};
use crate::fleet::{Cost, With, blocking, may_be_on};

/// What answers of `Top` and `Diff` have in common.
struct Answered {
    rows: Vec<v1::GrowthRow>,
    total: u32,
    next_page_token: String,
    moment: v1::Snapshot,
    accounting: v1::Accounting,
}

pub(super) async fn top(
    inner: Arc<Inner>,
    cost: Arc<Cost>,
    request: v1::TopRequest,
) -> Result<v1::TopResponse, Status> {
    let by_name = request.by() == v1::GroupBy::Function;
    let answered = answer(&inner, cost, Question::top(request)?, by_name).await?;
    Ok(v1::TopResponse {
        rows: answered.rows,
        total_rows: answered.total,
        snapshot: Some(answered.moment),
        accounting: Some(answered.accounting),
        next_page_token: answered.next_page_token,
    })
}

pub(super) async fn diff(
    inner: Arc<Inner>,
    cost: Arc<Cost>,
    request: v1::DiffRequest,
) -> Result<v1::DiffResponse, Status> {
    let by_name = request.by() == v1::GroupBy::Function || request.against.is_some();
    let answered = answer(&inner, cost, Question::diff(request)?, by_name).await?;
    Ok(v1::DiffResponse {
        rows: answered.rows,
        total_rows: answered.total,
        from: answered.moment.since,
        to: answered.moment.time,
        accounting: Some(answered.accounting),
        next_page_token: answered.next_page_token,
    })
}

/// `by_name`: names of all stacks are needed, not only of those that are sent.
async fn answer(
    inner: &Inner,
    cost: Arc<Cost>,
    question: Question,
    by_name: bool,
) -> Result<Answered, Status> {
    let mut runs = inner.fleet.runs().await?;
    let Question { begin, end, .. } = &question;
    let span = Span::new(
        Some(begin),
        Some(end),
        question.page.pinned(),
        &runs,
        inner.clock.now(),
    )?;
    question.check_order(span.from(), span.at())?;
    let asked = [Some(&question.filter), question.against.as_ref()];
    let asked: Vec<&Filter> = asked.into_iter().flatten().collect();
    runs.retain(|run| asked.iter().any(|filter| may_be_on(filter, run)));
    let with = match question.shape.needs_connections() {
        true => With::Connections,
        false => With::Growth,
    };
    let mut inputs = match question.against {
        Some(_) => Inputs::apart(inner, &runs, &span, &cost).await?,
        None => Inputs::read(inner, &runs, &span, with, &cost).await?,
    };
    if by_name {
        inputs.name_all(&cost).await?;
    }
    blocking(&cost, move || put_together(&question, &inputs, &span)).await?
}

/// Blocks.
fn put_together(question: &Question, inputs: &Inputs, span: &Span) -> Result<Answered, Status> {
    let mut answer = match question.against {
        Some(_) => inputs.compare(question)?,
        None => rows(question, inputs)?,
    };
    inputs.names.finish(&mut answer.rows.rows)?;
    let rows = answer.rows;
    Ok(Answered {
        next_page_token: question
            .page
            .next(rows.rows.len(), rows.total, &span.pinned()),
        rows: rows.rows,
        total: rows.total,
        moment: inputs.moment(answer.from, answer.time, span),
        accounting: inputs.account(&answer.selection),
    })
}

fn rows(question: &Question, inputs: &Inputs) -> Result<Answer, Status> {
    let growth = &inputs.gathered.growth;
    let connections = &inputs.gathered.connections;
    let selection = question.filter.choose(growth.targets())?;
    let shape = question.shape;
    shape.check_connection(growth, &selection, connections)?;
    Ok(Answer {
        rows: shape.rows(growth, &selection, &inputs.names, connections),
        selection,
        from: growth.from,
        time: growth.time,
    })
}
