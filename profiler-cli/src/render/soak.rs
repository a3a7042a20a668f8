//! A soak while it goes on, and at its end.

use std::time::Duration;

use super::verdict::words::{band, figure, judged, signed, state};
use crate::{
    screen::Look,
    soak::{Outcome, Report, Soak, TargetReport},
    table::{Align, Table},
    text::{clean, plural},
    units::{bytes, mean_bytes, seconds},
};

/// One line: how far it is, and how it looks.
pub(crate) fn progress(soak: &Soak, at: Duration, duration: Duration) -> String {
    let far = format!(
        "{} of {}",
        seconds(at.as_secs_f64()),
        seconds(duration.as_secs_f64())
    );
    let Some(worst) = soak.worst(at) else {
        return far;
    };
    format!(
        "{far}  {}  {}  {} per hour ({})  {}  {}",
        worst.name,
        bytes(worst.bytes),
        signed(worst.judgement.slope.value),
        band(worst.judgement.slope.ends()),
        state(judged(worst.judgement.state)),
        plural(worst.readings, "reading", "readings"),
    )
}

/// What is said at the end.
pub(crate) fn summary(report: &Report, look: Look) -> String {
    let said = match report.outcome {
        Outcome::Pass => look.good("pass"),
        Outcome::Fail => look.warn("fail"),
        Outcome::Undecided => look.bold("undecided"),
    };
    let mut text = format!(
        "{said} after {} of {}\n",
        seconds(report.duration_seconds),
        seconds(report.asked_seconds)
    );
    for target in &report.targets {
        text.push_str(&one(target, look));
    }
    for note in &report.notes {
        let told = format!("{}: {}", seconds(note.seconds), note.text);
        text.push_str(&format!("{}\n", look.dim(&told)));
    }
    text
}

fn one(target: &TargetReport, look: Look) -> String {
    let mut text = format!("\n{}\n", look.bold(&clean(&target.reason)));
    text.push_str(&format!(
        "  {}, {} per hour (99%: {}), floor {}, last {}, {}\n",
        target.state,
        signed(target.slope_bytes_per_hour),
        band(target.slope_band()),
        mean_bytes(target.floor_bytes),
        bytes(target.last_bytes),
        plural(target.readings, "reading", "readings"),
    ));
    if target.gates.is_empty() {
        return text;
    }
    let mut table = Table::new([
        ("  GATE", Align::Left),
        ("FIGURE", Align::Right),
        ("THRESHOLD", Align::Right),
        ("OUTCOME", Align::Left),
        ("MEANING", Align::Left),
    ]);
    for gate in &target.gates {
        table.push(vec![
            format!("  {}", clean(&gate.name)),
            figure(gate.figure, &gate.unit),
            figure(gate.threshold, &gate.unit),
            gate.outcome.into(),
            clean(&gate.meaning).into_owned(),
        ]);
    }
    text + &table.render(look)
}
