//! What all pages have in common: the frame around them, the moment that they stand for, and how
//! far they can be trusted.

use axum::response::Html;
use maud::{DOCTYPE, Markup, html};
use pbjson_types::Timestamp;
use profiler_formats::{accounting, units::share};
use profiler_proto::v1::{Accounting, Snapshot};

use super::{address::View, moment, window::Window};

/// Where a page stands in the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Overview,
    Oom,
    Status,
    Elsewhere,
}

/// A whole page around `body`, which begins with its heading.
pub(super) fn page(title: &str, place: Place, body: &Markup) -> Html<String> {
    let entry = |here: Place, path: &str, name: &str| {
        html! { a href=(path) aria-current=[(here == place).then_some("page")] { (name) } }
    };
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · profiler" }
                link rel="stylesheet" href="/style.css";
                link rel="icon" type="image/svg+xml" href="/icon.svg";
            }
            body {
                a.skip href="#main" { "Skip to the answer" }
                header.bar {
                    nav aria-label="Pages" {
                        a.brand href="/" { "profiler" }
                        (entry(Place::Overview, "/", "Overview"))
                        (entry(Place::Oom, "/oom", "OOM kills"))
                        (entry(Place::Status, "/status", "Status"))
                    }
                }
                main #main tabindex="-1" { (body) }
            }
        }
    };
    Html(markup.into_string())
}

/// A moment for people, with the exact one for programs.
pub(super) fn time(moment: Option<&Timestamp>) -> Markup {
    match moment {
        Some(at) => {
            html! { time datetime=(moment::wire(at)) { (moment::shown(moment)) } }
        }
        None => html! { "unknown" },
    }
}

/// The time that a page is about, the moment its figures are of, and how to keep to it.
pub(super) fn stand(
    path: &str,
    view: &View,
    window: &Window,
    snapshot: Option<&Snapshot>,
) -> Markup {
    let now = View {
        from: None,
        to: None,
        mark: None,
        span: None,
        ..view.afresh()
    };
    html! {
        p.stand {
            "As of " (time(snapshot.and_then(|one| one.time.as_ref()).or(Some(&window.to))))
            @if !view.compares() {
                ", over " (time(Some(&window.from))) " to " (time(Some(&window.to)))
            }
            @if window.now {
                " (now) · " a href=(window.fix(view).link(path)) { "Fix this moment" }
            } @else {
                " · " a href=(now.link(path)) { "Go to now" }
            }
        }
    }
}

/// Losses in one line beside the answer, if there are any.
pub(super) fn warning(accounting: Option<&Accounting>) -> Markup {
    let Some(accounting) = accounting else {
        return html! {
            p.warn role="note" { "This answer came without its accounting: it cannot be judged." }
        };
    };
    let causes = accounting.losses.len();
    html! {
        @if causes > 0 {
            p.warn role="note" {
                "Something was lost (" (causes) @if causes == 1 { " cause" } @else { " causes" } "): "
                a href="#accounting" { "what, and what it means" } "."
            }
        }
    }
}

/// How far the page can be trusted: what was seen, what was lost, what no stack owns.
pub(super) fn accounting(accounting: Option<&Accounting>) -> Markup {
    html! {
        section #accounting aria-labelledby="accounting-title" {
            h2 #accounting-title { "How far this can be trusted" }
            @if let Some(told) = accounting {
                ul.plain {
                    @for line in accounting::lines(told) {
                        li.lost[line.starts_with("lost") || line.contains(" stale")] { (line) }
                    }
                }
                p.note {
                    "No stack owns " (share(told.unattributed_share)) " of the live memory. \
                     Counts of events and losses run from the start of the agents until now."
                }
            } @else {
                p.lost { "The answer came without its accounting: figures cannot be judged." }
            }
        }
    }
}

/// Links to the same for other tools.
pub(super) fn downloads(links: &[(&str, String)]) -> Markup {
    html! {
        nav.downloads aria-label="Downloads" {
            span { "Download" }
            @for (name, link) in links { a href=(link) { (name) } }
        }
    }
}
