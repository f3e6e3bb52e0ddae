//! Where an engine's sound and events are kept. Drivers and the simulator hand them over as they come.

use std::error::Error;

use jiho_analysis::units::{MediaTime, RunTime};

use crate::event::Event;

/// Why something could not be kept, such as a full disk.
pub type KeepError = Box<dyn Error + Send + Sync>;

/// Keeps what one engine hands out. An error ends the engine's part in the run: what cannot be recorded is not
/// measured.
pub trait Records: Send {
    /// Samples that the ear played; contiguous from sample 0.
    fn ear(&mut self, first: MediaTime, samples: &[f32]) -> Result<(), KeepError>;

    /// Something that happened.
    fn event(&mut self, at: RunTime, event: Event) -> Result<(), KeepError>;
}
