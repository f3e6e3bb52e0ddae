//! Where packets go, and where they do not.

use jiho_analysis::arrivals::Role::{self, Listener, Speaker};
use jiho_proto::control::{Join, Message};
use proptest::prelude::*;

use crate::desk::{Desk, NOBODY, Said, addr, join, rtp};

/// Speakers ana at port 2 and ben at 3, listeners lena at 4 and lars at 5.
fn room() -> Desk {
    let mut desk = Desk::new();
    for (port, name, role) in [(2, "ana", Speaker), (3, "ben", Speaker), (4, "lena", Listener), (5, "lars", Listener)] {
        desk.seat(port, name, role);
    }
    desk
}

fn subscribe(desk: &mut Desk, port: u16, name: &str, role: Role, to: &[&str]) {
    let subscribe = Some(to.iter().map(|name| (*name).to_owned()).collect());
    desk.control(port.into(), &Message::Join(Join { subscribe, ..join(port, name, role) }));
}

#[test]
fn a_speakers_packet_goes_to_every_other_seat_and_not_back() {
    let mut desk = room();
    assert_eq!(desk.reached(2, &rtp(9)), [3, 4, 5]);
    assert_eq!(desk.reached(3, &rtp(8)), [2, 4, 5]);
    assert_eq!((desk.stats().forwarded, desk.stats().copies), (2, 6));
}

#[test]
fn a_packet_is_forwarded_byte_for_byte() {
    // Padding, extension, CSRC and marker, as no sender of ours would set them.
    let odd =
        [
            &[
                0xb1, 0xef, 0x12, 0x34, 1, 2, 3, 4, 0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 1, 0xbe, 0xde, 0, 1, 0x10, 0x55,
                0, 0,
            ][..],
            &[1, 2, 3, 0, 0, 0, 4],
        ]
        .concat();
    let said = room().packet(2, &odd);
    let copies = said.iter().filter(|said| matches!(said, Said::Packet(_, data) if *data == odd)).count();
    assert_eq!(copies, 3);
}

#[test]
fn strangers_packets_reach_nobody() {
    let mut desk = room();
    desk.reached(2, &rtp(9));
    assert_eq!(desk.packet(6, &rtp(9)), []);
    assert_eq!(desk.stats().from_strangers, 1);
}

#[test]
fn a_listener_cannot_send() {
    let mut desk = room();
    assert_eq!(desk.packet(4, &rtp(9)), []);
    assert_eq!(desk.stats().from_listeners, 1);
}

#[test]
fn a_seat_hears_only_whom_it_subscribes_to() {
    let mut desk = room();
    subscribe(&mut desk, 6, "mia", Listener, &["ben", "nobody"]);
    subscribe(&mut desk, 7, "cleo", Speaker, &[]);
    assert_eq!(desk.reached(2, &rtp(9)), [3, 4, 5]);
    assert_eq!(desk.reached(3, &rtp(8)), [2, 4, 5, 6]);
    assert_eq!(desk.reached(7, &rtp(7)), [2, 3, 4, 5]);
}

#[test]
fn a_speaker_may_come_after_those_who_subscribe_to_it() {
    let mut desk = Desk::new();
    subscribe(&mut desk, 4, "lena", Listener, &["ana"]);
    desk.seat(2, "ana", Speaker);
    assert_eq!(desk.reached(2, &rtp(9)), [4]);
}

#[test]
fn leaving_stops_the_flow_both_ways() {
    let mut desk = room();
    desk.hang_up(4);
    assert_eq!(desk.reached(2, &rtp(9)), [3, 5]);
    desk.control(2, &Message::Leave);
    assert_eq!(desk.reached(2, &rtp(9)), NOBODY);
    assert_eq!(desk.reached(3, &rtp(8)), [5]);
}

#[test]
fn rtcp_ends_at_the_relay() {
    let mut desk = room();
    let receiver_report = [0x80, 201, 0, 1, 0, 0, 0, 9];
    assert_eq!(desk.packet(2, &receiver_report), []);
    assert_eq!((desk.stats().rtcp, desk.stats().malformed), (1, 0));
}

#[test]
fn what_is_not_rtp_is_not_forwarded() {
    let mut desk = room();
    let cut_off = &rtp(9)[..11];
    for data in [&b""[..], b"hello", cut_off, &[0, 1, 0, 0]] {
        assert_eq!(desk.packet(2, data), []);
    }
    assert_eq!(desk.stats().malformed, 4);
}

#[test]
fn nobody_speaks_in_anothers_stream() {
    let mut desk = room();
    desk.packet(2, &rtp(9));
    assert_eq!(desk.packet(3, &rtp(9)), []);
    assert_eq!(desk.stats().wrong_stream, 1);
}

/// Something that the world may do to a relay.
#[derive(Clone, Debug)]
enum Deed {
    Packet(u16, Vec<u8>),
    Say(u64, Message),
    HangUp(u64),
}

fn deed() -> impl Strategy<Value = Deed> {
    let bytes = prop::collection::vec(any::<u8>(), 0..64);
    let rtp_like = (0u32..3, bytes.clone()).prop_map(|(ssrc, tail)| [rtp(ssrc), tail].concat());
    let name = prop_oneof![3 => "[a-c]", 1 => any::<String>()];
    let role = prop_oneof![Just(Speaker), Just(Listener)];
    let join = (name, 0u16..8, role).prop_map(|(name, port, role)| Message::Join(join(port, &name, role)));
    let said = prop_oneof![
        4 => join,
        1 => Just(Message::Leave),
        1 => Just(Message::Refused { reason: String::new() }),
    ];
    prop_oneof![
        (0u16..8, prop_oneof![bytes, rtp_like]).prop_map(|(from, data)| Deed::Packet(from, data)),
        (1u64..6, said).prop_map(|(peer, message)| Deed::Say(peer, message)),
        (1u64..6).prop_map(Deed::HangUp),
    ]
}

proptest! {
    #[test]
    fn nothing_that_anybody_sends_makes_it_panic(deeds in prop::collection::vec(deed(), 0..60)) {
        let mut desk = Desk::new();
        let mut sent = 0;
        let mut received = 0;
        for deed in deeds {
            let said = match deed {
                Deed::Packet(from, data) => {
                    received += 1;
                    let said = desk.packet(from, &data);
                    for said in &said {
                        if let Said::Packet(to, forwarded) = said {
                            prop_assert_eq!(forwarded, &data);
                            prop_assert_ne!(*to, addr(from));
                        }
                    }
                    said
                }
                Deed::Say(peer, message) => desk.control(peer, &message),
                Deed::HangUp(peer) => desk.hang_up(peer),
            };
            sent += said.iter().filter(|said| matches!(said, Said::Packet(..))).count() as u64;
        }
        let stats = desk.stats();
        prop_assert_eq!((stats.received, stats.copies), (received, sent));
        let apart = stats.forwarded + stats.from_strangers + stats.from_listeners + stats.from_muted + stats.flights
            + stats.rtcp + stats.malformed + stats.wrong_stream;
        prop_assert_eq!(apart, received);
    }
}
