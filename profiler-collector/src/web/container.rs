//! One container, or whatever a selection chooses: its memory over time, life by life, and who
//! demanded what it holds.

use axum::response::Html;
use maud::{Markup, html};
use pbjson_types::Timestamp;
use profiler_formats::{
    text::{clean, plural},
    units::bytes,
};
use profiler_proto::v1::{
    ListOomKillsResponse, ListSeriesRequest, Series, SeriesBy, SeriesPoint, Target, TopRequest,
    TopResponse,
};

use super::{
    address::{By, View},
    ask::Ask,
    connections,
    failure::Failure,
    growth::{self, Table},
    layout::{self, Place, time},
    lives, moment, name,
    overview::rate,
    plot::Plot,
    resident, verdict,
    window::Window,
};

const PATH: &str = "/container";
/// Points of a line.
const POINTS: u32 = 240;
/// Lives shown.
const LIVES: u32 = 20;
/// Kills marked.
const KILLS: u32 = 40;

/// The page of a view.
pub(super) async fn page(ask: Ask, view: View) -> Result<Html<String>, Failure> {
    let view = &view;
    let window = Window::of(view)?;
    let mut answer = ask.series(series_request(view, &window)).await?;
    answer
        .series
        .sort_by_key(|one| one.first.map(|first| (first.seconds, first.nanos)));
    let at = moment_of(&window, &answer.series);
    let kills = super::oom::request(&window.fix(view), KILLS);
    let (stacks, processes, connections, verdicts, kills, resident) = tokio::join!(
        ask.top(TopRequest {
            page_token: view.token.clone(),
            ..top_request(view, at, view.by, growth::ROWS)
        }),
        ask.top(top_request(view, at, By::Process, growth::ROWS)),
        ask.connections(connections::request(view, connections::ROWS)),
        ask.verdicts(verdict::request_in_full(view, &window)),
        ask.oom_kills(kills),
        ask.resident(resident::request(view, &window)),
    );
    if answer.series.is_empty() {
        // Nothing was there in this time: then what the growth says decides.
        stacks.as_ref().map_err(Failure::clone)?;
    }
    let accounting = stacks.as_ref().ok().and_then(|top| top.accounting.as_ref());
    let snapshot = stacks.as_ref().ok().and_then(|top| top.snapshot.as_ref());
    let title = title(view, &answer.series);
    let shown = shown(view, &window, at);
    let body = html! {
        h1 { (title) }
        (facts(view, &answer.series))
        (headline(&answer.series, answer.total, at))
        (layout::stand(PATH, view, &window, snapshot))
        @if stacks.is_ok() { (layout::warning(accounting)) }
        (verdict::in_full(view, &verdicts))
        (resident::section(&window, &resident, verdicts.as_ref().ok(), kills.as_ref().ok()))
        (kills_line(view, &kills))
        (memory(view, &window, &answer.series, answer.total))
        (stacks_section(&shown, &stacks))
        section aria-labelledby="processes-title" {
            h2 #processes-title { "Which processes" }
            (part(&processes, By::Process, &shown))
        }
        (connections::section(view, &connections))
        (layout::accounting(accounting))
    };
    Ok(layout::page(&title, Place::Elsewhere, &body))
}

/// How many kills there were, and the way to them.
fn kills_line(view: &View, kills: &Result<ListOomKillsResponse, Failure>) -> Markup {
    let all = View {
        from: None,
        to: None,
        span: None,
        ..view.afresh()
    };
    html! {
        @match kills {
            Err(failure) => (failure.part()),
            Ok(answer) => p {
                (plural(answer.total.into(), "OOM kill", "OOM kills")) " in this time. "
                a href=(all.link("/oom")) { "Its history of OOM kills" } "."
            },
        }
    }
}

fn series_request(view: &View, window: &Window) -> ListSeriesRequest {
    ListSeriesRequest {
        selector: Some(view.selector.clone()),
        by: if view.selector.pids.is_empty() {
            SeriesBy::Container
        } else {
            SeriesBy::Process
        }
        .into(),
        from: Some(window.from),
        to: window.at(),
        points: POINTS,
        limit: LIVES,
    }
}

/// What a table of the page asks; also its downloads.
pub(super) fn top_request(view: &View, at: Option<Timestamp>, by: By, limit: u32) -> TopRequest {
    TopRequest {
        selector: Some(view.selector.clone()),
        by: growth::group_by(by),
        limit,
        at,
        include_unattributed: true,
        connection: view.connection,
        ..TopRequest::default()
    }
}

