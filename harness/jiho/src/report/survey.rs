//! `survey.csv`: one row per family of time signals that was sent through a path.

use jiho_analysis::signal::Family;
use serde::{Deserialize, Serialize};

use super::ms;
use crate::survey::{Figures, Recommendation};

/// A family through a path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SurveyRow {
    pub(crate) family: Family,
    pub(crate) expected: usize,
    pub(crate) heard: usize,
    pub(crate) heard_ratio: f64,
    pub(crate) weak: usize,
    pub(crate) ambiguous: usize,
    pub(crate) echoes: usize,
    pub(crate) inverted: usize,
    pub(crate) score_median: Option<f64>,
    pub(crate) score_p05: Option<f64>,
    pub(crate) second_peak_db: Option<f64>,
    pub(crate) level_change_db: Option<f64>,
    pub(crate) delay_ms: Option<f64>,
    pub(crate) spread_us: Option<f64>,
    pub(crate) worst_us: Option<f64>,
    pub(crate) recommended: bool,
}

/// All families.
pub fn rows(families: &[Figures], recommendation: &Recommendation) -> Vec<SurveyRow> {
    let rounded = |figure: Option<f64>, per: f64| figure.map(|figure| (figure * per).round() / per);
    let row = |figures: &Figures| SurveyRow {
        family: figures.family,
        expected: figures.expected,
        heard: figures.heard,
        heard_ratio: (figures.heard_ratio() * 1e4).round() / 1e4,
        weak: figures.weak,
        ambiguous: figures.ambiguous,
        echoes: figures.echoes,
        inverted: figures.inverted,
        score_median: rounded(figures.score_median, 1e4),
        score_p05: rounded(figures.score_p05, 1e4),
        second_peak_db: rounded(figures.second_peak_db, 1e2),
        level_change_db: rounded(figures.level_change_db, 1e2),
        delay_ms: figures.delay_ms.map(ms),
        spread_us: rounded(figures.spread_us, 1e2),
        worst_us: rounded(figures.worst_us, 1e2),
        recommended: recommendation.family == Some(figures.family),
    };
    families.iter().map(row).collect()
}
