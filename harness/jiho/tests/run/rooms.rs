//! What each architecture adds to every delay, heard in the sound and held against what was constructed.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::room::{Ran, simulated};
use crate::truth::{FRAME_NS, OPUS_LOOKAHEAD_NS, constant_delay_ns, mouth_start_ns};

/// How far a measured delay may be from the truth.
const BOUND_NS: i64 = 100_000;
const SECONDS: usize = 6;
/// Where Opus is used, everything is coded with it.
const L16: &str = "[media]\ncodec.l16 = {}\n";

/// Somebody with a link of constant delays.
#[derive(Clone, Copy, Debug)]
struct Member {
    name: &'static str,
    speaks: bool,
    edge: &'static str,
    up_ns: i64,
    down_ns: i64,
    playout_ns: i64,
}

/// A room with links drawn from a seed.
struct Room {
    seed: u32,
    members: Vec<Member>,
    /// Through the relay's own link: in, and out.
    relay_down_ns: i64,
    relay_up_ns: i64,
}

impl Room {
    fn drawn(seed: u32) -> Self {
        let mut state = seed;
        let mut below = |most_ns: i64| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (i64::from(state >> 8) * most_ns) >> 24
        };
        let mut member = |name, speaks, edge| Member {
            name,
            speaks,
            edge,
            up_ns: below(50_000_000),
            down_ns: below(50_000_000),
            playout_ns: 20_000_000 + below(40_000_000),
        };
        let members = vec![
            member("ana", true, "tokyo"),
            member("ben", true, "nara"),
            member("lena", false, "tokyo"),
            member("mei", false, "osaka"),
        ];
        Self { seed, members, relay_down_ns: below(20_000_000), relay_up_ns: below(20_000_000) }
    }

    fn relay_ns(&self) -> i64 {
        self.relay_down_ns + self.relay_up_ns
    }

    /// Holds the room, served as `serving` says.
    fn hold(&self, serving: &str) -> Held {
        let mut text = format!(
            "name = \"room\"\n[run]\nduration = \"{SECONDS}s\"\ndrain = \"8s\"\nseed = {}\n[signal.voiced]\n{serving}\n\
             [relay]\nlink = \"server\"\n[link.server]\nup.delay = {}\ndown.delay = {}\n",
            self.seed,
            millis(self.relay_up_ns),
            millis(self.relay_down_ns)
        );
        for Member { name, speaks, edge, up_ns, down_ns, playout_ns } in &self.members {
            let part = if *speaks { "speaker" } else { "listener" };
            let edge = if serving.contains("cascade") { format!("edge = \"{edge}\"\n") } else { String::new() };
            let (up, down, playout) = (millis(*up_ns), millis(*down_ns), millis(*playout_ns));
            write!(
                text,
                "[link.{name}]\nup.delay = {up}\ndown.delay = {down}\n\
                 [[{part}]]\nname = \"{name}\"\nlink = \"{name}\"\nplayout.fixed = {playout}\n{edge}"
            )
            .unwrap();
        }
        let ran = simulated(&text);
        let packets = ran.packets();
        let speakers = self.members.iter().filter(|member| member.speaks);
        let mouths = speakers.map(|member| (member.name, mouth_start_ns(&packets, member.name))).collect();
        Held { ran, mouths }
    }

    /// Expects that each pair's way takes what its two links take and as much as `added_ns` says, besides the codec.
    fn expect(&self, serving: &str, codec_ns: i64, added_ns: impl Fn(&Held, Member, Member) -> i64) {
        let held = self.hold(serving);
        let delays = held.ran.delays();
        for speaker in self.members.iter().filter(|member| member.speaks) {
            for recorder in self.members.iter().filter(|member| member.name != speaker.name) {
                let ear = held.ran.sidecar(recorder.name).start_ns;
                let path = speaker.up_ns + added_ns(&held, *speaker, *recorder) + recorder.down_ns;
                let mouth = held.mouths[speaker.name];
                let truth = constant_delay_ns(mouth, ear, path, recorder.playout_ns) + codec_ns;
                let rows = delays.iter().filter(|row| row.speaker == speaker.name && row.recorder == recorder.name);
                let rows: Vec<_> = rows.collect();
                assert_eq!(rows.len(), SECONDS, "{} at {}", speaker.name, recorder.name);
                for row in rows {
                    assert_eq!((row.status.as_str(), row.reason.as_deref()), ("heard", None), "{row:?}");
                    let error = row.delay_ns.unwrap() - truth;
                    let (from, to) = (speaker.name, recorder.name);
                    assert!(error.abs() <= BOUND_NS, "{from} at {to}: {error} ns off {truth}, seed {}", self.seed);
                }
            }
        }
    }
}

/// A room that was held.
struct Held {
    ran: Ran,
    /// When each speaker's mouth opened.
    mouths: BTreeMap<&'static str, i64>,
}

impl Held {
    /// When each speaker's first packet came to the relay, in order.
    fn first_arrivals(&self, room: &Room) -> Vec<(i64, &'static str)> {
        let speakers = room.members.iter().filter(|member| member.speaks);
        let first = |member: &Member| self.mouths[member.name] + FRAME_NS + member.up_ns + room.relay_down_ns;
        let mut arrivals: Vec<_> = speakers.map(|member| (first(member), member.name)).collect();
        arrivals.sort_unstable();
        arrivals
    }

    /// How long each packet of a speaker waits in a mixer that mixes by arrival: whoever came second began at the
    /// round for which the first one's packet came next, and so waits for that ever after.
    fn wait_for_others_ns(&self, room: &Room, speaker: &str) -> i64 {
        let arrivals = self.first_arrivals(room);
        let ((first, _), (second, name)) = (arrivals[0], arrivals[1]);
        if name == speaker { (first - second).rem_euclid(FRAME_NS) } else { 0 }
    }

