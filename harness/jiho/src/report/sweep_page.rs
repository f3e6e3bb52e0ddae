//! `sweep.html`: one page with small multiples. A row of charts per figure, a chart per combination of all varied keys but
//! the first, whose values are on its horizontal axis; the median over repetitions with their range; the same as a table.

use std::fmt::Write;

use super::sweep::{Over, SweepRow};
use crate::experiment::{Percent, parse_duration};
use crate::figures::{Figure, Unit};
use crate::svg::escaped;
use crate::sweep::Plan;

const WIDTH: f64 = 260.0;
const HEIGHT: f64 = 170.0;
/// Room for the axes' labels.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;
/// More labels than this do not fit below a chart.
const LABELS: usize = 6;

const STYLE: &str = "
  :root { color-scheme: light dark; --page: #ffffff; --text: #1d2330; --faint: #5b6472; --grid: #dfe3ea; --mark: #1f6feb; }
  @media (prefers-color-scheme: dark) {
    :root { --page: #12161d; --text: #e6e9ef; --faint: #98a1b0; --grid: #303744; --mark: #6cb2ff; }
  }
  body { margin: 2rem auto; max-width: 76rem; padding: 0 1rem; background: var(--page); color: var(--text);
    font: 15px/1.45 system-ui, sans-serif; }
  h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin: 1.6rem 0 0.2rem; } p { max-width: 46rem; }
  .multiples { display: flex; flex-wrap: wrap; gap: 0.6rem 1rem; } figure { margin: 0; }
  figcaption { color: var(--faint); font-size: 0.85rem; }
  svg { font: 11px system-ui, sans-serif; max-width: 100%; height: auto; } svg text { fill: var(--faint); }
  .grid { stroke: var(--grid); } .line { stroke: var(--mark); stroke-width: 1.5; fill: none; }
  .range { stroke: var(--mark); stroke-width: 4; stroke-opacity: 0.35; } .dot { fill: var(--mark); }
  .scroll { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
  th, td { padding: 0.2rem 0.7rem 0.2rem 0; text-align: left; border-bottom: 1px solid var(--grid); }
  td.number, th.number { text-align: right; } summary { cursor: pointer; margin: 1.6rem 0 0.4rem; }
  @media print { body { max-width: none; } figure { break-inside: avoid; } }";

/// Draws a sweep, as far as it got; `name` is the experiment's.
pub fn html(name: &str, plan: &Plan, figures: &[Figure], rows: &[SweepRow]) -> String {
    let keys = plan.axes.iter().map(|axis| axis.key.as_str()).collect::<Vec<_>>().join(", ");
    let known = plan.points.iter().filter(|point| rows.iter().any(|row| row.point == point.number)).count();
    let title = format!("{name}: sweep of {keys}");
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>{STYLE}\n</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n\
         <p>{known} of {count} points. Dots are medians over a point's repetitions, bars reach from the least to the \
         greatest. Charts in a row share their scale.</p>\n",
        title = escaped(&title),
        count = plan.points.len(),
    );
    let facets = facets(plan);
    for figure in figures {
        let unit = figure.metric.unit();
        let scale = Scale::of(&points(plan, figure, rows), unit);
        let label = if unit.name().is_empty() { String::new() } else { format!(" ({})", unit.name()) };
        // Writing to a string cannot fail.
        let _ = write!(
            page,
            "<section>\n<h2><code>{}</code>{label}: {}</h2>\n<div class=\"multiples\">\n",
            escaped(&figure.to_string()),
            escaped(&figure.metric.described()),
        );
        for facet in &facets {
            let marks: Vec<Mark> =
                points(plan, figure, rows).into_iter().filter(|mark| facet.has(mark.point)).collect();
            chart(&mut page, plan, facet, figure, &marks, &scale);
        }
        page.push_str("</div>\n</section>\n");
    }
    table(&mut page, plan, figures, rows);
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

/// Points that differ in the first key alone.
struct Facet {
    label: String,
    points: Vec<usize>,
}

impl Facet {
    fn has(&self, point: usize) -> bool {
        self.points.contains(&point)
    }
}

fn facets(plan: &Plan) -> Vec<Facet> {
    let mut facets: Vec<Facet> = Vec::new();
    for point in &plan.points {
        let others = plan.axes.iter().zip(&point.settings).skip(1).filter(|_| !plan.zip);
        let label = others.map(|(axis, setting)| format!("{} = {setting}", axis.key)).collect::<Vec<_>>().join(", ");
        match facets.iter_mut().find(|facet| facet.label == label) {
            Some(facet) => facet.points.push(point.number),
            None => facets.push(Facet { label, points: vec![point.number] }),
        }
    }
    facets
}

/// A figure at a point.
struct Mark {
    point: usize,
    /// What the first key is set to.
    setting: String,
    over: Over,
}

fn points(plan: &Plan, figure: &Figure, rows: &[SweepRow]) -> Vec<Mark> {
    let mark = |point: &crate::sweep::Point| {
        let setting = point.settings.first().cloned().unwrap_or_default();
        Some(Mark { point: point.number, setting, over: Over::of(rows, point.number, &figure.to_string())? })
    };
    plan.points.iter().filter_map(mark).collect()
}

/// The vertical axis of a figure's charts.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn of(marks: &[Mark], unit: Unit) -> Self {
        let ends = marks.iter().flat_map(|mark| [mark.over.low, mark.over.high]).filter(|end| end.is_finite());
        let (low, high) =
            ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), end| (low.min(end), high.max(end)));
        if low > high {
            return Self { low: 0.0, high: 1.0 };
        }
        let margin = ((high - low) * 0.08).max(if unit == Unit::Ratio { 0.005 } else { 0.5 });
        let scale = Self { low: low - margin, high: high + margin };
        if unit == Unit::Ratio { Self { low: scale.low.max(0.0), high: scale.high.min(1.0) } } else { scale }
    }

    /// What was never heard again lies above all.
    fn y(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - share)
    }
}

