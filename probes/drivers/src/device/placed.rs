//! Samples where time has them, though their device dropped some.

use std::collections::VecDeque;

use jiho_analysis::units::MediaTime;

use super::StreamStatus;

/// Holds sound back until it is known whether its device stumbled in it.
#[derive(Debug, Default)]
pub struct Placed {
    /// Pieces without a jump of counts within, by the count of their first sample, channels interleaved.
    held: VecDeque<(i64, Vec<f32>)>,
    channels: usize,
    /// Where the next sample stands at the earliest.
    next: i64,
    cuts: Vec<Cut>,
}

/// Samples that time has no place for: the device counted more than there was time for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The position of the first sample after them.
    pub at: MediaTime,
    /// How many.
    pub samples: u64,
}

impl Placed {
    /// What had to be left out since the last call.
    pub fn cuts(&mut self) -> Vec<Cut> {
        std::mem::take(&mut self.cuts)
    }

    /// Gives as [`Capturing::read_placed`](super::Capturing::read_placed) does, and without waiting for stamps: none will
    /// come any more. To be called until `out` stays empty.
    pub fn take_rest(&mut self, status: &StreamStatus, out: &mut Vec<f32>) -> MediaTime {
        self.take(&StreamStatus { ended: true, ..status.clone() }, out)
    }

    /// Takes what was read.
    pub fn push(&mut self, first: MediaTime, samples: &[f32], channels: usize) {
        self.channels = channels.max(1);
        if !samples.is_empty() {
            self.held.push_back((first.0, samples.to_vec()));
        }
    }

    /// Moves samples that belong together into `out`, and gives the position of the first. A stream that has ended gives
    /// all that it has. Samples for which time has no place are left out.
    pub fn take(&mut self, status: &StreamStatus, out: &mut Vec<f32>) -> MediaTime {
        out.clear();
        while let Some((count, samples)) = self.held.front_mut() {
            let jumps = || status.jumps.iter();
            let next_jump = jumps().map(|jump| jump.at.0).find(|at| *at > *count).unwrap_or(i64::MAX);
            let known = if status.ended { i64::MAX } else { status.settled.0 };
            let frames = (samples.len() / self.channels) as i64;
            let settled = (known.min(next_jump) - *count).clamp(0, frames);
            if settled == 0 {
                break;
            }
            let position =
                *count + jumps().take_while(|jump| jump.at.0 <= *count).map(|jump| jump.samples).sum::<i64>();
            let late = (self.next - position).clamp(0, settled);
            let first = position + late;
            if !out.is_empty() && first != self.next {
                break;
            }
            if late > 0 {
                self.cuts.push(Cut { at: MediaTime(self.next), samples: late.unsigned_abs() });
            }
            out.extend(samples.drain(..settled as usize * self.channels).skip(late as usize * self.channels));
            *count += settled;
            self.next = self.next.max(position + settled);
            if samples.is_empty() {
                self.held.pop_front();
            }
        }
        MediaTime(self.next - (out.len() / self.channels.max(1)) as i64)
    }
}

#[cfg(test)]
mod tests {
    use jiho_analysis::device::Jump;

    use super::*;

    fn counts(from: i64, to: i64) -> Vec<f32> {
        (from..to).map(|count| count as f32).collect()
    }

    fn status(settled: i64, jumps: &[(i64, i64)]) -> StreamStatus {
        let jumps = jumps.iter().map(|&(at, samples)| Jump { at: MediaTime(at), samples }).collect();
        StreamStatus { settled: MediaTime(settled), jumps, ..StreamStatus::default() }
    }

    #[test]
    fn sound_waits_until_jumps_are_known_and_then_stands_behind_them() {
        let (mut placed, mut out) = (Placed::default(), Vec::new());
        placed.push(MediaTime(0), &counts(0, 100), 1);
        placed.take(&status(0, &[]), &mut out);
        assert!(out.is_empty());
        assert_eq!((placed.take(&status(40, &[]), &mut out), out.clone()), (MediaTime(0), counts(0, 40)));
        let jumped = status(100, &[(60, 7)]);
        assert_eq!((placed.take(&jumped, &mut out), out.clone()), (MediaTime(40), counts(40, 60)));
        assert_eq!((placed.take(&jumped, &mut out), out.clone()), (MediaTime(67), counts(60, 100)));
    }

    #[test]
    fn samples_that_time_has_no_place_for_are_left_out() {
        let (mut placed, mut out) = (Placed::default(), Vec::new());
        placed.push(MediaTime(0), &counts(0, 100), 1);
        assert_eq!((placed.take(&status(100, &[(50, -5)]), &mut out), out.len()), (MediaTime(0), 95));
        assert_eq!(out[49..52], [49.0, 55.0, 56.0]);
        assert_eq!(placed.cuts(), [Cut { at: MediaTime(50), samples: 5 }]);
        assert_eq!(placed.cuts(), []);
    }

    #[test]
    fn at_the_end_nothing_waits_for_stamps_any_more() {
        let (mut placed, mut out) = (Placed::default(), Vec::new());
        placed.push(MediaTime(0), &counts(0, 100), 1);
        placed.take(&status(40, &[(60, 7)]), &mut out);
        let rest = |placed: &mut Placed, out: &mut Vec<f32>| placed.take_rest(&status(40, &[(60, 7)]), out);
        assert_eq!((rest(&mut placed, &mut out), out.clone()), (MediaTime(40), counts(40, 60)));
        assert_eq!((rest(&mut placed, &mut out), out.clone()), (MediaTime(67), counts(60, 100)));
        rest(&mut placed, &mut out);
        assert!(out.is_empty());
    }

    #[test]
    fn a_stream_that_has_ended_keeps_nothing_back() {
        let (mut placed, mut out) = (Placed::default(), Vec::new());
        placed.push(MediaTime(0), &[0.0, 0.5, 1.0, 1.5], 2);
        let ended = StreamStatus { ended: true, ..status(0, &[]) };
        assert_eq!((placed.take(&ended, &mut out), out.len()), (MediaTime(0), 4));
    }
}
