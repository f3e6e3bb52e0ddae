//! How loud a signal is in a recording.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use jiho_analysis::hear::Detection;
use jiho_analysis::signal::{Code, Family, Waveform};
use jiho_analysis::units::Nanos;
use jiho_drivers::wav::Reader;

/// More of a signal says no more of its level.
const LONGEST: Nanos = Nanos::from_millis(500);

/// One channel of a recording, in which signals are measured where they were found.
pub(super) struct Levels {
    reader: Reader<BufReader<File>>,
    channel: usize,
    family: Family,
    waveforms: BTreeMap<Code, Waveform>,
    block: Vec<Vec<f32>>,
}

impl Levels {
    pub(super) fn open(path: &Path, channel: usize, family: Family) -> anyhow::Result<Self> {
        let reader = Reader::open(path)?;
        Ok(Self { reader, channel, family, waveforms: BTreeMap::new(), block: Vec::new() })
    }

    /// What of the signal itself is there, in dB over the level at which every signal is made: its least-squares
    /// gain. Noise does not add to it, and what a path cut out of the signal is missing from it.
    pub(super) fn gain_db(&mut self, detection: &Detection) -> anyhow::Result<Option<f64>> {
        let rate = self.reader.rate();
        let waveform =
            self.waveforms.entry(detection.code).or_insert_with(|| Waveform::new(self.family, detection.code));
        let first = detection.position.floor().max(0.0);
        let mut expected = vec![0.0; rate.samples(waveform.after_mark().min(LONGEST)) as usize];
        waveform.add((first - detection.position) / rate.hz(), rate, &mut expected);
        self.reader.seek(first as u64)?;
        let (mut product, mut energy) = (0.0, 0.0);
        let mut rest = &expected[..];
        while !rest.is_empty() && self.reader.next_block(&mut self.block)? > 0 {
            let Some(samples) = self.block.get(self.channel) else { break };
            let (now, later) = rest.split_at(rest.len().min(samples.len()));
            for (x, s) in samples.iter().zip(now) {
                product += f64::from(x * s);
                energy += f64::from(s * s);
            }
            rest = later;
        }
        Ok((product != 0.0 && energy > 0.0).then(|| 20.0 * (product.abs() / energy).log10()))
    }
}
