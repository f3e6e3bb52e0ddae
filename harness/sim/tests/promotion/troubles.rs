//! Changes on bad networks, and with relays that die.

use std::net::SocketAddr;

use jiho_analysis::arrivals::Role;
use jiho_analysis::roles::{Change, Step};
use jiho_analysis::units::{Nanos, RunTime};
use jiho_proto::control::{Join, Message};
use jiho_proto::engine::{Engine, Input, Output, PeerId};
use jiho_proto::event::Event;
use jiho_proto::handshake::{Exchange, Profile, Promotion, Retransmit};
use jiho_proto::link::{Direction, Jitter, Loss};
use jiho_proto::wire::{Kind, classify, flight};

use crate::house::{ASKED, DELAY, House, LENA, MODERATOR, RELAY, constant, promote};

/// One side of a handshake against the other, over a link that delays by [`DELAY`] and loses flights by number and
/// attempt; gives when the client was ready.
fn handshake(promotion: &Promotion, lost: impl Fn(u8, u32) -> bool) -> Option<RunTime> {
    use jiho_proto::handshake::Side;
    let mut sides = [Exchange::new(7, Side::Client, promotion), Exchange::new(7, Side::Server, promotion)];
    let mut under_way: Vec<(RunTime, usize, Vec<u8>)> = Vec::new();
    let mut attempts = [0; 16];
    let mut acts = Vec::new();
    let mut now = RunTime::START;
    sides[1].begin(now, &mut acts);
    sides[0].begin(now, &mut acts);
    let mut from = 0;
    loop {
        for act in acts.drain(..) {
            if act.step == Step::Failed {
                return None;
            }
            if let Some(repr) = act.send {
                let attempt = &mut attempts[usize::from(repr.flight)];
                *attempt += 1;
                if !lost(repr.flight, *attempt) {
                    let mut bytes = Vec::new();
                    repr.emit(&mut bytes);
                    assert_eq!(classify(&bytes), Kind::Flight);
                    under_way.push((now + DELAY, 1 - from, bytes));
                }
            }
        }
        if sides.iter().all(Exchange::is_ready) {
            return Some(now);
        }
        let arrival = under_way.iter().map(|(at, ..)| *at).min();
        let timer = sides.iter().filter_map(Exchange::wake_at).min();
        now = arrival.into_iter().chain(timer).min()?;
        if let Some(index) = under_way.iter().position(|(at, ..)| *at == now) {
            let (_, to, bytes) = under_way.remove(index);
            sides[to].packet(now, &flight::Packet::new_checked(&bytes).unwrap(), &mut acts);
            from = to;
        } else {
            from = usize::from(sides[0].wake_at() != Some(now));
            sides[from].timer(now, &mut acts);
        }
    }
}

#[test]
fn a_lost_flight_lengthens_a_handshake_by_its_documented_timer() {
    for profile in [Profile::SecondTransport, Profile::WebrtcDtls12, Profile::WebrtcDtls13, Profile::TierSwitch] {
        let promotion = Promotion::of(profile);
        let undisturbed = handshake(&promotion, |_, _| false).unwrap();
        for (number, flight) in Exchange::flights(profile).iter().enumerate() {
            let disturbed = handshake(&promotion, |of, attempt| usize::from(of) == number && attempt == 1);
            let longer = disturbed.unwrap() - undisturbed;
            let timer = match flight.name {
                // Either side's own timer, or that of whoever waits for the answer.
                "client_hello" | "server_hello" | "client_finished" | "server_finished" => promotion.retransmit.dtls,
                // Media does not wait for it.
                "ack" => Nanos::ZERO,
                _ => promotion.retransmit.stun,
            };
            assert_eq!(longer, timer, "{} without {}", profile.name(), flight.name);
        }
    }
}

#[test]
fn each_further_loss_waits_twice_as_long() {
    let promotion = Promotion::of(Profile::WebrtcDtls12);
    let undisturbed = handshake(&promotion, |_, _| false).unwrap();
    for losses in 1..=4 {
        let disturbed = handshake(&promotion, |flight, attempt| flight == 2 && attempt <= losses).unwrap();
        assert_eq!(disturbed - undisturbed, Nanos::from_secs((1 << losses) - 1));
    }
    assert_eq!(handshake(&promotion, |flight, _| flight == 2), None, "it is given up");
}

#[test]
fn promotions_through_loss_and_jitter_complete() {
    let bad = Direction {
        delay: DELAY,
        jitter: Jitter::Normal { sd: Nanos::from_millis(10) },
        loss: Loss::Independent(0.2),
        ..Direction::default()
    };
    let mut retransmitted = 0;
    for seed in 0..20 {
        for profile in Profile::ALL {
            let house = House::new(seed, Promotion::of(profile), bad.clone(), vec![(Nanos::ZERO, promote())]);
            let noted = house.run(RunTime(30_000_000_000));
            assert_eq!(noted[MODERATOR].count(Change::Promote, Step::Done), 1, "{} seed {seed}", profile.name());
            assert!(noted[LENA].at(Change::Promote, Step::FirstPlayed).is_some());
            retransmitted += noted[LENA].count(Change::Promote, Step::FlightRetransmitted);
        }
    }
    assert!(retransmitted > 20, "{retransmitted}");
}