    /// How long each packet of a speaker waits for a tick.
    fn wait_for_tick_ns(&self, room: &Room, speaker: &str) -> i64 {
        let arrivals = self.first_arrivals(room);
        let (arrival, _) = arrivals.iter().find(|(_, name)| *name == speaker).unwrap();
        (-arrival).rem_euclid(FRAME_NS)
    }
}

fn millis(ns: i64) -> String {
    format!("\"{}.{:06}ms\"", ns / 1_000_000, ns % 1_000_000)
}

fn rooms() -> impl Iterator<Item = Room> {
    [1, 2, 3].into_iter().map(Room::drawn)
}

#[test]
fn forwarding_adds_the_relays_own_link() {
    for room in rooms() {
        room.expect("[stage.forward]\n[audience.forward]", OPUS_LOOKAHEAD_NS, |_, _, _| room.relay_ns());
    }
}

#[test]
fn a_mesh_adds_nothing_on_stage_and_the_relays_link_to_the_audience() {
    for room in rooms() {
        room.expect("[stage.mesh]\n[audience.forward]", OPUS_LOOKAHEAD_NS, |_, _, recorder| {
            if recorder.speaks { 0 } else { room.relay_ns() }
        });
    }
    let room = Room::drawn(4);
    room.expect("[stage.mesh]\n[audience.mesh]", OPUS_LOOKAHEAD_NS, |_, _, _| 0);
}

#[test]
fn a_mix_adds_a_second_look_ahead_and_the_wait_for_the_last_speaker() {
    for room in rooms() {
        let added = |held: &Held, speaker: Member, _| room.relay_ns() + held.wait_for_others_ns(&room, speaker.name);
        room.expect(&format!("{L16}[stage.mix]\n[audience.mix]"), 0, added);
        room.expect("[stage.mix]\n[audience.mix]", 2 * OPUS_LOOKAHEAD_NS, added);
    }
}

#[test]
fn a_mix_for_the_audience_alone_leaves_the_stage_as_it_is() {
    let room = Room::drawn(5);
    room.expect(&format!("{L16}[stage.mesh]\n[audience.mix]"), 0, |held, speaker, recorder| {
        if recorder.speaks { 0 } else { room.relay_ns() + held.wait_for_others_ns(&room, speaker.name) }
    });
}

#[test]
fn a_mix_by_tick_adds_the_wait_for_the_tick() {
    for room in rooms() {
        let serving = format!("{L16}[stage.mix]\ntiming.tick = {{}}\n[audience.mix]\ntiming.tick = {{}}");
        room.expect(&serving, 0, |held, speaker, _| room.relay_ns() + held.wait_for_tick_ns(&room, speaker.name));
    }
}

#[test]
fn a_cascade_adds_each_trunk_that_is_crossed() {
    const UP_NS: [i64; 2] = [21_234_567, 5_555_555];
    const DOWN_NS: [i64; 2] = [17_654_321, 9_999_999];
    let serving = format!(
        "[stage.cascade]\nedges = [{{ name = \"tokyo\" }}, {{ name = \"osaka\", link = \"t0\" }}, \
         {{ name = \"nara\", of = \"osaka\", link = \"t1\" }}]\n[audience.forward]\n\
         [link.t0]\nup.delay = {}\ndown.delay = {}\n[link.t1]\nup.delay = {}\ndown.delay = {}\n",
        millis(UP_NS[0]),
        millis(DOWN_NS[0]),
        millis(UP_NS[1]),
        millis(DOWN_NS[1])
    );
    // Edges are one below the other.
    let depth = |edge| ["tokyo", "osaka", "nara"].iter().position(|name| *name == edge).unwrap();
    for room in rooms() {
        room.expect(&serving, OPUS_LOOKAHEAD_NS, |_, speaker, recorder| {
            let (from, to) = (depth(speaker.edge), depth(recorder.edge));
            let trunks: i64 = if from > to { UP_NS[to..from].iter().sum() } else { DOWN_NS[from..to].iter().sum() };
            room.relay_ns() + trunks
        });
    }
}

#[test]
fn a_delay_line_adds_its_delay_to_the_audience_alone() {
    for room in rooms() {
        let serving = "[stage.forward]\n[audience.tier]\ndelay_line = \"5s\"";
        room.expect(serving, OPUS_LOOKAHEAD_NS, |_, _, recorder| {
            room.relay_ns() + if recorder.speaks { 0 } else { 5_000_000_000 }
        });
    }
}

#[test]
fn segments_add_what_the_first_packet_waited_for_its_segments_end() {
    for (room, seconds) in rooms().zip([2, 6, 3]) {
        let serving = format!("[stage.forward]\n[audience.tier]\nsegments.length = \"{seconds}s\"");
        room.expect(&serving, OPUS_LOOKAHEAD_NS, |held, speaker, recorder| {
            let arrivals = held.first_arrivals(&room);
            let (own, _) = arrivals.iter().find(|(_, name)| *name == speaker.name).unwrap();
            let wait = arrivals[0].0 + seconds * 1_000_000_000 - own;
            room.relay_ns() + if recorder.speaks { 0 } else { wait }
        });
    }
}

#[test]
fn a_delayed_mix_adds_both() {
    let room = Room::drawn(6);
    let serving = format!("{L16}[stage.forward]\n[audience.tier]\ndelay_line = \"3s\"\nthrough.mix = {{}}");
    room.expect(&serving, 0, |held, speaker, recorder| {
        let mixed = 3_000_000_000 + held.wait_for_others_ns(&room, speaker.name);
        room.relay_ns() + if recorder.speaks { 0 } else { mixed }
    });
}
