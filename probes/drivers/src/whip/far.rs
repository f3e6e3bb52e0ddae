//! A guest's far side: one WebRTC connection, made from an offer. It brings one stream in, or takes streams out, each as one of
//! the offer's media.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use jiho_proto::wire::rtp;
use str0m::change::SdpOffer;
use str0m::media::Mid;
use str0m::rtp::Ssrc;
use str0m::{Event, IceConnectionState, Input};

use crate::webrtc::WebRtcError;
use crate::webrtc::transport::{Leaving, Transport, plain, unwrapped};

/// Whoever is not connected by then never will be.
const CONNECTS_WITHIN: Duration = Duration::from_secs(30);
/// For how long a connection that was up may be without a word from the other side.
const SILENT_AT_MOST: Duration = Duration::from_secs(10);
/// A line whose speaker has not been heard for so long is given to another one.
const IDLE: Duration = Duration::from_secs(5);
/// Packets do not overtake each other by more empty ones.
const GAPS_KEPT: usize = 64;
/// How much later a line's next packet is by its timestamp when its stream changes: 20 ms.
const FRAME: u32 = 960;

/// What an offer is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Somebody is to be heard.
    Publish,
    /// Somebody is to hear: this speaker, or whoever there is.
    Play(Option<String>),
}

/// Why an offer is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum OfferError {
    /// It is no SDP.
    #[error("the offer cannot be read: {0}")]
    Malformed(String),
    /// Nothing can come of it.
    #[error("{0}")]
    Unusable(String),
}

/// The connection.
#[derive(Debug)]
pub(super) struct Far {
    transport: Transport,
    purpose: Purpose,
    lines: Vec<Line>,
    answer: String,
    leaving: Leaving,
    /// Of the stream that is brought in.
    gaps: Gaps,
    since: Instant,
    /// Since when nothing is heard of the other side.
    lost: Option<Instant>,
}

/// One of the media by which streams go out.
#[derive(Debug)]
struct Line {
    mid: Mid,
    /// The stream's number on the wire, from the first packet to the last.
    ssrc: Ssrc,
    /// Whose stream it has.
    speaker: Option<String>,
    /// That stream's own number, and what is added to its packets' numbers and timestamps.
    source: Option<(u32, u64, u32)>,
    /// The last packet's number and timestamp, as it went out.
    last: Option<(u64, u32)>,
    heard: Instant,
}

impl Far {
    /// Takes an offer, for a socket of this address.
    pub(super) fn new(own: SocketAddr, offer: &str, purpose: Purpose) -> Result<Self, OfferError> {
        // The parser's first line says where in memory.
        let malformed = |error: &dyn std::fmt::Display| {
            let text = error.to_string();
            let lines = text.lines().filter(|line| !line.contains("PointerOffset"));
            OfferError::Malformed(lines.collect::<Vec<_>>().join(", "))
        };
        let offer = SdpOffer::from_sdp_string(offer).map_err(|error| malformed(&error))?;
        let unusable = |error: &WebRtcError| OfferError::Unusable(error.to_string());
        let mut transport = Transport::new(own).map_err(|error| unusable(&error))?;
        let answer = transport.rtc.sdp_api().accept_offer(offer).map_err(|error| malformed(&error))?;
        let answer = answer.to_sdp_string();
        // What the connection itself tells of its media comes when it is up.
        let opus = |mid: &Mid| transport.rtc.media(*mid).is_some_and(|media| !media.remote_pts().is_empty());
        let wanted: &[&str] = match purpose {
            Purpose::Publish => &["recvonly", "sendrecv"],
            Purpose::Play(_) => &["sendonly", "sendrecv"],
        };
        let mids: Vec<Mid> = audios(&answer, wanted).filter(opus).collect();
        match (&purpose, mids.len()) {
            (Purpose::Publish, 1) | (Purpose::Play(_), 1..) => {}
            (Purpose::Publish, _) => {
                let text = "the offer has to have one audio that sends, with Opus".to_owned();
                return Err(OfferError::Unusable(text));
            }
            (Purpose::Play(_), _) => {
                let text = "the offer has to have an audio that receives, with Opus".to_owned();
                return Err(OfferError::Unusable(text));
            }
        }
        let now = Instant::now();
        let mut api = transport.rtc.direct_api();
        let mut line = |mid| {
            let ssrc = api.stream_tx_by_mid(mid, None)?.ssrc();
            Some(Line { mid, ssrc, speaker: None, source: None, last: None, heard: now })
        };
        let lines = match purpose {
            Purpose::Publish => Vec::new(),
            Purpose::Play(_) => mids.into_iter().filter_map(&mut line).collect(),
        };
        Ok(Self {
            transport,
            purpose,
            lines,
            answer,
            leaving: Leaving::new(),
            gaps: Gaps::default(),
            since: now,
            lost: None,
        })
    }

