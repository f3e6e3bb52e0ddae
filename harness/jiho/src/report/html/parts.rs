//! What the page's sections are put together from: figures with a picture and a table, tables, times and delays as text.

use maud::{Markup, html};

/// A picture, what it shows in words, and its numbers as a table.
pub(super) struct Figure {
    /// Unlike any other on the page.
    pub(super) id: String,
    pub(super) title: String,
    /// What there is to see, for who cannot see it, and how to read it.
    pub(super) says: String,
    pub(super) picture: Picture,
    pub(super) table: Markup,
}

/// What is drawn.
pub(super) struct Picture {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) content: Markup,
}

impl Figure {
    pub(super) fn html(&self) -> Markup {
        let Self { id, title, says, picture, table } = self;
        html! {
            figure id=(id) {
                figcaption { strong { (title) } " " span.faint { (says) } }
                (picture.svg(id, title, says))
                details { summary { "The same as a table" } (table) }
            }
        }
    }
}

impl Picture {
    /// Wider than the page it can be scrolled, also with the keyboard.
    pub(super) fn svg(&self, id: &str, title: &str, says: &str) -> Markup {
        let Self { width, height, content } = self;
        let (title_id, says_id) = (format!("{id}-title"), format!("{id}-desc"));
        html! {
            div.picture tabindex="0" role="group" aria-label=(title) {
                svg viewBox=(format!("0 0 {width:.0} {height:.0}")) width=(format!("{width:.0}"))
                    height=(format!("{height:.0}")) role="img" aria-labelledby=(format!("{title_id} {says_id}")) {
                    title id=(title_id) { (title) }
                    desc id=(says_id) { (says) }
                    (content)
                }
            }
        }
    }
}

/// Rows under headings; the first columns name what the row is about.
pub(super) struct Sheet<'h> {
    pub(super) caption: String,
    pub(super) heads: &'h [&'h str],
    /// How many columns name it.
    pub(super) names: usize,
    pub(super) rows: Vec<Vec<String>>,
}

impl Sheet<'_> {
    pub(super) fn html(&self) -> Markup {
        self.with_class("sheet")
    }

    /// A long one, that is searched through.
    pub(super) fn searchable(&self) -> Markup {
        self.with_class("sheet long")
    }

    fn with_class(&self, class: &str) -> Markup {
        html! {
            div.scroll tabindex="0" role="region" aria-label=(self.caption) {
                table class=(class) {
                    caption { (self.caption) }
                    thead { tr { @for head in self.heads { th scope="col" { (head) } } } }
                    tbody {
                        @for row in &self.rows {
                            tr {
                                @for (column, cell) in row.iter().enumerate() {
                                    @if column < self.names { th scope="row" { (cell) } }
                                    @else if is_number(cell) { td.n { (cell) } }
                                    @else { td { (cell) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn is_number(cell: &str) -> bool {
    cell.is_empty() || cell.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '−' || c == '+')
}

/// A number as the tables on disk have it; empty if there is none.
pub(super) fn or_empty<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// Nanoseconds as milliseconds, to a microsecond.
pub(super) fn ns_as_ms(ns: i64) -> String {
    format!("{:.3}", ns as f64 / 1e6)
}

/// Nanoseconds since the run's start as seconds, to a tenth of a millisecond.
pub(super) fn ns_as_s(ns: i64) -> String {
    format!("{:.4}", ns as f64 / 1e9)
}

/// Paragraphs as `jiho explain` has them, as a list.
pub(super) fn list(paragraphs: &[String]) -> Markup {
    html! {
        @if !paragraphs.is_empty() {
            ul.said { @for paragraph in paragraphs { li { (paragraph.trim_start_matches("- ")) } } }
        }
    }
}
