//! The history of OOM kills, each with the growth before it.

use axum::response::Html;
use maud::{Markup, html};
use profiler_formats::{
    connection::process,
    text::{clean, plural},
    units::{bytes, seconds},
};
use profiler_proto::v1::{
    ListOomKillsRequest, ListOomKillsResponse, OomKill, Target, VerdictState,
};

use super::{
    address::{By, View},
    ask::Ask,
    failure::Failure,
    growth::Table,
    layout::{self, Place, time},
    moment, name, resident, verdict,
};

const PATH: &str = "/oom";
/// Kills on a page, and rows of growth of each.
const KILLS: u32 = 30;
const ROWS: usize = 5;

/// The page of a view: over all that is kept, if it names no time.
pub(super) async fn page(ask: Ask, view: View) -> Result<Html<String>, Failure> {
    let view = &view;
    let answer = ask.oom_kills(request(view, KILLS)).await?;
    let body = html! {
        h1 { "OOM kills" }
        p.lead {
            @if answer.total == 0 {
                "No process was killed for want of memory."
            } @else {
                b { (plural(answer.total.into(), "process was", "processes were")) }
                " killed for want of memory."
            }
        }
        p.facts { span { "chosen: " (name::selection(&view.selector)) } }
        @if answer.total == 0 {
            p.empty {
                "Nothing is kept for this selection and time. Agents before 0.2 don't tell of kills."
            }
        }
        @for (index, kill) in answer.kills.iter().enumerate() { (one(view, index, kill)) }
        (older(view, &answer))
    };
    Ok(layout::page("OOM kills", Place::Oom, &body))
}

/// What the page asks, and a container's for its marks.
pub(super) fn request(view: &View, limit: u32) -> ListOomKillsRequest {
    let to = view.to;
    let back = |span: i64| moment::later(&to.unwrap_or_else(moment::now), -span);
    ListOomKillsRequest {
        selector: Some(view.selector.clone()),
        from: view.from.or(view.span.map(back)),
        to,
        limit,
    }
}

fn one(view: &View, index: usize, kill: &OomKill) -> Markup {
    let target = kill.target.clone().unwrap_or_default();
    let id = format!("kill-{index}");
    html! {
        section aria-labelledby=(id) {
            h2 #(id) { (time(kill.time.as_ref())) ": " (victim(kill)) }
            (facts(view, kill, &target))
            @if !kill.points.is_empty() {
                p { "Resident in the minutes before: " } (resident::sparkline(&kill.points))
            }
            (growth(view, kill, &target))
        }
    }
}

fn victim(kill: &OomKill) -> String {
    match process(&kill.process_name, kill.pid) {
        unknown if unknown.is_empty() => "unknown process".into(),
        process => process,
    }
}

/// What the kernel said of why.
fn why(kill: &OomKill) -> String {
    match kill.constraint.as_str() {
        "cgroup" => "a limit was reached".into(),
        "host" => "the host had no memory left".into(),
        "" => "not known".into(),
        other => clean(other).into_owned(),
    }
}

fn facts(view: &View, kill: &OomKill, target: &Target) -> Markup {
    let container = name::container_view(view, name::container(target), &kill.node);
    let container = before(&container, kill);
    html! {
        dl.facts {
            dt { "Container" }
            dd { a href=(container.link("/container")) { (name::of(target)) } " on " (clean(&kill.node)) }
            dt { "Why" } dd { (why(kill)) " (noticed by " (clean(&kill.source)) ")" }
            @if let Some(anon) = kill.victim_anon_bytes {
                dt { "The victim had" } dd { (bytes(anon)) }
            }
            @if let Some(last) = &kill.resident {
                dt { "Its container had" }
                dd {
                    (bytes(last.anon_bytes.saturating_add(last.swap_bytes)))
                    @if let Some(limit) = last.limit_bytes { " of " (bytes(limit)) }
                    " at " (time(last.time.as_ref()))
                }
            }
            @if kill.state_before() != VerdictState::Unspecified {
                dt { "Verdict before" } dd { (verdict::badge(kill.state_before())) }
            }
        }
    }
}

/// The hour before the kill, and a little after it.
fn before(view: &View, kill: &OomKill) -> View {
    let Some(at) = &kill.time else {
        return view.clone();
    };
    let to = moment::later(at, 120);
    let now = moment::now();
    View {
        from: Some(moment::later(at, -3_600)),
        to: Some(if moment::before(&to, &now) { to } else { now }),
        span: None,
        ..view.clone()
    }
}

fn growth(view: &View, kill: &OomKill, target: &Target) -> Markup {
    let container = name::container_view(view, name::container(target), &kill.node);
    html! {
        @if kill.growth.is_empty() {
            p.note { "No growth by stack was seen before it." }
        } @else {
            p {
                "Growth over the " (seconds(kill.growth_seconds)) " before "
                span.note { "(tier C: who demanded memory, not who retains it)" }
            }
            (Table {
                rows: &kill.growth[..kill.growth.len().min(ROWS)],
                total: u32::try_from(kill.growth.len()).unwrap_or(u32::MAX),
                by: By::Stack,
                change: true,
                view: &before(&container, kill),
                path: "/container",
                next: "",
            }.show())
        }
    }
}

/// The way to those before the last one shown.
fn older(view: &View, answer: &ListOomKillsResponse) -> Markup {
    let last = answer.kills.last().and_then(|kill| kill.time.as_ref());
    let Some(last) = last.filter(|_| answer.total as usize > answer.kills.len()) else {
        return html! {};
    };
    let older = View {
        to: Some(moment::later(last, -1)),
        ..view.clone()
    };
    html! {
        nav.pages aria-label="Pages of kills" {
            a href=(older.link(PATH)) rel="next" { "Older" }
        }
    }
}
