//! Pure functions over growth. No I/O, no clock.
#![forbid(unsafe_code)]

pub mod compare;
mod figures;
mod group;
mod order;
pub mod pattern;
mod student;
pub mod verdict;

pub use figures::Figures;
pub use group::{FunctionFigures, by_function, sum_by};
pub use order::{Order, largest};
