//! Axes, marks and colours of the page's pictures.

use std::fmt::Write;

use maud::{Markup, html};

use crate::svg::{Scale, px};

/// Pictures are as wide as the page's text.
pub(super) const WIDTH: f64 = 1000.0;
/// Two of these stand beside each other.
pub(super) const HALF: f64 = 490.0;
pub(super) const LEFT: f64 = 64.0;
pub(super) const RIGHT: f64 = 16.0;

/// A frame with an axis of time or delay below it, and one of delay or share on its left.
pub(super) struct Frame {
    pub(super) x: Scale,
    pub(super) y: Scale,
}

impl Frame {
    /// `top` and `bottom` are where it lies in the picture, which is so wide.
    pub(super) fn new(x: (f64, f64), y: (f64, f64), width: f64, top: f64, bottom: f64) -> Self {
        Self { x: Scale::new(x, (LEFT, width - RIGHT)), y: Scale::new(y, (bottom, top)) }
    }

    /// Lines and numbers; titles are of the axis below and of the one on the left.
    pub(super) fn axes(&self, below: &str, left: &str) -> Markup {
        let ((x1, x2), (bottom, top)) = (self.x.place, self.y.place);
        html! {
            @for value in self.y.ticks(5) {
                @let y = self.y.at(value);
                line.grid x1=(px(x1)) x2=(px(x2)) y1=(px(y)) y2=(px(y)) {}
                text.tick x=(px(x1 - 6.0)) y=(px(y + 3.5)) text-anchor="end" { (self.y.label(value)) }
            }
            @for value in self.x.ticks(((x2 - x1) / 80.0) as usize) {
                @let x = self.x.at(value);
                line.grid x1=(px(x)) x2=(px(x)) y1=(px(top)) y2=(px(bottom)) {}
                text.tick x=(px(x)) y=(px(bottom + 14.0)) text-anchor="middle" { (self.x.label(value)) }
            }
            text.tick x=(px(x2)) y=(px(bottom + 28.0)) text-anchor="end" { (below) }
            text.tick x=(px(x1 - 58.0)) y=(px(top - 8.0)) { (left) }
        }
    }

    /// A line through values.
    pub(super) fn line(&self, series: usize, values: impl Iterator<Item = (f64, f64)>) -> Markup {
        html! { polyline class=(format!("line {}", series_class(series))) points=(self.points(values)) {} }
    }

    /// A band between two lines over the same places.
    pub(super) fn band(&self, series: usize, low: &[(f64, f64)], high: &[(f64, f64)]) -> Markup {
        let outline = low.iter().copied().chain(high.iter().rev().copied());
        html! { polygon class=(format!("band {}", series_class(series))) points=(self.points(outline)) {} }
    }

    fn points(&self, values: impl Iterator<Item = (f64, f64)>) -> String {
        let mut points = String::new();
        for (x, y) in values {
            // Writing to a string cannot fail.
            let _ = write!(points, "{:.1},{:.1} ", self.x.at(x), self.y.at(y));
        }
        points.truncate(points.trim_end().len());
        points
    }
}

/// The colour, dashes and mark of a series; there are eight of each.
pub(super) fn series_class(series: usize) -> String {
    format!("s{}", series % 8)
}

/// A mark of a series: shapes differ as colours do.
pub(super) fn mark(series: usize, x: f64, y: f64, says: &str) -> Markup {
    let class = format!("mark {}", series_class(series));
    html! { path class=(class) d=(shape(series, x, y)) { title { (says) } } }
}

fn shape(series: usize, x: f64, y: f64) -> String {
    match series % 4 {
        0 => format!("M{:.1} {y:.1}a2.6 2.6 0 1 0 5.2 0a2.6 2.6 0 1 0-5.2 0", x - 2.6),
        1 => format!("M{:.1} {:.1}h5v5h-5z", x - 2.5, y - 2.5),
        2 => format!("M{x:.1} {:.1}l3.2 5.4h-6.4z", y - 3.4),
        _ => format!("M{x:.1} {:.1}l3.4 3.4l-3.4 3.4l-3.4-3.4z", y - 3.4),
    }
}

/// Which series is whose.
pub(super) fn legend<'n>(names: impl Iterator<Item = (usize, &'n str)>) -> Markup {
    html! {
        ul.legend aria-hidden="true" {
            @for (series, name) in names {
                li {
                    svg width="34" height="12" viewBox="0 0 34 12" {
                        (sample(series))
                    }
                    " " (name)
                }
            }
        }
    }
}

fn sample(series: usize) -> Markup {
    html! {
        line class=(format!("line {}", series_class(series))) x1="0" x2="34" y1="6" y2="6" {}
        path class=(format!("mark {}", series_class(series))) d=(shape(series, 17.0, 6.0)) {}
    }
}
