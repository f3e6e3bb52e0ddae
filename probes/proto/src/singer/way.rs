//! On what somebody sings: the grid, a leader, or everybody.

use jiho_analysis::signal::Code;
use jiho_analysis::units::Nanos;

use super::Own;
use super::ear::Beat;

/// A follower's idea of the tempo comes from this many beats at most.
const TEMPO_BEATS: usize = 8;

/// On what somebody sings.
#[derive(Clone, Debug, PartialEq)]
pub enum Way {
    /// On a clock that all singers share.
    Grid,
    /// On the beat of a leader as it is heard: where the next one is expected by the last that was heard and by how fast
    /// they came. Who has not heard the leader does not sing.
    Follow {
        /// The leader's code.
        leader: Code,
    },
    /// By an inner timekeeper whose phase is corrected by how much later or earlier than each of the others one was, as
    /// one hears them: Wing, Endo, Bradbury and Vorberg 2014 (Optimal feedback correction in string quartet
    /// synchronization, J. R. Soc. Interface 11: 20131125), equation 2.1, with what is heard in place of what was
    /// played. The first beats are sung on the grid.
    Together {
        /// Of each other singer's asynchrony the part that is made up for at the next beat: Wing's α.
        correction: Vec<(Code, f64)>,
    },
}

impl Way {
    /// Whom it listens to.
    pub(super) fn heeded(&self) -> Vec<Code> {
        match self {
            Self::Grid => Vec::new(),
            Self::Follow { leader } => vec![*leader],
            Self::Together { correction } => correction.iter().map(|(code, _)| *code).collect(),
        }
    }

    /// By how much the `next` beat of the song is to be later than the grid has it, but for what the motor adds.
    pub(super) fn lateness<'h>(
        &self,
        next: usize,
        own: &[Option<Own>],
        advance: Nanos,
        heard: &dyn Fn(Code) -> &'h [Beat],
    ) -> Option<Nanos> {
        match self {
            Self::Grid => Some(-advance),
            Self::Follow { leader } => expected(heard(*leader), next).map(|lateness| lateness - advance),
            Self::Together { correction } => {
                let Some(last) = own[..next].iter().rev().find_map(Option::as_ref) else { return Some(-advance) };
                let wrong = correction.iter().map(|&(code, alpha)| {
                    alpha * asynchrony(own, advance, heard(code)).unwrap_or(Nanos::ZERO).as_secs_f64()
                });
                Some(last.lateness - last.slip - Nanos::from_secs_f64(wrong.sum()))
            }
        }
    }
}

/// Where somebody's beat is expected.
fn expected(heard: &[Beat], next: usize) -> Option<Nanos> {
    let last = heard.last()?;
    let first = heard[heard.len().saturating_sub(TEMPO_BEATS + 1)..].first()?;
    let ahead = next as i64 - last.index as i64;
    // Of one beat, the song's own tempo is all that is known.
    let beats = (last.index - first.index).max(1) as i64;
    Some(last.lateness + Nanos((last.lateness - first.lateness).0 * ahead / beats))
}

/// By how much one's own beat was later than another's as it was heard, at the newest beat that is known of both; with an
/// advance, than one wants it to be.
fn asynchrony(own: &[Option<Own>], advance: Nanos, heard: &[Beat]) -> Option<Nanos> {
    let both = heard.iter().rev().find_map(|beat| Some((own.get(beat.index)?.as_ref()?, beat)));
    both.map(|(own, beat)| own.lateness + advance - beat.lateness)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiho_analysis::units::RunTime;

    const MS: fn(i64) -> Nanos = Nanos::from_millis;

    fn beats(lateness_ms: &[(usize, i64)]) -> Vec<Beat> {
        lateness_ms.iter().map(|&(index, ms)| Beat::at(index, MS(ms), RunTime::START)).collect()
    }

    #[test]
    fn a_leaders_beat_is_expected_at_the_tempo_at_which_the_last_ones_came() {
        assert_eq!(expected(&[], 3), None);
        assert_eq!(expected(&beats(&[(2, 70)]), 3), Some(MS(70)), "by one beat the tempo is the song's");
        assert_eq!(expected(&beats(&[(2, 70), (3, 80)]), 4), Some(MS(90)));
        assert_eq!(expected(&beats(&[(2, 70), (5, 100)]), 7), Some(MS(120)), "over beats that were missed");
    }

    #[test]
    fn the_newest_beat_that_is_known_of_both_is_corrected() {
        let own = |ms: i64| Some(Own { lateness: MS(ms), slip: Nanos::ZERO });
        let own = [own(0), own(10), None, own(30), own(40)];
        assert_eq!(asynchrony(&own, Nanos::ZERO, &beats(&[(1, 50), (2, 60)])), Some(MS(-40)));
        assert_eq!(asynchrony(&own, MS(5), &beats(&[(1, 50), (3, 60), (7, 9)])), Some(MS(-25)));
        assert_eq!(asynchrony(&own, Nanos::ZERO, &[]), None);
    }

    #[test]
    fn phase_is_corrected_from_where_the_timekeeper_was_not_from_what_the_motor_made_of_it() {
        let code = Code::new(1).unwrap();
        let way = Way::Together { correction: vec![(code, 0.25)] };
        let own = [Some(Own { lateness: MS(12), slip: MS(4) }), None];
        let heard = beats(&[(0, 52)]);
        // 12 − 4, and a quarter of the 40 ms that the other was late.
        assert_eq!(way.lateness(1, &own, Nanos::ZERO, &|_| &heard), Some(MS(18)));
        assert_eq!(way.lateness(0, &own, MS(3), &|_| &[]), Some(MS(-3)), "the first beat is on the grid");
    }
}
