mod decisions;
mod simulation;
mod truth;
