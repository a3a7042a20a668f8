//! Whether memory grows without end.

mod full;
mod kills;
pub mod words;

use profiler_proto::v1::{ListVerdictsResponse, Target, Verdict, VerdictChange, VerdictState};

use self::words::{ahead, leaks, named, slope, state};
pub use self::{full::in_full, kills::kills};
use super::{
    accounting,
    spark::over_time,
    target::{add_nodes, pod},
};
use crate::{
    screen::Look,
    table::{Align, Table},
    text::plural,
    time::{seconds_between, shown},
    units::{bytes, count},
};

/// Columns of a sparkline.
const WIDTH: usize = 24;
/// Columns that give way where it is narrow, the first first.
const GIVE_WAY: [&str; 4] = ["SINCE", "OVER TIME", "LIMIT", "POD"];

/// One row a verdict, in the order of the answer.
pub fn table(response: &ListVerdictsResponse, look: Look) -> String {
    let mut text = head(response, look);
    if response.verdicts.is_empty() {
        let hint = "nothing matches; --all adds processes that are in no container or unit\n";
        return text + hint;
    }
    text.push_str(&rows(&response.verdicts).render_fitting(&GIVE_WAY, look));
    let worst = &response.verdicts[0];
    if leaks(worst.state()) {
        let hint = format!("\n{}\n", look.dim("`profiler verdict --full` says why"));
        text.push_str(&hint);
    }
    text.push('\n');
    text.push_str(&accounting::footer(response.accounting.as_ref(), look));
    text
}

/// A line for a verdict that has changed.
pub fn change(change: &VerdictChange, look: Look) -> String {
    let unknown = Verdict::default();
    let verdict = change.verdict.as_ref().unwrap_or(&unknown);
    let now = words::coloured(verdict.state(), look);
    let became = match change.from() {
        VerdictState::Unspecified => now,
        before if before == verdict.state() => now,
        before => format!("{} -> {now}", state(before)),
    };
    let health = match (verdict.healthy, verdict.health_reason.as_str()) {
        (true, _) => "healthy".to_owned(),
        (false, "") => "unhealthy".to_owned(),
        (false, reason) => format!("unhealthy: {}", crate::text::clean(reason)),
    };
    format!(
        "{}  {became}  {}  {}, {} per hour, {}\n",
        shown(change.time.as_ref()),
        named(verdict.target.as_ref()),
        bytes(verdict.anon_bytes),
        slope(verdict),
        look.dim(&health),
    )
}

fn head(response: &ListVerdictsResponse, look: Look) -> String {
    let shown_rows = response.verdicts.len() as u64;
    let total = plural(response.total.into(), "verdict", "verdicts");
    let extent = match shown_rows < u64::from(response.total) {
        true => format!("{} of {total}", count(shown_rows)),
        false => total,
    };
    let facts = format!("at {}; {extent}", shown(response.time.as_ref()));
    format!(
        "{}\n{}\n\n",
        look.bold("is it leaking, worst first (anonymous memory with swap, by the kernel)"),
        look.dim(&facts)
    )
}

fn rows(verdicts: &[Verdict]) -> Table {
    let mut table = Table::new([
        ("STATE", Align::Left),
        ("CONTAINER OR PROCESS", Align::Left),
        ("MEMORY", Align::Right),
        ("LIMIT", Align::Right),
        ("PER HOUR (99%)", Align::Right),
        ("TO LIMIT (90%)", Align::Right),
        ("SINCE", Align::Left),
        ("OVER TIME", Align::Right),
    ]);
    for verdict in verdicts {
        table.push(vec![
            state(verdict.state()).into(),
            named(verdict.target.as_ref()),
            bytes(verdict.anon_bytes),
            limit(verdict.limit_bytes),
            slope(verdict),
            ahead(verdict),
            shown(verdict.since.as_ref()),
            line(verdict),
        ]);
    }
    let unknown = Target::default();
    let targets = verdicts.iter();
    let targets = targets.map(|one| one.target.as_ref().unwrap_or(&unknown));
    if targets.clone().any(|target| !pod(target).is_empty()) {
        table.insert("MEMORY", "POD", targets.map(pod).collect());
    }
    let nodes = verdicts.iter().map(|verdict| &*verdict.node);
    add_nodes(&mut table, "CONTAINER OR PROCESS", nodes);
    table
}

fn limit(bytes_: u64) -> String {
    match bytes_ {
        0 => "-".into(),
        some => bytes(some),
    }
}

/// The largest readings of its own life.
fn line(verdict: &Verdict) -> String {
    let (Some(first), Some(last)) = (verdict.points.first(), verdict.points.last()) else {
        return String::new();
    };
    let from = first.time.as_ref();
    let span = seconds_between(from, last.time.as_ref()).max(1.0);
    let points = verdict.points.iter().map(|point| {
        let place = seconds_between(from, point.time.as_ref()) / span;
        (place, point.max_bytes)
    });
    over_time(&points.collect::<Vec<_>>(), WIDTH)
}
