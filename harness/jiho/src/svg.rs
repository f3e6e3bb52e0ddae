//! What all pictures share: SVG files that stand alone, and are readable on light and on dark.

/// Without variables, which many viewers of SVG do not know.
const STYLE: &str = "
  svg { font: 12px system-ui, sans-serif; }
  text { fill: #1d2330; } .page { fill: #ffffff; } .grid { stroke: #dfe3ea; } .zero { stroke: #8a93a3; }
  .faint { fill: #6b7482; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6e9ef; } .page { fill: #12161d; } .grid { stroke: #303744; } .zero { stroke: #8b94a5; }
    .faint { fill: #8b94a5; }
  }";

/// The beginning of a picture: `</svg>` is left to whoever draws it. `style` is added to what all have.
pub(crate) fn page(title: &str, width: f64, height: f64, style: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\n\
         <title>{title}</title>\n<style>{STYLE}{style}\n</style>\n\
         <rect class=\"page\" width=\"{width}\" height=\"{height}\"/>\n"
    )
}

/// A text that may hold what means something in SVG.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A coordinate, to a tenth of a pixel.
pub(crate) fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

/// From values to places in a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    /// The least and the greatest value.
    pub(crate) values: (f64, f64),
    /// Where they are.
    pub(crate) place: (f64, f64),
}

impl Scale {
    /// Values that are all one get some room.
    pub(crate) fn new(values: (f64, f64), place: (f64, f64)) -> Self {
        let values = if values.1 > values.0 { values } else { (values.0 - 0.5, values.0 + 0.5) };
        Self { values, place }
    }

    /// Where a value is; those beyond the ends are beyond them.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let (from, to) = self.values;
        self.place.0 + (value - from) / (to - from) * (self.place.1 - self.place.0)
    }

    /// Round values within it, at most so many.
    pub(crate) fn ticks(&self, most: usize) -> Vec<f64> {
        let (from, to) = self.values;
        let step = self.step(most);
        let (first, last) = ((from / step).ceil() as i64, (to / step + 1e-9).floor() as i64);
        (first..=last).map(|n| n as f64 * step).collect()
    }

    /// A tick's number, with as many digits as tell it from the next.
    pub(crate) fn label(&self, value: f64) -> String {
        let digits = (-self.step(10).log10()).ceil().clamp(0.0, 6.0) as usize;
        format!("{value:.digits$}")
    }

    fn step(&self, most: usize) -> f64 {
        let least = (self.values.1 - self.values.0) / most as f64;
        let decade = 10f64.powf(least.log10().floor());
        [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * decade).find(|step| *step >= least).unwrap_or(decade)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_within_the_scale_and_no_more_than_asked_for() {
        let scale = |from, to| Scale::new((from, to), (0.0, 100.0));
        assert_eq!(scale(0.0, 100.0).ticks(5), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(scale(83.2, 91.9).ticks(5), [84.0, 86.0, 88.0, 90.0]);
        assert_eq!(scale(-1.0, 1.0).ticks(2), [-1.0, 0.0, 1.0]);
        assert_eq!(scale(66.9, 66.9).at(66.9), 50.0, "one value is in the middle");
        assert_eq!(scale(0.0, 0.3).label(0.15), "0.15");
        assert_eq!(scale(0.0, 3000.0).label(1500.0), "1500");
    }
}