/// Where the first key's values are on the horizontal axis: as quantities if they are some, else side by side.
fn places(plan: &Plan) -> Vec<(String, f64)> {
    let values: Vec<String> =
        plan.axes.first().map(|axis| axis.values().map(str::to_owned).collect()).unwrap_or_default();
    let read =
        |quantity: fn(&str) -> Option<f64>| values.iter().map(|value| quantity(value)).collect::<Option<Vec<_>>>();
    let quantities = read(|text| text.parse().ok().filter(|number: &f64| number.is_finite()))
        .or_else(|| read(|text| Percent::parse(text).ok().map(Percent::fraction)))
        .or_else(|| read(|text| parse_duration(text).ok().map(|span| span.as_millis_f64())));
    let (at, side_by_side) = match quantities {
        Some(at) => (at, false),
        None => ((0..values.len()).map(|n| n as f64).collect(), true),
    };
    let (low, high) = at.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)));
    // Words stand within the axis, quantities from end to end.
    let inset = if side_by_side { (WIDTH - LEFT - RIGHT) / (2.0 * at.len().max(1) as f64) } else { 8.0 };
    let span = WIDTH - LEFT - RIGHT - 2.0 * inset;
    let x = |value: f64| LEFT + inset + if high > low { (value - low) / (high - low) * span } else { span / 2.0 };
    values.into_iter().zip(at.iter().map(|&value| x(value))).collect()
}

fn chart(page: &mut String, plan: &Plan, facet: &Facet, figure: &Figure, marks: &[Mark], scale: &Scale) {
    let unit = figure.metric.unit().name();
    let places = places(plan);
    let x = |mark: &Mark| places.iter().find(|(value, _)| *value == mark.setting).map_or(LEFT, |(_, x)| *x);
    let key = plan.axes.first().map_or("", |axis| axis.key.as_str());
    let what = format!("{figure} over {key}{}{}", if facet.label.is_empty() { "" } else { ", " }, facet.label);
    let _ = write!(
        page,
        "<figure>\n<svg role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
         height=\"{HEIGHT}\">\n",
        escaped(&what)
    );
    for n in 0..=3 {
        let value = scale.low + (scale.high - scale.low) * f64::from(n) / 3.0;
        let (y, digits) = (scale.y(value), digits(scale));
        let _ = writeln!(
            page,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value:.digits$}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            y + 4.0
        );
    }
    let every = places.len().div_ceil(LABELS).max(1);
    for (value, x) in places.iter().step_by(every) {
        let value = escaped(value);
        let _ = writeln!(page, "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{value}</text>", HEIGHT - 8.0);
    }
    let line: Vec<String> =
        marks.iter().map(|mark| format!("{:.1},{:.1}", x(mark), scale.y(mark.over.median))).collect();
    let _ = writeln!(page, "<polyline class=\"line\" points=\"{}\"/>", line.join(" "));
    for mark in marks {
        let (x, Over { median, low, high, .. }) = (x(mark), mark.over);
        let _ = writeln!(
            page,
            "<g><title>{} = {}: {} {unit}</title><line class=\"range\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" \
             y2=\"{:.1}\"/><circle class=\"dot\" cx=\"{x:.1}\" cy=\"{:.1}\" r=\"3\"/></g>",
            escaped(key),
            escaped(&mark.setting),
            mark.over.text(unit),
            scale.y(low),
            scale.y(high),
            scale.y(median)
        );
    }
    let _ = writeln!(page, "</svg>\n<figcaption>{}</figcaption>\n</figure>", escaped(&facet.label));
}

/// As many as tell the axis' labels apart.
fn digits(scale: &Scale) -> usize {
    let step = (scale.high - scale.low) / 3.0;
    (1.0 - step.log10()).ceil().clamp(0.0, 4.0) as usize
}

fn table(page: &mut String, plan: &Plan, figures: &[Figure], rows: &[SweepRow]) {
    page.push_str("<details open>\n<summary>The same as a table</summary>\n<div class=\"scroll\"><table>\n<thead><tr>");
    let keys = plan.axes.iter().map(|axis| format!("<th scope=\"col\">{}</th>", escaped(&axis.key)));
    page.extend(keys);
    for figure in figures {
        let unit = figure.metric.unit().name();
        let unit = if unit.is_empty() { String::new() } else { format!(" ({unit})") };
        let _ = write!(page, "<th scope=\"col\" class=\"number\">{}{unit}</th>", escaped(&figure.to_string()));
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for point in &plan.points {
        page.push_str("<tr>");
        page.extend(point.settings.iter().map(|setting| format!("<td>{}</td>", escaped(setting))));
        for figure in figures {
            let over = Over::of(rows, point.number, &figure.to_string());
            let text = over.map_or_else(|| "–".to_owned(), |over| over.text(figure.metric.unit().name()));
            let _ = write!(page, "<td class=\"number\">{text}</td>");
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody>\n</table></div>\n</details>\n");
}
