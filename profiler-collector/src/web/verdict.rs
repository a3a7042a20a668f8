//! Verdicts: as a table for many, in full for one. Names and texts in them come from agents.

use maud::{Markup, html};
use profiler_formats::{
    text::clean,
    units::{bytes, count, mean_bytes, seconds, share},
};
use profiler_proto::v1::{
    EvidenceTier, Gate, ListVerdictsRequest, ListVerdictsResponse, Reconciliation, Verdict,
    VerdictState, gate::Outcome,
};

use super::{
    address::View, failure::Failure, layout::time, lineage, name, overview::rate, resident,
    window::Window,
};

/// Verdicts of the overview, and of a container's page.
const ROWS: u32 = 50;
const IN_FULL: u32 = 3;

/// What a page without any says.
const NONE_YET: &str = "No verdicts yet: an agent sends its first within two minutes of its start, and \
                        agents before 0.2 don't send them.";

/// What the overview asks.
pub(super) fn request(view: &View, window: &Window) -> ListVerdictsRequest {
    ListVerdictsRequest {
        selector: Some(view.selector.clone()),
        limit: ROWS,
        with_points: true,
        at: window.at(),
        ..ListVerdictsRequest::default()
    }
}

/// What the page of a container asks; its plot has the points.
pub(super) fn request_in_full(view: &View, window: &Window) -> ListVerdictsRequest {
    ListVerdictsRequest {
        limit: IN_FULL,
        with_points: false,
        ..request(view, window)
    }
}

/// A state as it is said.
pub(super) fn state(state: VerdictState) -> &'static str {
    match state {
        VerdictState::Unspecified => "unknown",
        VerdictState::WarmingUp => "warming up",
        VerdictState::Steady => "steady",
        VerdictState::Growing => "growing",
        VerdictState::Leaking => "leaking",
        VerdictState::SawtoothLeak => "sawtooth leak",
        VerdictState::RestartMaskedLeak => "leak masked by restarts",
        VerdictState::Undetermined => "undetermined",
    }
}

fn meaning(state: VerdictState) -> &'static str {
    match state {
        VerdictState::Unspecified => "This collector does not know what the agent says.",
        VerdictState::WarmingUp => "It is too young to be judged.",
        VerdictState::Steady => {
            "It was shown that it does not grow by more than a small share of its limit a day."
        }
        VerdictState::Growing => "It grows: with its load, or whether that ends is not known yet.",
        VerdictState::Leaking => {
            "It grows without an end in sight, and nothing that is known explains it."
        }
        VerdictState::SawtoothLeak => "It falls again and again, but less far each time.",
        VerdictState::RestartMaskedLeak => "Each of its lives grows until it is ended.",
        VerdictState::Undetermined => "Neither growth nor its absence was shown.",
    }
}

/// A state as a word of its own colour.
pub(super) fn badge(of: VerdictState) -> Markup {
    use VerdictState::{Growing, Leaking, RestartMaskedLeak, SawtoothLeak, Steady};
    let bad = matches!(of, Leaking | SawtoothLeak | RestartMaskedLeak | Growing);
    html! { span.tag.more[bad].good[of == Steady] { (state(of)) } }
}

/// Time until the limit, with its band.
pub(super) fn to_limit(verdict: &Verdict) -> String {
    let Some(time) = verdict.time_to_limit_seconds else {
        return "–".to_owned();
    };
    let bound = |bound: Option<f64>| bound.map(seconds);
    let lower = bound(verdict.time_to_limit_lower_seconds);
    let upper = bound(verdict.time_to_limit_upper_seconds);
    match (lower, upper) {
        (None, None) => seconds(time),
        (Some(lower), Some(upper)) => format!("{} ({lower} to {upper})", seconds(time)),
        (Some(lower), None) => format!("{} ({lower} or more, perhaps never)", seconds(time)),
        (None, Some(upper)) => format!("{} (at most {upper})", seconds(time)),
    }
}

fn link(view: &View, verdict: &Verdict) -> String {
    let target = verdict.target.clone().unwrap_or_default();
    let mut one = name::container_view(view, name::container(&target), &verdict.node);
    if target.pid != 0 {
        one.selector.pids = vec![target.pid];
    }
    one.link("/container")
}

fn titled(verdict: &Verdict) -> String {
    match &verdict.target {
        None => "unknown".into(),
        Some(target) if target.pid != 0 => {
            profiler_formats::connection::process(&target.process_name, target.pid)
        }
        Some(target) => name::of(target),
    }
}

/// One column: its title, whether it is a figure, and its cells. A new column is a new entry.
struct Column {
    title: &'static str,
    number: bool,
    cell: fn(&View, &Verdict) -> Markup,
}

