//! The overview: what grows fastest, and whether all nodes are heard of.

use axum::response::Html;
use maud::{Markup, html};
use profiler_formats::{
    text::{clean, plural},
    units::{bytes, count, mean_bytes},
};
use profiler_proto::v1::{
    ListSeriesRequest, ListSeriesResponse, ListTargetsRequest, ListTargetsResponse, Series,
    SeriesBy,
};

use super::{
    address::View,
    ask::Ask,
    failure::Failure,
    layout::{self, Place},
    moment, name, nodes,
    plot::sparkline,
    verdict,
    window::{SPANS, Window},
};

const PATH: &str = "/";
/// Containers on a page.
const ROWS: u32 = 50;
/// Series that one answer can carry.
const MOST_SERIES: u32 = 1_000;
/// Points of a sparkline.
const POINTS: u32 = 60;

/// The page of a view.
pub(super) async fn page(ask: Ask, view: View) -> Result<Html<String>, Failure> {
    let view = &view;
    let window = Window::of(view)?;
    let page = view.page.max(1);
    if page > MOST_SERIES / ROWS {
        return Err(Failure::bad(format!(
            "the overview ends at {MOST_SERIES} containers; narrow it by a filter"
        )));
    }
    let verdicts = async { Ok(ask.verdicts(verdict::request(view, &window)).await) };
    let (series, targets, nodes, verdicts) = tokio::try_join!(
        ask.series(request(view, &window, page * ROWS)),
        ask.targets(ListTargetsRequest {
            selector: Some(view.selector.clone()),
            limit: 1,
            at: window.at(),
            ..ListTargetsRequest::default()
        }),
        ask.nodes(view.selector.clone()),
        verdicts,
    )?;
    let first = ((page - 1) * ROWS) as usize;
    let shown = series.series.get(first..).unwrap_or_default();
    let body = html! {
        h1 { "What grows" }
        (headline(view, &series, &targets))
        (layout::stand(PATH, view, &window, targets.snapshot.as_ref()))
        (nodes::warning(&nodes.nodes))
        (layout::warning(targets.accounting.as_ref()))
        (filters(view, &window))
        @if page == 1 { (verdict::overview(view, &verdicts)) }
        h2 { "What demands memory" }
        (containers(view, &window, shown, &series))
        (pages(view, page, series.total))
        (layout::downloads(&links(view)))
        section #nodes aria-labelledby="nodes-title" {
            h2 #nodes-title { "Nodes" }
            (nodes::summary(&nodes.nodes, view))
        }
        (layout::accounting(targets.accounting.as_ref()))
    };
    Ok(layout::page("Overview", Place::Overview, &body))
}

/// What the page and its download ask.
pub(super) fn request(view: &View, window: &Window, limit: u32) -> ListSeriesRequest {
    ListSeriesRequest {
        selector: Some(view.selector.clone()),
        by: SeriesBy::Container.into(),
        from: Some(window.from),
        to: window.at(),
        points: POINTS,
        limit,
    }
}

/// The answer in one sentence.
fn headline(view: &View, series: &ListSeriesResponse, targets: &ListTargetsResponse) -> Markup {
    let fastest = series.series.first();
    html! {
        p.lead {
            @match fastest {
                Some(one) if one.live_slope_bytes_per_hour >= 1.0 => {
                    a href=(link(view, one)) { (titled(one)) }
                    " grows fastest: " b { (rate(one.live_slope_bytes_per_hour)) }
                    @if let Some(last) = one.points.last() {
                        ", " (bytes(last.committed_live_bytes)) " live"
                    }
                    "."
                }
                Some(_) => "Nothing grows over this time.",
                None => "Nothing matches.",
            }
            span.note {
                " " (plural(series.total.into(), "container", "containers")) ", "
                (plural(targets.total.into(), "process", "processes")) "."
            }
        }
    }
}

fn link(view: &View, series: &Series) -> String {
    let Some(target) = &series.target else {
        return view.link("/container");
    };
    name::container_view(view, name::container(target), &target.node).link("/container")
}

fn titled(series: &Series) -> String {
    series
        .target
        .as_ref()
        .map_or_else(|| "unknown".into(), name::of)
}

/// Slope of live bytes.
pub(super) fn rate(slope: f64) -> String {
    let sign = if slope >= 0.5 { "+" } else { "" };
    format!("{sign}{} per hour", mean_bytes(slope))
}

/// Growth worth a look: more than this share of what is live in an hour.
const NOTABLE: f64 = 0.02;

fn notable(series: &Series) -> bool {
    let live = series
        .points
        .last()
        .map_or(0, |point| point.committed_live_bytes);
    series.live_slope_bytes_per_hour > NOTABLE * live as f64
}

