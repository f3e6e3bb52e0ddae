//! What is heard: from a recording's samples to detections of time signals.
//!
//! bank (correlation with every code) → scan (local peaks) → cancel (what other codes add to them) → heard (the place
//! between samples) → splice (two delays in one beep) → detections. Whoever has to act on a signal as soon as it is over
//! hears by a shorter way, with less certainty (`live`).

mod bank;
mod cancel;
mod detection;
mod heard;
mod live;
pub mod oracle;
pub(crate) mod peak;
mod scan;
mod splice;
mod stream;
mod tape;

pub use detection::Detection;
pub use live::{HeardNow, Live};
pub use splice::Splice;

use crate::signal::{Code, Family, Waveform};
use crate::units::Rate;
use bank::Bank;
use cancel::Cancellation;
use heard::Heard;
use scan::{Candidate, MARGIN, Scanner};
use splice::Splicing;
use stream::Stream;

/// Lags before a recording's first sample: more than a peak is refined by.
const LAGS_BEFORE: usize = 2 * MARGIN;

/// Listens to one channel of a recording, as a stream: memory does not grow with its length.
pub struct Hearing {
    shared: Shared,
    ear: Ear,
}

/// Listens for the same codes at many ears at once, each a stream of its own. What they have in common is there once: an
/// ear takes less than a megabyte.
pub struct Ears {
    shared: Shared,
    ears: Vec<Ear>,
}

/// What does not depend on the recording.
struct Shared {
    rate: Rate,
    family: Family,
    codes: Vec<Code>,
    /// How far behind lag 0 of a beep that begins there its mark is in the recording.
    mark_samples: f64,
    bank: Bank,
    cancellation: Cancellation,
    /// Parts of a tone fit anywhere: only coded beeps are looked at.
    splicing: Option<Splicing>,
}

/// One recording.
struct Ear {
    /// Samples that are not yet transformed.
    input: Vec<f32>,
    stream: Stream,
    scanners: Vec<Scanner>,
    /// Candidates, by code, that a later one may overlap.
    pending: Vec<(usize, Candidate)>,
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
        let shared = Shared::new(rate, family, codes);
        let ear = shared.ear();
        Self { shared, ear }
    }

    /// Takes samples, and gives the detections that are complete with them, in order of time.
    pub fn push(&mut self, samples: &[f32]) -> Vec<Detection> {
        self.shared.push(&mut self.ear, samples)
    }

    /// The transforms that it is made of.
    pub fn transforms(&self) -> Transforms {
        let (forward, inverse) = self.shared.bank.transforms();
        Transforms { samples: self.shared.bank.step(), forward, inverse, inverses: self.shared.codes.len() + 1 }
    }

    /// Ends the recording, as if it went on in silence, and gives the rest.
    pub fn finish(mut self) -> Vec<Detection> {
        self.shared.finish(self.ear)
    }
}

impl Ears {
    /// No ear yet; those to come listen for some codes of a family in recordings at `rate`.
    pub fn new(rate: Rate, family: Family, codes: &[Code]) -> Self {
        Self { shared: Shared::new(rate, family, codes), ears: Vec::new() }
    }

    /// Opens one more ear, and gives its number: they are counted from 0.
    pub fn open(&mut self) -> usize {
        self.ears.push(self.shared.ear());
        self.ears.len() - 1
    }

    /// Takes samples at one ear, and gives its detections that are complete with them, in order of time.
    pub fn push(&mut self, ear: usize, samples: &[f32]) -> Vec<Detection> {
        self.shared.push(&mut self.ears[ear], samples)
    }

    /// Begins an ear anew, as if nothing had been heard there: positions count from the next sample.
    pub fn restart(&mut self, ear: usize) {
        self.ears[ear] = self.shared.ear();
    }

    /// The position in an ear's recording before which all detections have been given.
    pub fn settled(&self, ear: usize) -> f64 {
        self.shared.settled(&self.ears[ear])
    }

    /// Ends all recordings, as if they went on in silence, and gives the rest, by ear.
    pub fn finish(mut self) -> Vec<Vec<Detection>> {
        self.ears.into_iter().map(|ear| self.shared.finish(ear)).collect()
    }
}