const COLUMNS: [Column; 8] = [
    Column {
        title: "Container",
        number: false,
        cell: |view, verdict| {
            let target = verdict.target.as_ref();
            let image = target.map_or("", |target| target.image.as_str());
            html! {
                a href=(link(view, verdict)) { (titled(verdict)) }
                " " span.note { (clean(image)) }
            }
        },
    },
    Column {
        title: "Verdict",
        number: false,
        cell: |_, verdict| badge(verdict.state()),
    },
    Column {
        title: "Resident over time",
        number: false,
        cell: |_, verdict| resident::sparkline(&verdict.points),
    },
    Column {
        title: "Resident",
        number: true,
        cell: |_, verdict| html! { (bytes(verdict.anon_bytes)) },
    },
    Column {
        title: "Limit",
        number: true,
        cell: |_, verdict| html! { (limit(verdict.limit_bytes)) },
    },
    Column {
        title: "Time to OOM",
        number: true,
        cell: |_, verdict| {
            let time = verdict.time_to_limit_seconds;
            html! { (time.map_or_else(|| "–".to_owned(), seconds)) }
        },
    },
    Column {
        title: "Growth",
        number: true,
        cell: |_, verdict| html! { (rate(verdict.slope_bytes_per_hour)) },
    },
    Column {
        title: "Node",
        number: false,
        cell: |_, verdict| html! { (clean(&verdict.node)) },
    },
];

/// A limit; 0 is none.
pub(super) fn limit(amount: u64) -> String {
    match amount {
        0 => "none".to_owned(),
        limit => bytes(limit),
    }
}

/// The section of the overview.
pub(super) fn overview(view: &View, answer: &Result<ListVerdictsResponse, Failure>) -> Markup {
    html! {
        section #verdicts aria-labelledby="verdicts-title" {
            h2 #verdicts-title { "Is it leaking?" }
            @match answer {
                Err(failure) => (failure.part()),
                Ok(answer) if answer.verdicts.is_empty() => p.empty { (NONE_YET) },
                Ok(answer) => (table(view, answer)),
            }
        }
    }
}

