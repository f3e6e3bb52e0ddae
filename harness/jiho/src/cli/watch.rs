//! Who watches a run: a view on the terminal, plain lines where there is none, JSON lines for programs.

use std::io::{Write, stderr};

use console::Term;

use super::bar::Bar;
use super::print;
use crate::report::jsonl::Line;
use crate::report::watch::{Lines, Matrix, view};
use crate::run::watch::{Begun, News, Watcher};

/// Drawn on the terminal if standard error is one, else said in lines on standard error.
pub(super) fn for_people(begun: &Begun, bar: &Bar) -> Box<dyn Watcher> {
    if Term::stderr().is_term() {
        Box::new(Drawn { matrix: Matrix::new(begun), bar: bar.clone() })
    } else {
        Box::new(Said(Lines::new(begun)))
    }
}

/// Line by line on standard output.
pub(super) fn for_programs(begun: &Begun) -> Box<dyn Watcher> {
    // A reader that has gone away does not end the run; what cannot be written otherwise shows at its end.
    let _ = Line::begun(begun).text().map(|line| print(&line));
    Box::new(Streamed(begun.clone()))
}

/// Several watchers at once.
pub(super) struct All(pub(super) Vec<Box<dyn Watcher>>);

impl Watcher for All {
    fn told(&mut self, news: &News) {
        self.0.iter_mut().for_each(|watcher| watcher.told(news));
    }

    fn draw(&mut self) {
        self.0.iter_mut().for_each(|watcher| watcher.draw());
    }
}

struct Drawn {
    matrix: Matrix,
    bar: Bar,
}

impl Watcher for Drawn {
    fn told(&mut self, news: &News) {
        self.matrix.note(news);
    }

    fn draw(&mut self) {
        let (rows, columns) = Term::stderr().size();
        // The last line stays free, for what else is said.
        self.bar.text(view(&self.matrix, usize::from(rows).saturating_sub(1), usize::from(columns)));
    }
}

struct Said(Lines);

impl Watcher for Said {
    fn told(&mut self, news: &News) {
        // If nobody reads standard error, nobody wants to know.
        let _ = stderr().write_all(self.0.said(news).as_bytes());
    }
}

struct Streamed(Begun);

impl Watcher for Streamed {
    fn told(&mut self, news: &News) {
        if let Some(line) = Line::of(&self.0, news) {
            let _ = line.text().map(|line| print(&line));
        }
    }
}
