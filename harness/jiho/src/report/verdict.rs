//! Whether a run could be measured at all, and well enough.

use std::collections::BTreeMap;

use jiho_analysis::arrivals::Reason;
use jiho_analysis::metrics::Relation;

use super::pairs::PairRow;
use super::run_json::RunJson;
use super::table::TableError;
use super::tables::Tables;
use crate::exit::Exit;

/// Fewer beeps of a pair than this give no interval worth the name.
const ENOUGH_BEEPS: usize = 5;

/// What a verdict rests on: one pair's beeps.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    /// Beeps.
    pub expected: usize,
    /// Of these heard for sure, or weakly.
    pub heard: usize,
    /// Of these due while the ear did not record, or kept from it by a role change: not held against anybody.
    pub excused: usize,
    /// Whether there is any delay, be it an ambiguous one.
    pub delay: bool,
}

impl Counts {
    /// Whether too little was heard.
    fn is_doubtful(self) -> bool {
        let audible = self.expected.saturating_sub(self.excused);
        self.heard == 0 || self.heard < ENOUGH_BEEPS.min(audible) || self.heard * 2 < audible
    }
}

/// Whether pairs could be measured. Those of ears that have no key are left out: that they hear nothing is as it should
/// be.
pub fn of_pairs(pairs: impl IntoIterator<Item = Counts>) -> Exit {
    let (mut any, mut doubtful) = (false, false);
    for pair in pairs {
        any |= pair.delay;
        doubtful |= pair.is_doubtful();
    }
    match (any, doubtful) {
        (false, _) => Exit::Nothing,
        (true, true) => Exit::Inconclusive,
        (true, false) => Exit::Done,
    }
}

/// The verdict on a run that is read back, without its gates.
///
/// # Errors
/// A table is damaged.
pub fn of_tables(tables: &Tables) -> Result<Exit, TableError> {
    if tables.run.as_ref().is_some_and(|run| !run.failures.is_empty()) {
        return Ok(Exit::Failed);
    }
    Ok(of_pairs(counted(tables)?.into_iter().map(|(_, counts)| counts)))
}

/// The pairs that make a run inconclusive, or that nothing was heard of.
///
/// # Errors
/// A table is damaged.
pub fn doubtful(tables: &Tables) -> Result<Vec<&PairRow>, TableError> {
    Ok(counted(tables)?.into_iter().filter(|(_, counts)| counts.is_doubtful()).map(|(row, _)| row).collect())
}

/// The pairs of ears that have the key, if one is needed.
fn counted(tables: &Tables) -> Result<Vec<(&PairRow, Counts)>, TableError> {
    let keyless = tables.run.as_ref().map(RunJson::keyless).unwrap_or_default();
    let mut excused: BTreeMap<(Relation, &str, &str), usize> = BTreeMap::new();
    for row in tables.delays()?.iter().filter(|row| is_excused(row.reason)) {
        *excused.entry((row.relation, &row.speaker, &row.recorder)).or_default() += 1;
    }
    let with_key = tables.pairs()?.iter().filter(|row| !keyless.contains(&row.recorder));
    let counts = |row: &PairRow| Counts {
        expected: row.expected,
        heard: row.heard,
        excused: excused.get(&(row.relation, &row.speaker, &row.recorder)).copied().unwrap_or_default(),
        delay: row.median_ms.is_some(),
    };
    Ok(with_key.map(|row| (row, counts(row))).collect())
}

/// Whether a beep that was not heard is held against nobody.
pub fn is_excused(reason: Option<Reason>) -> bool {
    matches!(reason, Some(Reason::NotRecorded | Reason::RoleChange))
}

/// A verdict in words; nothing where there is nothing to add to what was measured.
pub fn words(exit: Exit, spoke: bool) -> Option<&'static str> {
    match exit {
        Exit::Inconclusive => {
            Some("Inconclusive: some pair was heard too seldom, or too doubtfully, for its figures to be relied on.")
        }
        Exit::Nothing if !spoke => Some("Nothing was measured: no beep was sent."),
        Exit::Nothing => Some("Nothing was measured: no beep was heard anywhere."),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Beeps that were heard, not found, and not recorded.
    fn pair(heard: usize, not_found: usize, not_recorded: usize) -> Counts {
        Counts { expected: heard + not_found + not_recorded, heard, excused: not_recorded, delay: heard > 0 }
    }

    #[test]
    fn a_pair_is_doubtful_if_less_than_half_of_what_it_could_hear_was_heard() {
        assert!(!pair(10, 10, 0).is_doubtful());
        assert!(pair(10, 11, 0).is_doubtful());
        assert!(!pair(10, 0, 50).is_doubtful(), "the ear came late, and heard all from then on");
        assert!(pair(4, 1, 0).is_doubtful() && pair(0, 0, 3).is_doubtful() && !pair(3, 0, 0).is_doubtful());
    }

    #[test]
    fn nothing_heard_is_neither_fine_nor_doubtful() {
        assert_eq!(of_pairs([pair(0, 5, 0), pair(0, 9, 0)]), Exit::Nothing);
        assert_eq!(of_pairs([pair(0, 5, 0), pair(9, 0, 0)]), Exit::Inconclusive);
        assert_eq!(of_pairs([pair(9, 0, 0)]), Exit::Done);
    }
}
