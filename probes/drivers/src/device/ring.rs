//! Samples from a device's real-time thread to one that may wait. The writing side neither waits nor allocates.

use jiho_analysis::units::MediaTime;
use rtrb::{Consumer, Producer, RingBuffer};

/// Losses that the reader has not yet seen; further ones join the last.
const GAPS: usize = 64;

/// Samples that found no room.
#[derive(Clone, Copy, Debug)]
struct Gap {
    at: i64,
    samples: i64,
}

/// The real-time thread's end.
pub(super) struct RingWriter {
    samples: Producer<f32>,
    gaps: Producer<Gap>,
    /// Everything that came, lost or not.
    position: i64,
    /// A loss that could not be told yet. Until it is, nothing more is written: it would be taken for earlier sound.
    pending: Option<Gap>,
}

/// The other thread's end.
pub(super) struct RingReader {
    samples: Consumer<f32>,
    gaps: Consumer<Gap>,
    position: i64,
}

/// A ring that holds `capacity` samples.
pub(super) fn ring(capacity: usize) -> (RingWriter, RingReader) {
    let (sample_writer, samples) = RingBuffer::new(capacity);
    let (gap_writer, gaps) = RingBuffer::new(GAPS);
    (
        RingWriter { samples: sample_writer, gaps: gap_writer, position: 0, pending: None },
        RingReader { samples, gaps, position: 0 },
    )
}

impl RingWriter {
    /// Adds samples; if there is not room for all of them, all are lost.
    pub(super) fn write(&mut self, samples: impl ExactSizeIterator<Item = f32>) {
        let count = samples.len();
        let gap = self.pending.take();
        let told = gap.is_none_or(|gap| self.gaps.push(gap).is_ok());
        let room = if told { self.samples.write_chunk_uninit(count).ok() } else { None };
        match room {
            Some(room) => {
                room.fill_from_iter(samples);
            }
            None if told => self.pending = Some(Gap { at: self.position, samples: count as i64 }),
            None => self.pending = gap.map(|gap| Gap { samples: gap.samples + count as i64, ..gap }),
        }
        self.position += count as i64;
    }
}

impl RingReader {
    /// Moves samples that belong together into `out` and gives the position of the first.
    pub(super) fn read(&mut self, out: &mut Vec<f32>) -> MediaTime {
        out.clear();
        // First the samples, then the gaps: every loss before these samples has been told by then.
        let mut count = self.samples.slots();
        while let Ok(gap) = self.gaps.peek() {
            let until_gap = (gap.at - self.position) as usize;
            if until_gap > 0 {
                count = count.min(until_gap);
                break;
            }
            self.position += gap.samples;
            let _ = self.gaps.pop();
        }
        let first = MediaTime(self.position);
        if let Ok(chunk) = self.samples.read_chunk(count) {
            out.extend(chunk);
        }
        self.position += out.len() as i64;
        first
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_finds_no_room_leaves_a_gap_of_its_length() {
        let (mut writer, mut reader) = ring(10);
        let mut out = Vec::new();
        writer.write([1.0; 8].into_iter());
        writer.write([2.0; 5].into_iter());
        writer.write([3.0; 2].into_iter());
        assert_eq!((reader.read(&mut out), out.as_slice()), (MediaTime(0), [1.0; 8].as_slice()));
        assert_eq!((reader.read(&mut out), out.as_slice()), (MediaTime(13), [3.0; 2].as_slice()));
        assert_eq!((reader.read(&mut out), out.as_slice()), (MediaTime(15), [].as_slice()));
    }

    proptest! {
        /// The writer counts; every sample that is read must stand where it was counted.
        #[test]
        fn every_sample_is_read_at_its_own_position(
            steps in prop::collection::vec((0..30_usize, any::<bool>()), 1..400),
        ) {
            let (mut writer, mut reader) = ring(40);
            let (mut written, mut next, mut out) = (0_usize, 0, Vec::new());
            for (count, reads) in steps {
                writer.write((written..written + count).map(|position| position as f32));
                written += count;
                for _ in 0..if reads { 8 } else { 0 } {
                    let first = reader.read(&mut out);
                    prop_assert!(first.0 >= next);
                    for (index, &sample) in out.iter().enumerate() {
                        prop_assert_eq!(sample as i64, first.0 + index as i64);
                    }
                    next = first.0 + out.len() as i64;
                }
            }
            prop_assert!(next <= written as i64);
        }
    }
}
