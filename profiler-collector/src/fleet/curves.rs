//! Resident figures over time, from whole batches.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use profiler_proto::v1::{self, PartKind, ResidentPoint};
use profiler_stream::decode;
use tonic::Status;

use super::{
    Fleet,
    limits::{Cost, blocking},
    status::of_store,
    verdicts::SeriesKey,
};
use crate::store::{Run, StoreError, StoredBatch, WallTime};

/// Steps whose batches are in memory at one time.
const TOGETHER: u32 = 64;
const SECOND: f64 = 1e9;

/// Readings of each series with their moments, in the order of time.
pub(crate) type Curves = HashMap<SeriesKey, Vec<ResidentPoint>>;

/// One reading of a series.
struct Reading {
    time: WallTime,
    resident: v1::Resident,
}

type Readings = HashMap<SeriesKey, Vec<Reading>>;

impl Fleet {
    /// The `wanted` series from one moment to another: of each of `steps` equal parts of it the last
    /// reading. A run whose batches cannot be read leaves a gap.
    ///
    /// # Errors
    /// It would read too many batches or bytes.
    pub(crate) async fn curves(
        &self,
        runs: &[Run],
        wanted: HashSet<SeriesKey>,
        (from, to): (WallTime, WallTime),
        steps: u32,
        cost: &Arc<Cost>,
    ) -> Result<Curves, Status> {
        let nodes: HashSet<&str> = wanted.iter().map(|key| key.node.as_str()).collect();
        let is_of_use =
            |run: &&Run| run.first <= to && run.last >= from && nodes.contains(&*run.facts.node);
        let runs: Vec<&Run> = runs.iter().filter(is_of_use).collect();
        cost.batches(runs.iter().map(|run| run.batches.min(steps.into())).sum())?;
        let wanted = Arc::new(wanted);
        let mut readings = Readings::new();
        for run in runs {
            for (span, steps) in spans((from, to), steps) {
                let read = self.resident(run, span, steps, &wanted, cost).await?;
                for (key, mut more) in read {
                    readings.entry(key).or_default().append(&mut more);
                }
            }
        }
        let curves = readings.into_iter();
        Ok(curves
            .map(|(key, readings)| (key, points(readings)))
            .collect())
    }

    async fn resident(
        &self,
        run: &Run,
        (from, to): (WallTime, WallTime),
        steps: u32,
        wanted: &Arc<HashSet<SeriesKey>>,
        cost: &Arc<Cost>,
    ) -> Result<Readings, Status> {
        let kinds = [PartKind::Resident];
        let read = self.store.whole_batches(run.id, from, to, steps, &kinds);
        let batches = match read.await {
            Err(StoreError::Damaged(why)) => {
                tracing::warn!(
                    node = run.facts.node,
                    why,
                    "resident figures cannot be read"
                );
                return Ok(Readings::new());
            }
            read => read.map_err(of_store)?,
        };
        let parts = batches.iter().flat_map(|batch| &batch.parts);
        cost.bytes(parts.map(|part| u64::from(part.size)).sum())?;
        let (node, wanted) = (run.facts.node.clone(), Arc::clone(wanted));
        let spent = Arc::clone(cost);
        blocking(cost, move || decoded(&node, &batches, &wanted, &spent)).await?
    }
}

/// Equal parts of a time, each of at most so many steps.
fn spans(
    (from, to): (WallTime, WallTime),
    steps: u32,
) -> impl Iterator<Item = ((WallTime, WallTime), u32)> {
    let length = i128::from(to.0) - i128::from(from.0) + 1;
    let bound = move |step: u32| {
        let share = length * i128::from(step) / i128::from(steps.max(1));
        i64::try_from(i128::from(from.0) + share).unwrap_or(i64::MAX)
    };
    let begins = (0..steps).step_by(TOGETHER as usize);
    begins.map(move |begin| {
        let end = (begin + TOGETHER).min(steps);
        let span = (WallTime(bound(begin)), WallTime(bound(end) - 1));
        (span, end - begin)
    })
}

