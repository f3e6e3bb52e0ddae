//! Which family of time signals suits a path: all of them are sent through it, and what came of each stands side by
//! side.
//!
//! A path takes sound and gives sound. One is a room as an experiment describes it ([`room`]); any other is a pair of
//! recordings, what was sent ([`plan`] makes it) and what came out ([`pair`]). Whoever can play and record has a pair.

mod figures;
mod level;
mod locate;
pub mod pair;
pub mod plan;
mod recommend;
pub mod room;

use jiho_analysis::signal::Family;

pub use figures::{Beep, Figures};
pub use recommend::{Recommendation, recommend};

/// The families that are compared, those that carry codes first.
pub const FAMILIES: [Family; 6] =
    [Family::Voiced, Family::Noise, Family::VoicedRobust, Family::NoiseRobust, Family::Jiho, Family::Bbc];
