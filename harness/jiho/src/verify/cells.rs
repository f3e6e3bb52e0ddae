//! Which cells there are, and what is expected of each.

use jiho_analysis::signal::{Code, Family};
use jiho_analysis::units::Nanos;
use jiho_proto::codec::{OpusApplication, OpusConfig};

use super::{Cell, Goal, Stage, Way};

/// Everything: every code, 1024 beeps a cell.
pub fn all(family: Family) -> Vec<Cell> {
    Cells::of(family, u32::from(Code::COUNT), 1.0).cells
}

/// The same cells with a few beeps each, for every day.
pub fn quick(family: Family) -> Vec<Cell> {
    // Fewer beeps estimate a spread less well: its own standard deviation is 1/√(2n).
    let allowance = 1.0 + 3.0 / f64::from(2 * QUICK_TAKES * BEEPS).sqrt();
    Cells::of(family, QUICK_TAKES, allowance).cells
}

/// Beeps of one speaker in a take: enough neighbours for every beep.
const BEEPS: u32 = 16;
const QUICK_TAKES: u32 = 2;
/// After each beep.
const PAUSE: Nanos = Nanos::from_millis(100);
/// Long enough for discontinuous transmission to begin.
const LONG_PAUSE: Nanos = Nanos::from_millis(1000);

struct Cells {
    family: Family,
    takes: u32,
    cells: Vec<Cell>,
}

impl Cells {
    fn of(family: Family, takes: u32, allowance: f64) -> Self {
        let mut cells = Self { family, takes, cells: Vec::new() };
        cells.noise(allowance);
        cells.codec();
        cells.chorus();
        cells.clocks();
        cells.disturbances();
        cells
    }

    fn cell(&self, way: Way, goal: Goal) -> Cell {
        let takes = self.takes.div_ceil(u32::from(way.speakers));
        Cell { family: self.family, way, takes, beeps: BEEPS, pause: PAUSE, seed: self.cells.len() as u32, goal }
    }

    fn add(&mut self, way: Way, goal: Goal) {
        let cell = self.cell(way, goal);
        self.cells.push(cell);
    }

    fn noise(&mut self, allowance: f64) {
        for snr_db in [40.0, 20.0, 0.0, -10.0, -15.0] {
            let goal = Goal { heard_ratio: 0.99, over_bound: Some(1.1 * allowance), ..Goal::NONE };
            self.add(Way::of(&[Stage::Noise { snr_db }]), goal);
        }
        self.add(Way::of(&[Stage::Noise { snr_db: -20.0 }]), Goal::NONE);
    }

    fn codec(&mut self) {
        let goal = Goal {
            heard_ratio: 0.99,
            worst_us: Some(35.0),
            unknown_worst_us: Some(70.0),
            within_mode_us: Some(10.0),
            ..Goal::NONE
        };
        for application in [OpusApplication::Voip, OpusApplication::Audio] {
            for bitrate_bps in [12_000, 24_000, 32_000, 64_000] {
                let opus = OpusConfig { bitrate_bps, application, ..OpusConfig::default() };
                self.add(Way::of(&[Stage::Opus { opus, loss: 0.0 }]), goal);
            }
            let opus = OpusConfig { application, ..OpusConfig::default() };
            for loss in [0.01, 0.05, 0.10] {
                let goal = Goal { heard_ratio: 0.95, ..goal };
                // Of a few beeps none may come whole.
                let few = Goal { within_mode_us: None, ..goal };
                let goal = if self.takes > QUICK_TAKES || loss < 0.1 { goal } else { few };
                self.add(Way::of(&[Stage::Opus { opus, loss }]), goal);
            }
            let dtx = Stage::Opus { opus: OpusConfig { dtx: true, ..opus }, loss: 0.0 };
            self.cells.push(Cell { pause: LONG_PAUSE, ..self.cell(Way::of(&[dtx]), goal) });
            let opus = OpusConfig { fec: true, expected_loss_percent: 5, ..opus };
            self.add(Way::of(&[Stage::Opus { opus, loss: 0.05 }]), Goal { heard_ratio: 0.95, ..goal });
        }
    }

    /// Speakers at the same instants.
    fn chorus(&mut self) {
        let opus = Stage::Opus { opus: OpusConfig::default(), loss: 0.0 };
        let goal = Goal { heard_ratio: 0.99, spread_us: Some(25.0), ..Goal::NONE };
        for speakers in [2, 4, 8, 16] {
            let forwarded = Way { speakers, clock_ppm: 0.0, each: vec![opus], mix: Vec::new() };
            let mixed = Way { mix: vec![Stage::Headroom, opus], ..forwarded.clone() };
            let goal = if speakers <= 8 { goal } else { Goal::NONE };
            self.add(forwarded, goal);
            self.add(mixed, goal);
        }
        let mix = vec![Stage::Headroom, opus, opus];
        let goal = Goal { spread_us: None, ..goal };
        self.add(Way { speakers: 4, clock_ppm: 0.0, each: vec![opus], mix }, goal);
    }

    fn clocks(&mut self) {
        let goal = Goal { heard_ratio: 0.99, ..Goal::NONE };
        for clock_ppm in [200.0, -200.0] {
            self.add(Way { clock_ppm, ..Way::of(&[]) }, Goal { bias_us: Some(5.0), spread_us: Some(5.0), ..goal });
        }
        let opus = Stage::Opus { opus: OpusConfig::default(), loss: 0.0 };
        for (clock_ppm, stage) in [(3.0, opus), (-17.0, opus), (50.0, Stage::Noise { snr_db: 0.0 })] {
            let cell = self.cell(Way { clock_ppm, ..Way::of(&[stage]) }, Goal { drift_ppm: Some(0.5), ..goal });
            // A minute, one beep a second.
            let (takes, pause) = (self.takes.div_ceil(4), Nanos::from_millis(500));
            self.cells.push(Cell { beeps: 60, takes, pause, ..cell });
        }
        let stretched = self.cell(Way::of(&[Stage::Stretch { share: 0.05 }]), Goal::NONE);
        self.cells.push(Cell { beeps: 60, takes: self.takes.div_ceil(4), ..stretched });
    }

    fn disturbances(&mut self) {
        // What is no voice may be taken out altogether.
        let voiced = matches!(self.family, Family::Voiced | Family::VoicedRobust);
        let goal = if voiced { Goal { heard_ratio: 0.95, bias_us: Some(35.0), ..Goal::NONE } } else { Goal::NONE };
        self.add(Way::of(&[Stage::RnNoise]), goal);
        self.add(Way::of(&[Stage::WebRtc]), goal);
        for (level_db, heard_ratio) in [(-20.0, 0.99), (-10.0, 0.99), (0.0, 0.95), (10.0, 0.0)] {
            self.add(Way::of(&[Stage::Speech { level_db, voices: 1 }]), Goal { heard_ratio, ..Goal::NONE });
        }
        self.add(Way::of(&[Stage::Speech { level_db: 0.0, voices: 4 }]), Goal { heard_ratio: 0.95, ..Goal::NONE });
        for (reverberation_ms, direct_db) in [(200, 6.0), (400, 3.0)] {
            let goal = Goal { heard_ratio: 0.95, bias_us: Some(35.0), spread_us: Some(50.0), ..Goal::NONE };
            let cell = self.cell(Way::of(&[Stage::Room { reverberation_ms, direct_db }]), goal);
            // Two thousand reflections each.
            self.cells.push(Cell { takes: cell.takes.min(16), ..cell });
        }
    }
}
