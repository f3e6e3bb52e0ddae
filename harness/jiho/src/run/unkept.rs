//! For engines whose sound and events nobody keeps.

use jiho_analysis::units::{MediaTime, RunTime};
use jiho_proto::event::Event;
use jiho_proto::records::{KeepError, Records};

/// Keeps nothing: a relay has no ear, and what it notes is noted by those it concerns.
#[derive(Debug)]
pub(crate) struct Unkept;

impl Records for Unkept {
    fn ear(&mut self, _: MediaTime, _: &[f32]) -> Result<(), KeepError> {
        Ok(())
    }

    fn event(&mut self, _: RunTime, _: Event) -> Result<(), KeepError> {
        Ok(())
    }
}
