//! What runs on a device's real-time thread: it neither waits, locks, allocates nor touches files. Whatever brings a
//! device's buffers, cpal or a virtual card, calls these.

use cpal::{FromSample, SizedSample};
use jiho_analysis::units::{MediaTime, Nanos};
use rtrb::Producer;

use super::Source;
use super::ring::RingWriter;

/// A device's buffer is filled in pieces of at most this many frames.
const PIECE_FRAMES: usize = 1024;

/// The stamp of a buffer, by the stream's own clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) first: MediaTime,
    pub(super) at: Nanos,
}

/// Fills a device's buffers.
pub(super) struct Player {
    sources: Vec<(Option<usize>, Source)>,
    channels: usize,
    marks: Producer<Mark>,
    position: MediaTime,
    mono: [f32; PIECE_FRAMES],
}

impl Player {
    /// Of sources, each on its own channel or on all.
    pub(super) fn new(sources: Vec<(Option<u16>, Source)>, channels: u16, marks: Producer<Mark>) -> Self {
        let sources = sources.into_iter().map(|(only, source)| (only.map(usize::from), source)).collect();
        let channels = usize::from(channels);
        Self { sources, channels, marks, position: MediaTime(0), mono: [0.0; PIECE_FRAMES] }
    }

    /// Fills one buffer, whose first sample will be played at `at`.
    pub(super) fn fill<T: SizedSample + FromSample<f32>>(&mut self, frames: &mut [T], at: Nanos) {
        // Where nobody reads them, stamps are lost, and nothing else.
        let _ = self.marks.push(Mark { first: self.position, at });
        for piece in frames.chunks_mut(PIECE_FRAMES * self.channels) {
            piece.fill(T::EQUILIBRIUM);
            let mono = &mut self.mono[..piece.len() / self.channels];
            for (only, source) in &mut self.sources {
                source(self.position, mono);
                for (frame, &sample) in piece.chunks_exact_mut(self.channels).zip(mono.iter()) {
                    let sample = T::from_sample(sample);
                    match only {
                        None => frame.fill(sample),
                        Some(only) => frame.get_mut(*only).into_iter().for_each(|one| *one = sample),
                    }
                }
            }
            self.position = self.position + mono.len() as i64;
        }
    }
}

/// Takes a device's buffers.
pub(super) struct Capturer {
    writer: RingWriter,
    channels: usize,
    marks: Producer<Mark>,
    position: MediaTime,
}

impl Capturer {
    pub(super) fn new(writer: RingWriter, channels: u16, marks: Producer<Mark>) -> Self {
        Self { writer, channels: usize::from(channels), marks, position: MediaTime(0) }
    }

    /// Takes one buffer, whose first sample was captured at `at`.
    pub(super) fn take<T: SizedSample>(&mut self, frames: &[T], at: Nanos)
    where
        f32: FromSample<T>,
    {
        let _ = self.marks.push(Mark { first: self.position, at });
        self.writer.write(frames.iter().map(|sample| sample.to_sample::<f32>()));
        self.position = self.position + (frames.len() / self.channels) as i64;
    }
}
