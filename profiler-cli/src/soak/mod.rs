//! The gate for a load test: readings of one or more targets over a while, and what they amount to.
//!
//! Everything here is pure: readings and times go in, findings and reports come out. The verb asks
//! and waits.

mod page;
mod plan;
mod points;
mod report;
mod test;
mod watched;

#[cfg(test)]
mod tests;

pub(crate) use self::{
    page::page,
    plan::Plan,
    report::{EndedBy, Report, TargetReport},
    test::{Outcome, Soak},
};
