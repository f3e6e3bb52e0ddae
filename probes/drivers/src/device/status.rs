//! What a device's real-time thread tells about itself.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use jiho_analysis::units::RunTime;

use super::StreamStatus;

const NOT_YET: i64 = i64::MIN;

/// What the real-time thread writes and others read, without locks.
#[derive(Debug)]
pub(super) struct SharedStatus {
    start: AtomicI64,
    xruns: AtomicU64,
    errors: AtomicU64,
    ended: AtomicBool,
}

impl Default for SharedStatus {
    fn default() -> Self {
        Self {
            start: AtomicI64::new(NOT_YET),
            xruns: AtomicU64::default(),
            errors: AtomicU64::default(),
            ended: AtomicBool::default(),
        }
    }
}

impl SharedStatus {
    /// Where sample 0 stands; only the first call counts.
    pub(super) fn started(&self, at: impl FnOnce() -> RunTime) {
        if self.start.load(Ordering::Relaxed) == NOT_YET {
            self.start.store(at().0, Ordering::Relaxed);
        }
    }

    pub(super) fn xrun(&self) {
        self.xruns.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn error(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ended(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> StreamStatus {
        let start = self.start.load(Ordering::Relaxed);
        StreamStatus {
            start: (start != NOT_YET).then_some(RunTime(start)),
            xruns: self.xruns.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            ended: self.ended.load(Ordering::Relaxed),
        }
    }
}
