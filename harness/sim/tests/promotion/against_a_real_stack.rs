//! The WebRTC-like profiles beside a real WebRTC stack, str0m, over the same virtual link: its offer leaves when ours
//! does, and its first packet of media has to be at the server when ours is.
//!
//! Of str0m nothing is imitated here: signalling takes the link's delay as ours does, datagrams too, and the client
//! writes a frame as soon as it is connected, as a mouth whose frame is at hand does.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use jiho_analysis::roles::{Change, Step};
use jiho_analysis::units::Nanos;
use jiho_proto::handshake::{Profile, Promotion};
use str0m::config::DtlsVersion;
use str0m::media::{Direction, Frequency, MediaKind, MediaTime};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

use crate::house::{DELAY, House, LENA, RELAY, addr, constant, promote};

const MILLISECOND: Nanos = Nanos::from_millis(1);

#[test]
fn first_media_is_at_the_server_when_a_real_stacks_is() {
    for (profile, version, ways) in
        [(Profile::WebrtcDtls12, DtlsVersion::Dtls12, 9), (Profile::WebrtcDtls13, DtlsVersion::Dtls13, 7)]
    {
        let noted = House::new(1, Promotion::of(profile), constant(), vec![(Nanos::ZERO, promote())])
            .run(jiho_analysis::units::RunTime(6_000_000_000));
        let offered = noted[LENA].at(Change::Promote, Step::Offered).unwrap();
        let ours = noted[RELAY].at(Change::Promote, Step::FirstMediaArrived).unwrap() - offered;
        for ice_lite in [true, false] {
            let theirs = Nanos::from(str0m_first_media(version, ice_lite));
            assert!((ours - theirs).0.abs() < MILLISECOND.0, "{}: {ours} and {theirs}", profile.name());
        }
        assert_eq!(ours, Nanos(ways * DELAY.0));
    }
}

struct Datagram {
    arrives: Instant,
    to: usize,
    source: SocketAddr,
    destination: SocketAddr,
    contents: Vec<u8>,
}

const CLIENT: usize = 0;
const SERVER: usize = 1;

/// From when str0m's offer leaves the client until its first media is at the server.
// str0m takes time as an argument too, and has no other way to make an instant to count from.
#[expect(clippy::disallowed_methods)]
fn str0m_first_media(version: DtlsVersion, ice_lite: bool) -> Duration {
    let start = Instant::now();
    let delay = DELAY.to_std();
    str0m::crypto::from_feature_flags().install_process_default();
    let stack = |lite| RtcConfig::new().set_dtls_version(version).set_ice_lite(lite).build(start);
    let mut peers = [stack(false), stack(ice_lite)];
    for (peer, address) in peers.iter_mut().zip([addr(3), addr(1)]) {
        peer.add_local_candidate(Candidate::host(address, "udp").unwrap());
    }
    let mut api = peers[CLIENT].sdp_api();
    let mid = api.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
    let (offer, pending) = api.apply().unwrap();
    let (mut offer, mut answer) = (Some(offer), None);
    let mut pending = Some(pending);
    let mut under_way: Vec<Datagram> = Vec::new();
    let mut now = start;
    loop {
        let mut wake = now + Duration::from_secs(1);
        let mut again = false;
        for peer in [CLIENT, SERVER] {
            let polled = poll(&mut peers, peer, now + delay, &mut under_way);
            if polled.media {
                return now - start;
            }
            if polled.connected && peer == CLIENT {
                let writer = peers[CLIENT].writer(mid).unwrap();
                let payload_type = writer.payload_params().next().unwrap().pt();
                let time = MediaTime::new(0, Frequency::FORTY_EIGHT_KHZ);
                writer.write(payload_type, now, time, vec![1; 80]).unwrap();
                again = true;
            }
            wake = wake.min(polled.wake);
        }
        if again {
            continue;
        }
        let signal = if offer.is_some() { Some(start + delay) } else { answer.as_ref().map(|_| start + 2 * delay) };
        let arrival = under_way.iter().map(|datagram| datagram.arrives).min();
        now = now.max(signal.into_iter().chain(arrival).fold(wake, Instant::min));
        assert!(now < start + Duration::from_secs(10), "no media");
        // One input at a time: str0m wants to be polled after each.
        if signal.is_some_and(|at| at <= now) {
            let peer = if let Some(offer) = offer.take() {
                answer = Some(peers[SERVER].sdp_api().accept_offer(offer).unwrap());
                SERVER
            } else {
                if let (Some(answer), Some(pending)) = (answer.take(), pending.take()) {
                    peers[CLIENT].sdp_api().accept_answer(pending, answer).unwrap();
                }
                CLIENT
            };
            peers[peer].handle_input(Input::Timeout(now)).unwrap();
        } else if let Some(index) = under_way.iter().position(|datagram| datagram.arrives <= now) {
            let Datagram { to, source, destination, contents, .. } = under_way.remove(index);
            let contents = contents.as_slice().try_into().unwrap();
            let receive = Receive { proto: Protocol::Udp, source, destination, contents };
            peers[to].handle_input(Input::Receive(now, receive)).unwrap();
        } else {
            for peer in &mut peers {
                peer.handle_input(Input::Timeout(now)).unwrap();
            }
        }
    }
}

struct Polled {
    wake: Instant,
    connected: bool,
    media: bool,
}

fn poll(peers: &mut [Rtc; 2], peer: usize, arrives: Instant, under_way: &mut Vec<Datagram>) -> Polled {
    let (mut connected, mut media) = (false, false);
    loop {
        match peers[peer].poll_output().unwrap() {
            Output::Timeout(wake) => return Polled { wake, connected, media },
            Output::Transmit(transmit) => under_way.push(Datagram {
                arrives,
                to: 1 - peer,
                source: transmit.source,
                destination: transmit.destination,
                contents: transmit.contents.to_vec(),
            }),
            Output::Event(Event::Connected) => connected = true,
            Output::Event(Event::MediaData(_)) => media = true,
            Output::Event(_) => {}
        }
    }
}
