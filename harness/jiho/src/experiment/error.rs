//! What is wrong with an experiment's file: where, what, and how to mend it.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

/// Why a file does not give an experiment.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// It cannot be read.
    #[error("cannot read the experiment {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// It can be read and makes no sense.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

/// A file with all its problems. Displayed, each problem names file, line and column and shows the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The file's name, for the message.
    pub origin: String,
    /// At least one, in order of place.
    pub problems: Vec<Problem>,
}

/// One thing to be mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub mend: Option<String>,
    /// Where; `None`: in the file as a whole.
    pub spot: Option<Spot>,
}

/// A stretch of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The first is 1.
    pub line: usize,
    /// In characters; the first is 1.
    pub column: usize,
    /// The line's text.
    text: String,
    /// The stretch, in bytes of the line's text.
    span: Range<usize>,
}

impl Spot {
    /// Of a byte range that a parser gave; what goes beyond the first line, or beyond the text, is cut off.
    pub(super) fn new(text: &str, span: Range<usize>) -> Self {
        let start = text.floor_char_boundary(span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
        let line = text[line_start..line_end].trim_end_matches('\r');
        let start = (start - line_start).min(line.len());
        let end = line.floor_char_boundary(span.end.saturating_sub(line_start)).max(start);
        Self {
            line: text[..line_start].matches('\n').count() + 1,
            column: line[..start].chars().count() + 1,
            text: line.to_owned(),
            span: start..end,
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.problems.iter().enumerate() {
            if n > 0 {
                f.write_str("\n\n")?;
            }
            problem.fmt_in(&self.origin, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}

impl Problem {
    fn fmt_in(&self, origin: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = Level::ERROR.no_name().primary_title(&self.message);
        let group = match &self.spot {
            Some(spot) => title.element(
                Snippet::source(&spot.text)
                    .line_start(spot.line)
                    .path(origin)
                    .annotation(AnnotationKind::Primary.span(spot.span.clone())),
            ),
            None => title.element(Origin::path(origin)),
        };
        let group = match &self.mend {
            Some(mend) => group.element(Level::HELP.message(mend)),
            None => group,
        };
        f.write_str(&Renderer::plain().render(&[group]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spot_counts_lines_and_characters_from_one() {
        let text = "a = 1\nß = \"é\" # x\r\n";
        let at = text.find('"').unwrap();
        let spot = Spot::new(text, at..at + 4);
        assert_eq!((spot.line, spot.column, spot.text.as_str()), (2, 5, "ß = \"é\" # x"));
        assert_eq!(&spot.text[spot.span], "\"é\"");
    }

    #[test]
    fn a_spot_stays_on_its_line_and_in_the_text() {
        assert_eq!(Spot::new("[a]\n[b]\n", 0..7).span, 0..3);
        assert_eq!(Spot::new("é", 1..9).span, 0..2);
        assert_eq!(Spot::new("", 5..9).line, 1);
    }
}
