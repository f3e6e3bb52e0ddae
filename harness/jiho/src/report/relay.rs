//! `relay.csv`: one row per packet that a relay passed on, and how long it had it.

use std::collections::BTreeMap;

use jiho_analysis::units::Nanos;
use jiho_proto::event::RelayedPacket;
use serde::{Deserialize, Serialize};

use super::RunName;
use super::packets::PacketRow;
use super::table::{Table, TableError};
use crate::run::folder::Folder;

/// A packet that left a relay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RelayRow {
    /// The run.
    pub run_id: String,
    /// Which repetition of the run, from 1.
    pub rep: u32,
    /// Which relay.
    pub node: String,
    /// Whose stream; `mix` for a relay's own; empty if it was never announced.
    pub speaker: String,
    /// The stream's identifier in RTP.
    pub ssrc: u32,
    /// The RTP sequence number.
    pub sequence: u16,
    /// The RTP timestamp.
    pub rtp_timestamp: u32,
    /// The UDP payload's size.
    pub size_bytes: usize,
    /// To how many it went.
    pub copies: u64,
    /// When it arrived by the kernel's stamp; of a mix, when the last packet arrived that is in it.
    pub received_ns: i64,
    /// When it was sent.
    pub sent_ns: i64,
    /// The time between.
    pub residence_ns: i64,
}

impl RelayRow {
    /// Of a packet that `node` passed on.
    pub(crate) fn of(run: &RunName, node: &str, speaker: &str, packet: &RelayedPacket) -> Self {
        let RelayedPacket { ssrc, sequence, rtp_timestamp, size_bytes, copies, received, sent } = *packet;
        Self {
            run_id: run.run_id.clone(),
            rep: run.rep,
            node: node.to_owned(),
            speaker: speaker.to_owned(),
            ssrc,
            sequence,
            rtp_timestamp,
            size_bytes,
            copies,
            received_ns: received.0,
            sent_ns: sent.0,
            residence_ns: packet.residence().0,
        }
    }

    /// Counts its times from so much earlier.
    pub(crate) fn shift(&mut self, by: Nanos) {
        self.received_ns += by.0;
        self.sent_ns += by.0;
    }
}

/// Makes what a relay of its own wrote into a run's folder a table of the run: with its name, its times, and whose each
/// stream is.
///
/// # Errors
/// A table is damaged, or cannot be written.
pub(crate) fn adopt(folder: &Folder, run: &RunName, started_unix_ns: i64) -> Result<(), TableError> {
    let path = folder.relay();
    if !path.is_file() {
        return Ok(());
    }
    let packets = Table::<PacketRow>::read_if_there(&folder.packets())?;
    let speakers: BTreeMap<u32, String> = packets.into_iter().map(|packet| (packet.ssrc, packet.speaker)).collect();
    let mut rows = Table::<RelayRow>::read(&path)?;
    for row in &mut rows {
        (row.run_id, row.rep) = (run.run_id.clone(), run.rep);
        row.speaker = speakers.get(&row.ssrc).cloned().unwrap_or_default();
        row.shift(-Nanos(started_unix_ns));
    }
    Table::write(&path, rows)
}
