//! Ways out of the agent for what the pipeline sees.

use std::{collections::HashMap, sync::Arc};

use profiler_analysis::verdict::Load;

use super::LossFacts;
use crate::{
    event::Constraint,
    ids::{BootTime, ProcessHandle},
    profile::Snapshot,
};

/// A moment that the pipeline keeps.
#[derive(Clone, Debug, Default)]
pub struct Moment {
    /// The growth table.
    pub snapshot: Arc<Snapshot>,
    /// What was asked of each process on its connections, those without any left out.
    pub load: Arc<HashMap<ProcessHandle, Load>>,
}

/// The kernel chose a victim for want of memory. It ends soon, or has ended by now.
#[derive(Clone, Debug)]
pub struct Kill {
    /// When.
    pub time: BootTime,
    /// The victim, in the initial pid namespace.
    pub pid: u32,
    /// Its life, if it was known.
    pub process: Option<ProcessHandle>,
    /// What there was no more of, if that is sure.
    pub constraint: Option<Constraint>,
    /// Its name as the kernel tells it; empty if it does not.
    pub name: String,
    /// Its anonymous resident bytes, if the kernel tells them.
    pub anon_bytes: Option<u64>,
    /// The growth table, made when the kill was heard of.
    pub moment: Moment,
}

/// Takes what the pipeline keeps. It is called on the pipeline's thread, so nothing here may wait:
/// what cannot be taken at once is dropped and counted.
pub trait Exporter: Send {
    /// A moment that was kept.
    fn export(&mut self, moment: &Moment);

    /// The kernel killed a process for want of memory.
    fn killed(&mut self, kill: &Kill) {
        let _ = kill;
    }

    /// What was lost on the way, by cause; zeros as well.
    fn losses(&self) -> Vec<LossFacts>;

    /// How it stands, for an operator, in plain words.
    fn notes(&self) -> Vec<String>;
}
