//! What would mend a chorus for its audience: how much each singer has to be ahead.

use super::steady::{Matrix, Singer, Steady, Way};
use crate::units::Nanos;

/// By how much each singer has to be ahead of what it sings on.
#[derive(Clone, Debug, PartialEq)]
pub struct Cure {
    /// By singer; negative: behind.
    pub advances: Vec<Nanos>,
    /// How they would sing then.
    pub steady: Steady,
}

/// Advances that bring the voices together in the audience, as well as one advance each can do it for all listeners: the
/// least squares of all asynchronies there. `listeners` are columns of the matrix; those who do not hear everybody do not
/// count, and if none does there is nothing to go by.
///
/// A singer's place s in the beat is to be the same to all listeners but for what the delays to them leave. On the grid a
/// singer is ahead by just that, the earliest by nothing. Who sings on others is ahead of each by as much as they are heard
/// behind when all sing where they should: dⱼᵢ + sⱼ − sᵢ, of several the mean weighted by the gains, and then the period
/// is the song's again: what aligns the audience also takes the drag away.
pub fn cure(singers: &[Singer], matrix: &Matrix, listeners: &[usize]) -> Option<Cure> {
    let column =
        |ear: &usize| (0..singers.len()).map(|singer| matrix.delay_ms(singer, *ear)).collect::<Option<Vec<f64>>>();
    let columns: Vec<Vec<f64>> = listeners.iter().filter_map(column).collect();
    if columns.is_empty() {
        return None;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let place = |singer: usize| -mean(&columns.iter().map(|column| column[singer] - mean(column)).collect::<Vec<_>>());
    let places: Vec<f64> = (0..singers.len()).map(place).collect();
    // Nobody on the grid has to be behind it.
    let on_grid = singers.iter().zip(&places).filter(|(singer, _)| singer.way == Way::Grid).map(|(_, place)| *place);
    let earliest = on_grid.fold(f64::MIN, f64::max);
    let advance = |i: usize| -> Option<f64> {
        let behind = |j: usize| Some(matrix.delay_ms(j, i)? + places[j] - places[i]);
        match &singers[i].way {
            Way::Grid => Some(earliest - places[i]),
            Way::Follow(leader) => behind(*leader),
            Way::Together(gains) => {
                let all: f64 = gains.iter().map(|(_, gain)| gain).sum();
                let sum = gains.iter().map(|&(j, gain)| Some(gain * behind(j)?)).sum::<Option<f64>>()?;
                Some(if all > 0.0 { sum / all } else { 0.0 })
            }
        }
    };
    let advances = (0..singers.len()).map(|i| Some(Nanos::from_secs_f64(advance(i)? / 1e3)));
    let advances = advances.collect::<Option<Vec<Nanos>>>()?;
    let cured = singers.iter().zip(&advances).map(|(singer, &advance)| Singer { advance, ..singer.clone() });
    let steady = Steady::of(&cured.collect::<Vec<_>>(), matrix)?;
    Some(Cure { advances, steady })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ways() -> [Vec<Way>; 3] {
        let together = |others: [usize; 2]| Way::Together(others.map(|other| (other, 0.3)).to_vec());
        [
            vec![Way::Grid, Way::Grid, Way::Grid],
            vec![Way::Grid, Way::Follow(0), Way::Follow(1)],
            vec![together([1, 2]), together([0, 2]), together([0, 1])],
        ]
    }

    fn singers(ways: Vec<Way>) -> Vec<Singer> {
        ways.into_iter().map(|way| Singer { way, advance: Nanos::ZERO }).collect()
    }

    proptest! {
        #[test]
        fn where_delays_add_up_the_audience_is_together_and_the_tempo_is_the_songs(
            up in proptest::collection::vec(1.0..100.0f64, 3),
            down in proptest::collection::vec(1.0..100.0f64, 5),
        ) {
            let delays = up.iter().map(|up| down.iter().map(|down| Some(up + down)).collect()).collect();
            let matrix = Matrix { delay_ms: delays };
            for ways in ways() {
                let cure = cure(&singers(ways), &matrix, &[3, 4]).unwrap();
                for ear in [3, 4] {
                    prop_assert!(cure.steady.spread_ms(&matrix, ear).unwrap() < 1e-4);
                }
                prop_assert!(cure.steady.slower_ms.abs() < 1e-4);
            }
        }

        #[test]
        fn no_other_advances_leave_less_asynchrony_to_the_audience(
            delays in proptest::collection::vec(1.0..200.0f64, 18),
            other in proptest::collection::vec(-30i64..30, 3),
        ) {
            let matrix = Matrix { delay_ms: delays.chunks(6).map(|row| row.iter().copied().map(Some).collect()).collect() };
            let squares = |steady: &Steady| -> f64 {
                let pairs = [(0, 1), (0, 2), (1, 2)];
                let apart = |ear, (voice, other)| steady.asynchrony_ms(&matrix, ear, voice, other).unwrap().powi(2);
                [3, 4, 5].into_iter().flat_map(|ear| pairs.map(|pair| apart(ear, pair))).sum()
            };
            for ways in ways() {
                let cure = cure(&singers(ways.clone()), &matrix, &[3, 4, 5]).unwrap();
                let mut elsewhere = singers(ways);
                for (n, singer) in elsewhere.iter_mut().enumerate() {
                    singer.advance = cure.advances[n] + Nanos::from_millis(other[n]);
                }
                let elsewhere = Steady::of(&elsewhere, &matrix).unwrap();
                prop_assert!(squares(&cure.steady) <= squares(&elsewhere) + 1e-3);
            }
        }
    }

    #[test]
    fn nobody_on_the_grid_has_to_be_behind_it() {
        let matrix = Matrix { delay_ms: vec![vec![None, None, Some(80.0)], vec![None, None, Some(60.0)]] };
        let advances = cure(&singers(vec![Way::Grid, Way::Grid]), &matrix, &[2]).unwrap().advances;
        assert_eq!(advances, [Nanos::from_millis(20), Nanos::ZERO]);
    }

    #[test]
    fn without_anybody_who_hears_all_there_is_nothing_to_go_by() {
        let matrix = Matrix { delay_ms: vec![vec![None, None, Some(80.0)], vec![None, None, None]] };
        assert_eq!(cure(&singers(vec![Way::Grid, Way::Grid]), &matrix, &[2]), None);
    }
}
