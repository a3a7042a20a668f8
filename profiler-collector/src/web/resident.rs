//! Anonymous memory with swap by the kernel's own figures, as SVG: with the limit, and with kills and
//! restarts marked on it.

use maud::{Markup, html};
use profiler_formats::units::bytes;
use profiler_proto::v1::{
    LifeEnd, ListOomKillsResponse, ListResidentRequest, ListResidentResponse, ListVerdictsResponse,
    ResidentPoint, ResidentSeries,
};

use super::{
    address::View,
    axes::{self, HEIGHT, WIDTH},
    failure::Failure,
    layout, moment, name,
    plot::COLOURS,
    scale,
    window::Window,
};

const POINTS: u32 = 240;
const SERIES: u32 = 6;
/// Marks on one plot; a container that is restarted all the time has more.
const MARKS: usize = 40;

const SPARK_WIDTH: f64 = 120.0;
const SPARK_HEIGHT: f64 = 24.0;

/// What the plot of a container asks.
pub(super) fn request(view: &View, window: &Window) -> ListResidentRequest {
    ListResidentRequest {
        selector: Some(view.selector.clone()),
        from: Some(window.from),
        to: window.at(),
        points: POINTS,
        limit: SERIES,
        ..ListResidentRequest::default()
    }
}

/// The section of a container's page.
pub(super) fn section(
    window: &Window,
    answer: &Result<ListResidentResponse, Failure>,
    verdicts: Option<&ListVerdictsResponse>,
    kills: Option<&ListOomKillsResponse>,
) -> Markup {
    html! {
        section #resident aria-labelledby="resident-title" {
            h2 #resident-title { "Resident memory and its limit" }
            @match answer {
                Err(failure) if failure.is_nothing() => p.empty {
                    "No figures of the kernel's for this: agents before 0.2 don't send them."
                },
                Err(failure) => (failure.part()),
                Ok(answer) if answer.series.iter().all(|one| one.points.is_empty()) => p.empty {
                    "No figures of the kernel's for this time: agents before 0.2 don't send them."
                },
                Ok(answer) => (plot(window, answer, &marks(verdicts, kills))),
            }
        }
    }
}

/// A moment that stands out, and why.
struct Mark {
    seconds: f64,
    words: &'static str,
}

fn marks(
    verdicts: Option<&ListVerdictsResponse>,
    kills: Option<&ListOomKillsResponse>,
) -> Vec<Mark> {
    let kills = kills.into_iter().flat_map(|answer| &answer.kills);
    let kills = kills.filter_map(|kill| kill.time.as_ref());
    let mut marks: Vec<Mark> = kills
        .map(|time| Mark {
            seconds: moment::seconds(time),
            words: "OOM kill",
        })
        .collect();
    let verdicts = verdicts.into_iter().flat_map(|answer| &answer.verdicts);
    let lives = verdicts.filter_map(|verdict| verdict.lineage.as_ref());
    let lives = lives.flat_map(|lineage| &lineage.lives);
    // An end by a kill is marked as one already.
    let ends = lives.filter(|life| life.end() == LifeEnd::Ended);
    marks.extend(
        ends.filter_map(|life| life.ended.as_ref())
            .map(|time| Mark {
                seconds: moment::seconds(time),
                words: "restart",
            }),
    );
    marks
}

fn plot(window: &Window, answer: &ListResidentResponse, marks: &[Mark]) -> Markup {
    let (from, to) = (moment::seconds(&window.from), moment::seconds(&window.to));
    let within = marks
        .iter()
        .filter(|mark| (from..=to).contains(&mark.seconds));
    let marks: Vec<&Mark> = within.take(MARKS).collect();
    let told = told(answer, &marks);
    let points = answer.series.iter().flat_map(|series| &series.points);
    let sizes = points.map(|point| point.max_bytes.max(point.limit_bytes));
    let (top, step) = scale::bytes(sizes.max().unwrap_or(0));
    html! {
        figure {
            div.scroll tabindex="0" role="region" aria-label="Plot of resident memory" {
                svg.plot viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(told) {
                    (axes::of_bytes(top, step))
                    (axes::of_time(window))
                    @for (index, series) in answer.series.iter().enumerate() {
                        g class=(format!("resident c{}", index % COLOURS)) {
                            polyline.limit points=(line(window, top, series, |point| point.limit_bytes)) {}
                            polyline.live points=(line(window, top, series, |point| point.max_bytes)) {}
                        }
                    }
                    @for mark in &marks { (axes::mark(window, mark.seconds, mark.words)) }
                }
            }
            figcaption {
                "Anonymous memory with swap. Broken line: the limit. "
                @for (index, series) in answer.series.iter().enumerate() {
                    span class=(format!("swatch c{}", index % COLOURS)) aria-hidden="true" {}
                    (series.target.as_ref().map_or_else(String::new, name::of)) " "
                    (series.now.as_ref().map_or_else(String::new, |now| {
                        bytes(now.anon_bytes.saturating_add(now.swap_bytes))
                    })) ". "
                }
            }
        }
        @if !marks.is_empty() {
            ul.plain {
                @for mark in &marks {
                    li { (mark.words) " at " (layout::time(Some(&moment::at(mark.seconds)))) }
                }
            }
        }
    }
}

fn told(answer: &ListResidentResponse, marks: &[&Mark]) -> String {
    let largest = answer.series.iter().flat_map(|series| &series.points);
    let largest = largest.map(|point| point.max_bytes).max().unwrap_or(0);
    format!(
        "Resident memory of {} series, at most {}, with {} kills and restarts",
        answer.series.len(),
        bytes(largest),
        marks.len()
    )
}

fn line(
    window: &Window,
    top: u64,
    series: &ResidentSeries,
    value: fn(&ResidentPoint) -> u64,
) -> String {
    // Without a limit there is no line.
    let points = series.points.iter().filter(|point| value(point) > 0);
    let places = points.map(|point| {
        let seconds = point.time.as_ref().map_or(0.0, moment::seconds);
        let (x, y) = (axes::x(window, seconds), axes::y(top, value(point)));
        format!("{x:.1},{y:.1}")
    });
    places.collect::<Vec<_>>().join(" ")
}

/// A series as large as a word, over its own time.
pub(super) fn sparkline(points: &[ResidentPoint]) -> Markup {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return html! { span.note { "no points" } };
    };
    let largest = points
        .iter()
        .map(|point| point.max_bytes)
        .max()
        .unwrap_or(0);
    let seconds = |point: &ResidentPoint| point.time.as_ref().map_or(0.0, moment::seconds);
    let (from, length) = (seconds(first), (seconds(last) - seconds(first)).max(1.0));
    let places = points.iter().map(|point| {
        let x = ((seconds(point) - from) / length).clamp(0.0, 1.0) * SPARK_WIDTH;
        let share = point.max_bytes as f64 / (largest as f64).max(1.0);
        let y = SPARK_HEIGHT - 1.5 - share * (SPARK_HEIGHT - 3.0);
        format!("{x:.1},{y:.1}")
    });
    let told = format!(
        "resident memory from {} to {}, at most {}",
        bytes(first.max_bytes),
        bytes(last.max_bytes),
        bytes(largest)
    );
    html! {
        svg.spark viewBox=(format!("0 0 {SPARK_WIDTH} {SPARK_HEIGHT}")) role="img" aria-label=(told) {
            title { (told) }
            polyline points=(places.collect::<Vec<_>>().join(" ")) {}
        }
    }
}
