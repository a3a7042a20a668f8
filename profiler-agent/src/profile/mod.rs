//! Pure aggregation: changes of the ledgers become rows of growth, rows become snapshots, and
//! snapshots become a history of bounded size. No clock, no I/O: times come with the values.
//!
//! - [`GrowthTable`] adds up what each owner of each process demanded and gave back.
//! - [`Snapshot`] is the table at one moment, with the facts of the processes in it.
//! - [`History`] keeps snapshots as differences, thins them with age and gives any of them back.
//! - [`Growth`] is a snapshot, or the difference between two, in the form that answers are made of.

mod ended;
mod facts;
mod growth;
mod history;
mod owner;
mod snapshot;
mod table;
#[cfg(test)]
pub(crate) mod testing;

pub use facts::{ContainerFacts, TargetInfo, TargetState};
pub use growth::{Growth, ProcessGrowth};
pub use history::{History, HistoryLimits, HistoryStatus, OutOfRange, Recall};
pub use owner::{BehalfKey, OwnerKey, Weight};
pub use snapshot::{ProcessEntry, Row, RowKey, Snapshot, Totals};
pub use table::{GrowthTable, OwnerFold, ProcessFold, TableLimits, TableStatus};
