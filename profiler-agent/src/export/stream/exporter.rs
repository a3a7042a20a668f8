//! The pipeline's side.

use std::sync::{Arc, mpsc::SyncSender};

use super::report::Report;
use crate::{
    export::{Exporter, LossFacts, Moment},
    profile::Snapshot,
};

/// Hands snapshots to the thread that writes them.
pub struct StreamExporter {
    snapshots: SyncSender<Arc<Snapshot>>,
    report: Arc<Report>,
}

impl StreamExporter {
    pub(super) fn new(snapshots: SyncSender<Arc<Snapshot>>, report: Arc<Report>) -> Self {
        Self { snapshots, report }
    }
}

impl Exporter for StreamExporter {
    fn export(&mut self, moment: &Moment) {
        match self.snapshots.try_send(Arc::clone(&moment.snapshot)) {
            Ok(()) => self.report.count_given(),
            Err(_) => self.report.count_not_exported(),
        }
    }

    fn losses(&self) -> Vec<LossFacts> {
        self.report.losses()
    }

    fn notes(&self) -> Vec<String> {
        self.report.notes()
    }
}