#[test]
fn timers_can_be_set() {
    let retransmit = Retransmit { stun: Nanos::from_millis(100), dtls: Nanos::from_millis(50) };
    let promotion = Promotion { retransmit, ..Promotion::of(Profile::WebrtcDtls13) };
    let undisturbed = handshake(&Promotion::of(Profile::WebrtcDtls13), |_, _| false).unwrap();
    let disturbed = handshake(&promotion, |flight, attempt| flight == 0 && attempt == 1).unwrap();
    assert_eq!(disturbed - undisturbed, retransmit.stun);
}

#[test]
fn a_relay_that_dies_in_the_middle_is_an_error_and_what_was_heard_is_kept() {
    let mut house = House::new(1, Promotion::of(Profile::WebrtcDtls12), constant(), vec![(Nanos::ZERO, promote())]);
    house.world.stop_at(house.relay, ASKED + Nanos(5 * DELAY.0));
    let lena_node = house.lena;
    house.world.run_until(RunTime(4_000_000_000)).unwrap();
    assert!(house.world.is_done(lena_node));
    let noted = house.run(RunTime(4_000_000_000));
    let (_, _, reason) = noted[LENA].steps(Change::Promote).pop().unwrap();
    assert!(reason.contains("the connection to the relay is gone"), "{reason}");
    assert!(noted[LENA].0.events.iter().any(|(_, event)| matches!(event, Event::Failed { .. })));
    assert!(noted[LENA].0.ear.len() > 96_000);
    for node in [RELAY, LENA, MODERATOR] {
        assert_eq!(noted[node].count(Change::Promote, Step::Failed), 1, "{node}");
    }
}

/// Asks for a seat with a token of its own, and sends packets all the while.
struct Intruder {
    token: &'static str,
    relay: SocketAddr,
    packet: Vec<u8>,
    next: RunTime,
    sends: bool,
    asks: bool,
}

impl Engine for Intruder {
    fn handle(&mut self, now: RunTime, input: Input<'_>) {
        match input {
            Input::Start => self.asks = true,
            Input::Timer => {
                self.sends = true;
                self.next = now + Nanos::from_millis(20);
            }
            _ => {}
        }
    }

    fn poll_output(&mut self) -> Output<'_> {
        if std::mem::take(&mut self.asks) {
            let join = Join {
                name: "eve".to_owned(),
                role: Role::Speaker,
                token: self.token.to_owned(),
                media: crate::house::addr(9),
                subscribe: None,
                sealed: false,
            };
            return Output::Control { peer: PeerId::RELAY, message: Message::Join(join) };
        }
        if std::mem::take(&mut self.sends) {
            return Output::Send { to: self.relay, data: &self.packet };
        }
        Output::Wait(Some(self.next))
    }
}

#[test]
fn whoever_has_no_valid_token_is_refused_and_logged_and_reaches_nobody() {
    use crate::house::{Notebook, TOKEN, addr};
    use jiho_proto::codec::CodecConfig;
    use jiho_proto::link::Link;
    use jiho_proto::wire::rtp;
    use jiho_relay::{Relay, RelayConfig};
    use jiho_sim::World;

    let expires = RunTime(1_000_000_000);
    for (token, joins_at, says) in [
        ("wrong", RunTime::START, "not the room's"),
        ("", RunTime::START, "not the room's"),
        (TOKEN, expires, "expired"),
    ] {
        let mut world = World::new(1);
        let config = RelayConfig {
            token_expires: Some(expires),
            ..RelayConfig::forwarding(addr(1), TOKEN.to_owned(), CodecConfig::L16)
        };
        let (at_relay, at_lena) = (Notebook::default(), Notebook::default());
        let relay = world.add_node(addr(1), Box::new(Relay::new(config)), Box::new(at_relay.clone()), Link::default());
        let lena = crate::house::listener();
        let lena = world.add_node(addr(3), lena, Box::new(at_lena.clone()), Link::default());
        let mut packet = Vec::new();
        let payload = [1; 1920];
        let repr = rtp::Repr { marker: true, payload_type: 96, sequence: 1, timestamp: 1, ssrc: 9, payload: &payload };
        repr.emit(&mut packet);
        let eve = Intruder { token, relay: addr(1), packet, next: RunTime(500_000_000), sends: false, asks: false };
        let eve = world.add_node(addr(9), Box::new(eve), Box::new(Notebook::default()), Link::default());
        world.start_at(relay, RunTime::START);
        for (client, at) in [(lena, RunTime::START), (eve, joins_at)] {
            world.connect(client, relay);
            world.start_at(client, at);
        }
        world.run_until(RunTime(3_000_000_000)).unwrap();
        let refusal = at_relay.take().events.into_iter().find_map(|(_, event)| match event {
            Event::Refused { name, reason } => Some((name, reason)),
            _ => None,
        });
        let (name, reason) = refusal.unwrap();
        assert!(name == "eve" && reason.contains(says), "{name}: {reason}");
        let at_lena = at_lena.take();
        assert!(at_lena.ear.len() > 100_000 && at_lena.ear.iter().all(|sample| *sample == 0.0));
        assert!(!at_lena.events.iter().any(|(_, event)| matches!(event, Event::Talker { .. } | Event::Playout(_))));
    }
}
