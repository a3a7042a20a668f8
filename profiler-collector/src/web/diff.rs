//! What changed between two moments, or what one target has more than another.

use axum::response::Html;
use maud::{Markup, html};
use pbjson_types::Timestamp;
use profiler_formats::{text::plural, units::delta};
use profiler_proto::v1::{
    DiffRequest, DiffResponse, ListSeriesRequest, ListSeriesResponse, Selector, Series, SeriesBy,
    Snapshot,
};

use super::{
    address::{AGAINST, By, View, selected},
    ask::Ask,
    container,
    failure::Failure,
    growth::{self, Table},
    layout::{self, Place, time},
    moment, name,
    plot::Plot,
    trunk::Trunk,
    window::Window,
};

const PATH: &str = "/diff";
const POINTS: u32 = 240;
const LIVES: u32 = 20;
/// Shown before and after the two moments, as a share of the time between them.
const AROUND: f64 = 0.25;

/// The page of a view.
pub(super) async fn page(ask: Ask, view: View) -> Result<Html<String>, Failure> {
    let view = &view;
    let window = Window::of(view)?;
    let (answer, series) = tokio::join!(
        ask.diff(DiffRequest {
            page_token: view.token.clone(),
            ..request(view, &window, growth::ROWS)
        }),
        async {
            if view.compares() {
                return Ok(ListSeriesResponse::default());
            }
            ask.series(around(view, &window)).await
        },
    );
    let answer = answer?;
    let title = title(view);
    let snapshot = Snapshot {
        time: answer.to,
        since: None,
    };
    let body = html! {
        h1 { (title) }
        (headline(view, &answer))
        (layout::stand(PATH, view, &window, Some(&snapshot)))
        (layout::warning(answer.accounting.as_ref()))
        @if !view.compares() { (memory(view, &window, series.as_ref())) }
        section aria-labelledby="rows-title" {
            h2 #rows-title { "Who demanded what is there more" }
            (growth::tabs(PATH, view, choices(view)))
            (table(view, &answer))
            @if !answer.rows.is_empty() {
                (growth::flame("/diff.svg", view, "Differential flame graph of live memory"))
                p.note { "In the flame graph red grew, blue shrank." }
            }
            (layout::downloads(&links(view, &window)))
        }
        (against(view))
        (layout::accounting(answer.accounting.as_ref()))
    };
    Ok(layout::page(&title, Place::Elsewhere, &body))
}

/// What the page and its download ask.
pub(super) fn request(view: &View, window: &Window, limit: u32) -> DiffRequest {
    DiffRequest {
        selector: Some(view.selector.clone()),
        by: growth::group_by(view.by),
        limit,
        // Two targets may be compared at one moment.
        from: if view.compares() {
            view.from
        } else {
            Some(window.from)
        },
        to: window.at(),
        include_unattributed: true,
        connection: view.connection,
        against: view.compares().then(|| view.against.clone()),
        ..DiffRequest::default()
    }
}

/// Memory around the two moments.
fn around(view: &View, window: &Window) -> ListSeriesRequest {
    let wide = wide(window);
    ListSeriesRequest {
        selector: Some(view.selector.clone()),
        by: SeriesBy::Container.into(),
        from: Some(wide.from),
        to: wide.at(),
        points: POINTS,
        limit: LIVES,
    }
}

fn wide(window: &Window) -> Window {
    let margin = moment::at(window.length() * AROUND).seconds.max(1);
    let (now, after) = (moment::now(), moment::later(&window.to, margin));
    Window {
        from: moment::later(&window.from, -margin),
        to: if moment::before(&now, &after) {
            now
        } else {
            after
        },
        now: window.now,
    }
}

fn title(view: &View) -> String {
    let chosen = name::selection(&view.selector);
    if view.compares() {
        let other = name::selection(&view.against);
        return format!("What {chosen} has more than {other}");
    }
    format!("What changed: {chosen}")
}

/// Rows that two targets can be matched by, or all.
fn choices(view: &View) -> &'static [By] {
    if view.compares() {
        &[By::Stack, By::Function]
    } else {
        &By::ALL
    }
}