    /// The answer, and what tells this connection from others, when these speakers' streams are there: each line has the number
    /// of the stream that it begins with, so that a stream is known by it wherever it comes.
    pub(super) fn answer(&mut self, talkers: &[(String, u32)]) -> (String, String) {
        let known: Vec<&(String, u32)> = match &self.purpose {
            Purpose::Publish => Vec::new(),
            Purpose::Play(Some(speaker)) => talkers.iter().filter(|(name, _)| name == speaker).take(1).collect(),
            Purpose::Play(None) => talkers.iter().collect(),
        };
        let (ways, mut numbers) = (self.one_way(), Vec::new());
        for (line, (name, ssrc)) in self.lines.iter_mut().zip(known) {
            numbers.push((line.ssrc, Ssrc::from(*ssrc)));
            line.ssrc = Ssrc::from(*ssrc);
            line.speaker = Some(name.clone());
        }
        let rewritten = |line: &str| match line.strip_prefix("a=ssrc:").and_then(|rest| rest.split_once(' ')) {
            Some((number, attribute)) => {
                let new = numbers.iter().find(|(old, _)| number == (**old).to_string());
                format!("a=ssrc:{} {attribute}\r\n", new.map_or(number.to_owned(), |(_, new)| (**new).to_string()))
            }
            None if line == "a=sendrecv" => format!("{ways}\r\n"),
            None => format!("{line}\r\n"),
        };
        let answer = self.answer.lines().map(rewritten).collect();
        (answer, self.transport.rtc.direct_api().local_ice_credentials().ufrag)
    }

    /// A name that nobody guesses.
    pub(super) fn identity(&mut self) -> String {
        let api = self.transport.rtc.direct_api();
        (0..4).map(|_| format!("{:08x}", *api.new_ssrc())).collect()
    }

    /// Both protocols have media go one way only, whatever was offered.
    fn one_way(&self) -> &'static str {
        if self.purpose == Purpose::Publish { "a=recvonly" } else { "a=sendonly" }
    }

    /// What is to be sent.
    pub(super) fn leaving(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        self.leaving.pop_front()
    }

    /// Takes a datagram from the network; gives the packets that it brought, under the room's payload type.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        from: SocketAddr,
        own: SocketAddr,
        data: &[u8],
        payload_type: u8,
        packets: &mut Vec<Vec<u8>>,
    ) {
        if self.transport.receive(now, from, own, data) {
            self.poll(now, payload_type, packets);
        }
    }

    /// Does what is due.
    pub(super) fn drive(&mut self, now: Instant, payload_type: u8, packets: &mut Vec<Vec<u8>>) {
        self.transport.handle(Input::Timeout(now));
        self.poll(now, payload_type, packets);
    }

    fn poll(&mut self, now: Instant, payload_type: u8, packets: &mut Vec<Vec<u8>>) {
        let Self { transport, purpose, leaving, lost, gaps, .. } = self;
        transport.poll(leaving, |event| match event {
            Event::RtpPacket(packet) if *purpose == Purpose::Publish => {
                let number = gaps.closed(*packet.seq_no, packet.payload.is_empty());
                // Numbers go on by their low bits.
                packets.extend(number.map(|number| plain(&packet, payload_type, number as u16)));
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => *lost = Some(lost.unwrap_or(now)),
            Event::IceConnectionStateChange(_) => *lost = None,
            _ => {}
        });
    }

    /// When it wants to be driven next.
    pub(super) fn wake(&self) -> Instant {
        self.transport.wake
    }

    /// Sends a speaker's packet by the line that is the speaker's, if there is one.
    pub(super) fn send(&mut self, now: Instant, speaker: &str, packet: &rtp::Packet<'_>) {
        if !self.transport.connected {
            return;
        }
        let fixed = matches!(&self.purpose, Purpose::Play(Some(_)));
        if matches!(&self.purpose, Purpose::Play(Some(only)) if only != speaker) {
            return;
        }
        let has = |line: &Line| fixed || line.speaker.as_deref() == Some(speaker);
        let free = |line: &Line| line.speaker.is_none();
        let idle = |line: &Line| now.saturating_duration_since(line.heard) > IDLE;
        let found = self.lines.iter().position(has);
        let found = found.or_else(|| self.lines.iter().position(free)).or_else(|| self.lines.iter().position(idle));
        let Some(line) = found.and_then(|found| self.lines.get_mut(found)) else { return };
        if line.speaker.as_deref() != Some(speaker) {
            line.speaker = Some(speaker.to_owned());
        }
        line.heard = now;
        let (number, timestamp) = line.numbered(packet);
        self.transport.write(line.mid, packet, line.ssrc, number, timestamp, now);
        self.transport.handle(Input::Timeout(now));
        self.poll(now, 0, &mut Vec::new());
    }

    /// Ends it, and says so to the other side: by RTCP's BYE and DTLS's alert.
    pub(super) fn close(&mut self, now: Instant) {
        // What cannot be said is noticed by silence.
        let _ = self.transport.rtc.close();
        self.drive(now, 0, &mut Vec::new());
        self.transport.rtc.disconnect();
    }

    /// Why it is over, if it is.
    pub(super) fn over(&self, now: Instant) -> Option<String> {
        let since = |then: Instant| now.saturating_duration_since(then);
        if let Some(failure) = &self.transport.failure {
            return Some(failure.clone());
        }
        if !self.transport.rtc.is_alive() {
            return Some("the other side has closed it".to_owned());
        }
        if !self.transport.connected && since(self.since) > CONNECTS_WITHIN {
            return Some(format!("no connection within {} s", CONNECTS_WITHIN.as_secs()));
        }
        let lost = self.lost.filter(|lost| since(*lost) > SILENT_AT_MOST);
        lost.map(|_| "the other side is not heard of any more".to_owned())
    }
}

