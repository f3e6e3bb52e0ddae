use std::collections::VecDeque;

use super::*;
use crate::mumble::crypt::Crypt;
use crate::mumble::voice::{Packet, Sender, Voice};
use crate::wire::rtp::{self, Repr};

const PAYLOAD_TYPE: u8 = 111;
/// CELT, full band, 20 ms; and 10 ms.
const OPUS_20_MS: &[u8] = &[31 << 3, 1, 2, 3];
const OPUS_10_MS: &[u8] = &[30 << 3, 1, 2, 3];

fn keys() -> Keys {
    Keys { key: [1; 16], client_nonce: [2; 16], server_nonce: [3; 16] }
}

fn server() -> SocketAddr {
    "127.0.0.1:64738".parse().unwrap()
}

fn at_ms(ms: i64) -> RunTime {
    RunTime::START + Nanos::from_millis(ms)
}

/// Sends what it is given to send, at the next input, and notes what it gets.
#[derive(Debug, Default)]
struct Noting {
    to_send: VecDeque<Vec<u8>>,
    sending: Vec<u8>,
    heard: Vec<(SocketAddr, RunTime, Vec<u8>)>,
    timers: usize,
    wake: Option<RunTime>,
    done: bool,
}

impl Engine for Noting {
    fn handle(&mut self, _: RunTime, input: Input<'_>) {
        match input {
            Input::Packet { from, received, data } => self.heard.push((from, received, data.to_vec())),
            Input::Timer => self.timers += 1,
            Input::Stop => self.done = true,
            _ => {}
        }
    }

    fn poll_output(&mut self) -> Output<'_> {
        match self.to_send.pop_front() {
            Some(data) => {
                self.sending = data;
                Output::Send { to: "10.0.0.1:9".parse().unwrap(), data: &self.sending }
            }
            None if self.done => Output::Done,
            None => Output::Wait(self.wake),
        }
    }
}

struct Room {
    client: Mumble<Noting>,
    crypt: Crypt,
}

impl Room {
    fn new() -> Self {
        let client = Mumble::new(Noting::default(), &keys(), server(), PAYLOAD_TYPE);
        Self { client, crypt: Crypt::server(&keys()) }
    }

    /// Gives an input; gives what the client then sends, decrypted, and when it wants to be woken.
    fn give(&mut self, now: RunTime, input: Input<'_>) -> (Vec<Vec<u8>>, Option<RunTime>) {
        self.client.handle(now, input);
        let mut sent = Vec::new();
        loop {
            match self.client.poll_output() {
                Output::Send { to, data } => {
                    assert_eq!(to, server());
                    let mut plain = Vec::new();
                    self.crypt.decrypt(data, &mut plain).unwrap();
                    sent.push(plain);
                }
                Output::Wait(wake) => return (sent, wake),
                Output::Done => return (sent, None),
                _ => {}
            }
        }
    }

    /// Has the server send a packet.
    fn serve(&mut self, received: RunTime, packet: &Packet<'_>) {
        let (mut plain, mut datagram) = (Vec::new(), Vec::new());
        packet.emit(&mut plain).unwrap();
        self.crypt.encrypt(&plain, &mut datagram);
        self.give(received, Input::Packet { from: server(), received, data: &datagram });
    }

    /// Has the server send somebody's voice; gives what the engine got of it: RTP sequence number, timestamp, marker.
    fn voice(&mut self, ms: i64, sequence: u64, terminator: bool, payload: &[u8]) -> Option<(u16, u32, bool)> {
        let before = self.client.engine.heard.len();
        let voice = Voice { target: 0, session: Some(9), sequence, terminator, payload, position: &[] };
        self.serve(at_ms(ms), &Packet::Voice(voice));
        let (from, received, data) = self.client.engine.heard.get(before)?;
        assert_eq!((*from, *received), (server(), at_ms(ms)));
        let packet = rtp::Packet::new_checked(data).unwrap();
        assert_eq!((packet.ssrc(), packet.payload_type(), packet.payload()), (9, PAYLOAD_TYPE, payload));
        Some((packet.sequence(), packet.timestamp(), packet.marker()))
    }
}

