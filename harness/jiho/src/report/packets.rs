//! `packets.csv`: one row per packet at the mouth that sent it and at each ear that waited for it.

use jiho_proto::event::{PlayoutAction, PlayoutDecision};
use serde::{Deserialize, Serialize};

/// Where a packet was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tap {
    /// At the mouth.
    Sent,
    /// At an ear.
    Received,
}

/// A packet at a mouth or an ear.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PacketRow {
    /// The run.
    pub run_id: String,
    /// Which repetition of the run, from 1.
    pub rep: u32,
    /// At whom.
    pub endpoint: String,
    /// Sent or received.
    pub tap: Tap,
    /// Whose stream; empty if it was never announced.
    pub speaker: String,
    /// The stream's identifier in RTP.
    pub ssrc: u32,
    /// The RTP sequence number.
    pub sequence: u16,
    /// For packets sent: the position of the first sample in the mouth's stream, at 48 kHz.
    pub media_time: Option<i64>,
    /// The UDP payload's size; empty if no packet came.
    pub size_bytes: Option<usize>,
    /// When its last sample had been captured (sent), or when it arrived by the kernel's stamp (received); empty if
    /// no packet came.
    pub at_ns: Option<i64>,
    /// When its first sample was played at the ear; empty if it was not.
    pub played_ns: Option<i64>,
    /// At an ear: what the jitter buffer did.
    pub action: Option<PlayoutAction>,
    /// At a mouth: the first byte of the Opus packet, which names the coding mode.
    pub toc: Option<u8>,
    /// At an ear, for packets played: what the playout policy decided about the delay.
    pub decision: Option<PlayoutDecision>,
    /// At an ear, for packets played: by how many samples, at 48 kHz, the stream is played later from here on than
    /// before; negative: earlier. Of anchored and merged ones the step lies before the packet, else within or behind it.
    pub step_samples: Option<i64>,
    /// At an ear: the delay that the policy aims at.
    pub target_ns: Option<i64>,
    /// At a mouth: how many of the bytes end-to-end encryption added.
    pub seal_bytes: Option<usize>,
}
