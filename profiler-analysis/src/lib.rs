//! Pure functions over growth. No I/O, no clock.
#![forbid(unsafe_code)]

mod figures;
mod group;
mod order;
pub mod pattern;

pub use figures::Figures;
pub use group::{FunctionFigures, by_function, sum_by};
pub use order::{Order, largest};
