//! Who gets a seat, and how long they keep it.

use jiho_analysis::arrivals::Role::{Listener, Speaker};
use jiho_proto::control::{Join, Joined, Message};
use jiho_proto::engine::{Input, PeerId};
use jiho_proto::event::Event;

use crate::desk::{Desk, NOBODY, NOW, Said, TOKEN, addr, join, rtp};

/// Asks for a seat that is refused, and gives the reason, which is told and noted alike.
fn refusal(desk: &mut Desk, peer: u64, join: Join) -> String {
    let name = join.name.clone();
    let said = desk.control(peer, &Message::Join(join));
    let [
        Said::Event(NOW, Event::Refused { name: noted, reason }),
        Said::Control(to, Message::Refused { reason: told }),
    ] = &said[..]
    else {
        unreachable!("not refused: {said:?}")
    };
    assert_eq!((noted, to, reason), (&name, &PeerId(peer), told));
    reason.clone()
}

#[test]
fn whoever_knows_the_token_is_let_in_and_told_where_to_send() {
    let said = Desk::new().control(7, &Message::Join(join(70, "ana", Speaker)));
    let [Said::Event(NOW, Event::Admitted { name }), Said::Control(PeerId(7), Message::Joined(joined))] = &said[..]
    else {
        unreachable!("not admitted: {said:?}")
    };
    let Joined { media, payload_type, sdp } = joined;
    assert_eq!((name.as_str(), *media, *payload_type), ("ana", addr(1), 96));
    assert!(sdp.contains("c=IN IP4 127.0.0.1\r\n") && sdp.contains("m=audio 70 RTP/AVP 96\r\n"), "{sdp}");
}

#[test]
fn a_wrong_token_is_refused() {
    let mut desk = Desk::new();
    for (peer, token) in [(2, ""), (3, "secre"), (4, "secret "), (5, "SECRET")] {
        let reason = refusal(&mut desk, peer, Join { token: token.into(), ..join(70, "ana", Speaker) });
        assert!(reason.contains("token") && !reason.contains(TOKEN), "{reason}");
    }
    assert_eq!(desk.reached(70, &rtp(9)), NOBODY);
}

#[test]
fn a_room_without_a_token_lets_nobody_in() {
    let mut desk = Desk::with_token("");
    refusal(&mut desk, 2, Join { token: String::new(), ..join(2, "ana", Speaker) });
}

#[test]
fn a_name_is_given_once() {
    let mut desk = Desk::new();
    desk.seat(2, "ana", Speaker);
    assert!(refusal(&mut desk, 3, join(3, "ana", Listener)).contains("ana"));
}

#[test]
fn a_name_that_could_leave_its_folder_is_refused() {
    assert!(refusal(&mut Desk::new(), 2, join(2, "../ana", Speaker)).contains("'/'"));
}

#[test]
fn a_media_address_is_given_once() {
    let mut desk = Desk::new();
    desk.seat(2, "ana", Speaker);
    assert!(refusal(&mut desk, 3, join(2, "ben", Speaker)).contains("127.0.0.1:2"));
}

#[test]
fn an_address_that_is_not_one_host_is_refused() {
    // The last is the relay's own: it would forward to itself.
    let addresses =
        ["0.0.0.0:5000", "[::]:5000", "224.0.0.1:5000", "255.255.255.255:5000", "127.0.0.1:0", "127.0.0.1:1"];
    for address in addresses {
        let join = Join { media: address.parse().unwrap(), ..join(2, "ana", Speaker) };
        assert!(refusal(&mut Desk::new(), 2, join).contains(address));
    }
}

#[test]
fn nothing_more_is_accepted_from_whoever_was_refused() {
    let mut desk = Desk::new();
    refusal(&mut desk, 2, Join { token: "wrong".into(), ..join(2, "ana", Speaker) });
    assert_eq!(desk.control(2, &Message::Join(join(2, "ana", Speaker))), []);
    assert_eq!(desk.control(2, &Message::Leave), []);
    assert_eq!(desk.hang_up(2), []);
}

#[test]
fn one_connection_has_one_seat() {
    let mut desk = Desk::new();
    desk.seat(2, "ana", Speaker);
    let said = desk.control(2, &Message::Join(join(3, "ben", Speaker)));
    assert!(matches!(&said[1], Said::Control(PeerId(2), Message::Refused { .. })), "{said:?}");
    assert_eq!(said[2..], [Said::Event(NOW, Event::Left { name: "ana".into() })]);
}

#[test]
fn a_client_that_speaks_as_a_relay_loses_its_seat() {
    let mut desk = Desk::new();
    desk.seat(2, "ana", Speaker);
    let said = desk.control(2, &Message::Refused { reason: "you".into() });
    assert!(said.contains(&Said::Event(NOW, Event::Left { name: "ana".into() })), "{said:?}");
}

#[test]
fn leaving_frees_the_name_and_the_address() {
    let mut desk = Desk::new();
    desk.seat(2, "ana", Speaker);
    assert_eq!(desk.control(2, &Message::Leave), [Said::Event(NOW, Event::Left { name: "ana".into() })]);
    assert_eq!(desk.control(2, &Message::Leave), []);
    desk.control(3, &Message::Join(join(2, "ana", Speaker)));
    assert_eq!(desk.reached(2, &rtp(9)), NOBODY);
    assert_eq!(desk.stats().forwarded, 1);
}

#[test]
fn the_end_of_the_connection_is_the_end_of_the_seat() {
    let mut desk = Desk::new();
    desk.seat(2, "ana", Speaker);
    assert_eq!(desk.hang_up(2), [Said::Event(NOW, Event::Left { name: "ana".into() })]);
    desk.seat(3, "ana", Speaker);
}

#[test]
fn a_relay_that_stops_notes_everybodys_leaving_and_does_nothing_more() {
    let mut desk = Desk::new();
    desk.seat(2, "ana", Speaker);
    desk.seat(3, "ben", Listener);
    let left = |name: &str| Said::Event(NOW, Event::Left { name: name.into() });
    assert_eq!(desk.input(Input::Stop), [left("ana"), left("ben"), Said::Done]);
    assert_eq!(desk.packet(2, &rtp(9)), [Said::Done]);
}