/// The audios of an SDP that have one of these directions.
fn audios<'a>(sdp: &'a str, directions: &'a [&str]) -> impl Iterator<Item = Mid> + 'a {
    let has = |section: &str, attribute: &str| section.lines().any(|line| line.strip_prefix("a=") == Some(attribute));
    sdp.split("\r\nm=").skip(1).filter_map(move |section| {
        let audio = section.starts_with("audio ") && !section.starts_with("audio 0 ");
        let taken = audio && directions.iter().any(|direction| has(section, direction));
        let mid = section.lines().find_map(|line| line.strip_prefix("a=mid:"))?;
        taken.then(|| mid.into())
    })
}

impl Line {
    /// The number and the timestamp by which a packet goes out: its own, as long as the line has one stream. The next stream's
    /// follow on what went before.
    fn numbered(&mut self, packet: &rtp::Packet<'_>) -> (u64, u32) {
        let own = |line: &Self, offset: u64| {
            let last = line.last.map(|(number, _)| number.wrapping_sub(offset));
            unwrapped(last, packet.sequence()).wrapping_add(offset)
        };
        let (number, timestamp) = match (self.source, self.last) {
            (Some((source, number, time)), _) if source == packet.ssrc() => {
                (own(self, number), packet.timestamp().wrapping_add(time))
            }
            (_, Some((last, time))) => {
                let (number, timestamp) = (last + 1, time.wrapping_add(FRAME));
                let offset = number.wrapping_sub(u64::from(packet.sequence()));
                self.source = Some((packet.ssrc(), offset, timestamp.wrapping_sub(packet.timestamp())));
                (number, timestamp)
            }
            (_, None) => {
                self.source = Some((packet.ssrc(), 0, 0));
                (u64::from(packet.sequence()), packet.timestamp())
            }
        };
        self.last = Some(
            self.last.map_or((number, timestamp), |last| if number > last.0 { (number, timestamp) } else { last }),
        );
        (number, timestamp)
    }
}

/// Packets without payload probe the way, and are nobody's but the connection's: whoever hears the others would take their
/// numbers for lost ones. So the numbers of those that follow are lower by as many.
#[derive(Debug, Default)]
struct Gaps {
    /// Numbers of empty packets, the last ones,
    empty: VecDeque<u64>,
    /// and how many there were before.
    before: u64,
    /// The highest number of all.
    highest: Option<u64>,
}

