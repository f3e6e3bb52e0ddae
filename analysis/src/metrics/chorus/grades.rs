//! What is known of people who hear each other late, and what that says of singers.

use serde::{Deserialize, Serialize};

use super::steady::Matrix;
use crate::units::Nanos;

/// Delays from one to the other, one way, that something is known of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Thresholds {
    /// With less delay than this two who clap together get faster, with more they get slower: 11.5 ms (Chafe and
    /// Gurevich 2004, Network time delay and ensemble accuracy, AES 117th Convention).
    pub natural: Nanos,
    /// Up to this ensembles play together …
    pub ensemble: Nanos,
    /// … and beyond this they do not: the ensemble performance threshold, 20 to 30 ms (Schuett 2002, The effects of
    /// latency on ensemble performance, Stanford).
    pub ensemble_limit: Nanos,
    /// Up to this musicians were found to hold a steady tempo all the same: 40 ms (Tsioutas and Xylomenos 2021, Assessing
    /// the QoME of NMP via audio analysis tools, SIGMAP).
    pub steady: Nanos,
    /// Up to this a conversation is hardly impaired: 150 ms (ITU-T G.114).
    pub conversation: Nanos,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            natural: Nanos::from_micros(11_500),
            ensemble: Nanos::from_millis(20),
            ensemble_limit: Nanos::from_millis(30),
            steady: Nanos::from_millis(40),
            conversation: Nanos::from_millis(150),
        }
    }
}

/// What two can do together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Sing in time.
    Ensemble,
    /// Sing in time, some of them.
    Borderline,
    /// Hold a tempo that somebody else gives, with effort.
    Strained,
    /// Talk.
    Conversation,
    /// Not even talk without getting in each other's way.
    Impaired,
}

impl Thresholds {
    /// What a delay lets two do.
    pub fn grade(&self, one_way: Nanos) -> Grade {
        match one_way {
            d if d <= self.ensemble => Grade::Ensemble,
            d if d <= self.ensemble_limit => Grade::Borderline,
            d if d <= self.steady => Grade::Strained,
            d if d <= self.conversation => Grade::Conversation,
            _ => Grade::Impaired,
        }
    }
}

impl Grade {
    /// Whether two with this grade can hold time by listening to each other.
    pub fn holds_time(self) -> bool {
        self <= Self::Borderline
    }

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ensemble => "ensemble",
            Self::Borderline => "borderline",
            Self::Strained => "strained",
            Self::Conversation => "conversation",
            Self::Impaired => "impaired",
        }
    }
}

/// Whether two singers could hold time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hold {
    /// One of them …
    pub singer: usize,
    /// … and the other.
    pub other: usize,
    /// Half of the way there and back, which no wrong clock changes, in milliseconds.
    pub one_way_ms: f64,
    /// What that lets them do.
    pub grade: Grade,
    /// What it costs a conversation, in points of the E-model's rating.
    pub delay_impairment: f64,
}

/// All pairs of singers who hear each other.
pub fn holds(matrix: &Matrix, thresholds: &Thresholds) -> Vec<Hold> {
    let count = matrix.singers();
    let all = (0..count).flat_map(|singer| (singer + 1..count).map(move |other| (singer, other)));
    all.filter_map(|(singer, other)| {
        let one_way_ms = (matrix.delay_ms(singer, other)? + matrix.delay_ms(other, singer)?) / 2.0;
        let grade = thresholds.grade(Nanos::from_secs_f64(one_way_ms / 1e3));
        Some(Hold { singer, other, one_way_ms, grade, delay_impairment: delay_impairment(one_way_ms) })
    })
    .collect()
}

/// By how much a delay of so many milliseconds, one way, lowers the E-model's rating of a conversation: Idd of ITU-T
/// G.107, section 7.4, with the default sensitivity.
pub fn delay_impairment(one_way_ms: f64) -> f64 {
    if one_way_ms <= 100.0 {
        return 0.0;
    }
    let x = (one_way_ms / 100.0).log2();
    let sixth = |x: f64| (1.0 + x.powi(6)).powf(1.0 / 6.0);
    25.0 * (sixth(x) - 3.0 * sixth(x / 3.0) + 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grades_are_those_of_the_literature() {
        let grade = |ms| Thresholds::default().grade(Nanos::from_millis(ms));
        let grades = [5, 20, 25, 30, 35, 66, 150, 151].map(grade);
        use Grade::{Borderline, Conversation, Ensemble, Impaired, Strained};
        let expected = [Ensemble, Ensemble, Borderline, Borderline, Strained, Conversation, Conversation, Impaired];
        assert_eq!(grades, expected);
        assert_eq!(grades.map(Grade::holds_time), [true, true, true, true, false, false, false, false]);
    }

    #[test]
    fn the_delay_impairment_is_the_e_models() {
        // At 200 ms X is 1: 25 (2^(1/6) − 3 (1 + 3^−6)^(1/6) + 2); at 400 ms it is 2.
        let at =
            |x: f64| 25.0 * ((1.0 + x.powi(6)).powf(1.0 / 6.0) - 3.0 * (1.0 + (x / 3.0).powi(6)).powf(1.0 / 6.0) + 2.0);
        assert_eq!((delay_impairment(20.0), delay_impairment(100.0)), (0.0, 0.0));
        assert!((delay_impairment(200.0) - at(1.0)).abs() < 1e-12 && (delay_impairment(200.0) - 3.04).abs() < 0.01);
        assert!((delay_impairment(400.0) - at(2.0)).abs() < 1e-12 && (delay_impairment(400.0) - 24.0).abs() < 0.5);
    }

    #[test]
    fn clocks_that_disagree_do_not_change_whether_two_hold_time() {
        let held = |offset: f64| {
            let delay_ms = vec![vec![None, Some(20.0 + offset)], vec![Some(30.0 - offset), None]];
            holds(&Matrix { delay_ms }, &Thresholds::default())[0]
        };
        assert_eq!(held(0.0), held(5000.0));
        assert_eq!((held(0.0).one_way_ms, held(0.0).grade), (25.0, Grade::Borderline));
    }
}
