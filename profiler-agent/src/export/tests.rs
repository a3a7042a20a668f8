//! The service as a client sees it: over a real port and a real socket, with a pipeline and names
//! that are made up.

mod access;
mod answers;
mod connections;
mod fake;
mod listeners;
mod over_time;
mod pages;
mod refusals;
mod stream;
