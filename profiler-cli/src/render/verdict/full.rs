//! A verdict with all that it rests on.

use profiler_proto::v1::{
    Evidence, Gate, Life, Lineage, ListVerdictsResponse, Reconciliation, Resident, Verdict,
};

use super::{
    head,
    words::{ahead, coloured, end, figure, meaning, named, outcome, slope, tier},
};
use crate::{
    render::{accounting, plot::plot, target::pod},
    screen::Look,
    table::{Align, Table},
    text::{clean, plural, wrapped},
    time::{seconds_between, shown},
    units::{bytes, count, seconds, share},
};

/// Columns of the picture.
const PICTURE: usize = 72;
/// Columns of labels at its left.
const LABELS: usize = 18;

/// Each verdict of the answer.
pub fn in_full(response: &ListVerdictsResponse, look: Look) -> String {
    let mut text = head(response, look);
    if response.verdicts.is_empty() {
        text.push_str("nothing matches; `profiler targets` lists what is observed\n");
        return text;
    }
    for verdict in &response.verdicts {
        text.push_str(&one(verdict, look));
        text.push('\n');
    }
    text.push_str(&accounting::footer(response.accounting.as_ref(), look));
    text
}

fn one(verdict: &Verdict, look: Look) -> String {
    let mut text = title(verdict, look);
    text.push_str(&picture(verdict, look));
    text.push_str(&facts(verdict));
    text.push_str(&gates(&verdict.gates, look));
    text.push_str(&evidence(&verdict.evidence, look));
    if !verdict.not_excluded.is_empty() {
        text.push_str(&section("not excluded", look));
        for one in &verdict.not_excluded {
            text.push_str(&item(&clean(one), look));
        }
    }
    if let Some(reconciliation) = &verdict.reconciliation {
        text.push_str(&reconciled(reconciliation, look));
    }
    if let Some(lineage) = verdict.lineage.as_ref().filter(|one| !one.id.is_empty()) {
        text.push_str(&lives(lineage, look));
    }
    text.push_str(&health(verdict, look));
    text
}

fn title(verdict: &Verdict, look: Look) -> String {
    let target = verdict.target.clone().unwrap_or_default();
    let mut name = named(Some(&target));
    let pod = pod(&target);
    for (what, value) in [("pod", pod.as_str()), ("on", verdict.node.as_str())] {
        if !value.is_empty() {
            name.push_str(&format!("  {what} {}", clean(value)));
        }
    }
    format!(
        "{}  {}\n  {}, since {}, by {} of readings\n\n",
        coloured(verdict.state(), look),
        look.bold(&name),
        meaning(verdict.state()),
        shown(verdict.since.as_ref()),
        seconds(verdict.observed_seconds),
    )
}

fn picture(verdict: &Verdict, look: Look) -> String {
    let (Some(first), Some(last)) = (verdict.points.first(), verdict.points.last()) else {
        return String::new();
    };
    let from = first.time.as_ref();
    let span = seconds_between(from, last.time.as_ref()).max(1.0);
    let points: Vec<_> = verdict
        .points
        .iter()
        .map(|point| {
            let place = seconds_between(from, point.time.as_ref()) / span;
            (place, point.max_bytes)
        })
        .collect();
    let width = look.width.unwrap_or(PICTURE + LABELS);
    let width = width.saturating_sub(LABELS).clamp(16, PICTURE);
    let drawn = plot(&points, verdict.limit_bytes, width);
    let axis = format!("{} to {}", shown(from), shown(last.time.as_ref()));
    let indent = " ".repeat(LABELS);
    format!("{drawn}{indent}{}\n\n", look.dim(&axis))
}

fn facts(verdict: &Verdict) -> String {
    let limit = match verdict.limit_bytes {
        0 => "none".to_owned(),
        limit => bytes(limit),
    };
    let mut lines = vec![
        (
            "memory",
            format!("{}, limit {limit}", bytes(verdict.anon_bytes)),
        ),
        ("floor", bytes(verdict.floor_bytes)),
        ("per hour", format!("{}, band of 99%", slope(verdict))),
        (
            "to limit",
            format!("{}, band of 90% (of simulated series)", ahead(verdict)),
        ),
    ];
    if verdict.time_to_limit_seconds.is_none() {
        lines.pop();
    }
    if let Some(each) = verdict.bytes_per_request {
        lines.push(("per request", figure(each, "bytes")));
    }
    if let Some(resident) = &verdict.resident {
        lines.push(("counters", counters(resident)));
    }
    let lines = lines
        .iter()
        .map(|(name, value)| format!("  {name:<12}{value}\n"));
    lines.collect()
}

