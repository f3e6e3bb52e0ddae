//! Choruses, held against what the delays make of them by arithmetic that is written down here once more.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::room::{Ran, run, simulated};
use crate::skip::skip;
use crate::truth::{constant_delay_ns, mouth_start_ns};

type Row = BTreeMap<String, String>;

/// Beats until singers have found together.
const SETTLED: u32 = 12;
const SONG: &str = "[signal.voiced]\nperiod = '600ms'\nspread = '120ms'\n";

fn rows(ran: &Ran, table: &str) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(ran.dir.join(table)).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

fn number(row: &Row, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|_| panic!("{column}: {row:?}"))
}

/// When each voice's beats sounded at an ear, in ns by beat: out of what was sung and how late it was there.
fn onsets(ran: &Ran, ear: &str) -> BTreeMap<String, BTreeMap<u32, i64>> {
    let mut onsets: BTreeMap<String, BTreeMap<u32, i64>> = BTreeMap::new();
    let mut sung = BTreeMap::new();
    for emission in ran.emissions() {
        sung.insert((emission.speaker.clone(), emission.beep), emission.sent_ns);
        if emission.speaker == ear {
            onsets.entry(emission.speaker).or_default().insert(emission.beep, emission.sent_ns);
        }
    }
    for delay in ran.delays().into_iter().filter(|delay| delay.recorder == ear) {
        if let Some(ns) = delay.delay_ns {
            let at = sung[&(delay.speaker.clone(), delay.beep)] + ns;
            onsets.entry(delay.speaker).or_default().insert(delay.beep, at);
        }
    }
    onsets
}

/// By how many ms one voice is later than another at an ear, beat by beat.
fn later_ms(ran: &Ran, ear: &str, voice: &str, other: &str) -> Vec<f64> {
    let onsets = onsets(ran, ear);
    let settled = onsets[voice].range(SETTLED..);
    settled.filter_map(|(beat, at)| Some((onsets[other].get(beat)? - at) as f64 / 1e6)).collect()
}

/// People at two edges of a cascade, so that delays do not simply add up, on links drawn from a seed.
struct House {
    ups: BTreeMap<&'static str, i64>,
    downs: BTreeMap<&'static str, i64>,
    trunk: [i64; 2],
}

const PEOPLE: [(&str, bool, &str); 5] = [
    ("ana", true, "tokyo"),
    ("ben", true, "osaka"),
    ("chloe", true, "tokyo"),
    ("lena", false, "tokyo"),
    ("mei", false, "osaka"),
];

fn edge(name: &str) -> &'static str {
    PEOPLE.iter().find(|(who, ..)| *who == name).unwrap().2
}

fn us(ns: i64) -> String {
    format!("'{}us'", ns / 1000)
}

impl House {
    fn drawn(seed: u32) -> Self {
        let mut state = seed;
        let mut below = |most_us: i64| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            1000 * ((i64::from(state >> 8) * most_us) >> 24)
        };
        let mut all = || PEOPLE.iter().map(|(name, ..)| (*name, below(45_000))).collect();
        let (ups, downs) = (all(), all());
        Self { ups, downs, trunk: [below(30_000), below(30_000)] }
    }

    /// `sing` says how each of ana, ben and chloe does.
    fn hold(&self, seconds: u32, sing: [&str; 3]) -> Ran {
        let mut text = format!(
            "name = 'house'\n[run]\nduration = '{seconds}s'\n{SONG}[media]\ncodec.l16 = {{}}\n[stage.cascade]\nedges = \
             [{{ name = 'tokyo' }}, {{ name = 'osaka', link = 'trunk' }}]\n[audience.forward]\n\
             [link.trunk]\nup.delay = {}\ndown.delay = {}\n",
            us(self.trunk[0]),
            us(self.trunk[1])
        );
        for (n, (name, speaks, edge)) in PEOPLE.iter().enumerate() {
            let (up, down) = (us(self.ups[name]), us(self.downs[name]));
            let part = if *speaks { format!("[[speaker]]\n{}", sing[n]) } else { "[[listener]]".to_owned() };
            write!(
                text,
                "[link.{name}]\nup.delay = {up}\ndown.delay = {down}\n{part}\nname = '{name}'\nlink = '{name}'\n\
                 edge = '{edge}'\n"
            )
            .unwrap();
        }
        simulated(&text)
    }

    /// The constructed delay of each voice at each ear, in ms.
    fn delays(&self, ran: &Ran) -> BTreeMap<(&'static str, &'static str), f64> {
        let packets = ran.packets();
        let mut delays = BTreeMap::new();
        for (speaker, ..) in PEOPLE.iter().filter(|(_, speaks, _)| *speaks) {
            let mouth = mouth_start_ns(&packets, speaker);
            for (ear, ..) in PEOPLE.iter().filter(|(ear, ..)| ear != speaker) {
                let trunk = match (edge(speaker), edge(ear)) {
                    ("osaka", "tokyo") => self.trunk[0],
                    ("tokyo", "osaka") => self.trunk[1],
                    _ => 0,
                };
                let path = self.ups[speaker] + trunk + self.downs[ear];
                let ns = constant_delay_ns(mouth, ran.sidecar(ear).start_ns, path, 40_000_000);
                delays.insert((*speaker, *ear), ns as f64 / 1e6);
            }
            delays.insert((*speaker, *speaker), 0.0);
        }
        delays
    }
}

