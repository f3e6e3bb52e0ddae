//! The figures as a picture.

use std::fmt::Write;

use super::Figures;
use super::calibration::{GOAL, LEVELS};
use super::tables::{Curve, curves};
use crate::svg::{self, escaped};

const ROW: f64 = 17.0;
const TOP: f64 = 62.0;
const LABELS: f64 = 330.0;
const COLUMN: f64 = 190.0;
/// Of a column, for the axis; the rest is for how many were heard.
const AXIS: f64 = 140.0;
/// The axis goes so far to both sides, in µs.
const REACH_US: f64 = 110.0;
const SQUARE: f64 = 260.0;
/// Room for what is said beside the curve.
const LEAST_WIDTH: f64 = 840.0;

const STYLE: &str = "
  .dot, .goal { fill: #1f6feb; } .bar, .curve { stroke: #1f6feb; }
  .bad { fill: #d1242f; } .bad.bar { stroke: #d1242f; }
  .goal { opacity: 0.2; } .bar { stroke-width: 3; stroke-opacity: 0.5; } .curve { fill: none; stroke-width: 1.5; }
  @media (prefers-color-scheme: dark) {
    .dot, .goal { fill: #6cb2ff; } .bar, .curve { stroke: #6cb2ff; }
    .bad { fill: #ff7b72; } .bad.bar { stroke: #ff7b72; }
  }";

/// Draws, by way and family, the median error with its spread, and how often stated intervals hold the truth.
pub fn svg(figures: &[Figures]) -> String {
    let mut families: Vec<_> = figures.iter().map(|cell| cell.family).collect();
    families.dedup();
    let mut ways: Vec<&str> = Vec::new();
    for cell in figures {
        if !ways.contains(&cell.way.as_str()) {
            ways.push(&cell.way);
        }
    }
    let width = (LABELS + COLUMN * families.len() as f64 + 10.0).max(LEAST_WIDTH);
    let bottom = TOP + ROW * ways.len() as f64;
    let height = bottom + SQUARE + 130.0;
    let mut svg = svg::page("jiho verify", width, height, STYLE);
    // Writing to a string cannot fail.
    let _ = write!(
        svg,
        "<text x=\"10\" y=\"20\" font-size=\"15\" font-weight=\"600\">Measured less true delay, in µs</text>\n\
         <text x=\"10\" y=\"38\" class=\"faint\">dot: median; bar: two standard deviations to each side; right: share \
         of beeps heard; red: misses its goal</text>\n"
    );
    for (column, family) in families.iter().enumerate() {
        let left = LABELS + COLUMN * column as f64;
        axis(&mut svg, left, family.name(), bottom);
        for (row, way) in ways.iter().enumerate() {
            if let Some(cell) = figures.iter().find(|cell| cell.family == *family && cell.way == *way) {
                draw_cell(&mut svg, left, TOP + ROW * (row as f64 + 0.5), cell);
            }
        }
    }
    for (row, way) in ways.iter().enumerate() {
        let _ = writeln!(svg, "<text x=\"10\" y=\"{:.1}\">{}</text>", TOP + ROW * row as f64 + 12.5, escaped(way));
    }
    calibration(&mut svg, bottom + 60.0, &curves(figures));
    svg.push_str("</svg>\n");
    svg
}

fn x(left: f64, us: f64) -> f64 {
    left + AXIS / 2.0 * (1.0 + us.clamp(-REACH_US, REACH_US) / REACH_US)
}

fn axis(svg: &mut String, left: f64, name: &str, bottom: f64) {
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-weight=\"600\">{name}</text>",
        x(left, 0.0),
        TOP - 6.0
    );
    for us in [-100.0, -50.0, 0.0, 50.0, 100.0] {
        let (x, class) = (x(left, us), if us == 0.0 { "zero" } else { "grid" });
        let _ = writeln!(
            svg,
            "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom:.1}\"/>\
             <text class=\"faint\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"10\">{us}</text>",
            bottom + 13.0
        );
    }
}

fn draw_cell(svg: &mut String, left: f64, y: f64, cell: &Figures) {
    let bad = if cell.passed() { "" } else { " bad" };
    if let Some(bias) = cell.bias_us {
        let spread = 2.0 * cell.spread_us.unwrap_or(0.0);
        let _ = writeln!(
            svg,
            "<line class=\"bar{bad}\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <circle class=\"dot{bad}\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"3\"><title>{}: bias {bias:.1} µs, spread {:.1} µs\
             </title></circle>",
            x(left, bias - spread),
            x(left, bias + spread),
            x(left, bias),
            escaped(&cell.way),
            spread / 2.0
        );
    }
    let heard = match cell.not_run {
        Some(_) => "not run".to_owned(),
        None => format!("{:.0} %", 100.0 * cell.heard as f64 / cell.beeps.max(1) as f64),
    };
    let class = if bad.is_empty() { "faint" } else { "bad" };
    let _ = writeln!(
        svg,
        "<text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" font-size=\"10\">{heard}</text>",
        left + COLUMN - 14.0,
        y + 3.5
    );
}

fn calibration(svg: &mut String, top: f64, curves: &[Curve]) {
    let place = |nominal: f64, actual: f64| (60.0 + SQUARE * nominal, top + SQUARE * (1.0 - actual));
    let _ = writeln!(
        svg,
        "<text x=\"10\" y=\"{:.1}\" font-size=\"15\" font-weight=\"600\">How often stated intervals hold the truth\
         </text>",
        top - 18.0
    );
    let stated = LEVELS[super::calibration::STATED].0;
    let ((left, low), (_, high)) = (place(stated - 0.02, *GOAL.start()), place(stated, *GOAL.end()));
    let _ = writeln!(
        svg,
        "<rect class=\"goal\" x=\"{left:.1}\" y=\"{high:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
        0.04 * SQUARE,
        low - high
    );
    for tick in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let ((x, bottom), (left, y)) = (place(tick, 0.0), place(0.0, tick));
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{left:.1}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top:.1}\" y2=\"{bottom:.1}\"/>\
             <text class=\"faint\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" font-size=\"10\">{:.0} %</text>\
             <text class=\"faint\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"10\">{:.0} %</text>",
            left + SQUARE,
            left - 5.0,
            y + 3.5,
            100.0 * tick,
            bottom + 13.0,
            100.0 * tick
        );
    }
    let ((x1, y1), (x2, y2)) = (place(0.0, 0.0), place(1.0, 1.0));
    let _ = writeln!(svg, "<line class=\"zero\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>");
    let Some(curve) = curves.last() else { return };
    let points: Vec<(f64, f64)> = LEVELS.iter().zip(curve.actual).map(|(&(n, _), actual)| place(n, actual)).collect();
    let line: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let _ = writeln!(svg, "<polyline class=\"curve\" points=\"{}\"/>", line.join(" "));
    for (x, y) in points {
        let _ = writeln!(svg, "<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>");
    }
    for (n, line) in words(curves).iter().enumerate() {
        let (x, y) = (100.0 + SQUARE, top + 14.0 + 17.0 * n as f64);
        let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escaped(line));
    }
}

