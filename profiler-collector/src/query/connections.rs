//! `ListConnections`.

use std::sync::Arc;

use profiler_proto::v1;
use profiler_query::answer::{Filter, connections::Listing};
use tonic::Status;

use super::{Inner, inputs::Inputs, moments::Span};
use crate::fleet::{Cost, With, blocking, may_be_on};

/// Connections that an agent sends at most.
const SENT: u64 = 1000;

/// As of the last whole batch of each node.
pub(super) async fn list(
    inner: Arc<Inner>,
    cost: Arc<Cost>,
    request: v1::ListConnectionsRequest,
) -> Result<v1::ListConnectionsResponse, Status> {
    let filter = Filter::new(request.selector.as_ref())?;
    let with_growth = request.with_growth;
    let listing = Listing::new(request)?;
    if listing.with_points() {
        return Err(Status::unimplemented(
            "with_points: curves of connections stay on the agents; ask the agent of the node",
        ));
    }
    let mut runs = inner.fleet.runs().await?;
    let span = Span::new(
        None,
        None,
        listing.page().pinned(),
        &runs,
        inner.clock.now(),
    )?;
    runs.retain(|run| may_be_on(&filter, run));
    let inputs = Inputs::read(&inner, &runs, &span, With::Connections, &cost).await?;
    let answer = move || {
        let growth = &inputs.gathered.growth;
        let selection = filter.choose(growth.targets())?;
        let connections = &inputs.gathered.connections;
        let mut answer = connections.answer(&listing, growth, &selection, &span.pinned());
        let mut accounting = inputs.account(&selection);
        accounting.losses.extend(not_sent(&inputs, with_growth));
        answer.snapshot = Some(inputs.moment(None, growth.time, &span));
        answer.accounting = Some(accounting);
        Ok(answer)
    };
    blocking(&cost, answer).await?
}

fn not_sent(inputs: &Inputs, with_growth: bool) -> Option<v1::Loss> {
    let not_sent = inputs.gathered.not_sent;
    let count = match with_growth {
        true => not_sent.with_growth,
        false => not_sent.all,
    };
    (count > 0).then(|| v1::Loss {
        cause: "connections_not_sent".to_owned(),
        count,
        meaning: format!(
            "connections that only the agents know: of those with growth, the {SENT} of each node \
             with the most live bytes are kept here, as of its last whole batch; none of the others"
        ),
    })
}
