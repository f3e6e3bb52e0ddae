//! Stretching in time without a change of pitch, as an adaptive jitter buffer does it to catch up or to fall back: now
//! and then a piece as long as a period of the sound is cut out or played twice, and the seam is faded over (WSOLA:
//! Verhelst & Roelands 1993).

/// What is decided at a time: 20 ms.
const BLOCK: usize = 960;
/// The natural speed, faster, the natural speed, slower: for so long each.
const PHASE_SAMPLES: usize = 96_000;
/// Pieces are 2.5 to 12.5 ms long.
const SHORTEST: usize = 120;
const LONGEST: usize = 600;
/// A piece is due once so much is to be won or lost: 5 ms.
const DUE: f64 = 240.0;
/// What a seam is faded over.
const SEAM: usize = 240;
/// So near to a step both its delays are heard.
pub(super) const SEAM_SAMPLES: f64 = SEAM as f64;

/// How late a sound is from a sample of it on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) from: i64,
    pub(super) samples: f64,
}

/// Stretches by a `share` of the speed, and says where the delay stepped. Near a step, by [`SEAM`] at most, both its
/// delays are heard.
pub(super) fn stretch(sound: &[f32], share: f64) -> (Vec<f32>, Vec<Step>) {
    let mut heard: Vec<f32> = Vec::with_capacity(sound.len());
    let mut steps = vec![Step { from: 0, samples: 0.0 }];
    let (mut at, mut due) = (LONGEST + SEAM, 0.0);
    heard.extend_from_slice(&sound[..at.min(sound.len())]);
    while at + LONGEST + 2 * BLOCK < sound.len() {
        due += match heard.len() / PHASE_SAMPLES % 4 {
            1 => share * BLOCK as f64,
            3 => -share * BLOCK as f64,
            _ => 0.0,
        };
        let (longest, ahead) = (due.abs() as usize, due > 0.0);
        if due.abs() >= DUE
            && let Some(piece) = best_piece(sound, at, longest.min(LONGEST), ahead)
        {
            let to = if ahead { at + piece } else { at - piece };
            heard.extend((0..SEAM).map(|n| {
                let share = n as f32 / SEAM as f32;
                (1.0 - share) * sound[at + n] + share * sound[to + n]
            }));
            due += if ahead { -(piece as f64) } else { piece as f64 };
            at = to + SEAM;
            steps.push(Step { from: to as i64, samples: heard.len() as f64 - at as f64 });
        }
        heard.extend_from_slice(&sound[at..at + BLOCK]);
        at += BLOCK;
    }
    heard.extend_from_slice(&sound[at..]);
    heard.resize(sound.len(), 0.0);
    (heard, steps)
}

/// The length of a piece after which, or before which, the sound is most like itself.
fn best_piece(sound: &[f32], at: usize, longest: usize, ahead: bool) -> Option<usize> {
    let now = &sound[at..at + SEAM];
    let likeness = |piece: usize| {
        let from = if ahead { at + piece } else { at - piece };
        let then = &sound[from..from + SEAM];
        let energy: f32 = then.iter().map(|x| x * x).sum();
        now.iter().zip(then).map(|(a, b)| a * b).sum::<f32>() / energy.max(1e-9).sqrt()
    };
    (SHORTEST..=longest).max_by(|&a, &b| likeness(a).total_cmp(&likeness(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretched_sound_is_as_late_as_its_steps_say() {
        // Clicks, far enough apart to be told apart whatever is cut.
        let mut sound = vec![0.0; 480_000];
        let clicks: Vec<usize> = (1..90).map(|n| n * 5_003).collect();
        clicks.iter().for_each(|&click| sound[click] = 1.0);
        let (heard, steps) = stretch(&sound, 0.05);
        let lates: Vec<f64> = steps.iter().map(|step| step.samples).collect();
        assert!(lates.iter().any(|&late| late < -3000.0), "it catches up by 100 ms in 2 s: {lates:?}");
        assert!(lates.last().is_some_and(|late| late.abs() < 1000.0), "and falls back: {lates:?}");
        let whole = clicks.iter().filter(|&&click| {
            let step = steps.iter().rev().find(|step| step.from <= click as i64).unwrap();
            heard.get((click as f64 + step.samples) as usize).is_some_and(|&sample| sample > 0.5)
        });
        // Some are cut out, or fall into a seam.
        assert!(whole.count() > 75);
    }
}
