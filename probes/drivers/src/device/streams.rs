//! The other end of the callbacks: streams as those who may wait see them.

use std::sync::Arc;

use jiho_analysis::device::{Stamp, Timekeeper, Timeline};
use jiho_analysis::units::{MediaTime, Rate, RunTime};
use rtrb::{Consumer, Producer, RingBuffer};

use super::callbacks::Mark;
use super::ring::RingReader;
use super::status::SharedStatus;
use super::{Capturing, Playing, StreamStatus};

/// Stamps that wait to be read: more than 4 s of the shortest buffers.
const MARKS: usize = 8192;

/// Follows a stream's stamps.
pub(super) struct Following {
    status: Arc<SharedStatus>,
    marks: Consumer<Mark>,
    keeper: Timekeeper,
    /// The run time of the origin of the stream's clock.
    origin: RunTime,
    newest: Option<MediaTime>,
}

/// The way of stamps from the callback.
pub(super) fn marks() -> (Producer<Mark>, Consumer<Mark>) {
    RingBuffer::new(MARKS)
}

impl Following {
    pub(super) fn new(status: Arc<SharedStatus>, marks: Consumer<Mark>, rate: Rate, origin: RunTime) -> Self {
        Self { status, marks, keeper: Timekeeper::new(rate), origin, newest: None }
    }

    fn catch_up(&mut self) {
        while let Ok(Mark { first, at }) = self.marks.pop() {
            self.newest = Some(first);
            self.keeper.push(Stamp { first, at: self.origin + at });
        }
    }

    fn status(&mut self) -> StreamStatus {
        self.catch_up();
        StreamStatus {
            clock: self.keeper.clock(),
            settled: self.keeper.settled().unwrap_or_default(),
            newest: self.newest,
            jumps: self.keeper.jumps().to_vec(),
            ..self.status.get()
        }
    }

    fn timeline(&mut self) -> Option<Timeline> {
        self.catch_up();
        self.keeper.timeline()
    }
}

/// A stream that plays; `S` keeps the device open.
pub(super) struct PlayingStream<S> {
    pub(super) following: Following,
    pub(super) _stream: S,
}

impl<S: Send> Playing for PlayingStream<S> {
    fn status(&mut self) -> StreamStatus {
        self.following.status()
    }

    fn timeline(&mut self) -> Option<Timeline> {
        self.following.timeline()
    }
}

/// A stream that records; `S` keeps the device open.
pub(super) struct CapturingStream<S> {
    pub(super) following: Following,
    pub(super) samples: RingReader,
    pub(super) channels: u16,
    pub(super) _stream: S,
}

impl<S: Send> Capturing for CapturingStream<S> {
    fn status(&mut self) -> StreamStatus {
        self.following.status()
    }

    fn timeline(&mut self) -> Option<Timeline> {
        self.following.timeline()
    }

    fn channels(&self) -> usize {
        usize::from(self.channels)
    }

    fn read(&mut self, out: &mut Vec<f32>) -> MediaTime {
        // Whole frames are written, and lost, at once.
        MediaTime(self.samples.read(out).0 / i64::from(self.channels))
    }
}
