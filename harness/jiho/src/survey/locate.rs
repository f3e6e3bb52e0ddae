//! Where in a recording the test recording begins: nobody pressed both buttons at once.

use jiho_analysis::hear::Detection;
use jiho_analysis::signal::Family;
use jiho_analysis::stats;

/// A signal found in a recording.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) family: Family,
    pub(super) detection: Detection,
    /// When, in seconds of the recording.
    pub(super) at_s: f64,
}

/// Lags that agree are within this: drift moves them by as much.
const WITHIN_S: f64 = 0.03;
/// A sure detection has two votes and a faint one has one: three sure ones decide.
const LEAST_VOTES: usize = 6;

/// How much later `received` has what `sent` has, in seconds: the lag that most beeps share. Beeps sound at irregular
/// instants, so that few share any other. `None`: too few do.
pub(super) fn lag_s(sent: &[Found], received: &[Found]) -> Option<f64> {
    let mut lags: Vec<(f64, usize)> = Vec::new();
    for there in received.iter().filter(|there| there.family.is_coded() && there.detection.is_possible()) {
        let votes = if there.detection.is_sure() { 2 } else { 1 };
        let alike = |here: &&Found| (here.family, here.detection.code) == (there.family, there.detection.code);
        lags.extend(sent.iter().filter(alike).map(|here| (there.at_s - here.at_s, votes)));
    }
    lags.sort_by(|a, b| a.0.total_cmp(&b.0));
    let agreeing = |from: usize| {
        let end = lags.partition_point(|lag| lag.0 <= lags[from].0 + WITHIN_S);
        &lags[from..end]
    };
    let votes = |from: &usize| agreeing(*from).iter().map(|lag| lag.1).sum::<usize>();
    // Of equals the first: a later one is a repetition.
    let best = (0..lags.len()).rev().max_by_key(votes)?;
    let values: Vec<f64> = agreeing(best).iter().map(|lag| lag.0).collect();
    (votes(&best) >= LEAST_VOTES).then(|| stats::median(&values)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiho_analysis::signal::Code;

    fn found(at_s: f64, code: u8) -> Found {
        let code = Code::new(code).unwrap();
        let detection = Detection {
            code,
            position: 0.0,
            score: 0.9,
            peak_ratio: 4.0,
            rival_samples: 0.0,
            snr_db: 40.0,
            position_sd: 0.0,
            inverted: false,
            splice: None,
        };
        Found { family: Family::Voiced, detection, at_s }
    }

    #[test]
    fn the_lag_that_most_beeps_share_is_the_one_however_late_or_early() {
        let sent: Vec<Found> =
            (0..12).map(|n| found(f64::from(n) + f64::from(n * n % 7) / 30.0, n as u8 % 4)).collect();
        for lag in [-5.25, 0.0, 3.125, 700.0] {
            let recorded = sent.iter().filter(|beep| beep.at_s + lag > 0.0);
            let mut received: Vec<Found> =
                recorded.map(|beep| found(beep.at_s + lag, beep.detection.code.number())).collect();
            received.push(found(33.3, 0));
            let located = lag_s(&sent, &received).unwrap();
            assert!((located - lag).abs() < 1e-9, "{lag}: {located}");
        }
    }

    #[test]
    fn two_beeps_by_chance_are_no_lag() {
        let sent = [found(1.0, 0), found(2.2, 1), found(3.1, 2)];
        assert_eq!(lag_s(&sent, &sent[..2]), None);
        assert_eq!(lag_s(&sent, &[]), None);
    }
}
