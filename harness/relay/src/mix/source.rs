//! One stream on its way into mixes: packets in, samples out, twenty milliseconds at a time.

use std::collections::{BTreeMap, VecDeque};

use jiho_analysis::units::RunTime;
use jiho_proto::codec::{CodecConfig, CodecError, Decoder};
use jiho_proto::wire::rtp;
use jiho_proto::wire::unwrap::Unwrapper;

use super::{MixStats, ROUND_SAMPLES};

/// Rounds in a row that are concealed before a source counts as silent.
pub(super) const MAX_CONCEALED: i64 = 5;
/// How far ahead of the mix a packet may be; one still farther has begun anew.
const MAX_AHEAD: i64 = 10 * ROUND_SAMPLES;
/// Within this of where it was expected, a source that was silent goes on in step with the others as before.
const SAME_STEP: i64 = 2 * ROUND_SAMPLES;
/// A late packet counts as so many that were not. At the limit, the source falls back by as much as it is late.
const LATE_WEIGHT: u32 = 10;
const LATE_LIMIT: u32 = 30;
/// A source that was ahead by a round throughout so many rounds leaves one out.
const SLACK_ROUNDS: u32 = 50;

/// Decodes in order, as packets come. Positions count the mixer's samples.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: String,
    codec: CodecConfig,
    decoder: Decoder,
    timestamps: Unwrapper,
    /// Position minus media time; `None` before the first packet.
    offset: Option<i64>,
    active: bool,
    /// Decoded and not yet mixed, from the next round's first sample on.
    pcm: VecDeque<f32>,
    /// The position behind `pcm`.
    end: i64,
    /// When packets came whose sound is in `pcm`: where they end, and the instant.
    arrived: VecDeque<(i64, RunTime)>,
    /// Packets that wait for one before them, by position.
    waiting: BTreeMap<i64, (Vec<u8>, RunTime)>,
    /// The last decoded packet said that its sender pauses.
    pausing: bool,
    concealed_rounds: i64,
    late_score: u32,
    slack: Slack,
    scratch: Vec<f32>,
}

/// The least by which the source was ahead of the mix lately.
#[derive(Debug)]
struct Slack {
    least: usize,
    rounds: u32,
}

impl Slack {
    const NONE: Self = Self { least: usize::MAX, rounds: 0 };
}

impl Source {
    /// Errors if there is no decoder to be had.
    pub(super) fn new(name: &str, codec: &CodecConfig) -> Result<Self, CodecError> {
        Ok(Self {
            name: name.to_owned(),
            codec: *codec,
            decoder: Decoder::new(codec)?,
            timestamps: Unwrapper::default(),
            offset: None,
            active: false,
            pcm: VecDeque::new(),
            end: 0,
            arrived: VecDeque::new(),
            waiting: BTreeMap::new(),
            pausing: false,
            concealed_rounds: 0,
            late_score: 0,
            slack: Slack::NONE,
            scratch: Vec::new(),
        })
    }

    /// Whether rounds wait for it: it sends, and has not paused.
    pub(super) fn is_active(&self) -> bool {
        self.active
    }

    /// Whether all that the next round needs is there, or will not come: something later has.
    pub(super) fn is_ready(&self) -> bool {
        self.pcm.len() as i64 >= ROUND_SAMPLES || !self.waiting.is_empty()
    }

    /// Nothing is to be expected of it.
    pub(super) fn stop(&mut self) {
        self.active = false;
    }

    /// When the first packet came that is still to be mixed.
    pub(super) fn since(&self) -> Option<RunTime> {
        let decoded = self.arrived.front().map(|(_, received)| *received);
        decoded.into_iter().chain(self.waiting.values().map(|(_, received)| *received)).min()
    }

    /// The position of a packet's sound if the source went on where it was.
    pub(super) fn expected(&self, packet: &rtp::Packet<'_>) -> Option<i64> {
        let mut timestamps = self.timestamps;
        Some(timestamps.timestamp(packet.timestamp()) + self.offset?)
    }

    /// Takes a packet. `next` is the position of the next round's first sample.
    pub(super) fn packet(&mut self, packet: &rtp::Packet<'_>, received: RunTime, next: i64, stats: &mut MixStats) {
        let media = self.timestamps.timestamp(packet.timestamp());
        if !self.active {
            self.begin(media, next);
        }
        let mut position = media + self.offset.unwrap_or_default();
        if position < self.end {
            self.late_score += LATE_WEIGHT;
            if self.late_score < LATE_LIMIT {
                stats.late += 1;
                return;
            }
            self.waiting.clear();
            position = self.anchor(media);
        } else if position > self.end + MAX_AHEAD {
            self.waiting.clear();
            position = self.anchor(media);
        } else {
            self.late_score = self.late_score.saturating_sub(1);
        }
        self.waiting.insert(position, (packet.payload().to_vec(), received));
        self.decode(stats);
    }

