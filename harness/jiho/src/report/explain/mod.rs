//! A run in plain words, for somebody who was in the room: what everybody heard, why, and what is still open. Made of a
//! folder's tables alone.

mod changes;
mod chorus;
mod heard;
mod served;

use super::drops::DropRow;
use super::prose::{listed, spoken, wrapped};
use crate::exit::UsageError;
use crate::report::run_json::RunJson;
use crate::report::table::Table;
use crate::run::folder::Folder;

pub(super) use chorus::paragraphs as chorus;
pub(super) use served::paragraphs as served;

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
    let sections = [
        section("What everybody heard", &heard(folder)?),
        section("What happened when roles changed", &changes(folder)?),
        section("How together it was", &chorus(folder)?),
        section("What to keep in mind", &kept_in_mind(folder)?),
        section("What kind of room it was", &served(&crate::run::architecture(std::slice::from_ref(folder))?)),
    ];
    let sections: Vec<String> = sections.into_iter().filter(|section| !section.is_empty()).collect();
    Ok(sections.join("\n"))
}

/// What failed, and what the instrument itself lost or held up: what was heard may come of that.
fn kept_in_mind(folder: &Folder) -> anyhow::Result<Vec<String>> {
    let path = folder.run_json();
    if path.is_file() { Ok(RunJson::read(&path)?.said()) } else { Ok(Vec::new()) }
}

/// What everybody heard, and how late.
///
/// # Errors
/// A table is damaged.
pub(super) fn heard(folder: &Folder) -> anyhow::Result<Vec<String>> {
    let drops = Table::<DropRow>::read_if_there(&folder.drops())?;
    Ok(heard::paragraphs(&Table::read(&folder.delays())?, &drops))
}

/// What changes of roles did to what people heard.
///
/// # Errors
/// A table is damaged.
pub(super) fn changes(folder: &Folder) -> anyhow::Result<Vec<String>> {
    Ok(changes::paragraphs(&Table::read_if_there(&folder.gaps())?, &Table::read_if_there(&folder.stack())?))
}

/// A part of a page, under its title; nothing if there is nothing to say.
pub(super) fn section(title: &str, paragraphs: &[String]) -> String {
    let wrapped: String = paragraphs.iter().map(|paragraph| wrapped(paragraph)).collect();
    if wrapped.is_empty() { wrapped } else { format!("{title}\n{wrapped}") }
}
