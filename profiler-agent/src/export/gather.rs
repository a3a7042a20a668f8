//! What questions are answered from.

use std::sync::{Arc, Mutex, PoisonError};

use profiler_proto::v1;
use profiler_query::answer::{Asked, Clocks, NameStacks, Question, Selection};
use tonic::Status;

use super::{
    accounting::{Basis, StatusFacts},
    live::{Fresh, Live},
    moments,
    node::Node,
    time::Clock,
};
use crate::{
    ids::BootTime,
    profile::{History, HistoryStatus, Recall, Snapshot},
    verdict::Shared,
};

/// What all questions share.
pub(super) struct Inner {
    pub(super) live: Live,
    pub(super) history: Arc<Mutex<History>>,
    pub(super) names: Arc<dyn NameStacks>,
    pub(super) clock: Clock,
    pub(super) node: Node,
    pub(super) verdicts: Arc<Shared>,
}

/// The moments that a question about growth is about; none: start of observation, and now.
pub(super) struct Moments {
    pub(super) begin: Option<Recall>,
    pub(super) end: Option<Recall>,
}

impl Inner {
    pub(super) fn history_status(&self) -> HistoryStatus {
        let history = self.history.lock();
        history.unwrap_or_else(PoisonError::into_inner).status()
    }

    pub(super) fn recall(&self, asked: &Asked, clocks: Clocks) -> Result<Option<Recall>, Status> {
        moments::recall(&self.history, asked, clocks)
    }

    pub(super) fn moments(&self, question: &Question, clocks: Clocks) -> Result<Moments, Status> {
        let begin = self.recall(&question.begin, clocks)?;
        let end = self.recall(&question.end, clocks)?;
        let time = end.as_ref().map_or(clocks.now, Recall::time);
        question.check_order(begin.as_ref().map(Recall::time), time)?;
        Ok(Moments { begin, end })
    }
}

/// The state of things when a question came.
pub(super) struct Gathered {
    pub(super) inner: Arc<Inner>,
    pub(super) fresh: Fresh,
}

impl Gathered {
    /// Puts a past snapshot together; that takes a while.
    pub(super) fn end(&self, at: Option<&Recall>) -> End {
        End {
            snapshot: match at {
                Some(recall) => Arc::new(recall.snapshot()),
                None => Arc::clone(&self.fresh.snapshot),
            },
            facts: Arc::clone(&self.fresh.facts),
            is_now: at.is_none(),
        }
    }
}

/// The moment that an answer stands for.
pub(super) struct End {
    pub(super) snapshot: Arc<Snapshot>,
    facts: Arc<StatusFacts>,
    is_now: bool,
}

impl End {
    pub(super) fn basis(&self, inner: &Inner) -> Basis<'_> {
        Basis {
            facts: &self.facts,
            history: inner.history_status(),
            snapshot: &self.snapshot,
            is_now: self.is_now,
        }
    }

    pub(super) fn account(&self, inner: &Inner, selection: &Selection) -> v1::Accounting {
        self.basis(inner).account(selection)
    }

    pub(super) fn moment(
        &self,
        time: BootTime,
        from: Option<BootTime>,
        clocks: Clocks,
    ) -> v1::Snapshot {
        v1::Snapshot {
            time: Some(clocks.to_wall(time)),
            since: Some(clocks.to_wall(from.unwrap_or(self.facts.started))),
        }
    }
}
