//! A recording as a picture: its least and greatest sample from column to column.

use std::fmt::Write;
use std::path::Path;

use jiho_drivers::wav::Reader;
use maud::{Markup, html};

use crate::svg::Scale;

/// Silence is a line all the same, in pixels.
const LEAST: f64 = 0.4;

/// Of a stretch of a recording, from column to column.
pub(super) struct Waveform {
    /// The least and the greatest sample of each column, −1 to 1.
    columns: Vec<(f32, f32)>,
}

impl Waveform {
    /// Of `range` of a recording's samples, which may reach beyond its ends: nothing was recorded there. `None` if the
    /// recording cannot be read.
    pub(super) fn read(wav: &Path, range: (i64, i64), columns: usize) -> Option<Self> {
        let (from, to) = range;
        let mut peaks = vec![(0.0f32, 0.0f32); columns];
        let mut reader = Reader::open(wav).ok()?;
        let mut at = from.max(0);
        reader.seek(at as u64).ok()?;
        let mut block = Vec::new();
        while at < to && reader.next_block(&mut block).ok()? > 0 {
            for sample in block.first()?.iter().take((to - at) as usize) {
                let column = ((at - from) as f64 / (to - from) as f64 * columns as f64) as usize;
                if let Some(peak) = peaks.get_mut(column) {
                    *peak = (peak.0.min(*sample), peak.1.max(*sample));
                }
                at += 1;
            }
        }
        Some(Self { columns: peaks })
    }

    /// Drawn about a line, as loud as its loudest sample allows.
    pub(super) fn draw(&self, x: &Scale, middle: f64, half: f64) -> Markup {
        let loudest = self.columns.iter().map(|(low, high)| high.max(-low)).fold(0.01, f32::max);
        let place = |n: usize| x.place.0 + (x.place.1 - x.place.0) * (n as f64 + 0.5) / self.columns.len() as f64;
        let high = |value: f32| (f64::from(value / loudest) * half).max(LEAST);
        let mut points = String::new();
        for (n, (_, top)) in self.columns.iter().enumerate() {
            // Writing to a string cannot fail.
            let _ = write!(points, "{:.1},{:.1} ", place(n), middle - high(*top));
        }
        for (n, (bottom, _)) in self.columns.iter().enumerate().rev() {
            let _ = write!(points, "{:.1},{:.1} ", place(n), middle + high(-*bottom));
        }
        html! { polygon.wave points=(points.trim_end()) {} }
    }
}
