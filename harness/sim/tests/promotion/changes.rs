//! Undisturbed changes, to the nanosecond.

use jiho_analysis::roles::{Change, Step};
use jiho_analysis::units::{Nanos, RunTime};
use jiho_proto::control::Action;
use jiho_proto::event::Event;
use jiho_proto::handshake::{Profile, Promotion};
use jiho_relay::{Hold, Serving, Through};

use crate::house::{ANA, ASKED, DELAY, House, LENA, MODERATOR, Noted, RELAY, constant, promote};

const END: RunTime = RunTime(6_000_000_000);

fn promoted(promotion: Promotion) -> Vec<Noted> {
    House::new(1, promotion, constant(), vec![(Nanos::ZERO, promote())]).run(END)
}

/// So many one-way delays.
fn ways(count: i64) -> Nanos {
    Nanos(DELAY.0 * count)
}

#[test]
fn first_media_is_at_the_relay_after_as_many_one_way_delays_as_the_profile_says() {
    for (profile, from, count) in [
        (Profile::Warm, (RELAY, Step::Granted), 2),
        (Profile::SecondTransport, (LENA, Step::FlightSent), 5),
        (Profile::WebrtcDtls12, (LENA, Step::Offered), 9),
        (Profile::WebrtcDtls13, (LENA, Step::Offered), 7),
        (Profile::TierSwitch, (LENA, Step::FlightSent), 3),
    ] {
        let noted = promoted(Promotion::of(profile));
        let (node, begin) = from;
        let begun = noted[node].at(Change::Promote, begin).unwrap();
        let arrived = noted[RELAY].at(Change::Promote, Step::FirstMediaArrived).unwrap();
        assert_eq!(arrived - begun, ways(count), "{}", profile.name());
        assert_eq!(noted[MODERATOR].count(Change::Promote, Step::Done), 1, "{}", profile.name());
    }
}

#[test]
fn a_webrtc_like_promotion_takes_its_steps_in_order_each_when_it_is_due() {
    let noted = promoted(Promotion::of(Profile::WebrtcDtls12));
    let taken = |node: usize| -> Vec<(i64, Step, String)> {
        let steps = noted[node].steps(Change::Promote).into_iter();
        steps.map(|(at, step, detail)| ((at - ASKED).0 / DELAY.0, step, detail)).collect()
    };
    let expected = |steps: &[(i64, Step, &str)]| -> Vec<(i64, Step, String)> {
        steps.iter().map(|(at, step, detail)| (*at, *step, (*detail).to_owned())).collect()
    };
    let lena = [
        (1, Step::Granted, ""),
        (1, Step::OldPathClosed, ""),
        (1, Step::Offered, ""),
        (3, Step::Answered, ""),
        (3, Step::FlightSent, "stun_request"),
        (5, Step::FlightReceived, "stun_response"),
        (5, Step::FlightSent, "client_hello"),
        (7, Step::FlightReceived, "server_hello"),
        (7, Step::FlightSent, "client_finished"),
        (9, Step::FlightReceived, "server_finished"),
        (9, Step::TransportReady, "server_finished"),
        (9, Step::FirstMediaSent, ""),
    ];
    assert_eq!(taken(LENA)[..lena.len()], expected(&lena));
    let relay = [
        (0, Step::Commanded, ""),
        (0, Step::Granted, ""),
        (0, Step::OldPathClosed, ""),
        (2, Step::Offered, ""),
        (2, Step::Answered, ""),
        (4, Step::FlightReceived, "stun_request"),
        (4, Step::FlightSent, "stun_response"),
        (6, Step::FlightReceived, "client_hello"),
        (6, Step::FlightSent, "server_hello"),
        (8, Step::FlightReceived, "client_finished"),
        (8, Step::FlightSent, "server_finished"),
        (8, Step::TransportReady, "server_finished"),
        (8, Step::FirstMediaForwarded, "lena"),
        (10, Step::FirstMediaArrived, ""),
        (10, Step::SubscriberNotified, "ana"),
        (12, Step::SubscriberAcknowledged, "ana"),
        (12, Step::Done, ""),
        (12, Step::FirstMediaForwarded, "ana"),
    ];
    assert_eq!(taken(RELAY), expected(&relay));
    let ana = [(13, Step::FirstMediaReceived, ""), (13, Step::FirstPlayed, "")];
    assert_eq!(taken(ANA), expected(&ana));
}

#[test]
fn between_the_paths_the_promoted_ear_is_silent_and_then_hears_again() {
    for profile in Profile::ALL {
        let noted = promoted(Promotion::of(profile));
        let lena = &noted[LENA];
        let granted = lena.at(Change::Promote, Step::Granted).unwrap();
        let played = lena.at(Change::Promote, Step::FirstPlayed).unwrap();
        let sample = |at: RunTime| ((at - RunTime::START).0 * 48 / 1_000_000) as usize;
        let silent = lena.0.ear[sample(granted) + 480..sample(played)].iter().all(|sample| *sample == 0.0);
        assert_eq!(silent, profile != Profile::Warm, "{}", profile.name());
        assert!(lena.0.ear[sample(played) + 1..sample(END) - 480].iter().all(|sample| *sample != 0.0));
        // Ana's hum, and from the promotion on Lena's at Ana's ear.
        let heard = noted[ANA].at(Change::Promote, Step::FirstPlayed).unwrap();
        assert!(noted[ANA].0.ear[sample(heard) - 1] == 0.0 && noted[ANA].0.ear[sample(heard) + 1] != 0.0);
    }
}

