//! What the coding modes of every codec on the ways do to a beep, found before anything is verified.

use jiho_analysis::signal::{Code, Family};
use jiho_proto::codec::{CodecConfig, OpusConfig};
use rayon::prelude::*;

use super::Cell;
use crate::run::codec_bias::CodecBias;

/// By family and codec.
pub(super) struct Biases(Vec<((Family, OpusConfig), CodecBias)>);

impl Biases {
    /// For all codecs of some cells.
    pub(super) fn of(cells: &[Cell]) -> anyhow::Result<Self> {
        let mut codecs: Vec<(Family, OpusConfig)> = Vec::new();
        for cell in cells {
            for opus in cell.way.codecs() {
                if !codecs.contains(&(cell.family, opus)) {
                    codecs.push((cell.family, opus));
                }
            }
        }
        let codes: Vec<Code> = Code::all().collect();
        let calibrate = |(family, opus): (Family, OpusConfig)| {
            Ok(((family, opus), CodecBias::calibrate(&CodecConfig::Opus(opus), family, &codes)?))
        };
        Ok(Self(codecs.into_par_iter().map(calibrate).collect::<anyhow::Result<_>>()?))
    }

    pub(super) fn get(&self, family: Family, opus: OpusConfig) -> Option<&CodecBias> {
        self.0.iter().find(|(key, _)| *key == (family, opus)).map(|(_, bias)| bias)
    }
}
