//! Whether memory grows without end: from the kernel's own resident figures and the load, reading by
//! reading, to a state with the figures that it rests on.
//!
//! No clock and no I/O: times are nanoseconds of any clock that goes on steadily and come with the
//! readings. All times in [`Rules`] are multiples of its `window`, so that a shorter window makes
//! everything faster by as much.

mod alive;
mod discovery;
mod drops;
mod engine;
mod forecast;
mod gates;
mod judge;
mod judgement;
mod lineage;
mod look;
mod pairs;
mod pyramid;
mod rules;
mod sample;
mod series;
mod stats;
mod steady;

pub use alive::Verdict;
pub use engine::{Engine, EngineLimits, EngineStatus};
pub use judgement::{Band, Forecast, Gate, GateOutcome, Judgement, State};
pub use lineage::{LifeStart, Lineage, PastLife};
pub use rules::Rules;
pub use sample::{LifeEnd, Load, Sample};
pub use series::{Point, Series};