/// Narrows the page by fields; without a script.
fn filters(view: &View, window: &Window) -> Markup {
    let fields = ["node", "namespace", "workload", "image", "label", "process"];
    let pairs = view.afresh().pairs();
    let value = |field: &str| {
        pairs
            .iter()
            .find(|(key, _)| key == field)
            .map(|(_, value)| value)
    };
    // What the form has no field for, and further values of those that it has, stay as they are.
    let mut seen: Vec<&str> = Vec::new();
    let kept = pairs.iter().filter(|(key, _)| {
        let first = fields.contains(&key.as_str()) && !seen.contains(&key.as_str());
        seen.push(key);
        !first && key != "span"
    });
    html! {
        form.filters method="get" action=(PATH) role="search" aria-label="Narrow the overview" {
            @for field in fields {
                label { (field) input type="text" name=(field) value=[value(field)]; }
            }
            @for (key, value) in kept { input type="hidden" name=(key) value=(value); }
            @if view.from.is_none() {
                label {
                    "looking back"
                    select name="span" {
                        @for span in spans(window) {
                            @let chosen = (span as f64 - window.length()).abs() < 1.0;
                            option value=(moment::span(span)) selected[chosen] {
                                (moment::span(span))
                            }
                        }
                    }
                }
            }
            button type="submit" { "Narrow" }
            @if !pairs.is_empty() { a href=(PATH) { "Clear" } }
        }
    }
}

/// The spans that are offered, with the one that is chosen.
fn spans(window: &Window) -> Vec<i64> {
    let mut spans = SPANS.to_vec();
    let own = moment::at(window.length() + 0.5).seconds;
    if !spans.contains(&own) {
        spans.push(own);
        spans.sort_unstable();
    }
    spans
}

/// One column: its title, whether it is a figure, and its cells. A new column is a new entry.
struct Column {
    title: &'static str,
    number: bool,
    cell: fn(&View, &Window, &Series) -> Markup,
}

const COLUMNS: [Column; 7] = [
    Column {
        title: "Container",
        number: false,
        cell: container,
    },
    Column {
        title: "Growth",
        number: true,
        cell: |_, _, series| {
            let grows = notable(series);
            html! { span.more[grows] { (rate(series.live_slope_bytes_per_hour)) } }
        },
    },
    Column {
        title: "Live over time",
        number: false,
        cell: |_, window, series| sparkline(series, window),
    },
    Column {
        title: "Live",
        number: true,
        cell: |_, _, series| {
            html! { (series.points.last().map_or_else(|| "–".into(), |point| bytes(point.committed_live_bytes))) }
        },
    },
    Column {
        title: "Committed",
        number: true,
        cell: |_, _, series| {
            html! { (series.points.last().map_or_else(|| "–".into(), |point| bytes(point.committed_bytes))) }
        },
    },
    Column {
        title: "Processes",
        number: true,
        cell: |_, _, series| {
            html! { (count(series.points.last().map_or(0, |point| point.processes).into())) }
        },
    },
    Column {
        title: "Node",
        number: false,
        cell: |view, _, series| {
            let node = series
                .target
                .as_ref()
                .map_or("", |target| target.node.as_str());
            let mut narrowed = view.afresh();
            narrowed.selector.nodes = vec![node.to_owned()];
            html! { @if !node.is_empty() { a href=(narrowed.link(PATH)) { (clean(node)) } } }
        },
    },
];

fn container(view: &View, _: &Window, series: &Series) -> Markup {
    let target = series.target.clone().unwrap_or_default();
    html! {
        a href=(link(view, series)) { (titled(series)) }
        @if !series.alive { " " span.tag { "ended " (moment::shown(series.last.as_ref())) } }
        " " span.note { (clean(&target.image)) }
    }
}

fn containers(
    view: &View,
    window: &Window,
    shown: &[Series],
    series: &ListSeriesResponse,
) -> Markup {
    if shown.is_empty() {
        return html! { p.empty { "No container matches." } };
    }
    let caption = format!(
        "Containers, fastest growth of live memory first; {} of {}",
        count(shown.len() as u64),
        count(series.total.into())
    );
    html! {
        div.scroll tabindex="0" role="region" aria-label="Containers" {
            table.overview {
                caption { (caption) }
                thead { tr {
                    @for column in &COLUMNS {
                        th.number[column.number] scope="col" { (column.title) }
                    }
                } }
                tbody {
                    @for one in shown {
                        tr {
                            @for column in &COLUMNS {
                                td.number[column.number] data-title=(column.title) { ((column.cell)(view, window, one)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn pages(view: &View, page: u32, total: u32) -> Markup {
    let last = total.min(MOST_SERIES).div_ceil(ROWS).max(1);
    let to = |page: u32| {
        View {
            page,
            ..view.clone()
        }
        .link(PATH)
    };
    html! {
        @if last > 1 {
            nav.pages aria-label="Pages of containers" {
                @if page > 1 { a href=(to(page - 1)) rel="prev" { "Previous" } }
                span { "Page " (page) " of " (last) }
                @if page < last { a href=(to(page + 1)) rel="next" { "Next" } }
            }
        }
        @if total > MOST_SERIES {
            p.note { "Only the first " (MOST_SERIES) " can be paged through: narrow them." }
        }
    }
}

fn links(view: &View) -> [(&'static str, String); 5] {
    let view = view.afresh();
    [
        ("series (JSON)", view.link("/series.json")),
        ("stacks (JSON)", view.link("/top.json")),
        ("stacks (pprof)", view.link("/profile.pb.gz")),
        ("stacks (folded)", view.link("/stacks.folded")),
        ("flame graph (SVG)", view.link("/flame.svg")),
    ]
}