/// What an ear heard from a second after the beginning, when the first sound is long there: levels, and for how long each.
fn levels(noted: &Noted) -> Vec<(f32, usize)> {
    let mut levels: Vec<(f32, usize)> = Vec::new();
    for sample in &noted.0.ear[48_000..] {
        // 16 bits on their way.
        let level = (sample * 100.0).round() / 100.0;
        match levels.last_mut() {
            Some((last, count)) if *last == level => *count += 1,
            _ => levels.push((level, 1)),
        }
    }
    levels
}

#[test]
fn with_overlap_the_old_path_sounds_until_the_new_one_does_and_never_both() {
    let back = (Nanos::from_secs(2), Action::Demote("lena".to_owned()));
    // Whole frames later: what comes by one path ends where what comes by the other begins.
    let late = Serving::Tier { hold: Hold::DelayLine(Nanos::from_millis(240)), through: Through::Forward };
    for (profile, audience) in
        [Profile::SecondTransport, Profile::WebrtcDtls12, Profile::WebrtcDtls13, Profile::TierSwitch]
            .into_iter()
            .flat_map(|profile| [(profile, Serving::Forward), (profile, late)])
    {
        let changed = |overlap| {
            let promotion = Promotion { overlap, ..Promotion::of(profile) };
            let agenda = vec![(Nanos::ZERO, promote()), back.clone()];
            House::serving([Serving::Forward, audience], 1, promotion, constant(), agenda).run(END)
        };
        let (without, with) = (changed(false), changed(true));
        let ana = levels(&with[LENA]);
        assert!(ana.len() == 1 && ana[0].0 == 0.3, "{} {audience:?}: {ana:?}", profile.name());
        let silences = levels(&without[LENA]).into_iter().filter(|(level, _)| *level == 0.0);
        let silences: Vec<usize> = silences.map(|(_, samples)| samples).collect();
        let for_100_ms = silences.iter().filter(|samples| **samples > 4800).count();
        assert_eq!(for_100_ms, 2, "{} {audience:?}: {silences:?}", profile.name());
        for change in [Change::Promote, Change::Demote] {
            assert_eq!(with[LENA].count(change, Step::OldPathClosed), 0);
            assert_eq!(with[LENA].count(change, Step::FirstPlayed), 1);
            assert_eq!(with[MODERATOR].count(change, Step::Done), 1);
        }
    }
}

#[test]
fn a_device_that_restarts_silences_the_old_path_too() {
    let restart = Nanos::from_millis(300);
    for profile in Profile::ALL {
        let noted = promoted(Promotion { overlap: true, device_restart: restart, ..Promotion::of(profile) });
        let silences: Vec<_> = levels(&noted[LENA]).into_iter().filter(|(level, _)| *level == 0.0).collect();
        let longest = silences.iter().map(|(_, samples)| *samples).max().unwrap();
        assert!((300 * 48..370 * 48).contains(&longest), "{}: {silences:?}", profile.name());
    }
}

#[test]
fn in_a_mesh_whoever_is_promoted_is_heard_and_hears_without_the_relay() {
    let frame = Nanos::from_millis(20);
    for profile in Profile::ALL {
        let agenda = vec![(Nanos::ZERO, promote())];
        let noted = House::serving([Serving::Mesh, Serving::Forward], 1, Promotion::of(profile), constant(), agenda);
        let noted = noted.run(END);
        let at = |node: usize, step| noted[node].at(Change::Promote, step).unwrap();
        let (name, ready) = (profile.name(), at(RELAY, Step::TransportReady));
        // Both are told where to send, one way off; from there it is two ways to the other, and up to a frame.
        let hears = at(LENA, Step::FirstMediaReceived) - ready;
        assert!((ways(3)..=ways(3) + frame).contains(&hears), "{name}: {hears}");
        // In WebRTC-like profiles nothing is sent to ana before she has agreed.
        let told = if profile.negotiates() { at(RELAY, Step::SubscriberAcknowledged) } else { ready };
        let heard = at(ANA, Step::FirstMediaReceived) - told;
        assert!((ways(3)..=ways(3) + frame).contains(&heard), "{name}: {heard}");
        assert!(at(ANA, Step::FirstPlayed) > at(ANA, Step::FirstMediaReceived));
        assert_eq!(noted[RELAY].count(Change::Promote, Step::FirstMediaForwarded), 0, "{name}");
        assert_eq!(noted[MODERATOR].count(Change::Promote, Step::Done), 1, "{name}");
        let ends = |node: usize| noted[node].0.ear.last().is_some_and(|sample| *sample != 0.0);
        assert!(ends(LENA) && ends(ANA), "{name}: both hear each other to the end");
    }
}

