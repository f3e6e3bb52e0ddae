//! What is heard: from a recording's samples to detections of time signals.
//!
//! bank (correlation with every code) → scan (local peaks) → cancel (what other codes add to them) → heard (the place
//! between samples) → splice (two delays in one beep) → detections.

mod bank;
mod cancel;
mod detection;
mod heard;
pub mod oracle;
pub(crate) mod peak;
mod scan;
mod splice;
mod stream;
mod tape;

pub use detection::Detection;
pub use splice::Splice;

use crate::signal::{Code, Family, Waveform};
use crate::units::Rate;
use bank::Bank;
use cancel::Cancellation;
use heard::Heard;
use scan::{MARGIN, Scanner};
use splice::Splicing;
use stream::Stream;

/// Lags before a recording's first sample: more than a peak is refined by.
const LAGS_BEFORE: usize = 2 * MARGIN;

/// Listens to one channel of a recording, as a stream: memory does not grow with its length.
pub struct Hearing {
    family: Family,
    codes: Vec<Code>,
    /// How far behind lag 0 of a beep that begins there its mark is in the recording.
    mark_samples: f64,
    bank: Bank,
    stream: Stream,
    scanners: Vec<Scanner>,
    cancellation: Cancellation,
    /// Parts of a tone fit anywhere: only coded beeps are looked at.
    splicing: Option<Splicing>,
    /// Samples of the recording that have been taken.
    taken: usize,
}

/// The complex Fourier transforms that [`Hearing`] makes of each stretch of a recording: their cost is its yardstick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transforms {
    /// Samples in the stretch.
    pub samples: usize,
    /// The length of the one forward transform.
    pub forward: usize,
    /// The length of the inverse transforms …
    pub inverse: usize,
    /// … and how many there are: one per code, and one for the signal itself.
    pub inverses: usize,
}

impl Hearing {
    /// Listens for some codes of a family in a recording at `rate`.
    pub fn new(rate: Rate, family: Family, codes: &[Code]) -> Self {
        let (templates, before): (Vec<_>, Vec<_>) =
            codes.iter().map(|&code| Waveform::new(family, code).template(rate)).unzip();
        let mut bank = Bank::new(rate, &templates);
        let decimated_hz = rate.hz() / bank.decimation() as f64;
        let terms = bank.template_len();
        let scanner = |_| Scanner::new(decimated_hz, terms, family.is_coded());
        let splicing = family
            .is_coded()
            .then(|| Splicing::new(decimated_hz, (0..codes.len()).map(|code| bank.template(code)).collect()));
        // Before the recording there was silence: the peak of a beep that begins with it has two sides nonetheless.
        let before_recording = LAGS_BEFORE * bank.decimation();
        bank.append(&vec![0.0; before_recording]);
        Self {
            family,
            codes: codes.to_vec(),
            mark_samples: before.first().map_or(0.0, |&before| rate.samples(before)) - before_recording as f64,
            scanners: codes.iter().map(scanner).collect(),
            stream: Stream::new(),
            cancellation: Cancellation::new(terms),
            bank,
            splicing,
            taken: 0,
        }
    }

    /// Takes samples, and gives the detections that are complete with them, in order of time.
    pub fn push(&mut self, samples: &[f32]) -> Vec<Detection> {
        self.taken += samples.len();
        let mut detections = Vec::new();
        for samples in samples.chunks(self.bank.step()) {
            self.bank.append(samples);
            while self.bank.advance() {
                self.correlate();
                detections.extend(self.detections(self.scanned()));
            }
        }
        detections
    }

    /// The transforms that it is made of.
    pub fn transforms(&self) -> Transforms {
        let (forward, inverse) = self.bank.transforms();
        Transforms { samples: self.bank.step(), forward, inverse, inverses: self.codes.len() + 1 }
    }

    /// Ends the recording, as if it went on in silence, and gives the rest.
    pub fn finish(mut self) -> Vec<Detection> {
        let silence = vec![0.0; self.bank.step()];
        let lags = (LAGS_BEFORE + self.taken / self.bank.decimation()) as i64;
        let mut detections = Vec::new();
        while self.scanned() < lags {
            detections.extend(self.push(&silence));
        }
        detections.extend(self.detections(i64::MAX));
        detections
    }

    /// Takes what the bank's two blocks give.
    fn correlate(&mut self) {
        let terms = self.bank.template_len();
        let signal = self.bank.signal();
        if self.stream.end() == 0 {
            self.stream.extend(signal[..terms].iter().map(|pair| pair.re));
        }
        self.stream.extend(signal[terms..].iter().map(|pair| pair.re));
        self.stream.extend(signal[terms..].iter().map(|pair| pair.im));
        for (code, scanner) in self.scanners.iter_mut().enumerate() {
            let correlation = self.bank.correlation(code);
            scanner.extend(correlation.iter().map(|pair| pair.re));
            scanner.extend(correlation.iter().map(|pair| pair.im));
            scanner.scan(&self.stream, &mut |candidate| self.cancellation.add(code, candidate));
        }
    }

    /// The lag up to which all candidates are known.
    fn scanned(&self) -> i64 {
        self.scanners.iter().map(Scanner::scanned).min().unwrap_or(i64::MAX)
    }

    /// The detections before lag `scanned` that no later one can overlap.
    fn detections(&mut self, scanned: i64) -> Vec<Detection> {
        let decimation = self.bank.decimation() as f64;
        let terms = self.bank.template_len() as f64;
        let heard = self.cancellation.resolve(scanned, &self.scanners, &self.stream, &mut self.bank).into_iter();
        let mark = self.mark_samples;
        let detection = |(code, heard): (usize, Heard)| {
            let splice = self.splicing.as_ref().and_then(|splicing| splicing.find(code, &heard, &self.stream));
            Detection {
                splice: splice.map(|splice| splice.scaled(decimation, mark)),
                ..heard.detection(self.codes[code], decimation, mark, terms)
            }
        };
        let mut detections: Vec<Detection> = heard.map(detection).collect();
        if !self.family.is_coded() {
            // All that overlap are given at once.
            detections = greatest_within(&detections, terms * decimation);
        }
        let needed = self.cancellation.needed().min(scanned);
        self.scanners.iter_mut().for_each(|scanner| scanner.forget_before(needed));
        let searched = self.scanners.iter().map(|scanner| -scanner.rival_lags(0)[0].start).max().unwrap_or(0);
        self.stream
            .forget_before(needed.saturating_sub(searched.max(self.splicing.as_ref().map_or(0, Splicing::reach))));
        detections
    }
}

/// Drops whatever overlaps a greater one: tones also fit, less well, a second and more away from where they belong.
fn greatest_within(detections: &[Detection], samples: f64) -> Vec<Detection> {
    let overlaps = |a: &Detection, b: &Detection| (a.position - b.position).abs() <= samples;
    let is_greatest = |d: &&Detection| !detections.iter().any(|other| overlaps(d, other) && other.score > d.score);
    detections.iter().filter(is_greatest).copied().collect()
}

/// Listens to a whole recording at once.
pub fn hear(samples: &[f32], rate: Rate, family: Family, codes: &[Code]) -> Vec<Detection> {
    let mut hearing = Hearing::new(rate, family, codes);
    let mut detections = hearing.push(samples);
    detections.extend(hearing.finish());
    detections
}
