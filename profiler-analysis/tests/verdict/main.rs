//! Verdicts on series whose truth is known.

mod damaged;
mod hostile;
mod lineages;
mod run;
mod shapes;
