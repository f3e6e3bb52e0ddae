//! The experiment's file as a whole. What its messages look like is in `tests/cmd/check-invalid.trycmd`.

use std::path::Path;

use jiho_analysis::signal::{Cadence, Family};
use jiho_analysis::units::{Nanos, RunTime};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::*;

const SMALLEST: &str = "[[speaker]]\nname = 'ana'\n[[listener]]\nname = 'lena'\n";

fn parse(text: &str) -> Result<Experiment, Invalid> {
    Experiment::parse(text, Path::new("file.toml"))
}

fn first_message(text: &str) -> String {
    parse(text).unwrap_err().problems[0].message.clone()
}

#[test]
fn one_speaker_and_one_listener_are_enough() {
    let experiment = parse(SMALLEST).unwrap();
    assert_eq!(experiment.name, "file");
    assert_eq!(experiment.run, Run::default());
    assert_eq!(experiment.links, BTreeMap::from([("default".to_owned(), Link::default())]));
    assert_eq!(experiment.speakers[0].playout, Playout::Fixed(Nanos::from_millis(40)));
    assert_eq!(experiment.programmes(RunTime::START)[0].emissions().len(), 20);
}

#[test]
fn the_template_shows_the_defaults() {
    let experiment = parse(TEMPLATE).unwrap();
    let defaults = parse(SMALLEST).unwrap();
    assert_eq!(experiment.run, defaults.run);
    assert_eq!(experiment.signal, defaults.signal);
    assert_eq!(experiment.media, defaults.media);
    assert_eq!(experiment.speakers[0].playout, defaults.speakers[0].playout);
    assert_eq!((experiment.speakers.len(), experiment.listeners.len()), (2, 3));
}

#[test]
fn a_link_s_direction_overrides_single_values() {
    let links = "[link.a]\ndelay = '10ms'\nloss = '1%'\njitter.normal = '2ms'\ndown.delay = '30ms'\nup.loss = '0%'\n";
    let link = &parse(&format!("{links}{SMALLEST}")).unwrap().links["a"];
    assert_eq!((link.up.delay, link.down.delay), (Nanos::from_millis(10), Nanos::from_millis(30)));
    assert_eq!((link.up.loss.fraction(), link.down.loss.fraction()), (0.0, 0.01));
    assert_eq!(link.up.jitter, link.down.jitter);
}

#[test]
fn codes_that_nobody_asked_for_are_given_in_order() {
    let speakers = ["name = 'a'", "name = 'b'\ncode = 0", "name = 'c'\ncode = 63", "name = 'd'"];
    let text: String = speakers.map(|speaker| format!("[[speaker]]\n{speaker}\n")).concat();
    let codes = parse(&text).unwrap().speakers.into_iter().map(|s| s.code.number());
    assert_eq!(codes.collect::<Vec<_>>(), [1, 0, 63, 2]);
}

#[test]
fn there_are_as_many_speakers_as_codes_at_most() {
    let speakers = |n| (0..n).map(|n| format!("[[speaker]]\nname = 's{n}'\n")).collect::<String>();
    assert_eq!(parse(&speakers(64)).unwrap().speakers.len(), 64);
    let problem = &parse(&speakers(65)).unwrap_err().problems[0];
    assert_eq!(problem.spot.as_ref().unwrap().line, 2 * 64 + 1);
}

#[test]
fn speakers_who_take_turns_need_time_for_each() {
    let text = |duration: &str| {
        let speakers = "[[speaker]]\nname = 'a'\n[[speaker]]\nname = 'b'\n";
        format!("[run]\nduration = '{duration}'\n[signal.jiho]\n{speakers}")
    };
    let beeps = parse(&text("16s")).unwrap().programmes(RunTime::START);
    assert!(beeps.iter().all(|programme| programme.emissions().len() == 1));
    assert!(first_message(&text("15s")).contains("no time for one beep of each speaker"));
}

#[test]
fn a_run_is_no_longer_than_its_recordings_can_be() {
    let text = |duration: &str| format!("[run]\nwarmup = '1s'\nduration = '{duration}'\ndrain = '1s'\n{SMALLEST}");
    assert_eq!(parse(&text("11h59m58s")).unwrap().run.total(), LONGEST);
    let problem = &parse(&text("11h59m58s1ns")).unwrap_err().problems[0];
    assert!(problem.message.contains("a WAV file ends at 4 GiB"), "{problem:?}");
    assert_eq!(problem.spot.as_ref().unwrap().line, 3);
    // What the recorder writes: 16 bits at 48 kHz, behind a header.
    assert!(LONGEST.as_secs_f64() * 48_000.0 * 2.0 + 100.0 < f64::from(u32::MAX));
}

