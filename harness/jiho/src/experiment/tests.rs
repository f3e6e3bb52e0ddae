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
    assert_eq!((link.up.loss.model().share(), link.down.loss.model().share()), (0.0, 0.01));
    assert_eq!(link.up.jitter, link.down.jitter);
}

#[test]
fn a_link_s_times_count_from_the_first_beep() {
    let link = "[link.a]\noutage = [{ at = '2s', for = '300ms' }]\nroute_change = [{ at = '5s', delay = '80ms' }]\n";
    let model = parse(&format!("{link}{SMALLEST}")).unwrap().links["a"].model(RunTime(1_000_000_000));
    assert_eq!(model.up, model.down);
    assert_eq!(model.up.outages[0].at, RunTime(3_000_000_000));
    assert_eq!(model.up.delay_at(RunTime(6_000_000_000)), Nanos::from_millis(80));
    assert_eq!(model.up.delay_at(RunTime(5_999_999_999)), Nanos::ZERO);
}

#[test]
fn delays_that_were_measured_are_read_from_a_file_beside_the_experiment() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("seen.csv"), "beep,delay_ns\n1,2000000\n2,\n3,1500000\n").unwrap();
    let read = |file: &str| {
        let text = format!("[link.a]\njitter.empirical.file = '{file}'\n{SMALLEST}");
        Experiment::parse(&text, &folder.path().join("file.toml"))
    };
    let experiment = read("seen.csv").unwrap();
    let Some(Jitter::Empirical(empirical)) = &experiment.links["a"].up.jitter else { panic!() };
    assert_eq!(empirical.delays, [2_000_000, 1_500_000].map(|n| Measured(Nanos(n))));
    assert_eq!(parse(&experiment.to_toml()).unwrap().links, experiment.links, "the effective form needs no file");
    std::fs::write(folder.path().join("odd.csv"), "delay_ms\n-3\n").unwrap();
    for (file, says) in
        [("none.csv", "No such file"), ("odd.csv", "row 1: `-3` is not a delay"), ("file.toml", "No such")]
    {
        let problem = &read(file).unwrap_err().problems[0];
        assert!(problem.message.contains(says), "{problem:?}");
        assert_eq!(problem.spot.as_ref().unwrap().line, 2);
    }
}

#[test]
fn what_a_link_or_a_host_cannot_be_is_said_where_it_stands() {
    for (text, line, says) in [
        ("[link.a]\njitter.gamma = { mean = '1ms', sd = '0ms' }\n", 2, "no gamma distribution"),
        ("[link.a]\nup.jitter.pareto = { median = '1ms', shape = 0.5 }\n", 2, "a shape of 0.5"),
        ("[link.a]\njitter.log_normal = { median = '1ms', sigma = -1.0 }\n", 2, "a sigma of -1"),
        ("[link.a]\njitter.empirical = {}\n", 2, "no delays to choose from"),
        ("[link.a]\njitter_correlation = '100%'\n", 2, "fully correlated"),
        ("[link.a]\nloss = 0.01\n", 2, "`0.01` is a bare number"),
        ("[link.a]\nloss.gilbrt = {}\n", 2, "unknown choice `gilbrt`"),
        ("[link.a.down]\nbottleneck = { bytes_per_second = 0 }\n", 2, "0 bytes per second"),
        ("[link.a]\nbottleneck = { bytes_per_second = 1, queue = '1s', queue_bytes = 1 }\n", 2, "two limits"),
        ("[link.a]\noutage = [\n{ at = '1s', for = '0s' }]\n", 3, "no time at all"),
        ("[link.a]\noutage = [{ at = '1h', for = '1s' }]\n", 2, "the run is over"),
        ("[link.a]\nroute_change = [{ at = '2s', delay = '1s' },\n{ at = '1s', delay = '0s' }]\n", 3, "not later"),
        ("[host.a]\ncard.ppm = 20000\n", 2, "no clock is wrong by 20000"),
        ("[host.a.clock]\noffset = '-10s'\n", 2, "beeps by a clock that is -10s off"),
        ("[host.a.card]\nperiod = '0s'\n", 2, "no sound card takes 0s"),
        ("[host.a]\n[[speaker]]\nname = 's'\nhost = 'b'\n", 4, "missing host `b`"),
    ] {
        let problem = parse(&format!("{text}{SMALLEST}")).unwrap_err().problems.swap_remove(0);
        assert!(problem.message.contains(says), "{text}: {problem:?}");
        assert_eq!(problem.spot.as_ref().map(|spot| spot.line), Some(line), "{text}: {problem:?}");
    }
}