fn rtp_packet(payload_type: u8, sequence: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Repr { marker: false, payload_type, sequence, timestamp, ssrc: 77, payload }.emit(&mut bytes);
    bytes
}

#[test]
fn the_server_is_pinged_at_the_start_and_every_5_seconds() {
    let mut room = Room::new();
    assert_eq!(room.give(at_ms(-3), Input::Timer), (vec![], None), "not before the start");
    let (sent, wake) = room.give(at_ms(0), Input::Start);
    assert_eq!(sent.len(), 1);
    assert_eq!(Packet::parse(&sent[0], Sender::Client), Ok(Packet::Ping { timestamp: 0 }));
    assert_eq!(wake, Some(at_ms(5000)));
    assert!(room.give(at_ms(4999), Input::Timer).0.is_empty());
    let (sent, wake) = room.give(at_ms(5001), Input::Timer);
    assert_eq!(Packet::parse(&sent[0], Sender::Client), Ok(Packet::Ping { timestamp: 5_001_000_000 }));
    assert_eq!(wake, Some(at_ms(10_001)));
    assert_eq!(room.client.engine.timers, 0, "the engine asked for none");

    room.serve(at_ms(5031), &Packet::Ping { timestamp: 5_001_000_000 });
    let traffic = room.client.traffic();
    assert_eq!((traffic.pings_answered, traffic.round_trip), (1, Some(Nanos::from_millis(30))));
    assert!(room.client.engine.heard.is_empty());
}

#[test]
fn the_engine_is_woken_when_it_asked_to_be() {
    let mut room = Room::new();
    room.client.engine.wake = Some(at_ms(20));
    assert_eq!(room.give(at_ms(0), Input::Start).1, Some(at_ms(20)));
    room.give(at_ms(10), Input::Timer);
    assert_eq!(room.client.engine.timers, 0);
    room.give(at_ms(20), Input::Timer);
    assert_eq!(room.client.engine.timers, 1);
}

#[test]
fn what_the_engine_sends_goes_to_the_server_counted_in_units_of_10_ms() {
    let mut room = Room::new();
    let first = u32::MAX - 700;
    let packets = (0..3u32).map(|n| rtp_packet(PAYLOAD_TYPE, n as u16, first.wrapping_add(960 * n), OPUS_20_MS));
    room.client.engine.to_send = packets.collect();
    let (sent, _) = room.give(at_ms(0), Input::Start);
    let sequences: Vec<u64> = sent[1..]
        .iter()
        .map(|bytes| match Packet::parse(bytes, Sender::Client).unwrap() {
            Packet::Voice(voice) => {
                assert_eq!((voice.target, voice.terminator, voice.payload), (0, false, OPUS_20_MS));
                voice.sequence
            }
            ping => panic!("{ping:?}"),
        })
        .collect();
    let begin = u64::from(first) / 480;
    assert_eq!(sequences, [begin, begin + 2, begin + 4], "the timestamp wraps, the sequence number does not");
    assert_eq!(room.client.traffic().sent, 3);
}

#[test]
fn what_is_no_voice_is_not_sent_and_does_not_hold_up_what_is() {
    let mut room = Room::new();
    room.client.engine.to_send = VecDeque::from([
        b"no RTP".to_vec(),
        rtp_packet(96, 0, 0, OPUS_20_MS),
        rtp_packet(PAYLOAD_TYPE, 0, 0, &[0; 1100]),
        rtp_packet(PAYLOAD_TYPE, 0, 0, OPUS_20_MS),
    ]);
    assert_eq!(room.give(at_ms(0), Input::Start).0.len(), 2, "a ping and one packet");
    let traffic = room.client.traffic();
    assert_eq!((traffic.sent, traffic.unsendable), (1, 3));
}