#[test]
fn followers_lie_apart_by_the_delays_alone_at_every_ear_within_a_millisecond() {
    for seed in 1..=6 {
        let house = House::drawn(seed);
        let sing =
            ["sing.grid = {}", "sing.follow.leader = 'ana'", "sing.follow = { leader = 'ben', advance = '9ms' }"];
        let ran = house.hold(15, sing);
        let d = house.delays(&ran);
        for (ear, ..) in PEOPLE {
            // How late each is sung, and how late that is here.
            let ben = d[&("ana", "ben")];
            let chloe = ben + d[&("ben", "chloe")] - 9.0;
            let at_ear = |voice, sung| sung + d[&(voice, ear)];
            let truth = [
                ("ana", "ben", at_ear("ben", ben) - at_ear("ana", 0.0)),
                ("ana", "chloe", at_ear("chloe", chloe) - at_ear("ana", 0.0)),
                ("ben", "chloe", at_ear("chloe", chloe) - at_ear("ben", ben)),
            ];
            let table = rows(&ran, "asynchrony.csv");
            for (voice, other, truth) in truth {
                let later = later_ms(&ran, ear, voice, other);
                assert!(later.len() >= 8, "{later:?}");
                for ms in later {
                    assert!((ms - truth).abs() < 1.0, "{other} after {voice} at {ear}: {ms}, not {truth}, seed {seed}");
                }
                let row = |row: &&Row| row["recorder"] == ear && row["voice"] == voice && row["other"] == other;
                let row = table.iter().find(row).unwrap();
                for column in ["median_ms", "predicted_ms"] {
                    assert!((number(row, column) - truth).abs() < 1.0, "{column}, not {truth}: {row:?}");
                }
            }
        }
    }
}

#[test]
fn mutual_followers_slow_the_tempo_by_the_closed_form() {
    for (seed, gain) in [(1, 0.1), (2, 0.25), (3, 0.4)] {
        let house = House::drawn(seed);
        let sing = format!("sing.together = {{ correction = {gain} }}");
        let ran = house.hold(30, [&sing; 3]);
        let d = house.delays(&ran);
        // α (N − 1) times the mean delay: six pairs, two others each.
        let singers = ["ana", "ben", "chloe"];
        let between = d.iter().filter(|((_, ear), _)| singers.contains(ear)).map(|(_, ms)| ms);
        let slower_ms = gain * 2.0 * between.sum::<f64>() / 6.0;
        let foretold = 60_000.0 / (600.0 + slower_ms);
        assert!(foretold < 99.0, "it shows: {foretold} bpm");
        for (ear, ..) in PEOPLE {
            let beats = rows(&ran, "chorus.csv").into_iter().filter(|row| row["recorder"] == ear);
            let bpm: Vec<f64> =
                beats.filter(|row| number(row, "beat") > 20.0).map(|row| number(&row, "tempo_bpm")).collect();
            assert!(bpm.len() > 10);
            let mean = bpm.iter().sum::<f64>() / bpm.len() as f64;
            assert!((mean - foretold).abs() < 0.3, "{mean} bpm at {ear}, not {foretold}, α = {gain}");
        }
        assert!(ran.stdout.contains(&format!("by the delays alone it would be {foretold:.1}")), "{}", ran.stdout);
    }
}

