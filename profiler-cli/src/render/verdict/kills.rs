//! Processes that the kernel killed for want of memory.

use profiler_proto::v1::{ListOomKillsResponse, OomKill, Target};

use super::words::{named, state};
use crate::{
    render::{spark::over_time, stack, target::pod},
    screen::Look,
    text::{clean, plural},
    time::{seconds_between, shown},
    units::{bytes, count, delta, seconds},
};

/// Columns of a sparkline.
const WIDTH: usize = 40;
/// Rows of growth of a kill.
const ROWS: usize = 5;
/// Frames of a row.
const FRAMES: usize = 3;

/// Each kill with what led to it, the latest first.
pub fn kills(response: &ListOomKillsResponse, look: Look) -> String {
    let title = "processes that the kernel killed for want of memory, the latest first";
    let total = plural(response.total.into(), "kill", "kills");
    let mut facts = match response.kills.len() < response.total as usize {
        true => format!("{} of {total}", response.kills.len()),
        false => total,
    };
    if response.forgotten > 0 {
        let earlier = count(response.forgotten);
        facts.push_str(&format!("; {earlier} before them are no longer known"));
    }
    let mut text = format!("{}\n{}\n", look.bold(title), look.dim(&facts));
    for kill in &response.kills {
        text.push('\n');
        text.push_str(&one(kill, look));
    }
    text
}

fn one(kill: &OomKill, look: Look) -> String {
    let victim = format!("{} (pid {})", clean(&kill.process_name), kill.pid);
    let mut text = format!(
        "{}  {}  {}\n",
        shown(kill.time.as_ref()),
        look.warn(&victim),
        place(kill)
    );
    let why = match kill.constraint.as_str() {
        "cgroup" => "its cgroup's limit was reached",
        "host" => "the host had no memory left",
        _ => "whose limit was reached is not known",
    };
    text.push_str(&format!("    {why}{}", victims(kill)));
    if !kill.source.is_empty() {
        text.push_str(&format!(" (noticed by {})", clean(&kill.source)));
    }
    text.push('\n');
    text.push_str(&before(kill));
    for row in kill.growth.iter().take(ROWS) {
        text.push_str(&format!("    {}\n", delta(row.live_delta_bytes)));
        text.push_str(&stack::lines(row, FRAMES, look));
    }
    text
}

fn place(kill: &OomKill) -> String {
    let Some(target) = &kill.target else {
        return clean(&kill.node).into_owned();
    };
    let whole = Target {
        pid: 0,
        ..target.clone()
    };
    let pod = pod(target);
    let parts = [
        ("", named(Some(&whole))),
        ("pod ", pod),
        ("on ", clean(&kill.node).into_owned()),
    ];
    let parts = parts.iter().filter(|(_, name)| !name.is_empty());
    let parts: Vec<_> = parts.map(|(what, name)| format!("{what}{name}")).collect();
    parts.join("  ")
}

fn victims(kill: &OomKill) -> String {
    let mut text = String::new();
    if let Some(anon) = kill.victim_anon_bytes {
        text.push_str(&format!("; the victim held {}", bytes(anon)));
    }
    if let Some(resident) = &kill.resident {
        let held = resident.anon_bytes.saturating_add(resident.swap_bytes);
        text.push_str(&format!("; its container held {}", bytes(held)));
        if let Some(limit) = resident.limit_bytes {
            text.push_str(&format!(" of {}", bytes(limit)));
        }
    }
    text
}

fn before(kill: &OomKill) -> String {
    let mut text = format!("    before: {}", state(kill.state_before()));
    if let (Some(first), Some(last)) = (kill.points.first(), kill.points.last()) {
        let from = first.time.as_ref();
        let span = seconds_between(from, last.time.as_ref());
        let points = kill.points.iter().map(|point| {
            let place = seconds_between(from, point.time.as_ref()) / span.max(1.0);
            (place, point.max_bytes)
        });
        let line = over_time(&points.collect::<Vec<_>>(), WIDTH);
        text.push_str(&format!("  {line}  over {}", seconds(span)));
    }
    text.push('\n');
    if !kill.growth.is_empty() {
        let over = seconds(kill.growth_seconds);
        text.push_str(&format!("    who demanded memory in the {over} before:\n"));
    }
    text
}
