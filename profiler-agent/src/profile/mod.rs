//! Pure aggregation: changes of the ledgers become rows of growth, rows become snapshots, and
//! snapshots become a history of bounded size. No clock, no I/O: times come with the values.
//!
//! - [`GrowthTable`] adds up what each owner of each process demanded and gave back.
//! - [`Snapshot`] is the table at one moment, with the facts of the processes in it.
//! - [`History`] keeps snapshots as differences, thins them with age and gives any of them back.
//! - [`Growth`] is a snapshot, or the difference between two, in the form that answers are made of.

mod ended;
#[cfg(test)]
mod growth_tests;
mod history;
mod owner;
mod table;
#[cfg(test)]
pub(crate) mod testing;

pub use profiler_query::model::{
    BehalfKey, ContainerFacts, Growth, NodeFacts, OwnerKey, ProcessEntry, ProcessGrowth, Row,
    RowKey, Snapshot, TargetInfo, TargetState, Totals,
};

pub use history::{History, HistoryLimits, HistoryStatus, OutOfRange, Recall, Walk};
pub use owner::{Weight, row_of};
pub use table::{GrowthTable, OwnerFold, ProcessFold, TableLimits, TableStatus};
