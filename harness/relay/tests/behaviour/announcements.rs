//! Who is told whose stream is whose.

use jiho_analysis::arrivals::Role::{Listener, Speaker};
use jiho_proto::control::{Join, Message};

use crate::desk::{Desk, Said, join, rtp, talker};

fn announced(said: Vec<Said>) -> Vec<Said> {
    said.into_iter().filter(|said| matches!(said, Said::Control(_, Message::Talker(_)))).collect()
}

#[test]
fn the_first_packet_of_a_stream_is_announced_to_everybody_else_before_it_arrives() {
    let mut desk = Desk::new();
    desk.seat(2, "ana", Speaker);
    desk.seat(3, "ben", Speaker);
    desk.seat(4, "lena", Listener);
    let said = desk.packet(2, &rtp(9));
    assert_eq!(said[..2], [talker(3, "ana", 9), talker(4, "ana", 9)]);
    assert!(matches!(said[2..], [Said::Packet(..), Said::Packet(..)]));
    assert_eq!(announced(desk.packet(2, &rtp(9))), []);
}

#[test]
fn a_changed_ssrc_is_announced_as_the_same_speakers() {
    let mut desk = Desk::new();
    desk.seat(2, "ana", Speaker);
    desk.seat(4, "lena", Listener);
    desk.packet(2, &rtp(9));
    assert_eq!(announced(desk.packet(2, &rtp(10))), [talker(4, "ana", 10)]);
}

#[test]
fn whoever_comes_later_is_told_of_all_streams_there_are() {
    let mut desk = Desk::new();
    desk.seat(2, "ana", Speaker);
    desk.seat(3, "ben", Speaker);
    desk.packet(2, &rtp(9));
    desk.packet(3, &rtp(5));
    assert_eq!(announced(desk.seat(4, "lena", Listener)), [talker(4, "ben", 5), talker(4, "ana", 9)]);
}

#[test]
fn nobody_is_told_of_speakers_they_do_not_subscribe_to() {
    let mut desk = Desk::new();
    let only_ben =
        |port, name| Message::Join(Join { subscribe: Some(vec!["ben".into()]), ..join(port, name, Listener) });
    desk.control(4, &only_ben(4, "lena"));
    desk.seat(2, "ana", Speaker);
    assert_eq!(announced(desk.packet(2, &rtp(9))), []);
    assert_eq!(announced(desk.control(5, &only_ben(5, "lars"))), []);
}

#[test]
fn a_stream_is_forgotten_with_its_speaker() {
    let mut desk = Desk::new();
    desk.seat(2, "ana", Speaker);
    desk.packet(2, &rtp(9));
    desk.hang_up(2);
    assert_eq!(announced(desk.seat(4, "lena", Listener)), []);
    desk.seat(3, "ben", Speaker);
    assert_eq!(announced(desk.packet(3, &rtp(9))), [talker(4, "ben", 9)]);
}
