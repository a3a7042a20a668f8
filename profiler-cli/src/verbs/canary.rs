//! `canary`.

use std::collections::HashSet;

use profiler_analysis::compare::{Life, Outcome, Window, compare};
use profiler_formats::time::nanos;
use profiler_proto::v1::{ListResidentRequest, ResidentSeries};

use crate::{
    args::{CanaryArgs, Format},
    client::Client,
    failure::{Failure, exit},
    render,
    screen::Screen,
};

pub(super) async fn canary(
    args: &CanaryArgs,
    mut client: Client,
    screen: &mut Screen,
) -> Result<u8, Failure> {
    let [baseline, canary] = args.to_wire();
    let baseline = chosen(baseline, "--baseline", &mut client).await?;
    let canary = chosen(canary, "--canary", &mut client).await?;
    apart(&baseline, &canary)?;
    let (baseline, canary) = (lives(&baseline, "--baseline")?, lives(&canary, "--canary")?);
    let comparison = compare(&baseline, &canary, &args.question());
    let code = match comparison.outcome {
        Outcome::Pass => exit::FINE,
        Outcome::Fail => exit::FAILED,
        Outcome::Inconclusive => exit::UNDECIDED,
    };
    let text = match args.format {
        Format::Json => serde_json::to_string_pretty(&comparison)
            .map(|text| text + "\n")
            .map_err(|error| Failure::new(format!("cannot print as JSON: {error}")))?,
        Format::Table => render::canary::comparison(&comparison, screen.look(false)),
    };
    screen.print(&text).or_else(Failure::unless_gone)?;
    Ok(code)
}

/// Compared with itself everything passes.
fn apart(baseline: &[ResidentSeries], canary: &[ResidentSeries]) -> Result<(), Failure> {
    let place = |one: &ResidentSeries| {
        let target = one.target.as_ref()?;
        Some((
            target.node.clone(),
            target.cgroup.clone(),
            target.container_id.clone(),
            target.pid,
        ))
    };
    let old: HashSet<_> = baseline.iter().filter_map(place).collect();
    let both = canary
        .iter()
        .find(|one| place(one).is_some_and(|it| old.contains(&it)));
    both.map_or(Ok(()), |one| {
        let target = render::verdict::words::named(one.target.as_ref());
        Err(Failure::with_hint(
            format!("{target} is chosen as the baseline and as the canary"),
            "narrow --baseline or --canary: nothing can be compared with itself",
        ))
    })
}

async fn chosen(
    request: ListResidentRequest,
    flag: &str,
    client: &mut Client,
) -> Result<Vec<ResidentSeries>, Failure> {
    let limit = request.limit;
    let answer = client.resident(request).await?;
    if answer.series.is_empty() {
        return Err(Failure::with_hint(
            format!("{flag}: no target matches"),
            "`profiler targets` lists what is observed",
        ));
    }
    if answer.total > limit {
        return Err(Failure::with_hint(
            format!(
                "{flag}: {} targets match, and {limit} are the most",
                answer.total
            ),
            "narrow the selection",
        ));
    }
    Ok(answer.series)
}

fn lives(series: &[ResidentSeries], flag: &str) -> Result<Vec<Life>, Failure> {
    series.iter().map(|one| life(one, flag)).collect()
}

/// Readings by the age that the process or container had.
fn life(series: &ResidentSeries, flag: &str) -> Result<Life, Failure> {
    let started = series.target.as_ref().and_then(|one| one.started.as_ref());
    let Some(started) = started else {
        let target = render::verdict::words::named(series.target.as_ref());
        return Err(Failure::new(format!(
            "{flag}: when {target} was started is not known, so its age is not"
        )));
    };
    let windows = series.points.iter().map(|point| {
        let age = nanos(point.time.as_ref()).saturating_sub(nanos(Some(started)));
        Window {
            age: age as f64 / 1e9,
            seconds: point.seconds,
            floor: point.min_bytes as f64,
            calls: point.received_calls_per_second,
        }
    });
    // From before it was started there is nothing of it.
    Ok(windows.filter(|window| window.age > 0.0).collect())
}