#[test]
fn a_device_that_restarts_delays_both_mouth_and_ear_by_as_long() {
    let restart = Nanos::from_millis(300);
    for profile in Profile::ALL {
        let with = promoted(Promotion { device_restart: restart, ..Promotion::of(profile) });
        let without = promoted(Promotion::of(profile));
        let arrived = |noted: &[Noted]| noted[RELAY].at(Change::Promote, Step::FirstMediaArrived).unwrap();
        assert_eq!(arrived(&with) - arrived(&without), restart, "{}", profile.name());
        let at = |step| with[LENA].at(Change::Promote, step).unwrap();
        assert_eq!(at(Step::DeviceRestartEnded) - at(Step::DeviceRestartBegun), restart);
        assert!(at(Step::FirstPlayed) > at(Step::DeviceRestartEnded));
    }
}

#[test]
fn whoever_is_demoted_is_heard_no_more_and_hears_on_by_the_audiences_path() {
    for profile in Profile::ALL {
        let agenda = vec![(Nanos::ZERO, Action::Demote("ana".to_owned())), (Nanos::from_secs(1), promote())];
        let noted = House::new(1, Promotion::of(profile), constant(), agenda).run(END);
        let ana = &noted[ANA];
        assert_eq!(noted[MODERATOR].count(Change::Demote, Step::Done), 1, "{}", profile.name());
        let paused = ana.0.events.iter().find(|(_, event)| *event == Event::MouthPaused).unwrap().0;
        assert_eq!(paused, ASKED + DELAY);
        let sent_after = ana.0.events.iter().filter(|(at, event)| matches!(event, Event::Sent(_)) && *at > paused);
        assert_eq!(sent_after.count(), 0);
        // In the audience she hears Lena, who is promoted later.
        assert!(ana.at(Change::Promote, Step::FirstPlayed).is_some(), "{}", profile.name());
        assert!(ana.0.ear.last().is_some_and(|sample| *sample != 0.0));
        let ready = ana.at(Change::Demote, Step::TransportReady).unwrap();
        assert_eq!(ready - paused, ways(2));
    }
}

#[test]
fn a_muted_mouth_sends_nothing_and_goes_on_as_the_same_stream() {
    let ana = || "ana".to_owned();
    let agenda = vec![(Nanos::ZERO, Action::Mute(ana())), (Nanos::from_secs(1), Action::Unmute(ana()))];
    let noted = House::new(1, Promotion::default(), constant(), agenda).run(END);
    let sent: Vec<_> = noted[ANA]
        .0
        .events
        .iter()
        .filter_map(|(at, event)| match event {
            Event::Sent(sent) => Some((*at, sent.clone())),
            _ => None,
        })
        .collect();
    let pause = sent.windows(2).find(|pair| pair[1].0 - pair[0].0 > Nanos::from_millis(20)).unwrap();
    let [(muted, before), (unmuted, after)] = pause else { panic!() };
    assert!((*unmuted - *muted - Nanos::from_secs(1)).0.abs() <= 20_000_000);
    assert_eq!((before.ssrc, before.sequence.wrapping_add(1)), (after.ssrc, after.sequence));
    assert_eq!(after.captured - before.captured, *unmuted - *muted, "media time goes on");
    for (node, step) in [
        (ANA, Step::FirstMediaSent),
        (RELAY, Step::FirstMediaArrived),
        (LENA, Step::FirstMediaReceived),
        (LENA, Step::FirstPlayed),
        (MODERATOR, Step::Done),
    ] {
        assert_eq!(noted[node].count(Change::Unmute, step), 1, "{step:?}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_the_reason() {
    let name = str::to_owned;
    let agenda = vec![
        (Nanos::ZERO, Action::Promote(name("ana"))),
        (Nanos::ZERO, Action::Demote(name("lena"))),
        (Nanos::ZERO, Action::Unmute(name("ana"))),
        (Nanos::ZERO, Action::Promote(name("zoe"))),
        (Nanos::ZERO, promote()),
        (Nanos::from_millis(10), Action::Demote(name("lena"))),
    ];
    let noted = House::new(1, Promotion::of(Profile::WebrtcDtls12), constant(), agenda).run(END);
    let reasons: Vec<String> = [Change::Promote, Change::Demote, Change::Unmute]
        .into_iter()
        .flat_map(|change| noted[MODERATOR].steps(change))
        .filter(|(_, step, _)| *step == Step::Failed)
        .map(|(_, _, reason)| reason)
        .collect();
    assert_eq!(
        reasons,
        [
            "ana is on the stage already",
            "nobody named zoe is in the room",
            "lena is in the audience",
            "another change of lena's role is under way",
            "ana is not muted"
        ]
    );
}
