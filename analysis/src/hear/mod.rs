//! What is heard: from a recording's samples to detections of time signals.
//!
//! bank (correlation with every code) → scan (local peaks) → cancel (what other codes add to them) → detections.

mod bank;
mod cancel;
pub mod oracle;
pub(crate) mod peak;
mod scan;
mod splice;

pub use scan::Detection;
pub use splice::Splice;

use crate::signal::{Code, Family, Waveform};
use crate::units::Rate;
use bank::{Bank, Correlations};
use cancel::Cancellation;
use scan::Scanner;

/// Listens to one channel of a recording, as a stream: memory does not grow with its length.
pub struct Hearing {
    family: Family,
    codes: Vec<Code>,
    mark_samples: f64,
    bank: Bank,
    scanners: Vec<Scanner>,
    cancellation: Cancellation,
}

impl Hearing {
    /// Listens for some codes of a family in a recording at `rate`.
    pub fn new(rate: Rate, family: Family, codes: &[Code]) -> Self {
        let (templates, before): (Vec<_>, Vec<_>) =
            codes.iter().map(|&code| Waveform::new(family, code).template(rate)).unzip();
        let bank = Bank::new(rate, &templates);
        let decimated_hz = rate.hz() / bank.decimation() as f64;
        Self {
            family,
            codes: codes.to_vec(),
            mark_samples: before.first().map_or(0.0, |&before| rate.samples(before)),
            scanners: codes.iter().map(|_| Scanner::new(decimated_hz, family.is_coded())).collect(),
            cancellation: Cancellation::new(rate, templates, bank.template_len()),
            bank,
        }
    }

    /// Takes samples, and gives the detections that are complete with them, in order of time.
    pub fn push(&mut self, samples: &[f32]) -> Vec<Detection> {
        let (scanners, cancellation) = (&mut self.scanners, &mut self.cancellation);
        self.bank.push(samples, &mut |correlations| scan(scanners, correlations, cancellation));
        let scanned = self.scanners.iter().map(Scanner::scanned).min().unwrap_or(0);
        self.detections(scanned)
    }

    /// Ends the recording, and gives the rest.
    pub fn finish(mut self) -> Vec<Detection> {
        let (scanners, cancellation) = (&mut self.scanners, &mut self.cancellation);
        self.bank.finish(&mut |correlations| scan(scanners, correlations, cancellation));
        for (code, scanner) in scanners.iter_mut().enumerate() {
            scanner.finish(&mut |candidate| cancellation.add(code, candidate));
        }
        self.detections(usize::MAX)
    }

    fn detections(&mut self, scanned: usize) -> Vec<Detection> {
        let decimation = self.bank.decimation() as f64;
        let terms = self.bank.template_len() as f64;
        let heard = self.cancellation.resolve(scanned).into_iter();
        let mut detections: Vec<Detection> = heard
            .map(|(code, heard)| heard.detection(self.codes[code], decimation, self.mark_samples, terms))
            .collect();
        if !self.family.is_coded() {
            // All that overlap are given at once.
            detections = greatest_within(&detections, terms * decimation);
        }
        detections
    }
}

/// Drops whatever overlaps a greater one: tones also fit, less well, a second and more away from where they belong.
fn greatest_within(detections: &[Detection], samples: f64) -> Vec<Detection> {
    let overlaps = |a: &Detection, b: &Detection| (a.position - b.position).abs() <= samples;
    let is_greatest = |d: &&Detection| !detections.iter().any(|other| overlaps(d, other) && other.score > d.score);
    detections.iter().filter(is_greatest).copied().collect()
}

fn scan(scanners: &mut [Scanner], correlations: Correlations<'_>, cancellation: &mut Cancellation) {
    for (code, (scanner, values)) in scanners.iter_mut().zip(correlations.values).enumerate() {
        scanner.push(values, correlations.energy, &mut |candidate| cancellation.add(code, candidate));
    }
}

/// Listens to a whole recording at once.
pub fn hear(samples: &[f32], rate: Rate, family: Family, codes: &[Code]) -> Vec<Detection> {
    let mut hearing = Hearing::new(rate, family, codes);
    let mut detections = hearing.push(samples);
    detections.extend(hearing.finish());
    detections
}