    /// Gives the next round's samples, concealed where packets are missing, and says when the last packet came that
    /// they are from; silence if the source has fallen silent.
    pub(super) fn take(&mut self, out: &mut [f32], stats: &mut MixStats) -> Option<RunTime> {
        let empty = self.pcm.is_empty() && self.waiting.is_empty();
        self.concealed_rounds = if empty { self.concealed_rounds + 1 } else { 0 };
        if empty && (self.pausing || self.concealed_rounds > MAX_CONCEALED) {
            self.active = false;
            out.fill(0.0);
            return None;
        }
        if self.pcm.len() < out.len() {
            stats.concealed += 1;
        }
        while self.pcm.len() < out.len() {
            self.conceal(out.len() - self.pcm.len());
            self.decode(stats);
        }
        let start = self.end - self.pcm.len() as i64 + out.len() as i64;
        let samples = out.len();
        out.iter_mut().zip(self.pcm.drain(..samples)).for_each(|(out, sample)| *out = sample);
        let mut last = None;
        while let Some(&(end, received)) = self.arrived.front() {
            last = last.max(Some(received));
            if end > start {
                break;
            }
            self.arrived.pop_front();
        }
        self.leave_out_what_is_always_there(stats);
        last
    }

    /// Silence up to where the source goes on: in step as before, if that is near; else at once.
    fn begin(&mut self, media: i64, next: i64) {
        (self.active, self.pausing, self.concealed_rounds, self.late_score) = (true, false, 0, 0);
        self.slack = Slack::NONE;
        self.pcm.clear();
        self.arrived.clear();
        self.waiting.clear();
        self.end = next;
        let ahead = self.offset.map(|offset| media + offset - next).filter(|ahead| (0..=SAME_STEP).contains(ahead));
        self.pcm.resize(ahead.unwrap_or_default() as usize, 0.0);
        self.end += self.pcm.len() as i64;
        self.anchor(media);
    }

    /// Puts media time where what is decoded ends.
    fn anchor(&mut self, media: i64) -> i64 {
        self.offset = Some(self.end - media);
        self.late_score = 0;
        self.end
    }

    /// Decodes what follows on what is decoded.
    fn decode(&mut self, stats: &mut MixStats) {
        while let Some(first) = self.waiting.first_entry().filter(|first| *first.key() <= self.end) {
            let (position, (payload, received)) = first.remove_entry();
            if position < self.end {
                // A longer frame than expected, or a concealed one, has taken its place.
                stats.late += 1;
            } else if self.decoder.decode(&payload, &mut self.scratch).is_ok() {
                stats.decoded += 1;
                self.pausing = self.codec.is_pause(&payload);
                self.extend();
                self.arrived.push_back((self.end, received));
            } else {
                stats.undecodable += 1;
            }
        }
    }

    fn conceal(&mut self, samples: usize) {
        let room = self.waiting.first_key_value().map_or(i64::MAX, |(position, _)| position - self.end);
        self.decoder.conceal(samples.min(room as usize), &mut self.scratch);
        self.extend();
    }

    fn extend(&mut self) {
        self.pcm.extend(&self.scratch);
        self.end += self.scratch.len() as i64;
    }

    /// A source whose packets come a round earlier than they are needed, as after a change of its way or by a faster
    /// clock, need not be that late.
    fn leave_out_what_is_always_there(&mut self, stats: &mut MixStats) {
        self.slack.least = self.slack.least.min(self.pcm.len());
        self.slack.rounds += 1;
        if self.slack.rounds < SLACK_ROUNDS {
            return;
        }
        let round = ROUND_SAMPLES as usize;
        if self.slack.least >= round {
            stats.skipped += 1;
            self.pcm.drain(..round);
            self.end -= ROUND_SAMPLES;
            self.offset = self.offset.map(|offset| offset - ROUND_SAMPLES);
            self.arrived.iter_mut().for_each(|(end, _)| *end -= ROUND_SAMPLES);
            let waiting = std::mem::take(&mut self.waiting);
            self.waiting = waiting.into_iter().map(|(position, packet)| (position - ROUND_SAMPLES, packet)).collect();
        }
        self.slack = Slack::NONE;
    }
}
