//! What was lost on the way to verdicts.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use profiler_analysis::verdict::EngineStatus;

use crate::{export::LossFacts, resident::ResidentLosses};

/// Counted since the agent started.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// Moments and kills that the thread was too busy to take.
    pub(super) moments_dropped: AtomicU64,
    pub(super) kills_dropped: AtomicU64,
    /// Of the thread, as it was last.
    resident: Resident,
    engine: Engine,
    /// Times that the state could not be written or read.
    pub(super) state_failed: AtomicU64,
    /// Events that no stream had taken when they had to go.
    pub(super) events_dropped: AtomicU64,
    /// Times that a watcher was told that it missed changes.
    pub(super) watchers_behind: AtomicU64,
}

#[derive(Debug, Default)]
struct Resident {
    unread: AtomicU64,
    figures: AtomicU64,
    left_out: AtomicU64,
    without_cgroups: AtomicU64,
}

#[derive(Debug, Default)]
struct Engine {
    refused: AtomicU64,
    dropped: AtomicU64,
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

impl Losses {
    pub(super) fn look(&self, resident: ResidentLosses, engine: EngineStatus) {
        self.resident.unread.store(resident.unread, Relaxed);
        self.resident.figures.store(resident.figures, Relaxed);
        self.resident.left_out.store(resident.left_out, Relaxed);
        let without_cgroups = &self.resident.without_cgroups;
        without_cgroups.store(resident.without_cgroups, Relaxed);
        self.engine.refused.store(engine.series_refused, Relaxed);
        self.engine.dropped.store(engine.lineages_dropped, Relaxed);
    }

    pub(super) fn facts(&self) -> Vec<LossFacts> {
        let fact = |cause, count: &AtomicU64, meaning| LossFacts {
            cause,
            count: count.load(Relaxed),
            meaning,
        };
        let resident = ResidentLosses {
            unread: self.resident.unread.load(Relaxed),
            figures: self.resident.figures.load(Relaxed),
            left_out: self.resident.left_out.load(Relaxed),
            without_cgroups: self.resident.without_cgroups.load(Relaxed),
        };
        let mut facts = resident.facts();
        facts.extend([
            fact(
                "verdict_moments_dropped",
                &self.moments_dropped,
                "moments without a reading, since the one before took too long: series have a gap",
            ),
            fact(
                "verdict_kills_dropped",
                &self.kills_dropped,
                "OOM kills that were not written down by the kernel's event; the cgroup's counter \
                 may still tell of them",
            ),
            fact(
                "verdict_series_refused",
                &self.engine.refused,
                "readings of containers, units and processes that found no room among the series",
            ),
            fact(
                "verdict_lineages_dropped",
                &self.engine.dropped,
                "lineages that had to go for want of room: restarts before are forgotten",
            ),
            fact(
                "verdict_state_failed",
                &self.state_failed,
                "times that the state of verdicts could not be read or written: after a restart of \
                 the agent series begin anew. See the agent's log",
            ),
            fact(
                "verdict_events_dropped",
                &self.events_dropped,
                "kills and changes of verdicts that no collector will hear of, since too many came \
                 at once",
            ),
            fact(
                "verdict_watchers_behind",
                &self.watchers_behind,
                "times that someone who watches verdicts read too slowly and was told so",
            ),
        ]);
        facts
    }
}
