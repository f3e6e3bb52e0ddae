//! Beeps on the wall clock's beat: processes that start apart sound together.

use jiho_analysis::signal::{Code, Programme, Schedule, Signal, Waveform};
use jiho_analysis::units::{Nanos, RunTime};

use crate::exit::UsageError;
use crate::experiment::duration_text;

/// Everybody joins within this time, before the first beep.
const WARMUP: Nanos = Nanos::from_secs(1);

/// What a speaker plays until `end`, in a run that began at `started_unix_ns`. Periods are counted from 1970, so that
/// all who share a wall clock begin theirs, and draw their offsets, alike.
///
/// # Errors
/// Beeps do not fit into their period, or not one into the time.
pub(super) fn programme(
    signal: &Signal,
    code: Code,
    started_unix_ns: i64,
    end: RunTime,
) -> Result<Programme, UsageError> {
    let waveform = Waveform::new(signal.family, code);
    let sound = signal.spread + waveform.before_mark() + waveform.after_mark();
    if signal.period < sound {
        let [sound, period] = [sound, signal.period].map(duration_text);
        let mend = "give a longer --period or a shorter --spread";
        return Err(UsageError::say(format!("a beep and its spread last {sound}, longer than {period}: {mend}")));
    }
    let period = signal.period.0;
    let first = (started_unix_ns + WARMUP.0).div_euclid(period) + 1;
    let start = RunTime(first * period - started_unix_ns);
    let slots = (end - start - sound).0.div_euclid(period) + 1;
    if slots < 1 {
        let needed = duration_text(WARMUP + signal.period + sound);
        return Err(UsageError::say(format!("no time for a beep: give a --duration of at least {needed}")));
    }
    let schedule = Schedule {
        start: start + waveform.before_mark(),
        period: signal.period,
        spread: signal.spread,
        slots: u32::try_from(slots).unwrap_or(u32::MAX),
        cadence: signal.cadence,
        turns: 1,
        turn: 0,
        key: if signal.together { Schedule::TOGETHER } else { Schedule::own_key(code) },
        first: first.unsigned_abs(),
    };
    Ok(Programme::new(waveform, code, &schedule))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_700_000_000_123_456_789;

    fn unix_ns(signal: &Signal, number: u8, started: i64, seconds: i64) -> Vec<i64> {
        let code = Code::new(number).unwrap();
        let programme = programme(signal, code, started, RunTime::START + Nanos::from_secs(seconds)).unwrap();
        programme.emissions().iter().map(|emission| started + emission.at.0).collect()
    }

    #[test]
    fn processes_that_start_apart_sound_at_the_same_instants() {
        let early = unix_ns(&Signal::VOICED, 0, START, 20);
        let late = unix_ns(&Signal::VOICED, 1, START + 4_567_891_234, 20);
        assert!(early[0] - START >= WARMUP.0 && early[0] - START <= WARMUP.0 + 1_300_000_000);
        assert!(late.len() >= 17 && late[..14].iter().all(|at| early.contains(at)), "{early:?} {late:?}");
    }

    #[test]
    fn speakers_apart_keep_to_whole_seconds_and_their_spread() {
        let apart = Signal { together: false, ..Signal::VOICED };
        let [a, b] = [0, 1].map(|code| unix_ns(&apart, code, START, 20));
        assert!(a.iter().zip(&b).all(|(a, b)| a != b));
        assert!(a.iter().chain(&b).all(|at| at % 1_000_000_000 < 300_000_000));
    }

    #[test]
    fn the_last_beep_is_over_before_the_end() {
        let last = *unix_ns(&Signal::VOICED, 0, START, 5).last().unwrap();
        assert!(last + 200_000_000 <= START + 5_000_000_000);
    }

    #[test]
    fn too_little_time_is_said() {
        let code = Code::new(0).unwrap();
        let short = programme(&Signal::VOICED, code, START, RunTime(900_000_000)).unwrap_err().to_string();
        assert!(short.contains("--duration of at least 2500ms"), "{short}");
        let crowded = Signal { period: Nanos::from_millis(400), ..Signal::VOICED };
        let crowded = programme(&crowded, code, START, RunTime(20_000_000_000)).unwrap_err().to_string();
        assert!(crowded.contains("500ms, longer than 400ms"), "{crowded}");
    }
}
