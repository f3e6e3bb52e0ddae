//! What a run leaves behind: one file per format, each with its row type, which is the one place with its columns'
//! names.
//!
//! CSVs are tidy: one header, the unit in every column's name, empty for missing, columns only ever appended. Columns
//! that end in `_ns` are whole nanoseconds since the run's start.

pub mod arrivals;
pub mod delays;
pub mod emissions;
pub mod packets;
pub mod pairs;
pub mod run_json;
pub mod table;
pub mod takes;
pub mod terminal;
pub mod words;

/// Rounds for a column of milliseconds: to a tenth of a microsecond, below every clock's noise.
fn ms(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}
