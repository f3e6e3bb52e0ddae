//! Devices that go away while their streams go on: PulseAudio moves them to its default device, and says nothing of it.

use jiho_analysis::units::{Nanos, RunTime};
use jiho_drivers::device::is_there;

/// How often a device is looked for.
const EVERY: Nanos = Nanos::from_secs(1);

/// Watches whether a device is still there.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// `None`: whichever is the default.
    device: Option<String>,
    next: RunTime,
}

impl Presence {
    /// Of a device, by its id.
    pub(super) fn of(device: Option<&String>) -> Self {
        Self { device: device.cloned(), next: RunTime::START + EVERY }
    }

    /// Whether the device that was asked for has gone.
    pub(super) fn is_over(&mut self, now: RunTime) -> bool {
        let Some(device) = self.device.as_ref().filter(|_| now >= self.next) else { return false };
        self.next = now + EVERY;
        !is_there(device)
    }
}
