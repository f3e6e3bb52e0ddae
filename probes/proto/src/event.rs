//! What an engine reports about itself: the raw material of `events.csv` and `packets.csv`.

use std::net::SocketAddr;

use jiho_analysis::metrics::topology::drops::Direction;
use jiho_analysis::roles::{Change, Step};
use jiho_analysis::units::{MediaTime, Nanos, RunTime, SampleClock};
use serde::{Deserialize, Serialize};

/// Something that happened inside an engine, told to whoever keeps the run's records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The relay let us in.
    Joined,
    /// The relay did not let us in, the connection to it ended, or something else ended our part early.
    Failed {
        /// In words.
        reason: String,
    },
    /// The mouth captures from now on; its sample 0 is at the clock's start.
    MouthOpened {
        /// Maps media time of what we send to run time.
        clock: SampleClock,
        /// The stream's identifier in RTP.
        ssrc: u32,
    },
    /// The mouth goes on capturing, and sends nothing: somebody was muted or demoted.
    MouthPaused,
    /// The mouth sends again.
    MouthResumed {
        /// The position of the first sample that is sent.
        from: MediaTime,
    },
    /// The ear plays from now on; its sample 0 is at the clock's start.
    EarOpened {
        /// Maps positions in the recording to run time.
        clock: SampleClock,
    },
    /// The ear's sound device gave more samples than there was time for; the rest were cut.
    EarCut {
        /// The position in the recording of the first sample after the cut.
        at: MediaTime,
        /// How many were cut.
        samples: u64,
    },
    /// A speaker's stream was announced.
    Talker {
        /// The speaker's name in the room.
        name: String,
        /// The stream's identifier in RTP.
        ssrc: u32,
    },
    /// A beep left a mouth whose time was not planned: somebody sang it on what they heard.
    Sung {
        /// Which of the song's beeps.
        beep: u32,
        /// The instant of its mark, by the mouth's clock.
        at: RunTime,
    },
    /// A packet left a mouth.
    Sent(SentPacket),
    /// The endpoint dropped one of its own packets on purpose.
    Dropped(DroppedPacket),
    /// What the jitter buffer did about one frame.
    Playout(Playout),
    /// A relay has sent a packet on, or the mix that it went into.
    Relayed(RelayedPacket),
    /// The relay admitted somebody.
    Admitted {
        /// The name in the room.
        name: String,
    },
    /// Somebody's seat at the relay was given up.
    Left {
        /// The name in the room.
        name: String,
    },
    /// The relay refused somebody.
    Refused {
        /// The name that was asked for.
        name: String,
        /// In words.
        reason: String,
    },
    /// A step of a change of somebody's role.
    Step(StepTaken),
}

/// A step of a change of somebody's role, as one of those who take part in it sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepTaken {
    /// The relay's number for the change, from 1; `None` for joining and leaving, which need no command, and as long
    /// as the relay has not said.
    pub number: Option<u32>,
    /// What changes.
    pub change: Change,
    /// For whom: a name in the room.
    pub subject: String,
    /// How far it has got.
    pub step: Step,
    /// What the step's documentation says; else empty.
    pub detail: String,
}

/// A media packet as its sender sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentPacket {
    /// Its stream.
    pub ssrc: u32,
    /// Its RTP sequence number.
    pub sequence: u16,
    /// The position of its first sample in the mouth's stream.
    pub media_time: MediaTime,
    /// When its last sample had been captured, by the mouth's clock: the earliest instant at which it could be sent.
    pub captured: RunTime,
    /// The UDP payload's size.
    pub size_bytes: usize,
    /// The first byte of the Opus packet, which names the coding mode (RFC 6716, section 3.1); `None` for PCM.
    pub toc: Option<u8>,
    /// How many of the bytes end-to-end encryption added.
    pub seal_bytes: usize,
}

/// A packet of its own that an endpoint dropped on purpose ([`crate::drop_probe`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedPacket {
    /// Coming or going.
    pub direction: Direction,
    /// Its stream.
    pub ssrc: u32,
    /// Its RTP sequence number.
    pub sequence: u16,
    /// Going: to whom it was not sent; `None`: to nobody at all.
    pub destination: Option<SocketAddr>,
    /// Coming: when it arrived, by the kernel's stamp. Going: when its last sample had been captured, by the mouth's
    /// clock.
    pub at: RunTime,
}

/// A media packet as a relay sees it when it leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayedPacket {
    /// Its stream; of a mix the relay's own.
    pub ssrc: u32,
    /// Its RTP sequence number.
    pub sequence: u16,
    /// Its RTP timestamp.
    pub rtp_timestamp: u32,
    /// The UDP payload's size.
    pub size_bytes: usize,
    /// To how many it went.
    pub copies: u64,
    /// When it came, by the kernel's stamp; of a mix, when the last packet came that is in it.
    pub received: RunTime,
    /// When it was sent.
    pub sent: RunTime,
}

impl RelayedPacket {
    /// How long the relay had it.
    pub fn residence(&self) -> Nanos {
        self.sent - self.received
    }
}

/// What a jitter buffer decided about one frame of one stream, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Playout {
    /// The stream.
    pub ssrc: u32,
    /// The frame's RTP sequence number.
    pub sequence: u16,
    /// The frame's RTP timestamp.
    pub rtp_timestamp: u32,
    /// The UDP payload's size; `None` if no packet came.
    pub size_bytes: Option<usize>,
    /// When the packet arrived, by the kernel's stamp; `None` if none came.
    pub received: Option<RunTime>,
    /// When the frame's first decoded sample was played at the ear; `None` if it was not.
    pub played: Option<RunTime>,
    /// What was done.
    pub action: PlayoutAction,
    /// What the policy decided with the frame; `None` for a packet that was dropped, and for a concealed frame, which
    /// moves nothing.
    pub decision: Option<PlayoutDecision>,
    /// By how many samples of the ear everything of the stream is played later from here on than before; negative:
    /// earlier. Of [`PlayoutDecision::Anchored`] and `Merged` the step lies before the frame's first sample, else within
    /// or behind the frame.
    pub step_samples: i64,
    /// The delay that the policy aims at; `None` if the packet belongs to no stream that is heard.
    pub target: Option<Nanos>,
}

impl Playout {
    /// How long the frame waited in the jitter buffer.
    pub fn buffered(&self) -> Option<Nanos> {
        Some(self.played? - self.received?)
    }
}

/// What a jitter buffer did about a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlayoutAction {
    /// Decoded and played.
    Played,
    /// Not there in time: the codec's loss concealment played instead.
    Concealed,
    /// Came after its turn and was dropped.
    Late,
    /// Came twice and was dropped.
    Duplicate,
    /// Not a packet of this room's codec: dropped.
    Undecodable,
    /// Came when the buffer could hold no more and was dropped.
    Overflow,
    /// Sealed end to end, and could not be opened: there is no key, or it is another one. Dropped.
    Sealed,
}

/// What a playout policy decided about the delay as it played a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlayoutDecision {
    /// The stream begins here, or goes on after it had stopped, with a delay decided anew. Where it begins, or restarts
    /// with other timestamps, there is nothing to compare the delay with, and no step.
    Anchored,
    /// Played where it falls: the delay stays.
    Normal,
    /// A pitch period was taken out of the frame.
    Accelerated,
    /// A pitch period was put into the frame.
    Expanded,
    /// The buffer was empty when the frame's turn came, concealment went on until it was there, and was merged into it.
    Merged,
    /// The delay jumps: sound was left out at the end of the frame, or put in behind it.
    Rebased,
}
