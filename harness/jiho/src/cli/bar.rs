//! The progress line: on standard error, and only where that is a terminal.

use std::time::Duration;

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A line that says how far something has got, in seconds of sound. Clones show the same line.
#[derive(Clone)]
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new() -> Self {
        Self::on(ProgressDrawTarget::stderr_with_hz(10))
    }

    fn on(target: ProgressDrawTarget) -> Self {
        Self(ProgressBar::with_draw_target(Some(0), target))
    }

    /// So much is done.
    pub(super) fn show(&self, what: &'static str, done: f64, total: f64) {
        self.begin(what, total);
        self.0.set_position(millis(done));
    }

    /// At least so much is done.
    pub(super) fn reach(&self, what: &'static str, done: f64, total: f64) {
        self.begin(what, total);
        self.0.set_position(self.0.position().max(millis(done)));
    }

    /// So much more is done.
    pub(super) fn add(&self, what: &'static str, more: f64, total: f64) {
        self.begin(what, total);
        self.0.inc(millis(more));
    }

    /// Shows lines in place of the bar.
    pub(super) fn text(&self, lines: String) {
        self.0.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
        self.0.set_message(lines);
    }

    /// Says something to whoever pressed Ctrl-C, while the line is away.
    pub(super) fn answer(&self, text: &str) {
        self.take_away_echo();
        // If nobody reads standard error, nobody wants to know.
        self.0.suspend(|| drop(std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes())));
    }

    /// What is drawn ends at the last column, and from there the cursor is taken to be. The `^C` that a terminal shows goes
    /// to the line below, and the cursor with it. A space takes it there in any case, and then it is set back.
    fn take_away_echo(&self) {
        let (term, drawn) = (Term::stderr(), !self.0.message().is_empty() && !self.0.is_finished());
        if drawn && term.is_term() {
            let back = || -> std::io::Result<()> {
                term.write_str(" ")?;
                term.clear_line()?;
                term.move_cursor_up(1)
            };
            // If nobody reads standard error, nobody wants to know.
            let _ = back();
        }
    }

    /// Takes the line away.
    pub(super) fn clear(&self) {
        self.0.finish_and_clear();
    }

    fn begin(&self, what: &'static str, total: f64) {
        if self.0.message() != what {
            let style = ProgressStyle::with_template("{msg} {wide_bar} {percent} %");
            self.0.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            self.0.set_message(what);
            self.0.set_position(0);
            self.0.set_length(millis(total));
        }
    }
}

fn millis(seconds: f64) -> u64 {
    Duration::try_from_secs_f64(seconds).map_or(0, |span| span.as_millis() as u64)
}
