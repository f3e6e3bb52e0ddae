//! What came of one family: from its beeps to its figures.

use jiho_analysis::arrivals::{Observation, Reason, Status};
use jiho_analysis::hear::Detection;
use jiho_analysis::signal::Family;
use jiho_analysis::stats;

/// One beep that should have arrived.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beep {
    /// Whose ear heard whom: deviations are counted from the median of their own way.
    pub way: usize,
    /// When it was sent, in seconds.
    pub at_s: f64,
    /// Whether it was found.
    pub status: Status,
    /// How late it came, in milliseconds.
    pub delay_ms: Option<f64>,
    /// Its detection.
    pub detection: Option<Detection>,
    /// How much louder it came than it was sent, in dB.
    pub level_change_db: Option<f64>,
}

impl Beep {
    /// From an observation; `None` if the recording does not reach as far.
    pub(super) fn of(
        way: usize,
        observation: &Observation,
        detection: Option<Detection>,
        level_change_db: Option<f64>,
    ) -> Option<Self> {
        if observation.reason == Some(Reason::NotRecorded) {
            return None;
        }
        Some(Self {
            way,
            at_s: observation.emission.at.since_start().as_secs_f64(),
            status: observation.status,
            delay_ms: observation.delay.map(|delay| delay.value.as_millis_f64()),
            detection,
            level_change_db,
        })
    }

    fn is_heard(&self) -> bool {
        matches!(self.status, Status::Heard | Status::Weak)
    }
}

/// What came of one family. Figures are over the beeps that were heard; over ambiguous ones where none was.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// The family.
    pub family: Family,
    /// Beeps that should have arrived.
    pub expected: usize,
    /// Beeps found, the weak included.
    pub heard: usize,
    /// Of those found, the faint ones.
    pub weak: usize,
    /// Beeps found that fit at several delays: not counted as heard.
    pub ambiguous: usize,
    /// Further arrivals of beeps: echoes, second paths.
    pub echoes: usize,
    /// Of the beeps found, those whose polarity was reversed.
    pub inverted: usize,
    /// ρ, the normalised correlation coefficient: its median.
    pub score_median: Option<f64>,
    /// ρ that 95 % of beeps exceed.
    pub score_p05: Option<f64>,
    /// The highest other peak near by, relative to the first: the median in dB.
    pub second_peak_db: Option<f64>,
    /// How much louder the signal came than it was sent: the median in dB.
    pub level_change_db: Option<f64>,
    /// The median delay.
    pub delay_ms: Option<f64>,
    /// How far delays lie from the median of their way: robust standard deviation.
    pub spread_us: Option<f64>,
    /// The delay furthest from the median of its way.
    pub worst_us: Option<f64>,
}

impl Figures {
    /// Sums up a family's beeps. `slope` is what the clocks' drift adds to a delay, in milliseconds per second.
    pub(super) fn of(family: Family, beeps: &[Beep], echoes: usize, slope: f64) -> Self {
        let count = |status: Status| beeps.iter().filter(|beep| beep.status == status).count();
        let heard = beeps.iter().filter(|beep| beep.is_heard()).count();
        let used = used(beeps);
        let over =
            |figure: &dyn Fn(&Beep) -> Option<f64>| -> Vec<f64> { used.iter().filter_map(|b| figure(b)).collect() };
        let scores = stats::sorted(&over(&|beep| Some(beep.detection?.score)));
        let deviations_us = deviations_us(&used, slope);
        Self {
            family,
            expected: beeps.len(),
            heard,
            weak: count(Status::Weak),
            ambiguous: count(Status::Ambiguous),
            echoes,
            inverted: used.iter().filter(|beep| beep.detection.is_some_and(|d| d.inverted)).count(),
            score_median: stats::quantile(&scores, 0.5),
            score_p05: stats::quantile(&scores, 0.05),
            second_peak_db: stats::median(&over(&|beep| Some(beep.detection?.second_peak_db()))),
            level_change_db: stats::median(&over(&|beep| beep.level_change_db)),
            delay_ms: stats::median(&over(&|beep| beep.delay_ms)),
            // One alone lies at its own median.
            spread_us: stats::robust_sd(&deviations_us).filter(|_| deviations_us.len() > 1),
            worst_us: deviations_us
                .iter()
                .map(|us| us.abs())
                .max_by(f64::total_cmp)
                .filter(|_| deviations_us.len() > 1),
        }
    }

