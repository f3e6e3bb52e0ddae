//! Peaks of one code's correlation: candidates for arrivals.

use std::ops::Range;

use super::peak::REACH;
use super::stream::{STRIDE, Stream};
use super::tape::Tape;

/// Weaker than this is noise: with 2400 terms, noise alone has a standard deviation of 0.02.
pub(super) const LEAST_SCORE: f64 = 0.10;
/// Below −100 dBFS there is nothing but rounding.
const LEAST_ENERGY: f64 = 1e-7;
/// How far from a peak a rival is looked for.
const RIVAL_SECONDS: f64 = 0.150;
/// A peak's own main lobe, in which there is no rival.
const MAIN_LOBE_SECONDS: f64 = 0.001;
/// A lesser peak beside a greater one is listed (an echo, a second path) if it has this score …
pub(super) const ECHO_SCORE: f64 = 0.30;
/// … and this part of the greater one's height.
const ECHO_HEIGHT: f32 = 0.5;
/// Tones have no echoes that could be told from their own side lobes, but side lobes nearly as high as the peak:
/// between two samples, 1 kHz at 12 kHz hides 3.4 % of a height, so that only the refined heights tell which is which.
const NEARLY_EQUAL: f32 = 0.96;
/// Values to either side of a peak among which its top may lie once it is looked at closely.
pub(super) const MIDDLE: usize = 4;
/// Values on either side of a peak that its refinement needs.
pub(super) const MARGIN: usize = REACH + MIDDLE + 2;

/// A peak before the other codes are taken out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    /// Its lag, at the decimated rate.
    pub(super) index: i64,
    /// The correlation there.
    pub(super) value: f32,
    /// The signal's energy under the template.
    pub(super) energy: f64,
    /// The highest other peak near by.
    pub(super) rival: Rival,
}

/// The highest other peak near a peak.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rival {
    pub(super) height: f32,
    /// How many lags behind the peak it is.
    pub(super) lags: i64,
}

/// Scans one code's correlation as it comes.
pub(super) struct Scanner {
    is_coded: bool,
    template_len: i64,
    rival_reach: i64,
    main_lobe: i64,
    values: Tape<f32>,
    /// The highest |value| of each stride.
    heights: Tape<f32>,
    /// The stride up to which all candidates have been given.
    scanned: i64,
}

impl Scanner {
    pub(super) fn new(decimated_hz: f64, template_len: usize, is_coded: bool) -> Self {
        // Of every candidate MARGIN values are kept to both sides, however low the rate.
        let rival_reach = ((RIVAL_SECONDS * decimated_hz) as i64).max(MARGIN as i64 + 1);
        // Before the recording there was silence.
        let strides = rival_reach / STRIDE + 1;
        Self {
            is_coded,
            template_len: template_len as i64,
            rival_reach,
            main_lobe: (MAIN_LOBE_SECONDS * decimated_hz).ceil() as i64,
            values: Tape::new(-strides * STRIDE, vec![0.0; (strides * STRIDE) as usize]),
            heights: Tape::new(-strides, vec![0.0; strides as usize]),
            scanned: 0,
        }
    }

    /// The correlation.
    pub(super) fn values(&self) -> &Tape<f32> {
        &self.values
    }

    /// The lag up to which all candidates have been given.
    pub(super) fn scanned(&self) -> i64 {
        self.scanned * STRIDE
    }

    /// Where the rival of a peak at lag `index` may be.
    pub(super) fn rival_lags(&self, index: i64) -> [Range<i64>; 2] {
        [index - self.rival_reach + 1..index - self.main_lobe, index + self.main_lobe + 1..index + self.rival_reach]
    }

    /// Takes the next values of the correlation.
    pub(super) fn extend(&mut self, values: impl Iterator<Item = f32>) {
        self.values.extend(values);
        let complete = self.heights.end()..self.values.end().div_euclid(STRIDE);
        self.heights
            .extend(complete.map(|stride| height_of(self.values.slice(stride * STRIDE..(stride + 1) * STRIDE))));
    }

    /// Gives the candidates of which all is there that has to be known of them.
    pub(super) fn scan(&mut self, stream: &Stream, found: &mut impl FnMut(Candidate)) {
        let ready = (self.heights.end() * STRIDE - self.rival_reach).div_euclid(STRIDE);
        for stride in self.scanned..ready {
            let least = stream.least_energy(stride, self.template_len).max(LEAST_ENERGY);
            if f64::from(self.heights[stride]).powi(2) >= LEAST_SCORE * LEAST_SCORE * least {
                let lags = stride * STRIDE..(stride + 1) * STRIDE;
                lags.filter_map(|index| self.candidate(index, stream, least)).for_each(&mut *found);
            }
        }
        self.scanned = self.scanned.max(ready);
    }