/// The answer in one sentence.
fn headline(view: &View, answer: &DiffResponse) -> Markup {
    let most = answer.rows.first().filter(|row| row.live_delta_bytes > 0);
    html! {
        p.lead {
            @match most {
                Some(row) => {
                    "Most growth: " b.more { (delta(row.live_delta_bytes)) }
                    @if matches!(view.by, By::Stack | By::Function) {
                        " demanded by "
                        code { (Trunk::of(&answer.rows).trace(row).names.into_iter().take(3).collect::<Vec<_>>().join(" ‹ ")) }
                    }
                    "; " (plural(answer.total_rows.into(), "row", "rows")) " in all."
                }
                None => "Nothing grew.",
            }
        }
        p {
            @if view.compares() { "Against the other target at " } @else { "From " }
            (time(answer.from.as_ref())) " to " (time(answer.to.as_ref()))
            ", the kept snapshots at or before the moments asked for."
        }
    }
}

/// Memory around the two moments; a click moves one of them.
fn memory(view: &View, window: &Window, series: Result<&ListSeriesResponse, &Failure>) -> Markup {
    let fixed = window.fix(view).afresh();
    html! {
        section aria-labelledby="memory-title" {
            h2 #memory-title { "Memory over time" }
            @match series {
                Err(failure) => (failure.part()),
                Ok(answer) => figure {
                    (drawn(&fixed, window, &answer.series))
                    figcaption {
                        "Area: live. Thin line: committed. Choose a moment on the plot to move the \
                         nearer of the two, or type them:"
                    }
                },
            }
            (container::between(view, &window.from, &window.to))
        }
    }
}

fn drawn(fixed: &View, window: &Window, series: &[Series]) -> Markup {
    let middle = moment::later(&window.from, moment::at(window.length() / 2.0).seconds);
    let told = format!(
        "Memory around the two moments {} and {}",
        moment::shown(Some(&window.from)),
        moment::shown(Some(&window.to))
    );
    let plot = Plot {
        series,
        window: wide(window),
        marks: vec![window.from, window.to],
        told,
    };
    plot.draw(|at| {
        let beginning = moment::before(&at, &middle);
        let moved = if beginning {
            View {
                from: Some(at),
                ..fixed.clone()
            }
        } else {
            View {
                to: Some(at),
                ..fixed.clone()
            }
        };
        let which = if beginning { "from" } else { "to" };
        (
            moved.link(PATH),
            format!("compare {which} {}", moment::shown(Some(&at))),
        )
    })
}

fn table(view: &View, answer: &DiffResponse) -> Markup {
    Table {
        rows: &answer.rows,
        total: answer.total_rows,
        by: view.by,
        change: true,
        view,
        path: PATH,
        next: &answer.next_page_token,
    }
    .show()
}

/// Chooses another target to compare with.
fn against(view: &View) -> Markup {
    let mut rest = view.afresh();
    rest.against = Selector::default();
    if !matches!(rest.by, By::Stack | By::Function) {
        rest.by = By::Stack;
    }
    let chosen = selected(AGAINST, &view.against);
    html! {
        section aria-labelledby="against-title" {
            h2 #against-title { "Compare with another target" }
            p.note {
                "Rows are matched by the functions of their stacks, whatever process, build or \
                 node they are of."
            }
            form.filters method="get" action=(PATH) aria-label="Compare with another target" {
                @for (key, value) in rest.pairs() { input type="hidden" name=(key) value=(value); }
                @for field in ["container", "pod", "workload", "image", "node"] {
                    @let key = format!("{AGAINST}{field}");
                    @let value = chosen.iter().find(|(name, _)| *name == key).map(|(_, value)| value);
                    label { (field) input type="text" name=(key) value=[value]; }
                }
                button type="submit" { "Compare" }
                @if view.compares() { a href=(rest.link(PATH)) { "Two moments instead" } }
            }
        }
    }
}

fn links(view: &View, window: &Window) -> [(&'static str, String); 5] {
    let view = view.afresh();
    let earlier = View {
        selector: if view.compares() {
            view.against.clone()
        } else {
            view.selector.clone()
        },
        to: Some(before(&view, window)),
        from: None,
        against: Selector::default(),
        ..view.clone()
    };
    let later = View {
        from: None,
        against: Selector::default(),
        ..view.clone()
    };
    [
        ("pprof before", earlier.link("/profile.pb.gz")),
        ("pprof after", later.link("/profile.pb.gz")),
        ("folded, both", view.link("/diff.folded")),
        ("SVG", view.link("/diff.svg")),
        ("JSON", view.link("/diff.json")),
    ]
}

/// The moment that is compared with.
pub(super) fn before(view: &View, window: &Window) -> Timestamp {
    if view.compares() && view.from.is_none() {
        return window.to;
    }
    window.from
}