    /// Heard over expected; nothing expected counts as nothing heard.
    pub fn heard_ratio(&self) -> f64 {
        self.heard as f64 / self.expected.max(1) as f64
    }
}

fn used(beeps: &[Beep]) -> Vec<&Beep> {
    let heard: Vec<&Beep> = beeps.iter().filter(|beep| beep.is_heard()).collect();
    if heard.is_empty() { beeps.iter().filter(|beep| beep.status == Status::Ambiguous).collect() } else { heard }
}

fn deviations_us(used: &[&Beep], slope: f64) -> Vec<f64> {
    let ways: std::collections::BTreeSet<usize> = used.iter().map(|beep| beep.way).collect();
    ways.into_iter()
        .flat_map(|way| {
            let own = used.iter().filter(|beep| beep.way == way);
            let level: Vec<f64> = own.filter_map(|beep| Some(beep.delay_ms? - slope * beep.at_s)).collect();
            let median = stats::median(&level).unwrap_or(0.0);
            level.into_iter().map(move |ms| 1000.0 * (ms - median))
        })
        .collect()
}

/// What two clocks that run apart add to delays, in milliseconds per second: the median over families, as each has its
/// own delay. Zero where no family was heard often enough.
pub(super) fn slope(families: &[Vec<Beep>]) -> f64 {
    let slopes: Vec<f64> = families
        .iter()
        .filter_map(|beeps| {
            let sure: Vec<&Beep> = beeps.iter().filter(|beep| beep.status == Status::Heard).collect();
            let at: Vec<f64> = sure.iter().map(|beep| beep.at_s).collect();
            let ms: Vec<f64> = sure.iter().filter_map(|beep| beep.delay_ms).collect();
            Some(stats::theil_sen(&at, &ms)?.slope)
        })
        .collect();
    stats::median(&slopes).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beep(way: usize, at_s: f64, delay_ms: f64) -> Beep {
        let delay_ms = Some(delay_ms);
        Beep { way, at_s, status: Status::Heard, delay_ms, detection: None, level_change_db: Some(-6.0) }
    }

    #[test]
    fn spread_is_about_the_median_of_each_way_and_leaves_drift_out() {
        // Two ways 100 ms apart, a clock that loses 50 ppm, and 10 µs to either side.
        let beeps: Vec<Beep> = (0..40)
            .map(|n| {
                let (way, at_s) = (n % 2, f64::from(n as u32));
                let off = if n / 2 % 2 == 0 { 0.01 } else { -0.01 };
                beep(way, at_s, 100.0 * way as f64 + 0.05 * at_s + off)
            })
            .collect();
        let by_way: Vec<Vec<Beep>> = (0..2).map(|w| beeps.iter().filter(|b| b.way == w).copied().collect()).collect();
        let slope = slope(&by_way);
        assert!((slope - 0.05).abs() < 0.001, "{slope}");
        let figures = Figures::of(Family::Voiced, &beeps, 0, slope);
        let (spread, worst) = (figures.spread_us.unwrap(), figures.worst_us.unwrap());
        assert!((spread - 14.8).abs() < 3.0 && worst < 25.0, "{spread} {worst}");
    }

    #[test]
    fn nothing_heard_has_no_figures_and_the_missing_are_counted() {
        let missing = Beep { status: Status::Missing, delay_ms: None, level_change_db: None, ..beep(0, 0.0, 0.0) };
        let figures = Figures::of(Family::Noise, &[missing; 3], 0, 0.0);
        assert_eq!((figures.expected, figures.heard, figures.heard_ratio()), (3, 0, 0.0));
        assert_eq!((figures.delay_ms, figures.spread_us, figures.score_median), (None, None, None));
    }
}
