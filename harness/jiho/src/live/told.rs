//! Records that tell of comings and goings as well, to a task that may wait for a terminal.

use jiho_analysis::units::{MediaTime, RunTime};
use jiho_proto::event::Event;
use jiho_proto::records::{KeepError, Records};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Passes everything on to other records.
pub(super) struct Told {
    kept_by: Box<dyn Records>,
    tell: UnboundedSender<Event>,
}

impl Told {
    /// Packets are not news.
    pub(super) fn new(kept_by: Box<dyn Records>) -> (Self, UnboundedReceiver<Event>) {
        let (tell, news) = unbounded_channel();
        (Self { kept_by, tell }, news)
    }
}

impl Records for Told {
    fn ear(&mut self, first: MediaTime, samples: &[f32]) -> Result<(), KeepError> {
        self.kept_by.ear(first, samples)
    }

    fn event(&mut self, at: RunTime, event: Event) -> Result<(), KeepError> {
        if !matches!(event, Event::Sent(_) | Event::Dropped(_) | Event::Playout(_) | Event::Relayed(_)) {
            // Nobody listens any more once the end has been decided.
            let _ = self.tell.send(event.clone());
        }
        self.kept_by.event(at, event)
    }
}
