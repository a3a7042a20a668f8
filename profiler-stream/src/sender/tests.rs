//! The sender against collectors that misbehave.

mod backlog;
mod collector;
mod delivery;
mod refusals;
mod spooled;