/// A forwarded room with jitter, in which singers sing as `sing` says, ahead by so many ms.
fn room(sing: [&str; 3], advances_ms: [f64; 3]) -> Ran {
    let mut text = format!(
        "name = 'room'\n[run]\nduration = '24s'\n{SONG}[link.near]\ndelay = '10ms'\njitter.normal = '1ms'\n\
         [link.far]\ndelay = '45ms'\njitter.normal = '2ms'\n"
    );
    let links = ["near", "far", "near"];
    for (n, (sing, advance)) in sing.iter().zip(advances_ms).enumerate() {
        let advance = format!("advance = '{}us'", (advance * 1000.0).round());
        let name = ["ana", "ben", "chloe"][n];
        let sing = sing.replace("advance", &advance);
        write!(text, "[[speaker]]\nname = '{name}'\nlink = '{}'\nsing.{sing}\n", links[n]).unwrap();
    }
    text.push_str("[[listener]]\nname = 'lena'\nlink = 'near'\n[[listener]]\nname = 'mei'\nlink = 'far'\n");
    simulated(&text)
}

#[test]
fn with_the_cure_the_audience_hears_everybody_together() {
    let follow = "follow = { leader = 'ana', advance }";
    for (way, sing) in [
        ("grid", ["grid = { advance }"; 3]),
        ("follow", ["grid = { advance }", follow, follow]),
        ("together", ["together = { advance }"; 3]),
    ] {
        let ill = room(sing, [0.0; 3]);
        let cures = rows(&ill, "cure.csv");
        let advances: Vec<f64> = cures.iter().map(|row| number(row, "cure_ms")).collect();
        let cured = room(sing, [advances[0], advances[1], advances[2]]);
        for ear in ["lena", "mei"] {
            let spread = |ran: &Ran| {
                let beats =
                    rows(ran, "chorus.csv").into_iter().filter(|row| row["recorder"] == ear && row["voices"] == "3");
                let mut ms: Vec<f64> = beats
                    .filter(|row| number(row, "beat") >= f64::from(SETTLED))
                    .map(|row| number(&row, "spread_ns") / 1e6)
                    .collect();
                ms.sort_by(f64::total_cmp);
                assert!(ms.len() > 8, "{way}: {}", ms.len());
                ms[ms.len() / 2]
            };
            let (before, after) = (spread(&ill), spread(&cured));
            // Jitter moves what a stream's buffer is anchored by: the first packet's, 1 ms and 2 ms on the way, both ways.
            assert!(before > 25.0 && after < 6.0, "{way} at {ear}: from {before} ms to {after}");
        }
        // Nobody on the grid is slowed down in the first place; whoever sings together is not any more.
        let tempo = |ran: &Ran| {
            let beats = rows(ran, "chorus.csv").into_iter().filter(|row| row["recorder"] == "lena");
            let bpm: Vec<f64> =
                beats.filter(|row| number(row, "beat") > 12.0).map(|row| number(&row, "tempo_bpm")).collect();
            bpm.iter().sum::<f64>() / bpm.len() as f64
        };
        assert!((tempo(&cured) - 100.0).abs() < 0.5, "{way}: {}", tempo(&cured));
        assert!(way != "together" || tempo(&ill) < 95.0, "{}", tempo(&ill));
    }
}

