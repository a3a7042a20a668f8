//! Answers about connections.

mod classes;
mod groups;
mod joins;
mod listing;
mod rows;
mod wire;

pub(super) use self::{listing::Listing, wire::behalf_to_wire};
