//! What a run leaves behind: one file per format, each with its row type, which is the one place with its columns'
//! names.
//!
//! CSVs are tidy: one header, the unit in every column's name, empty for missing, columns only ever appended. Columns
//! that end in `_ns` are whole nanoseconds since the run's start.

mod all;
pub mod arrivals;
pub mod bencher;
pub mod benchmark_action;
pub mod breaks;
pub mod changes;
pub mod chorus;
pub mod chorus_picture;
pub mod chorus_words;
pub mod comparison;
pub mod delays;
pub mod differences;
pub mod drops;
pub mod emissions;
pub mod estimates;
pub mod events;
pub mod explain;
pub mod gaps;
pub mod gates;
pub mod html;
pub mod json;
pub(crate) mod jsonl;
pub mod junit;
pub mod labels;
pub mod listen;
pub mod loopback;
pub mod packets;
pub mod pairs;
pub mod prometheus;
mod prose;
pub mod relay;
pub mod remarks;
pub mod repetitions;
pub(crate) mod room;
pub mod run_json;
pub mod schemas;
pub mod seal;
pub mod series;
pub mod stack;
pub mod steps;
pub mod story;
pub mod summary;
pub mod survey;
pub mod sweep;
pub mod sweep_page;
pub mod table;
pub mod tables;
pub mod terminal;
pub mod tiers;
pub mod topology;
pub mod track;
pub mod verdict;
pub mod watch;
pub mod words;

use jiho_analysis::metrics::Distribution;
use jiho_analysis::stats::Interval;
use serde::Serialize;

pub use all::{Kind, write_all};

/// Which run a row is of, and which of its repetitions: the first columns of every table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunName {
    /// The same for all repetitions.
    pub run_id: String,
    /// From 1.
    pub rep: u32,
}

impl RunName {
    /// Of a run that is not repeated.
    pub fn once(run_id: impl Into<String>) -> Self {
        Self { run_id: run_id.into(), rep: 1 }
    }
}

/// Rounds for a column of milliseconds: to a tenth of a microsecond, below every clock's noise.
fn ms(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// A value that is one of several, as files have it.
fn name_of(value: &impl Serialize) -> String {
    // What is written as anything but a name has none.
    serde_json::to_value(value).ok().and_then(|name| Some(name.as_str()?.to_owned())).unwrap_or_default()
}

/// A median with its interval, for people.
pub fn median_text(distribution: &Distribution, digits: usize) -> String {
    let median = distribution.quantile_ms(0.5);
    match distribution.median_interval_ms {
        Some(Interval { low, high }) => format!("{median:.digits$} [{low:.digits$}–{high:.digits$}]"),
        None => format!("{median:.digits$} [too few]"),
    }
}

#[cfg(test)]
mod tests {
    use super::arrivals::ArrivalRow;
    use super::breaks::BreakRow;
    use super::chorus::{AsynchronyRow, BeatRow, CureRow, HoldRow};
    use super::delays::DelayRow;
    use super::differences::DifferenceRow;
    use super::emissions::EmissionRow;
    use super::gaps::GapRow;
    use super::gates::GateRow;
    use super::packets::PacketRow;
    use super::pairs::PairRow;
    use super::stack::StackRow;
    use super::steps::StepRow;
    use super::survey::SurveyRow;
    use super::table::Table;
    use super::topology::TopologyRow;
    use super::track::TrackRow;

    /// Others read these files: columns are appended, and neither renamed nor moved.
    #[test]
    fn columns_are_those_that_are_documented_in_their_order() {
        let tables = [
            (
                Table::<EmissionRow>::columns(),
                "run_id rep speaker beep code planned_ns sent_ns sent_error_ns media_time",
            ),
            (
                Table::<PacketRow>::columns(),
                "run_id rep endpoint tap speaker ssrc sequence media_time size_bytes at_ns played_ns action toc \
                 decision step_samples target_ns seal_bytes",
            ),
            (
                Table::<ArrivalRow>::columns(),
                "run_id rep recorder role speaker beep arrival_ns arrival_sample score snr_db second_peak_db rank \
                 code kind",
            ),
            (
                Table::<DelayRow>::columns(),
                "run_id rep speaker recorder relation beep status reason delay_ns low_ns high_ns network_ns buffer_ns \
                 codec_mode",
            ),
            (
                Table::<PairRow>::columns(),
                "run_id rep speaker recorder relation expected heard heard_ratio min_ms p05_ms median_ms p95_ms \
                 p99_ms max_ms iqr_ms median_low_ms median_high_ms drift_ppm steps weak ambiguous network_median_ms \
                 buffer_median_ms",
            ),
            (Table::<StepRow>::columns(), "run_id rep speaker recorder relation at_ns before_ms after_ms step_ms"),
            (
                Table::<DifferenceRow>::columns(),
                "from from_code to to_code expected heard min_ms median_ms max_ms iqr_ms median_low_ms \
                 median_high_ms drift_ppm steps ambiguous",
            ),
            (
                Table::<SurveyRow>::columns(),
                "family expected heard heard_ratio weak ambiguous echoes inverted score_median score_p05 \
                 second_peak_db level_change_db delay_ms spread_us worst_us recommended",
            ),
            (
                Table::<TrackRow>::columns(),
                "run_id rep recorder speaker code at_ns present media_ns lag_ns lag_sd_ns delay_ns gain_db rho level_db \
                 rest_db",
            ),
            (
                Table::<BreakRow>::columns(),
                "run_id rep recorder speaker code kind last_before_ns first_after_ns silence_ns lost_ns step_ns \
                 closure_ns edge_error_ns lag_before_ns lag_after_ns delay_before_ns delay_after_ns steps \
                 slope_percent filled_db",
            ),
            (
                Table::<GapRow>::columns(),
                "run_id rep event endpoint from_role to_role side commanded_ns last_before_ns first_after_ns silence_ns \
                 lost_ns repeated_ns first_audio_ns steady_ns resolution_ns kind change subject speaker far_end \
                 delay_before_ns delay_after_ns steps_sum_ns unexplained_ns",
            ),
            (
                Table::<BeatRow>::columns(),
                "run_id rep recorder role beat voices spread_ns first_voice last_voice first_onset_ns tempo_bpm",
            ),
            (
                Table::<AsynchronyRow>::columns(),
                "run_id rep recorder role voice other beats median_ms sd_ms predicted_ms cured_ms",
            ),
            (
                Table::<GateRow>::columns(),
                "run_id repetitions gate metric stat selector value low high unit limit baseline change change_low \
                 change_high p_value verdict sentence",
            ),
            (Table::<CureRow>::columns(), "run_id rep singer sings advance_ms cure_ms"),
            (Table::<HoldRow>::columns(), "run_id rep singer other one_way_ms grade delay_impairment"),
            (
                Table::<StackRow>::columns(),
                "run_id rep change event subject side endpoint speaker order step node detail from_ns to_ns length_ns",
            ),
        ];
        let tables = tables
            .into_iter()
            .chain([(Table::<TopologyRow>::columns(), "run_id rep tier hypothesis log_odds evidence verdict")]);
        let formats = include_str!("../../../../docs/formats.md");
        for (columns, documented) in tables {
            assert_eq!(columns.join(" "), documented);
            for column in columns {
                assert!(formats.contains(&format!("`{column}`")), "docs/formats.md does not explain `{column}`");
            }
        }
    }
}
