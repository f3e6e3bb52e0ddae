//! Repetitions of a run, for a terminal: what is the same in all of them, and what chance makes of it.

use std::collections::BTreeMap;
use std::fmt::Write;

use jiho_analysis::metrics::Relation;
use jiho_analysis::stats;

use super::table::TableError;
use super::tables::Tables;
use super::words::counted;

/// More pairs are summed up by speaker.
const CROWD: usize = 60;

/// Each pair's median of its repetitions' medians, with the interval that repetitions leave, and how far they lie apart.
///
/// # Errors
/// A table is damaged.
pub fn text(repetitions: &[Tables]) -> Result<String, TableError> {
    let mut pairs: BTreeMap<(Relation, &str, &str), Counted> = BTreeMap::new();
    for row in repetitions.iter().map(Tables::pairs).collect::<Result<Vec<_>, _>>()?.into_iter().flatten() {
        let crowd = repetitions.first().map_or(Ok(0), |tables| tables.pairs().map(<[_]>::len))? > CROWD;
        let ear = if crowd { "all ears" } else { &row.recorder };
        let pair = pairs.entry((row.relation, &row.speaker, ear)).or_default();
        pair.medians.extend(row.median_ms);
        pair.expected += row.expected;
        pair.heard += row.heard;
    }
    let mut text = format!(
        "Mouth-to-ear delay in ms over {}: median of their medians [95 % interval], least and greatest, beeps heard\n",
        counted(repetitions.len(), "repetition")
    );
    for ((relation, speaker, ear), Counted { medians, heard, expected }) in pairs {
        let tier = match relation {
            Relation::Stage => "stage",
            Relation::Audience => "audience",
            Relation::Own => "own voice",
        };
        let of = |p| stats::quantile(&stats::sorted(&medians), p);
        let (Some(median), Some(least), Some(most)) = (of(0.5), of(0.0), of(1.0)) else {
            let _ = writeln!(text, "  {tier:<9}  {speaker} at {ear}: not heard, 0 of {expected}");
            continue;
        };
        let interval = stats::median_interval(&medians)
            .map_or("too few".to_owned(), |interval| format!("{:.2}–{:.2}", interval.low, interval.high));
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "  {tier:<9}  {speaker} at {ear}: {median:.2} [{interval}], {least:.2} to {most:.2}, {heard} of {expected}"
        );
    }
    Ok(text)
}

#[derive(Default)]
struct Counted {
    medians: Vec<f64>,
    heard: usize,
    expected: usize,
}
