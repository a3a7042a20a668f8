//! Everything that was bounded, refused or given up in unwinding, counted.

use super::frame::Truncation;

/// A figure by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackCounter {
    /// Stable name.
    pub name: &'static str,
    /// For people.
    pub meaning: &'static str,
    /// How often.
    pub count: u64,
}

/// Figures of this run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StackCounters {
    /// Stacks followed to the root of their thread.
    pub complete: u64,
    /// Stacks that could not be, by `Truncation as usize`.
    pub truncated: [u64; Truncation::ALL.len()],
    /// Stacks that found no place in the table.
    pub folded: u64,
    /// Files refused because the table of modules was full.
    pub modules_refused: u64,
    /// Files mapped as code that could not be opened.
    pub modules_unopened: u64,
    /// Files mapped as code on network or FUSE file systems.
    pub modules_remote: u64,
    /// ELF files that are corrupt or of another machine.
    pub elf_errors: u64,
    /// Entries of unwind tables that could have harmed the agent, or make no sense.
    pub cfi_entries_rejected: u64,
    /// Unwind tables that found no room in memory.
    pub cfi_over_budget: u64,
    /// `/proc/PID/maps` could not be read.
    pub maps_failed: u64,
    /// A process has more mappings of code than are followed.
    pub mappings_cut: u64,
    /// Stacks through JIT code of processes whose perf map will not be read: too many others are.
    pub jit_processes_refused: u64,
    /// An unknown address would have had the mappings read again, too soon after the last time.
    pub refreshes_deferred: u64,
}

impl StackCounters {
    /// Stacks that do not reach their root.
    pub fn truncated_total(&self) -> u64 {
        self.truncated.iter().sum()
    }

    /// What was lost, by cause; zeros as well.
    pub fn losses(&self) -> Vec<StackCounter> {
        let reasons = Truncation::ALL.iter().map(|reason| StackCounter {
            name: reason.name(),
            meaning: reason.meaning(),
            count: self.truncated[*reason as usize],
        });
        let counter = |name, meaning, count| StackCounter {
            name,
            meaning,
            count,
        };
        reasons
            .chain([
                counter("stack_table_full", "stacks counted as folded: the table of stacks is full", self.folded),
                counter("module_table_full", "files mapped as code that were refused: the table of modules is full", self.modules_refused),
                counter("module_not_opened", "files mapped as code that could not be opened: frames in them have no name", self.modules_unopened),
                counter("module_remote", "files mapped as code on network or FUSE file systems, or on ones that are not mounted any more, are not opened, since a server that hangs would stop the agent: frames in them have no name", self.modules_remote),
                counter("elf_corrupt", "ELF files that are corrupt or of another machine: frames in them have no name", self.elf_errors),
                counter("unwind_entries_rejected", "entries of unwind tables that make no sense or could have harmed the agent", self.cfi_entries_rejected),
                counter("unwind_tables_over_budget", "frames whose unwind table found no room in memory", self.cfi_over_budget),
                counter("maps_unreadable", "processes whose mappings could not be read: they had ended, or permission is missing", self.maps_failed),
                counter("jit_processes_full", "stacks through JIT code that stays without names: the table of processes with such code is full", self.jit_processes_refused),
                counter("code_refreshes_deferred", "looks at a process's mappings of code that were put off, too soon after the last: frames may be unknown for a moment", self.refreshes_deferred),
                counter("code_mappings_cut", "processes with more mappings of code than are followed", self.mappings_cut),
            ])
            .collect()
    }
}