impl Gaps {
    /// A packet's number among those with payload; `None`: it is an empty one.
    fn closed(&mut self, number: u64, empty: bool) -> Option<u64> {
        let newest = self.highest.is_none_or(|highest| number > highest);
        self.highest = self.highest.max(Some(number));
        if empty {
            // The numbers after one that comes late have been given already.
            if newest {
                self.empty.push_back(number);
            }
            if self.empty.len() > GAPS_KEPT {
                self.empty.pop_front();
                self.before += 1;
            }
            return None;
        }
        let passed = self.empty.iter().filter(|empty| **empty < number).count() as u64;
        Some(number.wrapping_sub(self.before + passed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webrtc::Connections;

    fn packet(ssrc: u32, sequence: u16, timestamp: u32) -> Vec<u8> {
        let mut data = Vec::new();
        rtp::Repr { payload_type: 111, marker: false, sequence, timestamp, ssrc, payload: &[1] }.emit(&mut data);
        data
    }

    fn offered(sends: bool, hears: usize) -> String {
        Connections::new("127.0.0.1:9".parse().unwrap()).offer("it", sends, hears).unwrap()
    }

    fn made(offer: &str, purpose: Purpose) -> Result<Far, OfferError> {
        Far::new("127.0.0.1:10".parse().unwrap(), offer, purpose)
    }

    #[test]
    fn who_publishes_has_one_audio_that_sends() {
        let (answer, tag) = made(&offered(true, 0), Purpose::Publish).unwrap().answer(&[]);
        assert!(answer.contains("a=recvonly") && answer.contains(&format!("a=ice-ufrag:{tag}")), "{answer}");
        // Both ways was offered: one is taken.
        let (answer, _) = made(&offered(true, 1), Purpose::Publish).unwrap().answer(&[]);
        assert!(answer.contains("a=recvonly") && !answer.contains("a=sendrecv"), "{answer}");
        let refused = |offer: &str| made(offer, Purpose::Publish).unwrap_err();
        assert!(matches!(refused(&offered(false, 1)), OfferError::Unusable(_)));
        assert!(matches!(refused("v=0 or so"), OfferError::Malformed(_)));
    }

    #[test]
    fn each_line_of_who_plays_has_the_number_of_a_speakers_stream_in_order() {
        let talkers = [("ana".to_owned(), 70_001), ("ben".to_owned(), 70_002)];
        let numbers = |sdp: &str| {
            let number = |line: &str| line.strip_prefix("a=ssrc:")?.split(' ').next().map(str::to_owned);
            let mut numbers: Vec<String> = sdp.lines().filter_map(number).collect();
            numbers.dedup();
            numbers
        };
        let (answer, _) = made(&offered(false, 3), Purpose::Play(None)).unwrap().answer(&talkers);
        assert_eq!(numbers(&answer)[..2], ["70001", "70002"], "{answer}");
        assert_eq!((numbers(&answer).len(), answer.matches("a=sendonly").count()), (3, 3), "{answer}");
        let (answer, _) = made(&offered(false, 1), Purpose::Play(Some("ben".to_owned()))).unwrap().answer(&talkers);
        assert_eq!(numbers(&answer), ["70002"]);
        assert!(matches!(made(&offered(true, 0), Purpose::Play(None)), Err(OfferError::Unusable(_))));
    }

    fn line() -> Line {
        let mut rtc = Transport::new("127.0.0.1:9".parse().unwrap()).unwrap().rtc;
        let ssrc = rtc.direct_api().new_ssrc();
        Line { mid: "0".into(), ssrc, speaker: None, source: None, last: None, heard: Instant::now() }
    }

    fn sent(line: &mut Line, ssrc: u32, sequence: u16, timestamp: u32) -> (u64, u32) {
        let data = packet(ssrc, sequence, timestamp);
        line.numbered(&rtp::Packet::new_checked(&data).unwrap())
    }

    #[test]
    fn packets_keep_their_numbers_while_a_line_has_one_stream_and_wrap_as_they_do() {
        let mut line = line();
        assert_eq!(sent(&mut line, 7, 65_534, 100), (65_534, 100));
        assert_eq!(sent(&mut line, 7, 0, 2020), (65_536, 2020));
        // Late, but not lost.
        assert_eq!(sent(&mut line, 7, 65_535, 1060), (65_535, 1060));
        assert_eq!(sent(&mut line, 7, 1, 2980), (65_537, 2980));
    }

    #[test]
    fn numbers_of_empty_packets_are_left_out() {
        let mut gaps = Gaps::default();
        let empty = |gaps: &mut Gaps, number| assert_eq!(gaps.closed(number, true), None);
        assert_eq!(gaps.closed(10, false), Some(10));
        empty(&mut gaps, 11);
        assert_eq!(gaps.closed(12, false), Some(11));
        empty(&mut gaps, 14);
        // One that was overtaken keeps its place, and one that is lost leaves a gap.
        assert_eq!(gaps.closed(13, false), Some(12));
        assert_eq!(gaps.closed(16, false), Some(14));
        // Too late to be left out.
        empty(&mut gaps, 15);
        assert_eq!(gaps.closed(17, false), Some(15));
        (18..1000).step_by(2).for_each(|number| empty(&mut gaps, number));
        assert_eq!(gaps.closed(1001, false), Some(1001 - 2 - 491));
    }

    #[test]
    fn the_next_stream_of_a_line_follows_on_the_last() {
        let mut line = line();
        sent(&mut line, 7, 10, 1000);
        assert_eq!(sent(&mut line, 8, 60_000, 5), (11, 1960));
        assert_eq!(sent(&mut line, 8, 60_001, 965), (12, 2920));
        assert_eq!(sent(&mut line, 8, 60_003, 2885), (14, 4840));
        assert_eq!(sent(&mut line, 7, 11, 1960), (15, 5800));
    }
}