fn decoded(
    node: &str,
    batches: &[StoredBatch],
    wanted: &HashSet<SeriesKey>,
    cost: &Cost,
) -> Result<Readings, Status> {
    let mut readings = Readings::new();
    for batch in batches {
        cost.check()?;
        for part in &batch.parts {
            let read = match decode::part::<v1::ResidentPart>(part) {
                Ok(read) => read,
                Err(error) => {
                    tracing::warn!(node, %error, "resident figures of a batch cannot be read");
                    continue;
                }
            };
            let of = read.of.into_iter();
            let of = of.filter_map(|one| Some((one.target?, one.resident?)));
            for (target, resident) in of {
                let key = SeriesKey::on(node, &target);
                if wanted.contains(&key) {
                    cost.rows(1)?;
                    let time = batch.time;
                    let reading = Reading { time, resident };
                    readings.entry(key).or_default().push(reading);
                }
            }
        }
    }
    Ok(readings)
}

/// Each reading as the window that it ends: what was before it is not known, so that its figure is
/// the window's least and largest.
fn points(mut readings: Vec<Reading>) -> Vec<ResidentPoint> {
    readings.sort_by_key(|one| one.time);
    readings.dedup_by_key(|one| one.time);
    let before = std::iter::once(None).chain(readings.iter().map(Some));
    let points = before.zip(&readings);
    points.map(|(before, one)| point(before, one)).collect()
}

fn point(before: Option<&Reading>, one: &Reading) -> ResidentPoint {
    let resident = &one.resident;
    let seconds = before.map_or(0.0, |before| (one.time.0 - before.time.0) as f64 / SECOND);
    let rate = |count: fn(&v1::Resident) -> u64| {
        // A counter that begins anew says nothing.
        let more = before.and_then(|before| count(resident).checked_sub(count(&before.resident)));
        more.filter(|_| seconds > 0.0)
            .map_or(0.0, |more| more as f64 / seconds)
    };
    let bytes = resident.anon_bytes.saturating_add(resident.swap_bytes);
    ResidentPoint {
        time: Some(super::timestamp(one.time)),
        seconds,
        min_bytes: bytes,
        max_bytes: bytes,
        limit_bytes: resident.limit_bytes.unwrap_or(0),
        received_bytes_per_second: rate(|one| one.received_bytes),
        received_calls_per_second: rate(|one| one.received_calls),
        open_connections: resident.open_connections as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_cover_all_of_the_time_once() {
        for steps in [1, 2, 63, 64, 65, 2_000] {
            let whole = (WallTime(1_000), WallTime(1_000_000));
            let spans: Vec<_> = spans(whole, steps).collect();
            assert_eq!(spans[0].0.0, whole.0);
            assert_eq!(spans[spans.len() - 1].0.1, whole.1);
            let joined = spans.windows(2).all(|two| two[0].0.1.0 + 1 == two[1].0.0.0);
            assert!(joined, "{spans:?}");
            assert_eq!(spans.iter().map(|(_, steps)| steps).sum::<u32>(), steps);
            assert!(spans.iter().all(|(_, steps)| *steps <= TOGETHER));
        }
    }

    #[test]
    fn rates_are_those_since_the_reading_before() {
        let reading = |seconds: i64, anon_bytes, received_bytes| Reading {
            time: WallTime(seconds * 1_000_000_000),
            resident: v1::Resident {
                anon_bytes,
                swap_bytes: 5,
                received_bytes,
                ..v1::Resident::default()
            },
        };
        let readings = vec![
            reading(20, 9, 300),
            reading(10, 7, 100),
            reading(30, 8, 1),
            reading(30, 8, 1),
        ];
        let points = points(readings);
        let sizes: Vec<u64> = points.iter().map(|point| point.max_bytes).collect();
        assert_eq!(sizes, [12, 14, 13]);
        let rates = points.iter().map(|point| point.received_bytes_per_second);
        assert_eq!(rates.collect::<Vec<_>>(), [0.0, 20.0, 0.0]);
    }
}