#[test]
fn everybody_who_names_no_host_sits_at_the_default_one_if_there_is_one() {
    let text = format!("[host.default]\ncard.ppm = 50\n[host.b]\n{SMALLEST}host = 'b'\n");
    let experiment = parse(&text).unwrap();
    assert_eq!(experiment.speakers[0].host.as_deref(), Some("default"));
    assert_eq!(experiment.listeners[0].host.as_deref(), Some("b"));
    assert_eq!(parse(SMALLEST).unwrap().speakers[0].host, None);
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

#[test]
fn what_a_seal_needs_is_pointed_at() {
    let sealed = |passphrase: &str| {
        format!("[media]\nseal.sframe = {{ passphrase = '{passphrase}' }}\n{SMALLEST}keyless = true\n")
    };
    let experiment = parse(&sealed("test secret")).unwrap();
    assert!(experiment.listeners[0].keyless && experiment.media.seal.is_some());
    for (text, line, column, says) in [
        (sealed(""), 2, 30, "keeps nothing secret"),
        (format!("{SMALLEST}keyless = true\n"), 5, 11, "nothing is sealed"),
        (format!("[audience.mix]\n{}", sealed("test secret")), 1, 11, "cannot mix what is sealed"),
        (
            format!("{}[[event]]\nat = '2s'\npromote = 'lena'\n", sealed("test secret")),
            7,
            11,
            "`lena` is promoted, and has no key",
        ),
    ] {
        let problem = &parse(&text).unwrap_err().problems[0];
        let spot = problem.spot.as_ref().unwrap();
        assert_eq!((spot.line, spot.column), (line, column), "{problem:?}");
        assert!(problem.message.contains(says), "{problem:?}");
    }
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

fn percent() -> impl Strategy<Value = Percent> + Clone {
    (0.0..=100.0f64).prop_map(|percent| Percent::parse(&format!("{percent}%")).unwrap())
}

fn jitter() -> impl Strategy<Value = Jitter> {
    let nanos = (1..=50_000_000i64).prop_map(Nanos);
    let delays = vec(nanos.clone().prop_map(Measured), 1..5);
    prop_oneof![
        nanos.clone().prop_map(Jitter::Normal),
        nanos.clone().prop_map(Jitter::Uniform),
        (nanos.clone(), 0.0..2.0f64).prop_map(|(median, sigma)| Jitter::LogNormal { median, sigma }),
        (nanos.clone(), 0.1..10.0f64).prop_map(|(mean, part)| {
            Jitter::Gamma { mean: Nanos(mean.0 + 1000), sd: Nanos(((mean.0 + 1000) as f64 * part) as i64) }
        }),
        (nanos, 1.0..5.0f64).prop_map(|(median, shape)| Jitter::Pareto { median, shape }),
        delays.prop_map(|delays| Jitter::Empirical(Empirical { file: None, delays })),
    ]
}

fn loss() -> impl Strategy<Value = Loss> {
    let bursts =
        (percent(), percent(), percent(), percent()).prop_map(|(good_to_bad, bad_to_good, in_good, in_bad)| {
            Loss::Bursts(BurstLoss::Gilbert { good_to_bad, bad_to_good, in_good, in_bad })
        });
    prop_oneof![percent().prop_map(Loss::Each), bursts]
}

prop_compose! {
    fn direction()(
        (delay, loss, jitter, duplication, reorder) in
            (nanos(500), loss(), option::of(jitter()), percent(), any::<bool>()),
        correlation in 0.0..99.0f64,
        bottleneck in option::of((1..100_000u32, nanos(500), 1..10_000u32, any::<bool>())),
        outage in vec((nanos(10_000), nanos(1000)), 0..3),
        route_change in vec(nanos(500), 0..3),
    ) -> Direction {
        Direction {
            delay,
            loss,
            jitter,
            jitter_correlation: Percent::parse(&format!("{correlation}%")).unwrap(),
            duplication,
            reorder,
            bottleneck: bottleneck.map(|(bytes_per_second, queue, bytes, by_time)| Bottleneck {
                bytes_per_second,
                queue: by_time.then_some(queue),
                queue_bytes: (!by_time).then_some(bytes),
            }),
            outage: outage.into_iter().map(|(at, lasts)| Outage { at, lasts: lasts + Nanos(1) }).collect(),
            route_change: (1..).zip(route_change).map(|(n, delay)| RouteChange { at: Nanos::from_secs(n), delay }).collect(),
        }
    }
}

prop_compose! {
    fn host()(
        offset in -300_000_000..300_000_000i64,
        (drift_ppm, ppm) in (-100.0..100.0f64, -100.0..100.0f64),
        walk in nanos(1),
        steps in vec(-1_000_000_000..1_000_000_000i64, 0..3),
        period in 1_000_000..100_000_000i64,
        start in nanos(100),
        wake_up in option::of(jitter()),
    ) -> Host {
        let step = (1..).zip(steps).map(|(n, by)| ClockStep { at: Nanos::from_secs(n), by: Nanos(by) }).collect();
        Host {
            clock: Clock { offset: Nanos(offset), drift_ppm, walk, step },
            card: Card { ppm, period: Nanos(period), start },
            wake_up,
        }
    }
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
    let timing = || {
        let arrival = (1..100i64).prop_map(|ms| Timing::Arrival(Arrival { deadline: Nanos::from_millis(ms) }));
        prop_oneof![arrival, Just(Timing::Tick {})]
    };
    let mix = move || timing().prop_map(|timing| Mix { timing });
    let through = prop_oneof![Just(Through::Forward {}), mix().prop_map(Through::Mix)];
    let tier = (any::<bool>(), 1..4_000i64, through).prop_map(|(line, ms, through)| {
        let span = Nanos::from_millis(ms);
        let segments = (!line).then_some(Segments { length: span });
        Architecture::Tier(Tier { delay_line: line.then_some(span), segments, through })
    });
    prop_oneof![Just(Architecture::Mesh {}), Just(Architecture::Forward {}), mix().prop_map(Architecture::Mix), tier]
}

#[test]
fn a_cascade_fills_in_whose_edge_each_is_and_where_everybody_is() {
    let text = "[stage.cascade]\nedges = [{ name = 'tokyo' }, { name = 'osaka' }, { name = 'nara', of = 'osaka' }]\n\
                [[speaker]]\nname = 'ana'\n[[listener]]\nname = 'lena'\nedge = 'nara'\n";
    let experiment = parse(text).unwrap();
    let of: Vec<_> = experiment.edges().iter().map(|edge| edge.of.as_deref()).collect();
    assert_eq!(of, [None, Some("tokyo"), Some("osaka")]);
    assert_eq!(experiment.speakers[0].edge.as_deref(), Some("tokyo"));
    assert_eq!(experiment.listeners[0].edge.as_deref(), Some("nara"));
    assert_eq!(parse(&experiment.to_toml()).unwrap(), experiment);
}

#[test]
fn what_cannot_serve_together_is_told_with_its_mend() {
    let edges = "edges = [{ name = 'tokyo' }, { name = 'osaka' }]";
    for (serving, message) in [
        ("[audience.tier]".to_owned(), "a tier is delayed by a delay line or by segments, one of the two"),
        ("[audience.tier]\nsegments.length = '11s'".to_owned(), "11s is not possible here"),
        ("[stage.mix]\ntiming.arrival.deadline = '0s'".to_owned(), "0s is not possible here"),
        ("[stage.cascade]".to_owned(), "a cascade without edges"),
        (format!("[stage.cascade]\n{edges}\n[audience.mesh]"), "a mesh does not pass relays"),
        (format!("[stage.cascade]\n{edges}\n[audience.cascade]\n{edges}"), "the edges are the stage's already"),
        (
            "[stage.cascade]\nedges = [{ name = 'a' }, { name = 'b', of = 'c' }]".to_owned(),
            "there is no edge `c` above",
        ),
        ("[stage.cascade]\nedges = [{ name = 'a', of = 'a' }]".to_owned(), "the first edge is nobody's edge"),
        ("[stage.cascade]\nedges = [{ name = 'a' }, { name = 'a' }]".to_owned(), "the name `a` is taken"),
        ("[relay]\nlink = 'nowhere'".to_owned(), "missing link `nowhere`"),
        ("[[listener]]\nname = 'mei'\nedge = 'osaka'".to_owned(), "there is no edge `osaka`"),
        (format!("[audience.cascade]\n{edges}\n[[speaker]]\nname = 'b'\nedge = 'osaka'"), "the stage is at the first"),
        ("[[listener]]\nname = 'mix'".to_owned(), "`mix` is what a relay calls its mixes"),
    ] {
        let said = first_message(&format!("[run]\ndrain = '30s'\n{serving}\n{SMALLEST}"));
        assert!(said.contains(message), "{serving}: {said}");
    }
}

#[test]
fn what_is_wrong_with_places_is_said() {
    let places = "[place.tokyo]\nat = [35.68, 139.69]\n[place.nara]\nat = [34.69, 135.8]\n";
    let all = "[relay]\nplace = 'nara'\n[[speaker]]\nname = 'ana'\nplace = 'tokyo'\n\
               [[listener]]\nname = 'lena'\nplace = 'nara'\n";
    assert_eq!(parse(&format!("{places}{all}")).unwrap().place_number(Some(&"tokyo".to_owned())), Some(1));
    for (from, to, message) in [
        ("place = 'tokyo'", "place = 'tokio'", "missing place `tokio`"),
        ("\nplace = 'tokyo'", "", "`ana` has no place, though others have"),
        ("[relay]\nplace = 'nara'\n", "", "the relay has no place"),
        ("34.69", "94.69", "[94.69, 135.8] is not on earth"),
        ("[relay]", "[geography]\npath_stretch = 0.5\n[relay]", "no path is 0.5 times as long"),
        (
            "[relay]\nplace = 'nara'\n",
            "[stage.cascade]\nedges = [{ name = 'a', place = 'nara' }, { name = 'b' }]\n",
            "the edge `b` has no place",
        ),
    ] {
        let said = first_message(&format!("{places}{all}").replace(from, to));
        assert!(said.contains(message), "{to}: {said}");
    }
}

#[test]
fn a_drop_probe_is_checked_and_names_everybody_who_drops() {
    let with = |probe: &str| format!("[drop_probe]\n{probe}\n{SMALLEST}");
    let probe = parse(&with("")).unwrap().drop_probe.unwrap();
    assert_eq!(probe.participants, Some(vec!["ana".to_owned(), "lena".to_owned()]));
    assert_eq!(parse(SMALLEST).unwrap().drop_probe, None, "off by default");
    for (probe, message) in [
        ("interval = '20ms'", "holes every 20ms run into each other"),
        ("incoming = 2000", "2000 packets are more than a probe needs"),
        ("participants = ['lina']", "nobody is named `lina`"),
        ("interval = '1s'", "2 participants who drop 10 packets each, one every 1s, take until 22s"),
        ("interfal = '1s'", "unknown key `interfal`"),
    ] {
        let said = first_message(&with(probe));
        assert!(said.contains(message), "{probe}: {said}");
    }
}

prop_compose! {
    fn experiment()(
        name in "[a-zA-Z0-9_-]{1,32}",
        seed in any::<u32>(),
        signal in signal(),
        codec in codec(),
        seal in option::of("[ -~é]{1,20}".prop_map(|passphrase| Sealing::Sframe(Sframe { passphrase }))),
        mut links in btree_map("[ -~é\t]{1,12}", (direction(), direction()), 1..4),
        default in (direction(), direction()),
        speakers in vec((any::<prop::sample::Index>(), playout()), 2..6),
        listeners in vec((any::<prop::sample::Index>(), playout()), 0..4),
        first_code in 0..50u8,
        hosts in btree_map("[a-z]{1,8}", host(), 0..3),
        (stage, audience) in (architecture(), architecture()),
        relay_link in option::of(any::<prop::sample::Index>()),
        places in btree_map("[a-z]{1,8}", (-90.0..=90.0, -180.0..=180.0), 0..3),
    ) -> Experiment {
        links.insert("default".to_owned(), default);
        let links: BTreeMap<_, _> = links.into_iter().map(|(name, (up, down))| (name, Link { up, down })).collect();
        let link_names: Vec<String> = links.keys().cloned().collect();
        let link = |index: prop::sample::Index| index.get(&link_names).clone();
        let places: BTreeMap<String, Location> =
            places.into_iter().map(|(name, (latitude, longitude))| (name, Location { at: [latitude, longitude] })).collect();
        let relay_place = places.keys().next().cloned();
        // What is sealed cannot be mixed.
        let seal = seal.filter(|_| [&stage, &audience].iter().all(|served| served.mixes_by().is_none()));
        let sealed = seal.is_some();
        let run = Run { duration: Nanos::from_secs(3600), drain: Nanos::from_secs(3000), seed, ..Run::default() };
        Experiment {
            gates: Vec::new(),
            baseline: None,
            name,
            run,
            signal,
            media: Media { codec, seal },
            stage,
            audience,
            promotion: PromotionPart::default(),
            chorus: None,
            room: None,
            events: Vec::new(),
            drop_probe: None,
            sweep: None,
            geography: Geography::default(),
            relay: RelayPart { link: relay_link.map(&link), place: relay_place, ..RelayPart::default() },
            speakers: (0..).zip(speakers).map(|(n, (index, playout))| Speaker {
                name: format!("s{n}"),
                code: Code::new(first_code + n).unwrap(),
                edge: None,
                link: link(index),
                place: places.keys().next().cloned(),
                host: hosts.keys().next().cloned(),
                media: None,
                sing: None,
                playout,
            }).collect(),
            listeners: (0..).zip(listeners).map(|(n, (index, playout))| Listener {
                name: format!("l{n}"),
                code: None,
                edge: None,
                link: link(index),
                place: places.keys().next().cloned(),
                host: hosts.keys().next().cloned(),
                keyless: n == 0 && sealed,
                media: None,
                playout,
            }).collect(),
            hosts,
            links,
            places,
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

const TRIO: &str =
    "[[speaker]]\nname = 'ana'\n[[speaker]]\nname = 'ben'\nsing.together = {}\n[[speaker]]\nname = 'cem'\n";

#[test]
fn who_sings_together_does_so_with_everybody_else_by_what_is_best_for_as_many() {
    let experiment = parse(TRIO).unwrap();
    let Some(Sing::Together(ben)) = &experiment.speakers[1].sing else { panic!() };
    assert_eq!(ben.with, Some(vec!["ana".to_owned(), "cem".to_owned()]));
    assert_eq!(ben.correction, Some(1.0 / 3.0));
    assert_eq!(experiment.chorus, Some(ChorusPart::default()), "who sings is a chorus");
    assert_eq!(parse(SMALLEST).unwrap().chorus, None);
    assert_eq!(parse(&experiment.to_toml()).unwrap(), experiment);
}

#[test]
fn what_a_chorus_cannot_be_is_said_where_it_stands() {
    for (text, line, says) in [
        ("sing.follow.leader = 'bem'\n", 10, "no speaker named `bem`"),
        ("sing.follow.leader = 'dan'\n", 10, "cannot sing on its own beat"),
        ("sing.follow = {}\n", 10, "the key `leader` is missing"),
        ("sing.grid.advance = '400ms'\n", 10, "more than half a beat"),
        ("sing.together = { correction = 0.5 }\n", 10, "a correction of 0.5 towards 3 others"),
        ("sing.together = { with = ['ana', 'ana'] }\n", 10, "one singer twice"),
        ("[signal.voiced]\nperiod = '600ms'\nspread = '100ms'\ntogether = false\n", 10, "codes that sound together"),
        ("[chorus]\nensemble_limit = '10ms'\n", 11, "less than the threshold before it"),
    ] {
        let period = if text.contains("signal") { "" } else { "[signal.voiced]\nperiod = '600ms'\nspread = '100ms'\n" };
        let text = format!("{TRIO}[[speaker]]\nname = 'dan'\n{text}{period}");
        let problem = parse(&text).unwrap_err().problems.swap_remove(0);
        assert!(problem.message.contains(says), "{text}: {problem:?}");
        assert_eq!(problem.spot.as_ref().map(|spot| spot.line), Some(line), "{text}: {problem:?}");
    }
    let follow = |who: &str, leader: &str| format!("[[speaker]]\nname = '{who}'\nsing.follow.leader = '{leader}'\n");
    let circle = [follow("a", "b"), follow("b", "c"), follow("c", "a"), follow("d", "a")].concat();
    let problems = parse(&circle).unwrap_err().problems;
    assert_eq!(problems.len(), 3, "d follows a circle, and is in none: {problems:?}");
    assert!(problems[0].message.contains("follows itself, through others"), "{problems:?}");
}