#[test]
fn every_family_of_time_signals_can_be_chosen_by_its_name() {
    for family in Family::ALL.into_iter().chain([Family::Pilot]) {
        let experiment = parse(&format!("[signal.{family}]\n{SMALLEST}")).unwrap();
        assert_eq!(experiment.signal, Signal::of(family));
        assert_eq!(Rhythm::from(&experiment.signal).family, family);
    }
}

#[test]
fn beeps_have_to_fit_into_their_period() {
    for (signal, key, message) in [
        ("voiced_robust", "period = '500ms'", "beeps of 700ms do not fit into 500ms"),
        ("noise", "period = '300ms'", "beeps of 500ms do not fit into 300ms"),
        ("bbc", "cycle = '5s'", "beeps of 5500ms do not fit into 5s"),
    ] {
        assert_eq!(first_message(&format!("[signal.{signal}]\n{key}\n{SMALLEST}")), message);
    }
}

#[test]
fn an_experiment_is_named_by_its_file_where_that_is_possible() {
    for (file, name) in [("runs/take 1.toml", "take-1"), ("", "experiment"), ("時報.toml", "--")] {
        assert_eq!(Experiment::parse(SMALLEST, Path::new(file)).unwrap().name, name);
    }
}

#[test]
fn a_playout_policy_is_filled_in_and_can_be_another_for_each() {
    let text = "[playout]\nadaptive = { min = '30ms' }\n[[speaker]]\nname = 'ana'\n\
                [[listener]]\nname = 'lena'\nplayout.buffers = {}\n";
    let experiment = parse(text).unwrap();
    let adaptive = Adaptive { min: Nanos::from_millis(30), ..Adaptive::default() };
    assert_eq!(experiment.speakers[0].playout, Playout::Adaptive(adaptive));
    assert_eq!(experiment.listeners[0].playout, Playout::Buffers(Buffers::default()));
}

#[test]
fn a_playout_policy_that_cannot_be_is_pointed_at() {
    for (policy, line, column, says) in [
        ("adaptive = { quantile = '20%' }", 2, 25, "20% is no share"),
        ("adaptive = { min = '1s' }", 2, 20, "more than `max`"),
        ("adaptive = { start = '1s' }", 2, 22, "not between `min` and `max`"),
        ("adaptive = { max = '5s' }", 2, 20, "no greatest delay"),
        ("buffers = { error_rate = '0%' }", 2, 26, "put up with"),
        ("buffers = { max = '1ms' }", 2, 19, "no largest buffer"),
    ] {
        // A run that is too short for so long a delay is a problem of the file as a whole.
        let problems = parse(&format!("[playout]\n{policy}\n{SMALLEST}")).unwrap_err().problems;
        let (problem, spot) = problems.iter().find_map(|p| Some((p, p.spot.as_ref()?))).unwrap();
        assert_eq!((spot.line, spot.column), (line, column), "{policy}");
        assert!(problem.message.contains(says), "{policy}: {}", problem.message);
    }
    let own = format!("{SMALLEST}playout.adaptive.min = '1s'\n");
    assert_eq!(parse(&own).unwrap_err().problems[0].spot.as_ref().unwrap().line, 5);
}

fn nanos(most_ms: i64) -> impl Strategy<Value = Nanos> + Clone {
    (0..=most_ms * 1_000_000).prop_map(Nanos)
}

fn playout() -> impl Strategy<Value = Playout> {
    let adaptive = (50..999u32, nanos(400), nanos(600)).prop_map(|(permille, min, more)| {
        let (quantile, max) = (Percent::of(f64::from(permille.max(500)) / 1000.0), min + more + Nanos::from_millis(20));
        Playout::Adaptive(Adaptive { quantile, min, max, start: Nanos((min.0 + max.0) / 2) })
    });
    let buffers = (nanos(1000), 1..500u32).prop_map(|(more, permille)| {
        let (start, error_rate) = (Nanos::from_millis(10), Percent::of(f64::from(permille) / 1000.0));
        Playout::Buffers(Buffers { max: start + more, start, error_rate })
    });
    prop_oneof![nanos(500).prop_map(Playout::Fixed), adaptive, buffers]
}

fn direction() -> impl Strategy<Value = Direction> {
    let jitter = prop_oneof![nanos(50).prop_map(Jitter::Normal), nanos(50).prop_map(Jitter::Uniform)];
    let loss = (0.0..=100.0f64).prop_map(|percent| Percent::parse(&format!("{percent}%")).unwrap());
    (nanos(500), loss, option::of(jitter)).prop_map(|(delay, loss, jitter)| Direction { delay, loss, jitter })
}

