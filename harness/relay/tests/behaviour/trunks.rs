//! How relays of a cascade pass on what their seats say.

use jiho_analysis::arrivals::Role::{Listener, Speaker};
use jiho_proto::codec::CodecConfig;
use jiho_proto::control::{Joined, Message, Trunk};
use jiho_proto::engine::{Input, PeerId};
use jiho_proto::event::Event;
use jiho_relay::{RelayConfig, Serving};

use crate::desk::{Desk, NOBODY, NOW, Said, TOKEN, addr, rtp, talker};

fn trunk(port: u16, token: &str) -> Message {
    Message::Trunk(Trunk { token: token.into(), media: addr(port) })
}

/// Ana at port 2, lena at 4, edges at 10 and 11.
fn tokyo() -> Desk {
    let mut desk = Desk::new();
    desk.seat(2, "ana", Speaker);
    desk.seat(4, "lena", Listener);
    for port in [10, 11] {
        let said = desk.control(u64::from(port), &trunk(port, TOKEN));
        assert!(matches!(&said[..], [Said::Event(_, Event::Admitted { .. }), Said::Control(_, Message::Joined(_))]));
    }
    desk
}

#[test]
fn a_packet_crosses_each_trunk_once_and_never_comes_back() {
    let mut desk = tokyo();
    assert_eq!(desk.reached(2, &rtp(9)), [4, 10, 11], "from a seat: the other seats, all trunks");
    assert_eq!(desk.reached(10, &rtp(8)), [2, 4, 11], "from a trunk: all seats, the other trunks");
    assert_eq!(desk.stats().copies, 6);
}

#[test]
fn streams_are_announced_across_trunks_by_their_speakers_names() {
    let mut desk = tokyo();
    let said = desk.packet(2, &rtp(9));
    for to in [4, 10, 11] {
        assert!(said.contains(&talker(to, "ana", 9)), "{said:?}");
    }
    let Said::Control(_, osaka_has_ben) = talker(0, "ben", 8) else { unreachable!() };
    assert_eq!(desk.control(10, &osaka_has_ben), [talker(2, "ben", 8), talker(4, "ben", 8), talker(11, "ben", 8)]);
    let said = desk.control(12, &trunk(12, TOKEN));
    assert_eq!(said[2..], [talker(12, "ben", 8), talker(12, "ana", 9)]);
}

#[test]
fn a_packet_that_is_faster_than_its_announcement_is_passed_on() {
    let mut desk = tokyo();
    assert_eq!(desk.reached(10, &rtp(8)), [2, 4, 11]);
    let Said::Control(_, osaka_has_ben) = talker(0, "ben", 8) else { unreachable!() };
    assert_eq!(desk.control(10, &osaka_has_ben).len(), 3);
    assert_eq!(desk.control(10, &osaka_has_ben), []);
}

#[test]
fn an_edge_needs_the_token_and_a_room_that_is_no_mesh() {
    let mut desk = Desk::new();
    let said = desk.control(10, &trunk(10, "wrong"));
    assert!(matches!(&said[..], [Said::Event(NOW, Event::Refused { .. }), Said::Control(_, Message::Refused { .. })]));
    assert_eq!(desk.reached(10, &rtp(8)), NOBODY);
    let said = Desk::serving(Serving::Mesh, Serving::Forward).control(10, &trunk(10, TOKEN));
    assert!(matches!(&said[1], Said::Control(_, Message::Refused { reason }) if reason.contains("mesh")), "{said:?}");
}

#[test]
fn a_trunk_ends_with_its_connection() {
    let mut desk = tokyo();
    desk.packet(10, &rtp(8));
    desk.hang_up(10);
    assert_eq!(desk.reached(10, &rtp(8)), NOBODY);
    assert_eq!(desk.reached(2, &rtp(9)), [4, 11]);
}

#[test]
fn an_edge_asks_its_parent_and_tells_what_it_has() {
    let config = RelayConfig { uplink: true, ..RelayConfig::forwarding(addr(1), TOKEN.into(), CodecConfig::L16) };
    let mut osaka = Desk::of(config);
    osaka.seat(2, "ben", Speaker);
    assert_eq!(osaka.reached(2, &rtp(8)), NOBODY, "there is no trunk yet");
    let joined = Joined { media: addr(20), payload_type: 96, sdp: String::new() };
    let said = osaka.control(0, &Message::Joined(joined));
    assert_eq!(said, [Said::Event(NOW, Event::Joined), talker(0, "ben", 8)]);
    assert_eq!(osaka.reached(2, &rtp(8)), [20]);
    assert_eq!(osaka.reached(20, &rtp(9)), [2]);
    let gone = osaka.input(Input::ControlClosed { peer: PeerId::RELAY, reason: "gone" });
    assert!(matches!(gone.last(), Some(Said::Event(_, Event::Failed { reason })) if reason.contains("gone")));
    assert_eq!(osaka.reached(2, &rtp(8)), NOBODY);
}
