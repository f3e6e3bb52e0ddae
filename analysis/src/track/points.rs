//! A track in tenths of a second: enough to look at, and a tenth of the rows.

use std::collections::BTreeMap;

use super::{Block, Heard};
use crate::signal::{Code, Pilot};
use crate::units::Nanos;

/// Blocks of a point.
const BLOCKS: u32 = 10;

/// 100 ms of a recording, as far as one pilot goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Whose pilot.
    pub code: Code,
    /// The middle, counted from the recording's first sample.
    pub at: Nanos,
    /// In how much of it the pilot is: 0 to 1.
    pub present: f64,
    /// The pilot nearest to the middle.
    pub pilot: Option<Heard>,
    /// Level of all sound, as in [`Block`].
    pub level_db: f64,
    /// Level of what is of no pilot.
    pub rest_db: f64,
}

impl Point {
    /// Which instant of the pilot the middle holds: 0 to [`Pilot::PERIOD`].
    pub fn media(&self) -> Option<Nanos> {
        self.pilot.map(|pilot| Nanos((self.at.0 - pilot.lag.value.0).rem_euclid(Pilot::PERIOD.0)))
    }
}

/// Makes points of blocks.
#[derive(Clone, Debug, Default)]
pub struct Points {
    pending: BTreeMap<Code, Vec<Block>>,
}

impl Points {
    /// Takes the next block of its code; gives the point that it completes. What is left at the end makes none.
    pub fn add(&mut self, block: &Block) -> Option<Point> {
        let blocks = self.pending.entry(block.code).or_default();
        blocks.push(*block);
        if blocks.len() < BLOCKS as usize {
            return None;
        }
        let at = Nanos((blocks[0].at.0 + block.at.0) / 2);
        let there = blocks.iter().filter(|block| block.pilot.is_some());
        let nearest = there.clone().min_by_key(|block| (block.at - at).abs());
        let mean_db = |part: fn(&Block) -> f64| {
            10.0 * (blocks.iter().map(|block| 10f64.powf(part(block) / 10.0)).sum::<f64>() / f64::from(BLOCKS)).log10()
        };
        let point = Point {
            code: block.code,
            at,
            present: there.count() as f64 / f64::from(BLOCKS),
            pilot: nearest.and_then(|block| block.pilot),
            level_db: mean_db(|block| block.level_db),
            rest_db: mean_db(|block| block.rest_db),
        };
        blocks.clear();
        Some(point)
    }
}
