//! Endpoints as they are, on a Mumble server.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiho_analysis::arrivals::Role;
use jiho_analysis::units::{MediaTime, Nanos, RunTime, SampleClock};
use jiho_drivers::clock::RunClock;
use jiho_drivers::media::MediaThread;
use jiho_drivers::mumble::{Connection, connect};
use jiho_drivers::udp::Socket;
use jiho_proto::card::SoundCard;
use jiho_proto::codec::CodecConfig;
use jiho_proto::control::{Joined, Message, Route};
use jiho_proto::endpoint::{Endpoint, EndpointConfig, MouthConfig};
use jiho_proto::engine::{Engine, Input, Output, PeerId};
use jiho_proto::event::{Event, PlayoutAction};
use jiho_proto::mumble::Mumble;
use jiho_proto::mumble::crypt::Keys;
use jiho_proto::playout::PlayoutPolicy;
use jiho_proto::records::{KeepError, Records};
use jiho_proto::speaker::Mouth;
use tokio::time::sleep;

use crate::support::{PASSWORD, PATIENCE, Server};

const FIRST_SEQUENCE: u16 = 9;
const FIRST_TIMESTAMP: u32 = u32::MAX - 48_000;

/// An endpoint that is let in as soon as it asks to be.
struct LetIn {
    endpoint: Endpoint,
    joined: Joined,
}

impl Engine for LetIn {
    fn handle(&mut self, now: RunTime, input: Input<'_>) {
        let starts = matches!(input, Input::Start);
        self.endpoint.handle(now, input);
        if starts {
            let media = self.joined.media;
            let route = Route { send_to: vec![media], hear_from: vec![media] };
            for message in [Message::Joined(self.joined.clone()), Message::Route(route)] {
                self.endpoint.handle(now, Input::Control { peer: PeerId::RELAY, message: &message });
            }
        }
    }

    fn poll_output(&mut self) -> Output<'_> {
        self.endpoint.poll_output()
    }
}

struct Tone;

impl Mouth for Tone {
    fn fill(&mut self, _: &SampleClock, first: MediaTime, out: &mut [f32]) {
        out.iter_mut().zip(first.0..).for_each(|(sample, n)| *sample = 0.3 * (n as f32 * 0.0576).sin());
    }
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<(Vec<f32>, Vec<Event>)>>);

impl Records for Kept {
    fn ear(&mut self, _: MediaTime, samples: &[f32]) -> Result<(), KeepError> {
        self.0.lock().unwrap().0.extend_from_slice(samples);
        Ok(())
    }

    fn event(&mut self, _: RunTime, event: Event) -> Result<(), KeepError> {
        self.0.lock().unwrap().1.push(event);
        Ok(())
    }
}