#[test]
fn clocks_of_hosts_change_no_figure_of_a_chorus_at_an_ear() {
    let held = |hosts: &str, host: [&str; 5]| {
        let mut text = format!(
            "name = 'clocks'\n[run]\nwarmup = '6s'\nduration = '15s'\ndrain = '7s'\n{SONG}{hosts}[link.default]\n\
             delay = '20ms'\njitter.normal = '1ms'\n"
        );
        let sing = ["grid = {}", "follow.leader = 'ana'", "together.with = ['ana', 'ben']"];
        for (n, name) in ["ana", "ben", "chloe", "lena", "mei"].into_iter().enumerate() {
            let part = if n < 3 { format!("[[speaker]]\nsing.{}", sing[n]) } else { "[[listener]]".to_owned() };
            write!(text, "{part}\nname = '{name}'\n{}", host[n]).unwrap();
        }
        simulated(&text)
    };
    let right = held("", [""; 5]);
    let hosts = "[host.a]\nclock = { offset = '5s', drift_ppm = 100 }\n[host.b]\nclock = { offset = '-5s', drift_ppm = -100 }\n";
    let (a, b) = ("host = 'a'\n", "host = 'b'\n");
    let wrong = held(hosts, [a, b, a, b, a]);
    for (table, columns, within) in [
        ("chorus.csv", &["voices", "spread_ns"][..], 50_000.0),
        ("chorus.csv", &["tempo_bpm"], 0.05),
        ("asynchrony.csv", &["beats", "median_ms", "sd_ms"], 0.05),
        // Delays drift by 200 ppm, and their medians are not all of the same instant: a follower sings a beat less.
        ("asynchrony.csv", &["predicted_ms", "cured_ms"], 0.2),
        ("cure.csv", &["cure_ms"], 0.2),
        ("holds.csv", &["one_way_ms", "delay_impairment"], 0.2),
    ] {
        let (right, wrong) = (rows(&right, table), rows(&wrong, table));
        assert!(!right.is_empty());
        assert_eq!(right.len(), wrong.len(), "{table}");
        for (right, wrong) in right.iter().zip(&wrong) {
            for column in columns {
                match (right[*column].is_empty(), wrong[*column].is_empty()) {
                    (true, true) => {}
                    _ => {
                        let off = number(right, column) - number(wrong, column);
                        assert!(off.abs() <= within, "{table}: {column} is off by {off}: {right:?} {wrong:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn where_the_clocks_of_those_on_the_grid_are_unsure_nothing_foretells_how_they_lie() {
    let text = format!(
        "name = 'unsure'\n[run]\nwarmup = '2s'\nduration = '10s'\ndrain = '3s'\n{SONG}[link.default]\ndelay = '20ms'\n\
         [host.off]\nclock.offset = '700ms'\n[[speaker]]\nname = 'ana'\nsing.grid = {{}}\n\
         [[speaker]]\nname = 'ben'\nhost = 'off'\nsing.grid = {{}}\n[[listener]]\nname = 'lena'\n"
    );
    let ran = simulated(&text);
    for (table, columns) in [("asynchrony.csv", &["predicted_ms", "cured_ms"][..]), ("cure.csv", &["cure_ms"])] {
        let rows = rows(&ran, table);
        assert!(!rows.is_empty());
        for column in columns {
            assert!(rows.iter().all(|row| row[*column].is_empty()), "{table}: {column}: {rows:?}");
        }
    }
    // What is heard at an ear needs no clocks.
    assert!(rows(&ran, "asynchrony.csv").iter().all(|row| !row["median_ms"].is_empty()));
    let picture = std::fs::read_to_string(ran.dir.join("chorus.svg")).unwrap();
    assert!(picture.contains("class=\"voice\"") && !picture.contains("class=\"foretold\""), "{picture}");
    assert!(ran.stdout.contains("the singers' clocks may be 700 ms apart"), "{}", ran.stdout);
    assert!(ran.stdout.contains("bpm of the song's 100.0.\n") && !ran.stdout.contains("The cure"), "{}", ran.stdout);
}

#[test]
fn singers_hold_out_where_packets_are_lost_and_wait_for_whom_they_follow() {
    let text = format!(
        "name = 'lossy'\n[run]\nduration = '20s'\n{SONG}[link.default]\ndelay = '15ms'\njitter.normal = '2ms'\n\
         loss.gilbert = {{ good_to_bad = '1%', bad_to_good = '20%' }}\n\
         [[speaker]]\nname = 'ana'\nsing.grid = {{}}\n[[speaker]]\nname = 'ben'\nsing.follow.leader = 'ana'\n\
         [[listener]]\nname = 'lena'\n"
    );
    let ran = simulated(&text);
    let sung = |name| ran.emissions().into_iter().filter(|sung| sung.speaker == name).count();
    assert!(sung("ben") + 2 >= sung("ana") && sung("ben") < sung("ana"), "the first beat is the leader's alone");
    let own = rows(&ran, "asynchrony.csv").into_iter().find(|row| row["recorder"] == "ben").unwrap();
    assert!(number(&own, "median_ms").abs() < 0.5 && number(&own, "sd_ms") < 3.0, "{own:?}");
}

/// The jitter buffer is long: a machine that is busy with other tests is late.
#[test]
fn over_loopback_a_follower_sings_on_what_it_hears() {
    let text = format!(
        "name = 'real'\n[run]\nduration = '12s'\n{SONG}[playout]\nfixed = '150ms'\n[link.default]\ndelay = '10ms'\n\
         [[speaker]]\nname = 'ana'\nsing.grid = {{}}\n[[speaker]]\nname = 'ben'\nsing.follow.leader = 'ana'\n\
         [[listener]]\nname = 'lena'\n"
    );
    for _ in 0..3 {
        let ran = run(&text, &["--on", "loopback"]);
        assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
        // A machine that stood still for longer than the buffer holds has changed all delays amid the song.
        if !ran.steps().is_empty() {
            continue;
        }
        for row in rows(&ran, "asynchrony.csv") {
            let off = number(&row, "median_ms") - number(&row, "predicted_ms");
            assert!(number(&row, "beats") >= 8.0 && off.abs() < 2.0, "{row:?}");
        }
        return;
    }
    skip("this machine stood still in each of three runs");
}
