//! The board as a collector gets it.

use profiler_proto::v1;
use profiler_query::answer::verdicts::worst_first;

use crate::verdict::Shared;

/// Verdicts of one batch: the worst.
const VERDICTS: usize = 1_000;

/// The last reading of each series.
pub(in crate::export) fn resident_part(board: &Shared) -> v1::ResidentPart {
    let series = board.resident().into_iter();
    let of = series.map(|one| v1::ResidentOf {
        target: one.target,
        resident: one.now,
    });
    v1::ResidentPart { of: of.collect() }
}

/// The worst verdicts; how stacks add up for those that grow, since for all it would take too long.
pub(in crate::export) fn verdicts_part(board: &Shared) -> v1::VerdictsPart {
    let mut verdicts = board.verdicts();
    verdicts.sort_by(worst_first);
    verdicts.truncate(VERDICTS);
    let calm = verdicts.iter().position(|one| !grows(one.state()));
    let grow = calm.unwrap_or(verdicts.len());
    board.reconcile(&mut verdicts[..grow]);
    v1::VerdictsPart { verdicts }
}

/// These come first.
fn grows(state: v1::VerdictState) -> bool {
    matches!(
        state,
        v1::VerdictState::Growing
            | v1::VerdictState::Leaking
            | v1::VerdictState::SawtoothLeak
            | v1::VerdictState::RestartMaskedLeak
    )
}
