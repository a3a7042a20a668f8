//! Answers, made from snapshots.
//!
//! - [`Question`] is what Top and Diff ask; [`Targets`], [`Series`] and [`connections::Listing`] are
//!   the others. Each is made from a request, says which moments it needs, and answers from their
//!   snapshots. [`nodes`] lists nodes.
//! - [`verdicts`] chooses from verdicts, OOM kills and resident figures that were made before.
//! - [`Filter`] is a checked selector; it chooses processes of a snapshot: a [`Selection`].
//! - [`Page`] is a checked page token.
//! - [`Clocks`] turns times of snapshots into those of answers.
//! - [`Whole`] with a snapshot and a selection is an answer's accounting.
//! - [`NameStacks`] names frames, for the rows that are sent only.
//!
//! What is asked for wrongly comes back as the [`tonic::Status`] that the asker gets.

mod accounting;
mod bounds;
mod clock;
pub mod connections;
mod functions;
mod names;
mod nodes;
mod page;
mod question;
mod selector;
mod series;
mod targets;
mod top;
pub mod verdicts;

pub use accounting::{EVENTS_LOST, Whole, account};
pub use clock::{Clocks, display, seconds_between};
pub use names::{NameStacks, NamedStack, stack_to_wire};
pub use nodes::{NodeReport, nodes};
pub use page::Page;
pub use question::{Answer, Asked, Question};
pub use selector::{Filter, NotChosen, Selection};
pub use series::{Gathered, Series};
pub use targets::{Targets, target, target_info};
pub use top::{Rows, Shape, owner_kind, put_user, wire_stack_id};
