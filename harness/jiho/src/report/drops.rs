//! `drops.csv`: one row per packet that one of our own endpoints dropped on purpose.

use super::RunName;
use jiho_analysis::metrics::topology::drops::{Direction, Drop};
use jiho_analysis::units::{Nanos, Rate, RunTime};
use jiho_proto::codec::FRAME_SAMPLES;
use jiho_proto::event::DroppedPacket;
use serde::{Deserialize, Serialize};

/// A packet that was dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropRow {
    /// The run.
    pub run_id: String,
    /// Which repetition of the run, from 1.
    pub rep: u32,
    /// Whose endpoint.
    pub participant: String,
    /// Coming or going.
    pub direction: Direction,
    /// The stream's identifier in RTP.
    pub ssrc: u32,
    /// The RTP sequence number.
    pub sequence: u16,
    /// Going: to which address it was not sent; empty: to none. Coming: empty.
    pub destination: String,
    /// Coming: when it arrived, by the kernel's stamp. Going: when its last sample had been captured.
    pub at_ns: i64,
    /// Coming: when the ear played what stood in for it; empty: it played nothing. Going: empty.
    pub played_ns: Option<i64>,
}

impl DropRow {
    /// Of a packet that `participant` dropped.
    pub(crate) fn of(run: &RunName, participant: &str, packet: &DroppedPacket) -> Self {
        let DroppedPacket { direction, ssrc, sequence, destination, at } = *packet;
        Self {
            run_id: run.run_id.clone(),
            rep: run.rep,
            participant: participant.to_owned(),
            direction,
            ssrc,
            sequence,
            destination: destination.map(|address| address.to_string()).unwrap_or_default(),
            at_ns: at.0,
            played_ns: None,
        }
    }

    /// As topology has it.
    pub fn observed(&self) -> Drop {
        let length = frame();
        let at = match self.direction {
            Direction::In => RunTime(self.at_ns),
            Direction::Out => RunTime(self.at_ns) - length,
        };
        let destination = Some(self.destination.clone()).filter(|destination| !destination.is_empty());
        let played = self.played_ns.map(RunTime);
        Drop { client: self.participant.clone(), direction: self.direction, at, played, length, destination }
    }
}

fn frame() -> Nanos {
    Rate::OPUS.span(FRAME_SAMPLES as i64)
}
