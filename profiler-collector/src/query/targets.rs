//! `ListTargets`.

use std::sync::Arc;

use profiler_proto::v1;
use profiler_query::answer::Targets;
use tonic::Status;

use super::{Inner, inputs::Inputs, moments::Span};
use crate::fleet::{Cost, With, blocking, may_be_on};

pub(super) async fn list(
    inner: Arc<Inner>,
    cost: Arc<Cost>,
    request: v1::ListTargetsRequest,
) -> Result<v1::ListTargetsResponse, Status> {
    let targets = Targets::new(request)?;
    let mut runs = inner.fleet.runs().await?;
    let span = Span::new(
        None,
        Some(&targets.at),
        targets.page.pinned(),
        &runs,
        inner.clock.now(),
    )?;
    runs.retain(|run| may_be_on(&targets.filter, run));
    let inputs = Inputs::read(&inner, &runs, &span, With::Growth, &cost).await?;
    let answer = move || {
        let end = &inputs.gathered.end;
        let selection = targets.filter.choose(end.targets())?;
        Ok(v1::ListTargetsResponse {
            snapshot: Some(inputs.moment(None, end.time, &span)),
            accounting: Some(inputs.account(&selection)),
            ..targets.answer(end, &selection, span.clocks(), &span.pinned())
        })
    };
    blocking(&cost, answer).await?
}