fn start(connection: &Connection, keys: &Keys, mouth: Option<Box<dyn Mouth>>, records: Kept) -> MediaThread {
    let socket = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let codec = CodecConfig::default();
    let config = EndpointConfig {
        name: "somebody".to_owned(),
        role: if mouth.is_some() { Role::Speaker } else { Role::Listener },
        token: String::new(),
        media: socket.local_addr(),
        codec,
        playout: PlayoutPolicy::Fixed { delay: Nanos::from_millis(200) },
        subscribe: None,
        seal: None,
        card: SoundCard::default(),
        ear_phase: Nanos::ZERO,
        mouth: mouth.map(|mouth| MouthConfig {
            ssrc: 4711,
            first_sequence: FIRST_SEQUENCE,
            first_timestamp: FIRST_TIMESTAMP,
            phase: Nanos::from_millis(500),
            mouth,
        }),
        drop_probe: None,
    };
    let joined = Joined { media: connection.server, payload_type: codec.payload_type(), sdp: String::new() };
    let endpoint = LetIn { endpoint: Endpoint::new(config).unwrap(), joined };
    let engine = Mumble::new(endpoint, keys, connection.server, codec.payload_type()).on_line(connection.line.clone());
    let (clock, control) = (RunClock::start(), connection.control(socket.waker()));
    MediaThread::spawn("client", Box::new(engine), socket, clock, control, Box::new(records)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_hears_another_through_the_server() {
    let Some(server) = Server::start() else { return };
    let ana = connect(&server.address, "ana", Some(PASSWORD), PATIENCE).await.unwrap();
    let ben = connect(&server.address, "ben", Some(PASSWORD), PATIENCE).await.unwrap();
    let (kept, hers) = (Kept::default(), Kept::default());
    let listener = start(&ben, &ben.keys, None, kept.clone());
    let speaker = start(&ana, &ana.keys, Some(Box::new(Tone)), hers.clone());
    sleep(Duration::from_secs(3)).await;
    speaker.stop();
    assert!(speaker.join().outcome.is_ok());
    // What is under way still arrives.
    sleep(Duration::from_millis(500)).await;
    listener.stop();
    assert!(listener.join().outcome.is_ok());

    let sent = hers.0.lock().unwrap().1.iter().filter(|event| matches!(event, Event::Sent(_))).count();
    let (ear, events) = std::mem::take(&mut *kept.0.lock().unwrap());
    let played: Vec<(u32, u16, u32)> = events
        .iter()
        .filter_map(|event| match event {
            Event::Playout(playout) if playout.action != PlayoutAction::Concealed => {
                Some((playout.ssrc, playout.sequence, playout.rtp_timestamp))
            }
            _ => None,
        })
        .collect();
    assert!(sent > 50, "{sent} packets in 2.5 s");
    assert_eq!(played.len(), sent, "all came");
    // Her timestamps, to a whole unit, go on over their wrap.
    let first = FIRST_TIMESTAMP / 480;
    let expected: Vec<(u32, u16, u32)> = (0..sent as u32)
        .map(|n| (ana.session, ((first + 2 * n) / 2) as u16, (first + 2 * n).wrapping_mul(480)))
        .collect();
    assert_eq!(played, expected);
    let talkers: Vec<&Event> = events.iter().filter(|event| matches!(event, Event::Talker { .. })).collect();
    assert_eq!(talkers, [&Event::Talker { name: "ana".to_owned(), ssrc: ana.session }], "and not himself");
    let power = ear.iter().map(|sample| sample * sample).sum::<f32>() / ear.len() as f32;
    assert!(power > 0.01, "the ear played next to nothing: power {power}");

    let (ours, theirs) = (ana.line.traffic(), ben.line.traffic());
    assert_eq!((ours.sent, ours.unsendable, ben.tunnelled()), (sent as u64, 0, 0));
    assert_eq!((theirs.undecrypted, theirs.malformed, theirs.received.lost), (0, 0, 0));
    assert!(ours.pings_answered >= 1 && theirs.pings_answered >= 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_is_told_when_the_server_is_gone() {
    let Some(server) = Server::start() else { return };
    let ana = connect(&server.address, "ana", Some(PASSWORD), PATIENCE).await.unwrap();
    let kept = Kept::default();
    let client = start(&ana, &ana.keys, None, kept.clone());
    drop(server);
    let until = Instant::now() + PATIENCE;
    while !client.is_finished() && Instant::now() < until {
        sleep(Duration::from_millis(50)).await;
    }
    client.stop();
    assert!(client.join().outcome.is_ok());
    let gone = |event: &Event| matches!(event, Event::Failed { reason } if reason.contains("relay is gone: "));
    assert!(kept.0.lock().unwrap().1.iter().any(gone));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_lost_the_servers_nonce_gets_it_anew() {
    let Some(server) = Server::start() else { return };
    let ana = connect(&server.address, "ana", Some(PASSWORD), PATIENCE).await.unwrap();
    let mut keys = ana.keys.clone();
    keys.server_nonce = [0; 16];
    let client = start(&ana, &keys, None, Kept::default());
    let until = Instant::now() + 3 * PATIENCE;
    while ana.line.traffic().pings_answered == 0 && Instant::now() < until {
        sleep(Duration::from_millis(100)).await;
    }
    let traffic = ana.line.traffic();
    client.stop();
    assert!(client.join().outcome.is_ok());
    assert_eq!((traffic.pings_answered, traffic.resyncs), (1, 1));
    assert!(traffic.undecrypted >= 2, "pings that came before: {}", traffic.undecrypted);
}