/// What the kernel offers of it.
fn counters(resident: &Resident) -> String {
    let amounts = [
        ("anon", Some(resident.anon_bytes)),
        ("swap", Some(resident.swap_bytes)),
        ("file", resident.file_bytes),
        ("shmem", resident.shmem_bytes),
        ("sockets", resident.sock_bytes),
        ("kernel", resident.kernel_bytes),
        ("huge pages", resident.anon_thp_bytes),
    ];
    let mut parts: Vec<String> = amounts
        .into_iter()
        .filter_map(|(name, amount)| Some(format!("{name} {}", bytes(amount?))))
        .collect();
    if let Some(kills) = resident.events_oom_kill {
        parts.push(format!("{} OOM kills", count(kills)));
    }
    if let Some(some) = resident.pressure_some {
        parts.push(format!("{} of the time short of memory", share(some)));
    }
    format!("{} ({})", parts.join(", "), clean(&resident.source))
}

fn section(title: &str, look: Look) -> String {
    format!("\n{}\n", look.bold(title))
}

fn item(text: &str, look: Look) -> String {
    let width = look.width.map(|width| width.saturating_sub(4));
    let lines = wrapped(text, width);
    let lines = lines.iter().enumerate().map(|(at, line)| {
        let mark = if at == 0 { "-" } else { " " };
        format!("  {mark} {line}\n")
    });
    lines.collect()
}

fn gates(gates: &[Gate], look: Look) -> String {
    if gates.is_empty() {
        return String::new();
    }
    let mut table = Table::new([
        ("  GATE", Align::Left),
        ("FIGURE", Align::Right),
        ("THRESHOLD", Align::Right),
        ("OUTCOME", Align::Left),
        ("MEANING", Align::Left),
    ]);
    for gate in gates {
        table.push(vec![
            format!("  {}", clean(&gate.name)),
            figure(gate.figure, &gate.unit),
            figure(gate.threshold, &gate.unit),
            outcome(gate.outcome()).into(),
            clean(&gate.meaning).into_owned(),
        ]);
    }
    section("gates", look) + &table.render(look)
}

fn evidence(all: &[Evidence], look: Look) -> String {
    if all.is_empty() {
        return String::new();
    }
    let lines = all.iter().map(|one| {
        let text = format!("[{}] {}", tier(one.tier()), clean(&one.text));
        item(&text, look)
    });
    section("evidence (tier C is demand, not retention)", look) + &lines.collect::<String>()
}

fn reconciled(one: &Reconciliation, look: Look) -> String {
    let mut text = section("how it adds up", look);
    text.push_str(&format!(
        "  the kernel counts {}; live by the ledger {}, by stack {}; no stack stands for {}\n",
        bytes(one.kernel_anon_bytes),
        bytes(one.ledger_live_bytes),
        bytes(one.stack_live_bytes),
        share(one.unattributed_share),
    ));
    if let Some(resident) = one.stack_resident_bytes {
        text.push_str(&format!("  resident by stack {}\n", bytes(resident)));
    }
    for cause in &one.causes {
        let told = format!(
            "{} {}: {}",
            bytes(cause.bytes),
            clean(&cause.name),
            clean(&cause.meaning)
        );
        text.push_str(&item(&told, look));
    }
    text
}

fn lives(lineage: &Lineage, look: Look) -> String {
    let title = format!(
        "lives of {} (the same by {}): {}, {}",
        clean(&lineage.name),
        clean(&lineage.basis),
        plural(lineage.restarts.into(), "restart", "restarts"),
        plural(lineage.oom_kills.into(), "OOM kill", "OOM kills"),
    );
    let lines: String = lineage.lives.iter().map(life).collect();
    section(&title, look) + &lines
}

fn life(life: &Life) -> String {
    let limit = match life.limit_bytes {
        0 => String::new(),
        limit => format!(" of {}", bytes(limit)),
    };
    let lasted = match &life.ended {
        Some(ended) => {
            let lasted = seconds_between(life.started.as_ref(), Some(ended));
            format!(" after {}", seconds(lasted))
        }
        None => String::new(),
    };
    format!(
        "  {}  {}{lasted}; {} to {}, at most {}{limit}; {} per hour\n",
        shown(life.started.as_ref()),
        end(life.end()),
        bytes(life.first_bytes),
        bytes(life.last_bytes),
        bytes(life.peak_bytes),
        super::words::signed(life.slope_bytes_per_hour),
    )
}

fn health(verdict: &Verdict, look: Look) -> String {
    let mut said = match verdict.healthy {
        true => look.good("healthy"),
        false => look.warn("unhealthy"),
    };
    if !verdict.health_reason.is_empty() {
        said.push_str(&format!(": {}", clean(&verdict.health_reason)));
    }
    format!("\nprobes are told: {said}\n")
}