#[test]
fn voices_come_in_as_streams_of_rtp() {
    let mut room = Room::new();
    room.give(at_ms(0), Input::Start);
    assert_eq!(room.voice(100, 40, false, OPUS_20_MS), Some((20, 40 * 480, true)), "a stream's first packet");
    assert_eq!(room.voice(120, 42, false, OPUS_20_MS), Some((21, 42 * 480, false)));
    assert_eq!(room.voice(160, 46, true, OPUS_20_MS), Some((23, 46 * 480, false)));
    assert_eq!(room.voice(161, 44, false, OPUS_20_MS), Some((22, 44 * 480, false)), "late, and not after the pause");
    assert_eq!(room.voice(1000, 100, false, OPUS_20_MS), Some((50, 48_000, true)), "after the pause");
    assert_eq!(room.voice(1020, 102, true, &[]), None, "a terminator without sound");
    assert_eq!(room.voice(1500, 150, false, OPUS_20_MS), Some((75, 72_000, true)));
    assert_eq!(room.client.traffic().received.good, 7);
}

#[test]
fn packets_of_10_ms_are_counted_one_by_one() {
    let mut room = Room::new();
    assert_eq!(room.voice(0, 7, false, OPUS_10_MS), Some((7, 7 * 480, true)));
    assert_eq!(room.voice(10, 8, false, OPUS_10_MS), Some((8, 8 * 480, false)));
}

#[test]
fn a_count_that_begins_anew_after_a_pause_goes_on() {
    let mut room = Room::new();
    assert_eq!(room.voice(0, 40, false, OPUS_20_MS), Some((20, 40 * 480, true)));
    assert_eq!(room.voice(20, 42, true, OPUS_20_MS), Some((21, 42 * 480, false)));
    // 5 s later, 500 units.
    assert_eq!(room.voice(5020, 0, false, OPUS_20_MS), Some((271, 542 * 480, true)));
    assert_eq!(room.voice(5040, 2, false, OPUS_20_MS), Some((272, 544 * 480, false)));
    assert_eq!(room.voice(5041, 0, false, OPUS_20_MS), Some((271, 542 * 480, false)), "late, not anew");
}

#[test]
fn datagrams_that_are_not_the_servers_do_not_reach_the_engine() {
    let mut room = Room::new();
    let elsewhere = "127.0.0.1:1".parse().unwrap();
    room.give(at_ms(0), Input::Packet { from: elsewhere, received: at_ms(0), data: &[0; 40] });
    room.give(at_ms(0), Input::Packet { from: server(), received: at_ms(0), data: &[0; 40] });
    room.serve(
        at_ms(0),
        &Packet::Voice(Voice {
            target: 0,
            session: Some(1),
            sequence: 0,
            terminator: true,
            payload: &[],
            position: &[],
        }),
    );
    let traffic = room.client.traffic();
    assert_eq!((traffic.foreign, traffic.undecrypted, traffic.received.good), (1, 1, 1));
    assert!(room.client.engine.heard.is_empty());
}

#[test]
fn after_5_seconds_out_of_step_the_servers_nonce_is_asked_for_and_taken() {
    let mut room = Room::new();
    let line = VoiceLine::default();
    room.client.channel.set_line(line.clone());
    assert_eq!(line.own_nonce(), [2; 16]);
    room.give(at_ms(0), Input::Start);
    assert_eq!(line.own_nonce()[0], 3, "one packet, the ping, has been sent");
    assert!(room.voice(0, 0, false, OPUS_20_MS).is_some());
    let mut lost = Vec::new();
    for _ in 0..300 {
        room.crypt.encrypt(b"lost", &mut lost);
    }
    for ms in [100, 4999] {
        assert!(room.voice(ms, 2, false, OPUS_20_MS).is_none());
        assert!(!line.take_resync_wanted(), "{ms} ms");
    }
    assert!(room.voice(5000, 4, false, OPUS_20_MS).is_none());
    assert!(line.take_resync_wanted());
    assert!(!line.take_resync_wanted(), "asked once");
    line.set_server_nonce(room.crypt.own_nonce());
    assert!(room.voice(5100, 6, false, OPUS_20_MS).is_some());
    assert_eq!(line.traffic().resyncs, 1);
}

#[test]
fn the_end_is_passed_on() {
    let mut room = Room::new();
    room.client.handle(at_ms(0), Input::Stop);
    assert!(matches!(room.client.poll_output(), Output::Done));
}
