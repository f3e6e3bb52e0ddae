//! Ears that are not recorded: their sound is listened to as it plays, and what was found in it is kept in place of it.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use jiho_analysis::hear::{Detection, Ears};
use jiho_analysis::signal::{Code, Family};
use jiho_analysis::units::MediaTime;
use jiho_drivers::sidecar::{Discontinuity, Sidecar};
use jiho_proto::codec::RATE;
use serde::{Deserialize, Serialize};

/// Silence that stands for samples that never came is pushed in pieces of this length.
const SILENCE: [f32; 480] = [0.0; 480];

/// What was heard at an ear that was not recorded: a line of `unrecorded.jsonl`.
#[derive(Debug, Serialize, Deserialize)]
pub struct EarHeard {
    /// What would describe the recording.
    pub sidecar: Sidecar,
    /// All that may be time signals, in order of time.
    pub detections: Vec<Detection>,
}

impl EarHeard {
    /// Reads all lines of a file. One that is not there has none.
    ///
    /// # Errors
    /// The file cannot be read, or a line is damaged.
    pub fn read(path: &Path) -> anyhow::Result<Vec<Self>> {
        if !path.exists() {
            return Ok(Vec::new());
        }
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let lines = BufReader::new(file).lines().enumerate();
        lines
            .map(|(n, line)| {
                let place = || format!("{}, line {}: not what was heard at an ear", path.display(), n + 1);
                serde_json::from_str(&line.with_context(place)?).with_context(place)
            })
            .collect()
    }
}

/// Listens at all ears that are not recorded.
pub(super) struct Unrecorded {
    ears: Ears,
    heard: Vec<EarHeard>,
    /// How many detections of each ear have been given, and up to which position.
    told: Vec<(usize, f64)>,
}

impl Unrecorded {
    /// Listens for some codes of a family.
    pub(super) fn new(family: Family, codes: &[Code]) -> Self {
        // All members of a family without codes sound alike: one is enough.
        let codes = if family.is_coded() { codes } else { &codes[..codes.len().min(1)] };
        Self { ears: Ears::new(RATE, family, codes), heard: Vec::new(), told: Vec::new() }
    }

    /// Opens an ear and gives its number.
    pub(super) fn open(&mut self, sidecar: Sidecar) -> usize {
        self.told.push((0, 0.0));
        self.heard.push(EarHeard { sidecar, detections: Vec::new() });
        self.ears.open()
    }

    /// Takes the samples that an ear plays from position `first` on. If some before them never came, silence takes their
    /// place and the description says so. Once in a while it gives what has been found since then, and up to which position
    /// nothing more will be.
    pub(super) fn push(&mut self, ear: usize, first: MediaTime, samples: &[f32]) -> Option<(Vec<Detection>, f64)> {
        let taken = self.heard[ear].sidecar.samples;
        let gap_samples = u64::try_from(first.0).map_or(0, |first| first.saturating_sub(taken));
        if gap_samples > 0 {
            self.heard[ear].sidecar.discontinuities.push(Discontinuity { sample: taken, gap_samples });
            for piece in (0..gap_samples).step_by(SILENCE.len()) {
                self.listen(ear, &SILENCE[..(gap_samples - piece).min(SILENCE.len() as u64) as usize]);
            }
        }
        self.listen(ear, samples);
        let settled = self.ears.settled(ear);
        let told = &mut self.told[ear];
        let (found, before) = (self.heard[ear].detections.len(), *told);
        if found == before.0 && settled - before.1 < RATE.hz() {
            return None;
        }
        *told = (found, settled);
        Some((self.heard[ear].detections[before.0..].to_vec(), settled))
    }

    /// Ends all ears, and writes what they heard. Gives what has not been given yet, by ear, and how long it played.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn write(self, path: &Path) -> anyhow::Result<Vec<(Vec<Detection>, f64)>> {
        let unwritten = || format!("cannot write {}", path.display());
        let mut file = BufWriter::new(File::create(path).with_context(unwritten)?);
        let mut last = Vec::new();
        for ((mut heard, rest), (told, _)) in self.heard.into_iter().zip(self.ears.finish()).zip(self.told) {
            heard.detections.extend(rest.into_iter().filter(Detection::is_credible));
            heard.sidecar.complete = true;
            serde_json::to_writer(&mut file, &heard).with_context(unwritten)?;
            file.write_all(b"\n").with_context(unwritten)?;
            last.push((heard.detections.split_off(told), heard.sidecar.samples as f64));
        }
        file.flush().with_context(unwritten)?;
        Ok(last)
    }

    fn listen(&mut self, ear: usize, samples: &[f32]) {
        let EarHeard { sidecar, detections } = &mut self.heard[ear];
        sidecar.samples += samples.len() as u64;
        sidecar.clipped += samples.iter().filter(|sample| sample.abs() > 1.0).count() as u64;
        detections.extend(self.ears.push(ear, samples).into_iter().filter(Detection::is_credible));
    }
}
