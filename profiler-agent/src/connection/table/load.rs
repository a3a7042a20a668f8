//! What was asked of processes on their connections.

use std::collections::HashMap;

use profiler_analysis::verdict::Load;

use super::{ConnectionTable, ProcessHandle};

impl ConnectionTable {
    /// By process, those without any left out. What was received never falls while a process lives;
    /// those that do not are forgotten.
    pub fn load(&mut self, lives: impl Fn(ProcessHandle) -> bool) -> HashMap<ProcessHandle, Load> {
        self.received.retain(|process, _| lives(*process));
        let mut load = self.received.clone();
        let open = self.connections.values().filter(|one| one.closed.is_none());
        for process in open.filter_map(|one| one.process) {
            if lives(process) {
                load.entry(process).or_default().open_connections += 1;
            }
        }
        load
    }

    pub(super) fn add_received(&mut self, process: ProcessHandle, (bytes, calls): (u64, u64)) {
        if bytes == 0 && calls == 0 {
            return;
        }
        let sum = self.received.entry(process).or_default();
        sum.received_bytes = sum.received_bytes.saturating_add(bytes);
        sum.received_calls = sum.received_calls.saturating_add(calls);
    }
}