/// The end of the time shown; for what has ended before, the last moment at which it was there.
fn moment_of(window: &Window, series: &[Series]) -> Option<Timestamp> {
    if series.is_empty() || series.iter().any(|one| one.alive) {
        return window.at();
    }
    let last = series.iter().filter_map(|one| one.last);
    last.max_by_key(|last| (last.seconds, last.nanos))
}

/// The view whose tables are of the moment `at`.
fn shown(view: &View, window: &Window, at: Option<Timestamp>) -> View {
    if at == window.at() {
        return view.clone();
    }
    View {
        to: at,
        ..window.fix(view)
    }
}

/// What the page is about: the selection, as people know it.
fn title(view: &View, series: &[Series]) -> String {
    let chosen = name::selection(&view.selector);
    match series.first().and_then(|one| one.target.as_ref()) {
        Some(target) if view.selector.pids.is_empty() && alike(series, name::of) => {
            name::of(target)
        }
        _ => chosen,
    }
}

fn alike<T: PartialEq>(series: &[Series], of: impl Fn(&Target) -> T) -> bool {
    let mut targets = series.iter().filter_map(|one| one.target.as_ref().map(&of));
    let first = targets.next();
    targets.all(|other| Some(other) == first)
}

/// A field of a selector and its value for a target.
type Wider = (&'static str, fn(&Target) -> String);

/// Wider selections that a container is part of.
const WIDER: [Wider; 4] = [
    ("node", |target| target.node.clone()),
    ("pod", pod),
    ("workload", |target| target.workload.clone()),
    ("image", |target| target.image.clone()),
];

/// Where it runs and what of, each a way to a wider selection.
fn facts(view: &View, series: &[Series]) -> Markup {
    let first = series.iter().find_map(|one| one.target.as_ref());
    let shared = WIDER.into_iter().filter(|(_, value)| alike(series, value));
    let wider = shared
        .filter_map(|(key, value)| Some((key, value(first?))))
        .filter(|(_, value)| !value.is_empty());
    html! {
        p.facts {
            span { "chosen: " (name::selection(&view.selector)) }
            @for (key, value) in wider {
                @let path = if key == "node" { "/" } else { PATH };
                span { (key) " " a href=(view.only(key, &value).link(path)) { (clean(&value)) } }
            }
            @if view.connection != 0 {
                @let all = View { connection: 0, ..view.afresh() };
                span { "growth on behalf of connection " (view.connection) ", "
                    a href=(all.link(PATH)) { "show all" } }
            }
        }
    }
}

fn pod(target: &Target) -> String {
    match (target.namespace.as_str(), target.pod.as_str()) {
        (_, "") | ("", _) => target.pod_uid.clone(),
        (namespace, pod) => format!("{namespace}/{pod}"),
    }
}

/// The answer in one sentence: what is there now, else what was there last.
fn headline(series: &[Series], total: u32, at: Option<Timestamp>) -> Markup {
    let alive: Vec<_> = series.iter().filter(|one| one.alive).collect();
    let ended = series.len() - alive.len();
    let last = series
        .iter()
        .max_by_key(|one| one.last.map(|last| (last.seconds, last.nanos)));
    let shown = if alive.is_empty() {
        Vec::from_iter(last)
    } else {
        alive
    };
    let sum = |value: fn(&SeriesPoint) -> u64| {
        let points = shown.iter().filter_map(|one| one.points.last());
        points.map(value).fold(0, u64::saturating_add)
    };
    let slope = shown.iter().map(|one| one.live_slope_bytes_per_hour).sum();
    html! {
        p.lead {
            @if shown.is_empty() { "Nothing was there in this time." } @else {
                @if shown.len() > 1 {
                    @if total as usize > series.len() { "The " } (shown.len())
                    @if total as usize > series.len() { " that grew fastest" } " together: "
                }
                b { (bytes(sum(|point| point.committed_live_bytes))) } " live of "
                (bytes(sum(|point| point.committed_bytes))) " committed, "
                b { (rate(slope)) } "."
            }
            @if ended > 0 {
                " " (ended) @if ended == 1 { " life" } @else { " lives" } " ended in this time."
            }
            @if ended > 0 && ended == series.len() {
                " Growth is shown as it was at " (time(at.as_ref())) ", before the last end."
            }
        }
    }
}

/// Memory over time, and how to choose two moments of it.
fn memory(view: &View, window: &Window, series: &[Series], total: u32) -> Markup {
    let marks: Vec<_> = view.mark.into_iter().collect();
    let told = format!(
        "Memory over time from {} to {}: {} lives; the table below has their figures",
        moment::shown(Some(&window.from)),
        moment::shown(Some(&window.to)),
        series.len()
    );
    let plot = Plot {
        series,
        window: *window,
        marks,
        told,
    };
    let fixed = window.fix(view).afresh();
    let choose = |at: Timestamp| match view.mark {
        None => {
            let marked = View {
                mark: Some(at),
                ..fixed.clone()
            };
            (
                marked.link(PATH),
                format!("compare from {}", moment::shown(Some(&at))),
            )
        }
        Some(mark) => {
            let (from, to) = if moment::before(&at, &mark) {
                (at, mark)
            } else {
                (mark, at)
            };
            let pair = View {
                from: Some(from),
                to: Some(to),
                mark: None,
                ..fixed.clone()
            };
            let told = format!("compare with {}", moment::shown(Some(&at)));
            // The same moment twice is no difference: it takes the mark away.
            let path = if moment::before(&from, &to) {
                "/diff"
            } else {
                PATH
            };
            (
                if path == PATH {
                    fixed.link(PATH)
                } else {
                    pair.link(path)
                },
                told,
            )
        }
    };
    html! {
        section #memory aria-labelledby="memory-title" {
            h2 #memory-title { "Memory over time" }
            figure {
                (plot.draw(choose))
                figcaption {
                    (plot.legend())
                    @if view.mark.is_some() {
                        "Choose the second moment on the plot to compare, or "
                        a href=(View { mark: None, ..view.clone() }.link(PATH)) { "take the mark away" } "."
                    } @else { "Choose two moments on the plot to compare them, or type them:" }
                }
            }
            (between(&fixed, view.mark.as_ref().unwrap_or(&window.from), &window.to))
            (lives::table(PATH, view, series, total))
        }
    }
}

