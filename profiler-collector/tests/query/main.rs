//! `profiler.v1.Query` over what synthetic agents sent, against the same answers made directly from
//! what they were made from.

mod connections;
mod fixture;
mod growth;
mod limits;
mod load;
mod nodes;
mod restarts;
mod series;
mod verdicts;