    /// Nothing before lag `index` is asked for any more.
    pub(super) fn forget_before(&mut self, index: i64) {
        let stride = (index.min(self.scanned()) - self.rival_reach).div_euclid(STRIDE) - 1;
        self.values.forget_before(stride * STRIDE);
        self.heights.forget_before(stride);
    }

    fn candidate(&self, index: i64, stream: &Stream, least_energy: f64) -> Option<Candidate> {
        let height = self.values[index].abs();
        let score_below = |score: f64, energy: f64| f64::from(height).powi(2) < score * score * energy;
        if score_below(LEAST_SCORE, least_energy) || !self.is_local_peak(index) {
            return None;
        }
        let energy = stream.energy(index, self.template_len);
        if energy < LEAST_ENERGY || score_below(LEAST_SCORE, energy) {
            return None;
        }
        let lobe = self.values.slice(index - self.main_lobe..index + self.main_lobe + 1);
        if self.is_coded && lobe.iter().any(|value| value.abs() > height) {
            return None;
        }
        let rival = self.rival(index);
        let is_listed = if self.is_coded {
            height >= rival.height || (!score_below(ECHO_SCORE, energy) && height >= ECHO_HEIGHT * rival.height)
        } else {
            height >= NEARLY_EQUAL * rival.height
        };
        is_listed.then_some(Candidate { index, value: self.values[index], energy, rival })
    }

    fn is_local_peak(&self, index: i64) -> bool {
        is_local_peak(self.values.slice(index - 1..index + 2), 1)
    }

    fn rival(&self, index: i64) -> Rival {
        let mut best = Rival { height: 0.0, lags: 0 };
        for range in self.rival_lags(index) {
            let strides = range.start.div_euclid(STRIDE)..(range.end - 1).div_euclid(STRIDE) + 1;
            let heights = self.heights.slice(strides.clone());
            // In the highest stride the highest peak is, unless the range cuts it short: so it is looked at first.
            let highest =
                heights.iter().zip(strides.clone()).max_by(|a, b| a.0.total_cmp(b.0)).map(|(_, stride)| stride);
            for stride in highest.into_iter().chain(strides) {
                if self.heights[stride] > best.height {
                    let lags = range.start.max(stride * STRIDE)..range.end.min((stride + 1) * STRIDE);
                    let values = self.values.slice(lags.start - 1..lags.end + 1);
                    best = highest_peak(values, lags.start - index, best);
                }
            }
        }
        best
    }
}

/// The highest local peak of |values| if it exceeds `best`: of all but the first and the last of them, the second one
/// of which is `lags` behind.
pub(super) fn highest_peak(values: &[f32], lags: i64, mut best: Rival) -> Rival {
    for from in (1..values.len().saturating_sub(1)).step_by(STRIDE as usize) {
        let to = (from + STRIDE as usize).min(values.len() - 1);
        if height_of(&values[from..to]) > best.height {
            for n in from..to {
                let height = values[n].abs();
                if height > best.height && is_local_peak(values, n) {
                    best = Rival { height, lags: lags + n as i64 - 1 };
                }
            }
        }
    }
    best
}

fn is_local_peak(values: &[f32], at: usize) -> bool {
    let height = values[at].abs();
    height > values[at - 1].abs() && height >= values[at + 1].abs()
}

/// In lanes that the processor can take at once.
fn height_of(values: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 16];
    for chunk in values.chunks(16) {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = if value.abs() > *lane { value.abs() } else { *lane };
        }
    }
    lanes.iter().fold(0.0, |highest, &height| if height > highest { height } else { highest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_however_low_a_rate_a_peak_is_found_with_all_its_neighbours() {
        for hz in 1..1_000 {
            let mut scanner = Scanner::new(f64::from(hz), 10, true);
            let mut stream = Stream::new();
            // One peak at the very start and one at the very end, then silence.
            let mut values = [0.0; 1000];
            values[0] = 1.0;
            values[99] = 1.0;
            stream.extend([0.3; 1000].into_iter());
            scanner.extend(values.into_iter());
            let mut found = Vec::new();
            scanner.scan(&stream, &mut |candidate| found.push(candidate.index));
            assert_eq!(found, [0, 99], "{hz} Hz");
            let around = scanner.values().slice(-(MARGIN as i64)..MARGIN as i64 + 1);
            assert_eq!(around.len(), 2 * MARGIN + 1, "{hz} Hz");
        }
    }
}
