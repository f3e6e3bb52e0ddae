//! Sweeps: an experiment that is run again and again with some of its keys varied.
//!
//! What is varied is written as text (`axis`), set in the experiment's document (`document`), and makes points (`plan`),
//! each of which is read as any experiment is. `carry_out` runs them.

mod axis;
mod carry_out;
mod document;
mod figures;
mod plan;

pub use axis::Axis;
pub use carry_out::{Sweep, carry_out};
pub use figures::usual_figures;
pub use plan::{Plan, Point};
