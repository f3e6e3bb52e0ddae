//! Over links of constant delay every delay is known to the nanosecond before it is measured.

use std::collections::BTreeMap;
use std::fmt::Write;

use proptest::prelude::*;

use crate::room::{Ran, simulated};
use crate::truth::{OPUS_LOOKAHEAD_NS, constant_delay_ns, mouth_start_ns};

const L16: &str = "codec.l16 = {}";
const OPUS: &str = "codec.opus = { bitrate_bps = 32000, application = \"voip\" }";

/// How far a measured delay may be from the truth.
const PCM_BOUND_NS: i64 = 20_000;
const OPUS_BOUND_NS: i64 = 100_000;

/// A room in which everybody has a link and a jitter buffer of their own.
#[derive(Clone, Debug)]
struct Room {
    codec: &'static str,
    family: &'static str,
    seed: u32,
    together: bool,
    seconds: u32,
    members: Vec<Member>,
}

#[derive(Clone, Debug)]
struct Member {
    name: &'static str,
    speaks: bool,
    up_ns: i64,
    down_ns: i64,
    playout_ns: i64,
}

const fn member(name: &'static str, speaks: bool, up_ns: i64, down_ns: i64, playout_ns: i64) -> Member {
    Member { name, speaks, up_ns, down_ns, playout_ns }
}

const ANA: Member = member("ana", true, 15_000_001, 12_345_678, 40_000_000);
const BEN: Member = member("ben", true, 3_999_999, 27_181_828, 40_000_000);
const LENA: Member = member("lena", false, 0, 31_415_926, 60_000_000);
const MEI: Member = member("mei", false, 50_000_000, 1_010_101, 33_333_333);

impl Room {
    fn of(codec: &'static str, members: &[Member]) -> Self {
        Self { codec, family: "voiced", seed: 1, together: true, seconds: 20, members: members.to_vec() }
    }

    fn experiment(&self) -> String {
        let Self { codec, family, seed, together, seconds, members } = self;
        let mut text = format!(
            "name = \"constant\"\n[run]\nduration = \"{seconds}s\"\nseed = {seed}\n\
             [signal.{family}]\ntogether = {together}\n[media]\n{codec}\n"
        );
        let millis = |ns: &i64| format!("\"{}.{:06}ms\"", ns / 1_000_000, ns % 1_000_000);
        for Member { name, speaks, up_ns, down_ns, playout_ns } in members {
            let part = if *speaks { "speaker" } else { "listener" };
            let (up, down, playout) = (millis(up_ns), millis(down_ns), millis(playout_ns));
            write!(
                text,
                "[link.{name}]\nup.delay = {up}\ndown.delay = {down}\n\
                 [[{part}]]\nname = \"{name}\"\nlink = \"{name}\"\nplayout.fixed = {playout}\n"
            )
            .unwrap();
        }
        text
    }

    /// Runs it and gives the errors of all delays, by speaker, recorder and beep, in ns.
    ///
    /// # Panics
    /// Something is missing, or something is there that nobody sent.
    fn errors(&self) -> BTreeMap<(String, String, u32), i64> {
        let ran = simulated(&self.experiment());
        let truth = self.truth(&ran);
        let beeps = self.seconds as usize;
        let delays = ran.delays();
        assert_eq!(delays.len(), truth.len() * beeps);
        let errors: BTreeMap<_, _> = delays
            .into_iter()
            .map(|row| {
                assert_eq!((row.status.as_str(), row.reason.as_deref()), ("heard", None), "{row:?}");
                let expected = truth[&(row.speaker.clone(), row.recorder.clone())];
                ((row.speaker, row.recorder, row.beep), row.delay_ns.unwrap() - expected)
            })
            .collect();
        assert_eq!(errors.len(), truth.len() * beeps, "one row for each beep at each recorder");
        self.assert_nothing_extra(&ran, &errors);
        errors
    }

    /// The delay of each pair.
    fn truth(&self, ran: &Ran) -> BTreeMap<(String, String), i64> {
        let packets = ran.packets();
        let codec_ns = if self.codec == OPUS { OPUS_LOOKAHEAD_NS } else { 0 };
        let speakers = self.members.iter().filter(|m| m.speaks);
        let pairs = speakers.flat_map(|s| self.members.iter().filter(|l| l.name != s.name).map(move |l| (s, l)));
        pairs
            .map(|(speaker, listener)| {
                let mouth = mouth_start_ns(&packets, speaker.name);
                let ear = ran.sidecar(listener.name).start_ns;
                let path = speaker.up_ns + listener.down_ns;
                let delay = constant_delay_ns(mouth, ear, path, listener.playout_ns) + codec_ns;
                ((speaker.name.to_owned(), listener.name.to_owned()), delay)
            })
            .collect()
    }

