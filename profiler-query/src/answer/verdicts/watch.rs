//! Verdicts as they change.

use profiler_proto::v1::{self, VerdictState};
use tonic::Status;

use super::{
    Scope,
    list::{states, takes},
};
use crate::answer::Filter;

/// A question for changes that was checked.
#[derive(Debug)]
pub struct WatchVerdicts {
    /// What is asked about.
    pub filter: Filter,
    states: Vec<VerdictState>,
    containers_only: bool,
}

impl WatchVerdicts {
    /// # Errors
    /// `INVALID_ARGUMENT`: what makes no sense, with the name of the field.
    pub fn new(request: &v1::WatchVerdictsRequest) -> Result<Self, Status> {
        Ok(Self {
            filter: Filter::new(request.selector.as_ref())?,
            states: states(&request.states)?,
            containers_only: request.containers_only,
        })
    }

    /// Whether the change is one of those that are asked for: into one of the states, or out of it.
    pub fn takes(&self, scope: &Scope<'_>, change: &v1::VerdictChange) -> bool {
        let Some(verdict) = &change.verdict else {
            return false;
        };
        let leaves = self.states.contains(&change.from());
        let states = if leaves { &[] } else { self.states.as_slice() };
        takes(scope, states, self.containers_only, verdict)
    }
}
