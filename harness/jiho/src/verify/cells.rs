//! Which cells there are, and what is expected of each.

use jiho_analysis::signal::Family;
use jiho_proto::codec::OpusApplication;

use super::{Cell, Goal, Way};

/// Everything: 1000 beeps a cell.
pub fn all(family: Family) -> Vec<Cell> {
    cells(family, 1000)
}

/// The same cells with fewer beeps, for every day.
pub fn quick(family: Family) -> Vec<Cell> {
    cells(family, 60)
}

fn cells(family: Family, beeps: u32) -> Vec<Cell> {
    // Fewer beeps estimate a spread less well: its own standard deviation is 1/√(2n).
    let allowance = 1.0 + 3.0 / (2.0 * f64::from(beeps)).sqrt();
    let goal = |heard_ratio, bias_us, spread_us| Goal { heard_ratio, bias_us, spread_us, over_bound: None };
    let mut cells = Vec::new();
    let mut cell = |way: Way, beeps: u32, goal: Goal| cells.push(Cell { family, way, beeps, goal });
    for snr_db in [40.0, 20.0, 0.0, -10.0, -15.0] {
        let noisy = Goal { heard_ratio: 0.99, bias_us: None, spread_us: None, over_bound: Some(1.1 * allowance) };
        cell(Way::Noise { snr_db }, beeps, noisy);
    }
    for application in [OpusApplication::Voip, OpusApplication::Audio] {
        for bitrate_bps in [12_000, 24_000, 32_000, 64_000] {
            cell(Way::Opus { bitrate_bps, application, loss: 0.0 }, beeps, goal(1.0, Some(35.0), Some(35.0)));
        }
        for loss in [0.01, 0.05, 0.10] {
            let way = Way::Opus { bitrate_bps: 32_000, application, loss };
            cell(way, beeps, goal(0.95, Some(35.0), Some(35.0)));
        }
    }
    for speakers in [2, 4, 8] {
        let each = beeps.div_ceil(u32::from(speakers));
        cell(Way::Forwarded { speakers }, each, goal(1.0, Some(35.0), Some(35.0)));
        cell(Way::Mixed { speakers }, each, goal(1.0, Some(70.0), Some(50.0)));
    }
    cell(Way::Suppressed, beeps, goal(0.95, Some(35.0), Some(35.0)));
    for (reverberation_ms, direct_db) in [(200, 6.0), (400, 3.0)] {
        cell(Way::Room { reverberation_ms, direct_db }, beeps.min(200), goal(0.95, Some(35.0), Some(50.0)));
    }
    cells
}
