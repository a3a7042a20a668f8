//! The report as one page that needs nothing from outside. Names are chosen by the watched: all text
//! is escaped, and what could steer a terminal is taken out before.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    points::Point,
    report::{GateReport, Report, TargetReport},
    test::Outcome,
};
use crate::{
    render::verdict::words::{band, figure, signed},
    text::clean,
    units::{bytes, mean_bytes, seconds},
};

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 80.0;
const BOTTOM: f64 = 24.0;
const TOP: f64 = 12.0;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:2em auto;\
padding:0 1em;color:#1b1f24}table{border-collapse:collapse;margin:1em 0}td,th{text-align:left;\
padding:.2em 1em .2em 0;border-bottom:1px solid #d8dee4;vertical-align:top}.pass{color:#116329}\
.fail{color:#a40e26}.undecided{color:#7d4e00}svg{width:100%;height:auto}.area{fill:#ddf4ff;\
stroke:#0969da;stroke-width:1.5}.limit{stroke:#a40e26;stroke-dasharray:6 4}.warm{fill:#f0f1f3}\
text{font-size:12px;fill:#57606a}";

/// The page.
pub(crate) fn page(report: &Report) -> String {
    let said = word(report.outcome);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Soak: " (said) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Soak: " span class=(said) { (said) } }
                @if let Some(worst) = &report.worst { p { (clean(&worst.reason)) } }
                p {
                    "Begun " (report.started) ", " (seconds(report.duration_seconds)) " of "
                    (seconds(report.asked_seconds)) ", a reading every "
                    (format!("{} s", report.interval_seconds)) ". The first "
                    (seconds(report.warmup_seconds)) " (grey) are not judged. Anonymous memory with \
                    swap, by the kernel's own counters."
                }
                @for target in &report.targets { (one(target, report)) }
                @if !report.notes.is_empty() {
                    h2 { "What happened" }
                    table {
                        @for note in &report.notes {
                            tr { td { (seconds(note.seconds)) } td { (clean(&note.text)) } }
                        }
                    }
                }
            }
        }
    };
    page.into_string()
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::Undecided => "undecided",
    }
}

fn one(target: &TargetReport, report: &Report) -> Markup {
    let said = word(target.target_outcome);
    html! {
        h2 { (clean(&target.target)) " " span class=(said) { (said) } }
        p { (clean(&target.reason)) }
        (plot(target, report))
        table {
            tr { th { "State" } td { (target.state) } }
            tr { th { "Readings" } td { (target.readings) } }
            tr { th { "Per hour" } td {
                (signed(target.slope_bytes_per_hour)) " (99%: " (band(target.slope_band())) ")"
            } }
            @if let Some(most) = target.max_growth_bytes_per_hour {
                tr { th { "Allowed per hour" } td { (signed(most)) } }
            }
            tr { th { "Floor" } td { (mean_bytes(target.floor_bytes)) } }
            tr { th { "Last" } td { (bytes(target.last_bytes)) } }
            @if let Some(limit) = target.limit_bytes {
                tr { th { "Limit" } td { (bytes(limit)) } }
            }
            @if let Some(each) = target.bytes_per_request {
                tr { th { "Per request" } td { (mean_bytes(each)) } }
            }
            @if target.gap_seconds > 0.0 {
                tr { th { "Without readings" } td { (seconds(target.gap_seconds)) } }
            }
        }
        @if !target.gates.is_empty() { (gates(&target.gates)) }
        @if !target.not_excluded.is_empty() {
            p { "Not excluded:" }
            ul { @for text in &target.not_excluded { li { (clean(text)) } } }
        }
    }
}

fn gates(gates: &[GateReport]) -> Markup {
    html! {
        table {
            tr { th { "Gate" } th { "Figure" } th { "Threshold" } th { "Outcome" } th { "Meaning" } }
            @for gate in gates {
                tr {
                    td { (clean(&gate.name)) }
                    td { (figure(gate.figure, &gate.unit)) }
                    td { (figure(gate.threshold, &gate.unit)) }
                    td { (gate.outcome) }
                    td { (clean(&gate.meaning)) }
                }
            }
        }
    }
}

fn plot(target: &TargetReport, report: &Report) -> Markup {
    let largest = target.points.iter().map(|point| point.max_bytes).max();
    let largest = largest.unwrap_or(0).max(1);
    // A limit far above would press the line to the ground.
    let limit = target.limit_bytes.filter(|limit| limit / 10 <= largest);
    let top = limit.unwrap_or(0).max(largest) as f64 * 1.05;
    let span = report.duration_seconds.max(1e-3);
    let x = |seconds: f64| LEFT + (seconds / span).clamp(0.0, 1.0) * (WIDTH - LEFT);
    let y = |value: f64| TOP + (1.0 - value / top) * (HEIGHT - TOP - BOTTOM);
    let label = format!("Memory of {} over time", clean(&target.target));
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(label) {
            rect.warm x=(x(0.0)) y=(TOP) width=(x(report.warmup_seconds) - x(0.0))
                height=(HEIGHT - TOP - BOTTOM) {}
            path.area d=(area(&target.points, x, y)) {}
            @if let Some(limit) = limit {
                line.limit x1=(LEFT) x2=(WIDTH) y1=(y(limit as f64)) y2=(y(limit as f64)) {}
                text x=(LEFT + 4.0) y=(y(limit as f64) - 3.0) { "limit " (bytes(limit)) }
            }
            @for share in [0.0, 0.5, 1.0] {
                text x="0" y=(y(share * largest as f64) + 4.0) {
                    (mean_bytes(share * largest as f64))
                }
            }
            text x=(LEFT) y=(HEIGHT - 6.0) { "0s" }
            text x=(WIDTH) y=(HEIGHT - 6.0) text-anchor="end" { (seconds(span)) }
        }
    }
}

/// Down to nothing, so that a small change of much memory looks small.
fn area(points: &[Point], x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) -> String {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return String::new();
    };
    let mut path = format!("M{:.1} {:.1}", x(first.seconds), y(0.0));
    for point in points {
        path.push_str(&format!(
            " L{:.1} {:.1}",
            x(point.seconds),
            y(point.max_bytes as f64)
        ));
    }
    path.push_str(&format!(" L{:.1} {:.1} Z", x(last.seconds), y(0.0)));
    path
}