fn table(view: &View, answer: &ListVerdictsResponse) -> Markup {
    let caption = format!(
        "Verdicts by the kernel's own figures (anonymous memory with swap), the worst first; {} of {}",
        count(answer.verdicts.len() as u64),
        count(answer.total.into())
    );
    html! {
        div.scroll tabindex="0" role="region" aria-label="Verdicts" {
            table.overview {
                caption { (caption) }
                thead { tr {
                    @for column in &COLUMNS {
                        th.number[column.number] scope="col" { (column.title) }
                    }
                } }
                tbody {
                    @for verdict in &answer.verdicts {
                        tr {
                            @for column in &COLUMNS {
                                td.number[column.number] data-title=(column.title) {
                                    ((column.cell)(view, verdict))
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The section of a container's page: each verdict with all that it rests on.
pub(super) fn in_full(view: &View, answer: &Result<ListVerdictsResponse, Failure>) -> Markup {
    html! {
        section #verdict aria-labelledby="verdict-title" {
            h2 #verdict-title { "Is it leaking?" }
            @match answer {
                Err(failure) if failure.is_nothing() => p.empty { (NONE_YET) },
                Err(failure) => (failure.part()),
                Ok(answer) if answer.verdicts.is_empty() => p.empty { (NONE_YET) },
                Ok(answer) => {
                    @for verdict in &answer.verdicts { (one(view, verdict)) }
                    @if answer.total as usize > answer.verdicts.len() {
                        p.note { "The worst " (answer.verdicts.len()) " of " (answer.total) "." }
                    }
                }
            }
        }
    }
}

/// Of a band.
fn end(slope: Option<f64>) -> String {
    slope.map_or_else(|| "not bounded".to_owned(), rate)
}

fn one(view: &View, verdict: &Verdict) -> Markup {
    html! {
        p.lead {
            a href=(link(view, verdict)) { (titled(verdict)) } ": " (badge(verdict.state())) ". "
            (meaning(verdict.state()))
        }
        dl.facts {
            dt { "Since" } dd { (time(verdict.since.as_ref())) ", observed for " (seconds(verdict.observed_seconds)) }
            dt { "Growth of its floors" }
            dd {
                (rate(verdict.slope_bytes_per_hour)) " (99% band: "
                (end(verdict.slope_lower_bytes_per_hour)) " to " (end(verdict.slope_upper_bytes_per_hour)) ")"
            }
            dt { "Resident" }
            dd {
                (bytes(verdict.anon_bytes)) ", floor " (bytes(verdict.floor_bytes)) ", limit "
                (limit(verdict.limit_bytes))
            }
            dt { "Time to OOM" } dd { (to_limit(verdict)) }
            @if let Some(growth) = verdict.bytes_per_request {
                dt { "Growth for each call" } dd { (mean_bytes(growth)) }
            }
            dt { "Health" }
            dd { (if verdict.healthy { "healthy" } else { "unhealthy" }) ": " (clean(&verdict.health_reason)) }
        }
        (gates(&verdict.gates))
        (evidence(verdict))
        @if !verdict.not_excluded.is_empty() {
            p { "What could also be so:" }
            ul.plain { @for other in &verdict.not_excluded { li { (clean(other)) } } }
        }
        @if let Some(told) = &verdict.reconciliation { (reconciliation(told)) }
        @if let Some(lineage) = &verdict.lineage { (lineage::table(lineage)) }
    }
}

/// A figure in its unit; agents may say anything.
fn figure(figure: f64, unit: &str) -> String {
    match unit {
        "bytes" => mean_bytes(figure),
        "bytes/h" | "bytes_per_hour" | "bytes per hour" => rate(figure),
        "s" | "seconds" => seconds(figure),
        "share" => share(figure),
        unit => format!("{} {}", rounded(figure), clean(unit))
            .trim_end()
            .to_owned(),
    }
}

/// Four digits, which a person can read.
fn rounded(figure: f64) -> String {
    match figure.abs() {
        size if size >= 1e6 || (size < 1e-3 && size > 0.0) => format!("{figure:.3e}"),
        size if size >= 100.0 => format!("{figure:.0}"),
        _ => {
            let text = format!("{figure:.3}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

fn outcome(gate: &Gate) -> &'static str {
    match gate.outcome() {
        Outcome::Unspecified => "unknown",
        Outcome::Passed => "passed",
        Outcome::Failed => "failed",
        Outcome::NotJudged => "not judged",
    }
}

fn gates(gates: &[Gate]) -> Markup {
    html! {
        @if !gates.is_empty() {
            div.scroll tabindex="0" role="region" aria-label="Gates" {
                table.gates {
                    caption { "What it was tested by: a leak passes all of these" }
                    thead { tr {
                        th scope="col" { "Test" }
                        th scope="col" { "Outcome" }
                        th.number scope="col" { "Figure" }
                        th.number scope="col" { "Threshold" }
                        th scope="col" { "Meaning" }
                    } }
                    tbody {
                        @for gate in gates {
                            tr {
                                td.name { (clean(&gate.name)) }
                                td data-title="Outcome" { (outcome(gate)) }
                                td.number data-title="Figure" { (figure(gate.figure, &gate.unit)) }
                                td.number data-title="Threshold" { (figure(gate.threshold, &gate.unit)) }
                                td data-title="Meaning" { (clean(&gate.meaning)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn tier(tier: EvidenceTier) -> &'static str {
    match tier {
        EvidenceTier::Unspecified => "the kernel's own counters",
        EvidenceTier::A => "tier A: sampled allocations with their frees",
        EvidenceTier::B => "tier B: the runtime's own heap",
        EvidenceTier::C => "tier C: who demanded memory, not who retains it",
    }
}

fn evidence(verdict: &Verdict) -> Markup {
    html! {
        @if !verdict.evidence.is_empty() {
            p { "What it rests on:" }
            ul.plain {
                @for one in &verdict.evidence {
                    li { (clean(&one.text)) " " span.note { "(" (tier(one.tier())) ")" } }
                }
            }
        }
    }
}

fn reconciliation(told: &Reconciliation) -> Markup {
    html! {
        p.note {
            "By the kernel " (bytes(told.kernel_anon_bytes)) " are resident or swapped; live by the ledger "
            (bytes(told.ledger_live_bytes)) ", by stacks " (bytes(told.stack_live_bytes))
            @if let Some(resident) = told.stack_resident_bytes { ", resident by stacks " (bytes(resident)) }
            ". No stack stands for " (share(told.unattributed_share)) " of the kernel's figure"
            @for (index, cause) in told.causes.iter().enumerate() {
                (if index == 0 { ": " } else { "; " }) (bytes(cause.bytes)) " " (clean(&cause.meaning))
            }
            "."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_shown_in_their_unit() {
        assert_eq!(figure(2_097_152.0, "bytes"), "2.0 MiB");
        assert_eq!(figure(0.5, "share"), "50.0%");
        assert_eq!(figure(2.576, ""), "2.576");
        assert_eq!(figure(8.0, "windows"), "8 windows");
        assert_eq!(figure(f64::NAN, "windows"), "NaN windows");
        assert_eq!(figure(f64::INFINITY, "z"), "inf z");
    }
}