    fn assert_nothing_extra(&self, ran: &Ran, sent: &BTreeMap<(String, String, u32), i64>) {
        let arrivals = ran.arrivals();
        assert_eq!(arrivals.len(), sent.len(), "no echoes, no strangers");
        for arrival in arrivals {
            assert_eq!(arrival.rank, 1, "{arrival:?}");
            let key = (arrival.speaker.unwrap(), arrival.recorder, arrival.beep.unwrap());
            assert!(sent.contains_key(&key), "{key:?} is nothing that was sent to be heard there");
        }
    }
}

fn assert_within(room: &Room, bound_ns: i64) {
    let errors = room.errors();
    let ((speaker, recorder, beep), worst) = errors.iter().max_by_key(|(_, error)| error.abs()).unwrap();
    eprintln!("{} beeps, worst error {worst:+} ns", errors.len());
    assert!(worst.abs() <= bound_ns, "{speaker} at {recorder}, beep {beep}: {worst} ns off\n{room:?}");
}

#[test]
fn delays_of_pcm_are_true_to_a_fiftieth_of_a_millisecond() {
    assert_within(&Room::of(L16, &[ANA, BEN, LENA, MEI]), PCM_BOUND_NS);
}

#[test]
fn delays_of_opus_are_true_to_a_tenth_of_a_millisecond_beyond_its_look_ahead() {
    assert_within(&Room::of(OPUS, &[ANA, BEN, LENA, MEI]), OPUS_BOUND_NS);
}

#[test]
fn delays_are_as_true_with_noise_and_with_longer_beeps() {
    for family in ["noise", "voiced_robust", "noise_robust"] {
        for (codec, bound_ns) in [(L16, PCM_BOUND_NS), (OPUS, OPUS_BOUND_NS)] {
            assert_within(&Room { family, seconds: 8, ..Room::of(codec, &[ANA, BEN, LENA]) }, bound_ns);
        }
    }
}

#[test]
fn speakers_at_the_same_instant_do_not_disturb_each_other() {
    for (codec, bound_ns) in [(L16, PCM_BOUND_NS), (OPUS, OPUS_BOUND_NS)] {
        let together = Room::of(codec, &[ANA, BEN, LENA, MEI]);
        // Equal ways let the beeps overlap entirely.
        let level = |m: Member| Member { up_ns: 10_000_000, down_ns: 10_000_000, ..m };
        assert_within(
            &Room { members: together.members.clone().into_iter().map(level).collect(), ..together.clone() },
            bound_ns,
        );
        assert_within(&Room { together: false, ..together.clone() }, bound_ns);
        for alone in [ANA, BEN] {
            assert_within(&Room::of(codec, &[alone, LENA, MEI]), bound_ns);
        }
    }
}

#[test]
fn eight_speakers_at_the_same_instant_are_told_apart() {
    let names = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"];
    let mut members: Vec<Member> = (0i64..)
        .zip(names)
        .map(|(n, name)| member(name, true, 1_234_567 * n, 9_876_543 - n * 765_432, 40_000_000))
        .collect();
    members.push(LENA);
    let room = Room { seconds: 6, ..Room::of(L16, &members) };
    assert_within(&room, PCM_BOUND_NS);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(12) })]
    #[test]
    fn any_fractional_delays_are_measured(
        ways in prop::array::uniform4((0i64..90_000_000, 0i64..90_000_000, 20_000_000i64..80_000_000)),
        seed: u32, together: bool, opus: bool,
    ) {
        let members: Vec<Member> = [ANA, BEN, LENA, MEI]
            .into_iter()
            .zip(ways)
            .map(|(m, (up_ns, down_ns, playout_ns))| Member { up_ns, down_ns, playout_ns, ..m })
            .collect();
        let (codec, bound_ns) = if opus { (OPUS, OPUS_BOUND_NS) } else { (L16, PCM_BOUND_NS) };
        assert_within(&Room { seed, together, seconds: 6, ..Room::of(codec, &members) }, bound_ns);
    }
}