/// Two moments by keyboard.
pub(super) fn between(view: &View, from: &Timestamp, to: &Timestamp) -> Markup {
    let kept = View {
        from: None,
        to: None,
        span: None,
        mark: None,
        ..view.afresh()
    };
    html! {
        form.filters method="get" action="/diff" aria-label="Compare two moments" {
            @for (key, value) in kept.pairs() { input type="hidden" name=(key) value=(value); }
            label { "from (UTC)" input.moment type="text" name="from" value=(moment::wire(from)) required; }
            label { "to (UTC)" input.moment type="text" name="to" value=(moment::wire(to)) required; }
            button type="submit" { "Compare" }
        }
    }
}

fn stacks_section(view: &View, stacks: &Result<TopResponse, Failure>) -> Markup {
    html! {
        section #stacks aria-labelledby="stacks-title" {
            h2 #stacks-title { "Who demanded memory" }
            (growth::tabs(PATH, view, &[By::Stack, By::Function, By::Connection]))
            (part(stacks, view.by, view))
            @if stacks.as_ref().is_ok_and(|top| !top.rows.is_empty()) {
                (growth::flame("/flame.svg", view, "Flame graph of who demanded the live memory"))
            }
            (layout::downloads(&links(view)))
        }
    }
}

fn part(answer: &Result<TopResponse, Failure>, by: By, view: &View) -> Markup {
    match answer {
        Err(failure) => failure.part(),
        Ok(top) => {
            // Only one table of a page is paged through.
            let paged = by == view.by;
            let view = if paged { view.clone() } else { view.afresh() };
            Table {
                rows: &top.rows,
                total: top.total_rows,
                by,
                change: false,
                view: &view,
                path: PATH,
                next: if paged { &top.next_page_token } else { "" },
            }
            .show()
        }
    }
}

fn links(view: &View) -> [(&'static str, String); 6] {
    let view = view.afresh();
    [
        ("pprof", view.link("/profile.pb.gz")),
        ("folded", view.link("/stacks.folded")),
        ("SVG", view.link("/flame.svg")),
        ("stacks (JSON)", view.link("/top.json")),
        ("connections (JSON)", view.link("/connections.json")),
        ("series (JSON)", view.link("/series.json")),
    ]
}
