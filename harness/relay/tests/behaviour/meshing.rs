//! Who is told to send to whom in a mesh.

use jiho_analysis::arrivals::Role::{Listener, Speaker};
use jiho_proto::control::{Message, Route, Talker};
use jiho_proto::engine::PeerId;
use jiho_relay::Serving::{Forward, Mesh};

use crate::desk::{Desk, NOBODY, Said, addr, join, rtp, talker};

/// The relay is at port 1.
fn route(to: u16, send_to: &[u16], hear_from: &[u16]) -> Said {
    let addresses = |ports: &[u16]| ports.iter().map(|port| addr(*port)).collect();
    let route = Route { send_to: addresses(send_to), hear_from: addresses(hear_from) };
    Said::Control(PeerId(to.into()), Message::Route(route))
}

fn routes(said: Vec<Said>) -> Vec<Said> {
    said.into_iter().filter(|said| matches!(said, Said::Control(_, Message::Route(_)))).collect()
}

#[test]
fn speakers_send_to_each_other_and_to_the_relay_only_while_there_is_an_audience() {
    let mut desk = Desk::serving(Mesh, Forward);
    assert_eq!(routes(desk.seat(2, "ana", Speaker)), [route(2, &[], &[])]);
    assert_eq!(routes(desk.seat(3, "ben", Speaker)), [route(2, &[3], &[3]), route(3, &[2], &[2])]);
    assert_eq!(routes(desk.seat(4, "lena", Listener)), [route(2, &[1, 3], &[3]), route(3, &[1, 2], &[2])]);
    assert_eq!(desk.reached(2, &rtp(9)), [4], "the stage has it directly");
    assert_eq!(routes(desk.hang_up(4)), [route(2, &[3], &[3]), route(3, &[2], &[2])]);
    assert_eq!(routes(desk.hang_up(3)), [route(2, &[], &[])]);
}

#[test]
fn an_audience_can_be_part_of_the_mesh() {
    let mut desk = Desk::serving(Mesh, Mesh);
    desk.seat(2, "ana", Speaker);
    assert_eq!(routes(desk.seat(4, "lena", Listener)), [route(2, &[4], &[]), route(4, &[1], &[2])]);
    assert_eq!(desk.reached(2, &rtp(9)), NOBODY);
}

#[test]
fn a_stage_without_a_mesh_can_have_an_audience_that_hears_it_directly() {
    let mut desk = Desk::serving(Forward, Mesh);
    desk.seat(2, "ana", Speaker);
    desk.seat(3, "ben", Speaker);
    assert_eq!(
        routes(desk.seat(4, "lena", Listener)),
        [route(2, &[1, 4], &[1]), route(3, &[1, 4], &[1]), route(4, &[1], &[2, 3])]
    );
    assert_eq!(desk.reached(2, &rtp(9)), [3]);
}

#[test]
fn a_stream_that_does_not_pass_the_relay_is_announced_by_its_speakers_word() {
    let mut desk = Desk::serving(Mesh, Forward);
    desk.seat(2, "ana", Speaker);
    desk.seat(3, "ben", Speaker);
    let word = Message::Talker(Talker { name: "whoever".into(), ssrc: 9 });
    assert_eq!(desk.control(2, &word), [talker(3, "ana", 9)], "as ana's, whatever she says");
    assert_eq!(desk.control(3, &word), [], "it is ana's");
    let late = desk.seat(4, "lena", Listener);
    assert!(late.contains(&talker(4, "ana", 9)), "{late:?}");
}

#[test]
fn a_mesh_has_no_more_seats_than_a_line_of_signalling_has_room_for() {
    let mut desk = Desk::serving(Mesh, Forward);
    let mut longest = 0;
    for port in 2..2 + 128 {
        for said in desk.seat(port, &format!("s{port}"), Speaker) {
            if let Said::Control(_, message) = said {
                longest = longest.max(message.to_line().len());
            }
        }
    }
    assert!(2 * longest < jiho_proto::control::MAX_LINE_BYTES, "{longest} bytes with short addresses");
    let said = desk.control(999, &Message::Join(join(999, "late", Speaker)));
    assert!(matches!(&said[1], Said::Control(_, Message::Refused { reason }) if reason.contains("128")), "{said:?}");
}
