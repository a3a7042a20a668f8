//! The agent's connections, as answers are made from them.

mod classes;
mod gather;
mod listed;
mod part;
mod wire;

pub(super) use self::{gather::answer, listed::Known, part::part};
