//! Whether the frames of several speakers begin together at an ear.
//!
//! A mixer decodes everybody's frames of 20 ms, adds them and codes the sum as one: whatever the delays, and however
//! clocks drift, all frames begin at the same instants. Streams that come to an ear one by one are placed one by one,
//! and begin anywhere within each other's frames. The mouth's stamp says where in its stream an instant is, so where
//! its frames begin is heard. No clock but the ear's is in it.

use super::outcome::{Outcome, share};
use super::series::{Heard, Room, delay_at, heard_ms};
use super::{Kind, Sighting};
use crate::metrics::Relation;

const FRAME_MS: f64 = 20.0;
const SAMPLES_PER_MS: f64 = 48.0;
/// Frames that begin so near each other begin together, in ms: a codec's second pass moves sound by less.
const TOGETHER_MS: f64 = 0.25;

pub(super) fn look(room: &Room<'_>, tier: Relation) -> Option<Outcome> {
    let shares: Vec<(usize, f64)> =
        room.ears(tier).filter_map(|(_, heard)| Some((heard.series.len(), aligned(heard)?))).collect();
    let sources = shares.iter().map(|(sources, _)| *sources).max()?;
    let together = shares.iter().filter(|(_, share)| *share >= 0.8).count();
    let apart = shares.iter().filter(|(_, share)| *share < 0.5).count();
    let case = match (share(together, shares.len()), share(apart, shares.len())) {
        (together, _) if together >= 0.9 => "together",
        (_, apart) if apart >= 0.9 => "apart",
        (together, _) if together >= 0.5 => "mostly_together",
        _ => "mostly_apart",
    };
    let ears = shares.len();
    Some(Outcome {
        tier,
        kind: Kind::Frames,
        context: if sources == 2 { "two" } else { "more" },
        case,
        sentence: match case {
            "together" => format!(
                "At {together} of {ears} ears everybody's frames begin at the same instants: somebody put them into one \
                 stream."
            ),
            "apart" => {
                format!(
                    "At {apart} of {ears} ears the speakers' frames begin at different instants: each speaker came in a \
                     stream of its own."
                )
            }
            _ => format!("At {together} of {ears} ears the speakers' frames begin together, at {apart} they do not."),
        },
    })
}

/// In how many comparisons of two speakers at an ear the frames begin together, 0 to 1.
fn aligned(heard: &Heard<'_>) -> Option<f64> {
    let series: Vec<_> = heard.series.values().collect();
    let (mut compared, mut together) = (0, 0);
    for (n, own) in series.iter().enumerate() {
        for sighting in series.iter().enumerate().filter(|(m, _)| *m != n).flat_map(|(_, other)| other.iter()) {
            let (Some(ours), Some(theirs)) = (phase_at(own, heard_ms(sighting)), phase_ms(sighting)) else { continue };
            let apart = (ours - theirs + 0.5 * FRAME_MS).rem_euclid(FRAME_MS) - 0.5 * FRAME_MS;
            compared += 1;
            together += usize::from(apart.abs() < TOGETHER_MS);
        }
    }
    (compared > 0).then(|| share(together, compared))
}

/// How far within its frame a sighting is.
fn phase_ms(sighting: &Sighting) -> Option<f64> {
    Some((sighting.position?.0 as f64 / SAMPLES_PER_MS).rem_euclid(FRAME_MS))
}

/// How far within its frame a series is at an instant of the ear's clock.
fn phase_at(series: &[&Sighting], at_ms: f64) -> Option<f64> {
    let delay = delay_at(series, at_ms)?;
    let nearest = series.iter().min_by(|a, b| (heard_ms(a) - at_ms).abs().total_cmp(&(heard_ms(b) - at_ms).abs()))?;
    let captured = at_ms - delay;
    let since = captured - nearest.captured.since_start().as_millis_f64();
    Some((phase_ms(nearest)? + since).rem_euclid(FRAME_MS))
}
