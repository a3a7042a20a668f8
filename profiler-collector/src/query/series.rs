//! `ListSeries`: memory over time.

use std::sync::Arc;

use profiler_proto::v1;
use profiler_query::answer::Series;
use tokio::sync::mpsc;
use tonic::Status;

use super::{
    Inner,
    moments::{self, Span},
};
use crate::fleet::{Cost, blocking, may_be_on};

pub(super) async fn list(
    inner: Arc<Inner>,
    cost: Arc<Cost>,
    request: v1::ListSeriesRequest,
) -> Result<v1::ListSeriesResponse, Status> {
    let series = Series::new(request)?;
    let mut runs = inner.fleet.runs().await?;
    let span = Span::new(None, Some(&series.end), &[], &runs, inner.clock.now())?;
    let from = span.begin(&series.begin, moments::kept(&runs))?;
    runs.retain(|run| may_be_on(&series.filter, run));
    let times = (from, span.at, span.now);
    let mut walk = inner
        .fleet
        .walk(times, runs, series.points, Arc::clone(&cost))?;
    let (sender, mut receiver) = mpsc::channel(1);
    let answer = blocking(&cost, move || {
        let mut gathered = series.gather();
        while let Some(table) = receiver.blocking_recv() {
            gathered.add(&table)?;
        }
        Ok::<_, Status>(gathered.finish(span.clocks())?)
    });
    'walk: while let Some(tables) = walk.next().await? {
        for table in tables {
            // An answer that failed takes no more.
            if sender.send(table).await.is_err() {
                break 'walk;
            }
        }
    }
    drop(sender);
    answer.await?
}
