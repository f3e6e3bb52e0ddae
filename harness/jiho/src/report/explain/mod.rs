//! A run in plain words, for somebody who was in the room: what everybody heard, why, and what is still open. Made of a
//! folder's tables alone.

mod changes;
mod chorus;
mod heard;
mod served;

use crate::exit::UsageError;
use crate::report::table::{Table, TableError};
use crate::run::folder::Folder;

/// Lines are no longer than this.
const WIDEST: usize = 100;
const INDENT: &str = "  ";

/// The page.
///
/// # Errors
/// `delays.csv` or `emissions.csv` is missing, or a table is damaged.
pub fn page(folder: &Folder) -> anyhow::Result<String> {
    if !folder.delays().is_file() {
        let folder = folder.path().display();
        let missing = format!("{folder} has no delays.csv: `jiho analyze {folder}` makes it from the recordings");
        return Err(UsageError::say(missing).into());
    }
    let delays = Table::read(&folder.delays())?;
    let chorus = chorus::paragraphs(&folder.chorus())?;
    let sections = [
        ("What everybody heard", heard::paragraphs(&delays)),
        ("What happened when roles changed", changes::paragraphs(&read(&folder.gaps())?, &read(&folder.stack())?)),
        ("How together it was", chorus),
        ("What kind of room it was", served::paragraphs(&crate::run::architecture(folder)?)),
    ];
    let mut page = String::new();
    for (title, paragraphs) in sections.into_iter().filter(|(_, paragraphs)| !paragraphs.is_empty()) {
        if !page.is_empty() {
            page.push('\n');
        }
        page.push_str(title);
        page.push('\n');
        paragraphs.iter().for_each(|paragraph| page.push_str(&wrapped(paragraph)));
    }
    Ok(page)
}

/// A table, or nothing if it is not there.
fn read<R: serde::Serialize + serde::de::DeserializeOwned>(path: &std::path::Path) -> Result<Vec<R>, TableError> {
    if path.is_file() { Table::read(path) } else { Ok(Vec::new()) }
}

/// A paragraph in lines; what it begins with as a list's item goes on under its text.
fn wrapped(paragraph: &str) -> String {
    let hang = if paragraph.starts_with("- ") { "  " } else { "" };
    let mut text = String::new();
    let mut line = INDENT.to_owned();
    for word in paragraph.split(' ') {
        let empty = line.trim().is_empty();
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDEST {
            text.push_str(&line);
            text.push('\n');
            line = format!("{INDENT}{hang}{word}");
            continue;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
    }
    text + &line + "\n"
}

/// `ana`, `ana and ben`, `ana, ben and chloe`.
fn listed(names: &[String]) -> String {
    match names {
        [] => "nobody".to_owned(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// A delay as people speak of it.
fn spoken(ms: f64) -> String {
    match ms.abs() {
        long if long >= 950.0 => format!("{:.1} s", ms / 1000.0),
        _ => format!("{ms:.0} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_wrapped_and_items_hang() {
        let text = wrapped(&format!("- {}", "many words ".repeat(20).trim()));
        assert!(text.lines().all(|line| line.chars().count() <= WIDEST), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with("    m") || line.starts_with("    w")), "{text}");
        assert_eq!(text.split_whitespace().filter(|word| *word == "many").count(), 20);
    }

    #[test]
    fn names_are_listed_as_people_do() {
        let names = ["ana", "ben", "chloe"].map(str::to_owned);
        assert_eq!([listed(&names[..0]), listed(&names[..1])], ["nobody", "ana"]);
        assert_eq!([listed(&names[..2]), listed(&names)], ["ana and ben", "ana, ben and chloe"]);
    }
}
