//! A run as it goes on, for people: drawn again and again on a terminal (`view`), or as plain lines (`lines`).

mod lines;
mod matrix;
mod view;

pub use lines::Lines;
pub use matrix::Matrix;
pub use view::view;