impl Shared {
    fn new(rate: Rate, family: Family, codes: &[Code]) -> Self {
        let (templates, before): (Vec<_>, Vec<_>) =
            codes.iter().map(|&code| Waveform::new(family, code).template(rate)).unzip();
        let mut bank = Bank::new(rate, &templates);
        let decimated_hz = rate.hz() / bank.decimation() as f64;
        let splicing = family
            .is_coded()
            .then(|| Splicing::new(decimated_hz, (0..codes.len()).map(|code| bank.template(code)).collect()));
        let before_recording = (LAGS_BEFORE * bank.decimation()) as f64;
        Self {
            rate,
            family,
            codes: codes.to_vec(),
            mark_samples: before.first().map_or(0.0, |&before| rate.samples(before)) - before_recording,
            cancellation: Cancellation::new(bank.template_len()),
            bank,
            splicing,
        }
    }

    fn ear(&self) -> Ear {
        let decimated_hz = self.rate.hz() / self.bank.decimation() as f64;
        let scanner = |_| Scanner::new(decimated_hz, self.bank.template_len(), self.family.is_coded());
        Ear {
            // Before the recording there was silence: the peak of a beep that begins with it has two sides nonetheless.
            input: vec![0.0; LAGS_BEFORE * self.bank.decimation()],
            stream: Stream::new(),
            scanners: self.codes.iter().map(scanner).collect(),
            pending: Vec::new(),
            taken: 0,
        }
    }

    fn push(&mut self, ear: &mut Ear, samples: &[f32]) -> Vec<Detection> {
        ear.taken += samples.len();
        let mut detections = Vec::new();
        for samples in samples.chunks(self.bank.step()) {
            // No more is ever there, and doubling would take twice that of each ear.
            let most = self.bank.needed() + samples.len();
            ear.input.reserve_exact(most.saturating_sub(ear.input.len()));
            ear.input.extend_from_slice(samples);
            while self.bank.advance(&mut ear.input) {
                self.correlate(ear);
                detections.extend(self.detections(ear, ear.scanned()));
            }
        }
        detections
    }

    fn finish(&mut self, mut ear: Ear) -> Vec<Detection> {
        let silence = vec![0.0; self.bank.step()];
        let lags = (LAGS_BEFORE + ear.taken / self.bank.decimation()) as i64;
        let mut detections = Vec::new();
        while ear.scanned() < lags {
            detections.extend(self.push(&mut ear, &silence));
        }
        detections.extend(self.detections(&mut ear, i64::MAX));
        detections
    }

    fn settled(&self, ear: &Ear) -> f64 {
        let pending = ear.pending.iter().map(|(_, candidate)| candidate.index).min();
        let lag = ear.scanned().min(pending.unwrap_or(i64::MAX));
        lag as f64 * self.bank.decimation() as f64 + self.mark_samples
    }

    /// Takes what the bank's two blocks give.
    fn correlate(&mut self, ear: &mut Ear) {
        let Ear { stream, scanners, pending, .. } = ear;
        let terms = self.bank.template_len();
        let signal = self.bank.signal();
        if stream.end() == 0 {
            stream.extend(signal[..terms].iter().map(|pair| pair.re));
        }
        stream.extend(signal[terms..].iter().map(|pair| pair.re));
        stream.extend(signal[terms..].iter().map(|pair| pair.im));
        for (code, scanner) in scanners.iter_mut().enumerate() {
            let correlation = self.bank.correlation(code);
            scanner.extend(correlation.iter().map(|pair| pair.re));
            scanner.extend(correlation.iter().map(|pair| pair.im));
            scanner.scan(stream, &mut |candidate| pending.push((code, candidate)));
        }
    }

    /// The detections before lag `scanned` that no later one can overlap.
    fn detections(&mut self, ear: &mut Ear, scanned: i64) -> Vec<Detection> {
        let Ear { stream, scanners, pending, .. } = ear;
        let decimation = self.bank.decimation() as f64;
        let terms = self.bank.template_len() as f64;
        let heard = self.cancellation.resolve(pending, scanned, scanners, stream, &mut self.bank).into_iter();
        let mark = self.mark_samples;
        let detection = |(code, heard): (usize, Heard)| {
            let splice = self.splicing.as_ref().and_then(|splicing| splicing.find(code, &heard, stream));
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
        // The correlations are needed from the first candidate on that is not resolved.
        let needed = pending.iter().map(|(_, candidate)| candidate.index).min().unwrap_or(i64::MAX).min(scanned);
        scanners.iter_mut().for_each(|scanner| scanner.forget_before(needed));
        let searched = scanners.iter().map(|scanner| -scanner.rival_lags(0)[0].start).max().unwrap_or(0);
        stream.forget_before(needed.saturating_sub(searched.max(self.splicing.as_ref().map_or(0, Splicing::reach))));
        detections
    }
}

impl Ear {
    /// The lag up to which all candidates are known.
    fn scanned(&self) -> i64 {
        self.scanners.iter().map(Scanner::scanned).min().unwrap_or(i64::MAX)
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