fn signal() -> impl Strategy<Value = Signal> {
    let cadence = prop_oneof![Just(Cadence::Every), Just(Cadence::Jiho)];
    let coded = (nanos(1000), nanos(5000), any::<bool>(), cadence).prop_map(|(spread, more, together, cadence)| {
        CodedSignal { cadence, period: Nanos::from_millis(400) + spread + more, spread, together }
    });
    let tones = (6..60i64).prop_map(|cycle| TonesSignal { cycle: Nanos::from_secs(cycle) });
    prop_oneof![
        coded.clone().prop_map(Signal::Voiced),
        coded.clone().prop_map(Signal::VoicedRobust),
        coded.clone().prop_map(Signal::Noise),
        coded.prop_map(Signal::NoiseRobust),
        tones.clone().prop_map(Signal::Jiho),
        tones.prop_map(Signal::Bbc),
    ]
}

fn codec() -> impl Strategy<Value = Codec> {
    let application = prop_oneof![Just(Application::Voip), Just(Application::Audio), Just(Application::LowDelay)];
    let opus = (6_000..=510_000u32, application, any::<bool>(), any::<bool>(), 0..=100u8).prop_map(
        |(bitrate_bps, application, dtx, fec, expected_loss_percent)| {
            Codec::Opus(Opus { bitrate_bps, application, dtx, fec, expected_loss_percent })
        },
    );
    prop_oneof![opus, Just(Codec::L16 {})]
}

fn architecture() -> impl Strategy<Value = Architecture> {
    prop_oneof![Just(Architecture::Mesh {}), Just(Architecture::Forward {})]
}

prop_compose! {
    fn experiment()(
        name in "[a-zA-Z0-9_-]{1,32}",
        seed in any::<u32>(),
        signal in signal(),
        codec in codec(),
        mut links in btree_map("[ -~é\t]{1,12}", (direction(), direction()), 1..4),
        default in (direction(), direction()),
        speakers in vec((any::<prop::sample::Index>(), playout()), 2..6),
        listeners in vec((any::<prop::sample::Index>(), playout()), 0..4),
        first_code in 0..50u8,
        (stage, audience) in (architecture(), architecture()),
        relay_link in option::of(any::<prop::sample::Index>()),
    ) -> Experiment {
        links.insert("default".to_owned(), default);
        let links: BTreeMap<_, _> = links.into_iter().map(|(name, (up, down))| (name, Link { up, down })).collect();
        let link_names: Vec<String> = links.keys().cloned().collect();
        let link = |index: prop::sample::Index| index.get(&link_names).clone();
        let run = Run { duration: Nanos::from_secs(3600), drain: Nanos::from_secs(5), seed, ..Run::default() };
        Experiment {
            name,
            run,
            signal,
            media: Media { codec },
            stage,
            audience,
            relay: RelayPart { link: relay_link.map(&link) },
            speakers: (0..).zip(speakers).map(|(n, (index, playout))| Speaker {
                name: format!("s{n}"),
                code: Code::new(first_code + n).unwrap(),
                link: link(index),
                playout,
            }).collect(),
            listeners: (0..).zip(listeners).map(|(n, (index, playout))| Listener {
                name: format!("l{n}"),
                link: link(index),
                playout,
            }).collect(),
            links,
        }
    }
}

/// Somebody's edits: each replaces some characters of a working file by others.
fn edited_template() -> impl Strategy<Value = String> {
    let edit = (any::<prop::sample::Index>(), 0..20usize, "[\\[\\]{}=.\"'#\n\r\tédk0-9%-]{0,6}");
    vec(edit, 1..5).prop_map(|edits| {
        let mut text: Vec<char> = TEMPLATE.chars().collect();
        for (at, cut, put) in edits {
            let at = at.index(text.len());
            let end = (at + cut).min(text.len());
            text.splice(at..end, put.chars());
        }
        text.into_iter().collect()
    })
}

proptest! {
    #[test]
    fn the_effective_form_reads_as_itself(experiment in experiment()) {
        let text = experiment.to_toml();
        prop_assert_eq!(parse(&text).map_err(|e| format!("{e}\n{text}")), Ok(experiment));
    }

    #[test]
    fn any_text_is_read_or_refused_with_a_message(text in any::<String>()) {
        if let Err(invalid) = parse(&text) {
            prop_assert!(invalid.to_string().contains("file.toml"));
        }
    }

    #[test]
    fn any_edit_of_a_file_is_read_or_refused_with_a_message(text in edited_template()) {
        if let Err(invalid) = parse(&text) {
            prop_assert!(invalid.to_string().contains("file.toml"));
        }
    }
}
