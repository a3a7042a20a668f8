//! Memory over time, life by life.

use profiler_proto::v1::{ListSeriesResponse, Series, SeriesPoint, Target};

use crate::{
    args::SeriesBy,
    render::{
        spark::over_time,
        target::{add_nodes, container, pod},
    },
    screen::Look,
    table::{Align, Table},
    text::{clean, plural},
    time::{seconds_between, shown},
    units::{bytes, count, mean_bytes},
};

/// Columns of a sparkline.
const WIDTH: usize = 24;
/// Fewer points have no slope.
const ENOUGH: usize = 3;
/// Columns that give way where it is narrow, the first first.
const GIVE_WAY: [&str; 4] = ["PROCESSES", "FIRST SEEN", "COMMITTED", "POD"];

/// The table of series, in the order of the answer.
pub fn series(response: &ListSeriesResponse, by: SeriesBy, look: Look) -> String {
    let title = format!("memory over time, by {}, fastest growth first", name(by));
    let facts = format!(
        "from {} to {}; {}",
        shown(response.from.as_ref()),
        shown(response.to.as_ref()),
        extent(response)
    );
    let mut text = format!("{} (exact)\n{}\n\n", look.bold(&title), look.dim(&facts));
    if response.series.is_empty() {
        text.push_str("nothing matches; `profiler targets` lists what is observed\n");
        return text;
    }
    text.push_str(&table(response, by).render_fitting(&GIVE_WAY, look));
    text
}

fn name(by: SeriesBy) -> &'static str {
    match by {
        SeriesBy::Container => "container",
        SeriesBy::Process => "process",
        SeriesBy::Node => "node",
    }
}

fn extent(response: &ListSeriesResponse) -> String {
    let shown = response.series.len() as u64;
    let total = plural(response.total.into(), "life", "lives");
    match shown < response.total.into() {
        true => format!("{} of {total}", count(shown)),
        false => total,
    }
}

fn table(response: &ListSeriesResponse, by: SeriesBy) -> Table {
    let mut titles = vec![
        ("PER HOUR", Align::Right),
        ("LIVE", Align::Right),
        ("COMMITTED", Align::Right),
        ("PROCESSES", Align::Right),
        ("FIRST SEEN", Align::Left),
        ("LAST SEEN", Align::Left),
        ("LIVE OVER TIME", Align::Right),
    ];
    let named: &[_] = match by {
        SeriesBy::Container => &[("CONTAINER", Align::Left)],
        SeriesBy::Process => &[
            ("PID", Align::Right),
            ("PROCESS", Align::Left),
            ("CONTAINER", Align::Left),
        ],
        SeriesBy::Node => &[("NODE", Align::Left)],
    };
    titles.extend_from_slice(named);
    let mut table = Table::new(titles);
    let unknown = Target::default();
    let targets = response.series.iter();
    let targets = targets.map(|one| one.target.as_ref().unwrap_or(&unknown));
    for (one, target) in response.series.iter().zip(targets.clone()) {
        let mut cells = figures(one, response);
        cells.extend(names(target, by));
        table.push(cells);
    }
    if by != SeriesBy::Node {
        if targets.clone().any(|target| !pod(target).is_empty()) {
            table.insert("", "POD", targets.clone().map(pod).collect());
        }
        add_nodes(&mut table, named[0].0, targets.map(|target| &*target.node));
    }
    table
}

fn figures(one: &Series, response: &ListSeriesResponse) -> Vec<String> {
    let last = one.points.last().copied().unwrap_or_default();
    vec![
        slope(one),
        bytes(last.committed_live_bytes),
        bytes(last.committed_bytes),
        count(last.processes.into()),
        shown(one.first.as_ref()),
        match one.alive {
            true => "still there".into(),
            false => shown(one.last.as_ref()),
        },
        line(&one.points, response),
    ]
}

fn slope(one: &Series) -> String {
    if one.points.len() < ENOUGH {
        return "-".into();
    }
    let slope = one.live_slope_bytes_per_hour;
    match slope > 0.0 {
        true => format!("+{}", mean_bytes(slope)),
        false => mean_bytes(slope),
    }
}

/// Live bytes on the axis that all lives of an answer share.
fn line(points: &[SeriesPoint], response: &ListSeriesResponse) -> String {
    let from = response.from.as_ref();
    let span = seconds_between(from, response.to.as_ref()).max(1.0);
    let place = |point: &SeriesPoint| seconds_between(from, point.time.as_ref()) / span;
    let points = points
        .iter()
        .map(|point| (place(point), point.committed_live_bytes));
    over_time(&points.collect::<Vec<_>>(), WIDTH)
}

fn names(target: &Target, by: SeriesBy) -> Vec<String> {
    match by {
        SeriesBy::Container => vec![container(target)],
        SeriesBy::Process => vec![
            target.pid.to_string(),
            clean(&target.process_name).into_owned(),
            container(target),
        ],
        SeriesBy::Node => vec![clean(&target.node).into_owned()],
    }
}

#[cfg(test)]
mod tests;
