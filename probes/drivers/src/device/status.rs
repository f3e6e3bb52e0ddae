//! What a device's real-time thread tells about itself.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::StreamStatus;

/// What the real-time thread writes and others read, without locks.
#[derive(Debug, Default)]
pub(super) struct SharedStatus {
    xruns: AtomicU64,
    errors: AtomicU64,
    ended: AtomicBool,
    realtime_denied: AtomicBool,
}

impl SharedStatus {
    pub(super) fn xrun(&self) {
        self.xruns.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn error(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ended(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    pub(super) fn realtime_denied(&self) {
        self.realtime_denied.store(true, Ordering::Relaxed);
    }

    /// All but what the stamps say.
    pub(super) fn get(&self) -> StreamStatus {
        StreamStatus {
            xruns: self.xruns.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            ended: self.ended.load(Ordering::Relaxed),
            realtime_denied: self.realtime_denied.load(Ordering::Relaxed),
            ..StreamStatus::default()
        }
    }
}
