//! Servers and clients of this crate against each other, and against hostile ones.

mod certificates;
mod clients;
mod hostile;
mod reload;
mod served;
mod tokens;
