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
use crate::{
    fleet::{Cost, blocking, boot_time, may_be_on},
    store::WallTime,
};

pub(super) async fn list(
    inner: Arc<Inner>,
    cost: Arc<Cost>,
    request: v1::ListSeriesRequest,
) -> Result<v1::ListSeriesResponse, Status> {
    let series = Series::new(request)?;
    let mut runs = inner.fleet.runs().await?;
    let span = Span::new(None, Some(&series.end), &[], &runs, inner.clock.now())?;
    let from = begin(&series, &span, moments::kept(&runs))?;
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

/// As on an agent: what is asked for from before anything was kept begins with what is.
fn begin(
    series: &Series,
    span: &Span,
    kept: Option<(WallTime, WallTime)>,
) -> Result<WallTime, Status> {
    let first = kept.map_or(span.at, |(first, _)| first);
    let Some(from) = &series.begin.time else {
        return Ok(first);
    };
    let field = series.begin.field;
    let from = moments::nanoseconds(field, from)?;
    if boot_time(from) > boot_time(span.now) {
        return Err(Status::out_of_range(format!("{field} lies in the future")));
    }
    Ok(from.max(first))
}
