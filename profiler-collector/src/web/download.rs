//! What pages show, for other tools: pprof, folded stacks, flame graphs, JSON.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use pbjson_types::Timestamp;
use profiler_formats::{
    flame::{self, Caption, Kind},
    folded::{self, Value},
    json, pprof,
    text::clean,
    units::{bytes, share},
};
use profiler_proto::v1::{Selector, TopRequest, TopResponse};

use super::{
    address::{By, View, value_name},
    ask::Ask,
    connections, container, diff,
    failure::Failure,
    moment, name, overview,
    window::Window,
};

/// Rows that one answer can carry.
const MOST_ROWS: u32 = 10_000;
const MOST_SERIES: u32 = 1_000;

const TEXT: &str = "text/plain; charset=utf-8";

/// A flame graph has styles of its own and nothing else; alone in a window it is as shut in.
const SVG_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox";

pub(super) async fn flame_svg(ask: Ask, view: View) -> Result<Response, Failure> {
    let top = stacks(&ask, &view).await?;
    aside(move || {
        let lines = folded::lines(&folded::fold(&top.rows, view.value));
        picture(&lines, &caption(&view, &top))
    })
    .await
}

pub(super) async fn diff_svg(ask: Ask, view: View) -> Result<Response, Failure> {
    let window = Window::of(&view)?;
    let (before, after) = both(&ask, &view, &window).await?;
    aside(move || {
        let mut caption = caption(&view, &after);
        caption.facts.push_str(&than(&view, &window));
        picture(&merged(&before, &after, view.value)?, &caption)
    })
    .await
}

pub(super) async fn stacks_folded(ask: Ask, view: View) -> Result<Response, Failure> {
    let top = stacks(&ask, &view).await?;
    aside(move || {
        let lines = folded::lines(&folded::fold(&top.rows, view.value));
        Ok(file("stacks.folded", TEXT, lines.into_bytes()))
    })
    .await
}

/// Both moments: two figures a line.
pub(super) async fn diff_folded(ask: Ask, view: View) -> Result<Response, Failure> {
    let window = Window::of(&view)?;
    let (before, after) = both(&ask, &view, &window).await?;
    aside(move || {
        let lines = merged(&before, &after, view.value)?;
        Ok(file("diff.folded", TEXT, lines.into_bytes()))
    })
    .await
}

pub(super) async fn profile(ask: Ask, view: View) -> Result<Response, Failure> {
    let top = stacks(&ask, &view).await?;
    aside(move || {
        let packed = pprof::to_gzip(&top).map_err(|error| Failure::unmade(&error))?;
        Ok(file("profile.pb.gz", "application/octet-stream", packed))
    })
    .await
}

pub(super) async fn top_json(ask: Ask, view: View) -> Result<Response, Failure> {
    let window = Window::of(&view)?;
    let request = container::top_request(&view, window.at(), view.by, MOST_ROWS);
    as_json("top.json", ask.top(request).await?).await
}

pub(super) async fn diff_json(ask: Ask, view: View) -> Result<Response, Failure> {
    let window = Window::of(&view)?;
    let request = diff::request(&view, &window, MOST_ROWS);
    as_json("diff.json", ask.diff(request).await?).await
}

pub(super) async fn series_json(ask: Ask, view: View) -> Result<Response, Failure> {
    let window = Window::of(&view)?;
    let request = overview::request(&view, &window, MOST_SERIES);
    as_json("series.json", ask.series(request).await?).await
}

pub(super) async fn connections_json(ask: Ask, view: View) -> Result<Response, Failure> {
    let request = connections::request(&view, MOST_ROWS);
    as_json("connections.json", ask.connections(request).await?).await
}

pub(super) async fn nodes_json(ask: Ask, view: View) -> Result<Response, Failure> {
    as_json("nodes.json", ask.nodes(view.selector.clone()).await?).await
}

pub(super) async fn status_json(ask: Ask, _: View) -> Result<Response, Failure> {
    as_json("status.json", ask.status().await?).await
}

/// All rows by stack of a view's moment.
async fn stacks(ask: &Ask, view: &View) -> Result<TopResponse, Failure> {
    let window = Window::of(view)?;
    ask.top(all_stacks(view, &view.selector, window.at())).await
}

/// All rows by stack before and after.
async fn both(
    ask: &Ask,
    view: &View,
    window: &Window,
) -> Result<(TopResponse, TopResponse), Failure> {
    let earlier = if view.compares() {
        &view.against
    } else {
        &view.selector
    };
    let same = view.compares() && view.from.is_none();
    let at = if same { window.at() } else { Some(window.from) };
    tokio::try_join!(
        ask.top(all_stacks(view, earlier, at)),
        ask.top(all_stacks(view, &view.selector, window.at())),
    )
}

fn merged(before: &TopResponse, after: &TopResponse, value: Value) -> Result<String, Failure> {
    let fold = |top: &TopResponse| folded::fold(&top.rows, value);
    Ok(flame::merged(&fold(before), &fold(after))?)
}

/// What a differential picture compares with.
fn than(view: &View, window: &Window) -> String {
    let earlier = moment::shown(Some(&diff::before(view, window)));
    let other = if view.compares() {
        format!("{} at", name::selection(&view.against))
    } else {
        "at".into()
    };
    clean(&format!("; red: more than {other} {earlier}")).into_owned()
}

/// Ten thousand stacks take a while: not on the threads that serve.
async fn aside(
    work: impl FnOnce() -> Result<Response, Failure> + Send + 'static,
) -> Result<Response, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Failure::unmade(&error)))
}

fn all_stacks(view: &View, selector: &Selector, at: Option<Timestamp>) -> TopRequest {
    TopRequest {
        selector: Some(selector.clone()),
        ..container::top_request(view, at, By::Stack, MOST_ROWS)
    }
}

/// What stands above a picture, and how far it can be trusted.
fn caption(view: &View, top: &TopResponse) -> Caption {
    let value = |row: &profiler_proto::v1::GrowthRow| match view.value {
        Value::Live => row.committed_live_bytes,
        Value::Allocated => row.committed_allocated_bytes,
    };
    let total = top.rows.iter().map(value).fold(0, u64::saturating_add);
    let mut facts = vec!["tier C: demand, not retention".to_owned()];
    if (top.rows.len() as u64) < u64::from(top.total_rows) {
        let rows = top.rows.len();
        facts.push(format!("the {rows} largest of {} stacks", top.total_rows));
    }
    if let Some(told) = &top.accounting {
        facts.push(format!(
            "no stack owns {}, shown",
            share(told.unattributed_share)
        ));
        if !told.losses.is_empty() {
            facts.push("something was lost".into());
        }
    }
    let name = value_name(view.value);
    let chosen = name::selection(&view.selector);
    Caption {
        title: clean(&format!("{} {name}, by stack: {chosen}", bytes(total))).into_owned(),
        facts: facts.join("; "),
    }
}

fn picture(lines: &str, caption: &Caption) -> Result<Response, Failure> {
    let picture = flame::svg(lines, caption, Kind::Still)?;
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CONTENT_SECURITY_POLICY, SVG_POLICY),
    ];
    Ok((headers, picture).into_response())
}

async fn as_json(
    name: &'static str,
    message: impl json::Response + 'static,
) -> Result<Response, Failure> {
    aside(move || {
        let text = json::to_text(&message)?;
        Ok(file(name, "application/json", text.into_bytes()))
    })
    .await
}

/// Bytes to be saved under a name.
fn file(name: &'static str, kind: &'static str, content: Vec<u8>) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    (headers, content).into_response()
}
