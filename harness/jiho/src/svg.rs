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
