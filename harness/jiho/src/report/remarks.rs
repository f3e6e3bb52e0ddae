//! What has to be known of a run before its figures are believed: what failed, what is missing and why, what is wrong
//! with the recordings.

use super::tables::Tables;
use super::words;
use crate::run::measure::flaws;

/// All remarks on a run that is read back, one sentence each.
///
/// # Errors
/// A table or a sidecar is damaged.
pub fn of(tables: &Tables) -> anyhow::Result<Vec<String>> {
    let mut remarks = match &tables.run {
        Some(run) => run.said(),
        None => vec!["There is no run.json: the run was killed before it was written.".to_owned()],
    };
    remarks.extend(words::missing(tables.delays()?.iter().map(|row| (row.status, row.reason))));
    for (_, sidecar) in tables.recordings()? {
        remarks.extend(flaws(&sidecar, None).iter().map(|flaw| format!("{}: {flaw}.", sidecar.recorder)));
    }
    Ok(remarks)
}