fn words(curves: &[Curve]) -> Vec<String> {
    let mut lines = vec!["across: stated level; up: share of beeps; shaded: the goal, 93 to 99 % at 95 %".to_owned()];
    lines.extend(curves.iter().map(|curve| {
        let shares: Vec<String> = LEVELS
            .iter()
            .zip(curve.actual)
            .map(|((nominal, _), actual)| format!("{:.0} %: {:.1}", 100.0 * nominal, 100.0 * actual))
            .collect();
        format!("{}: {}", curve.name, shares.join(", "))
    }));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::Goal;
    use jiho_analysis::signal::Family;

    #[test]
    fn every_way_is_named_and_what_misses_its_goal_is_marked() {
        let goal = Goal { heard_ratio: 1.0, ..Goal::NONE };
        let ways = ["noise & hum", "a room"];
        let cells = ways.map(|way| Figures::of(Family::Noise, way.to_owned(), Goal::NONE, &[]));
        let good = svg(&cells);
        assert!(
            good.contains("noise &amp; hum") && good.contains("a room") && !good.contains("class=\"bad\""),
            "{good}"
        );
        let lacking = Figures::not_run(Family::Noise, "speech".to_owned(), goal, "no espeak-ng");
        assert!(svg(&[lacking]).contains("not run"));
    }
}
