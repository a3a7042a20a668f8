//! Each series that was judged wrongly, with what the verdict rests on.

use profiler_analysis::verdict::GateOutcome;

use crate::host::Outcome;

const MIB: f64 = 1024.0 * 1024.0;

pub(crate) fn print(outcomes: &[Outcome]) {
    println!("\nJudged wrongly");
    for outcome in outcomes {
        if outcome.leaks.is_some_and(|leaks| leaks != outcome.called()) {
            println!("{}", described(outcome));
        }
    }
}

fn described(outcome: &Outcome) -> String {
    let judgement = &outcome.verdict.judgement;
    let against = judgement
        .gates
        .iter()
        .filter(|gate| gate.outcome != GateOutcome::Passed);
    let against: Vec<_> = against
        .map(|gate| {
            format!(
                "{} {:?} {:.4} against {:.4} {}",
                gate.name, gate.outcome, gate.figure, gate.threshold, gate.unit
            )
        })
        .collect();
    format!(
        "{} h {}: {:?}, life {}, limited {}, slope {:.3} MiB/h ({:.3} to {:.3}), floor {:.1} MiB, truth {:.1} h; {}",
        outcome.hours,
        outcome.kind.name(),
        judgement.state,
        outcome.lives,
        outcome.limited,
        judgement.slope.value / MIB,
        judgement.slope.lower / MIB,
        judgement.slope.upper / MIB,
        judgement.floor / MIB,
        outcome.truth.unwrap_or(f64::NAN) / 3600.0,
        against.join("; ")
    )
}
