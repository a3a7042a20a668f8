//! Ways out of the agent for every snapshot that it keeps.

use std::sync::Arc;

use super::LossFacts;
use crate::profile::Snapshot;

/// Takes the snapshots that the pipeline keeps. It is called on the pipeline's thread, so nothing
/// here may wait: what cannot be taken at once is dropped and counted.
pub trait Exporter: Send {
    /// A snapshot that was kept.
    fn export(&mut self, snapshot: &Arc<Snapshot>);

    /// What was lost on the way, by cause; zeros as well.
    fn losses(&self) -> Vec<LossFacts>;

    /// How it stands, for an operator, in plain words.
    fn notes(&self) -> Vec<String>;
}
