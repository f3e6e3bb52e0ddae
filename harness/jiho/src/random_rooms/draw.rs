//! From a seed to an experiment's file.

use std::fmt::Write;

use jiho_analysis::metrics::topology::Hypothesis;

use super::dice::Dice;
use super::{RandomRoom, Truth, Wish};

/// How long pilots sound. What one room says in this time, a longer one says more surely.
const SECONDS: usize = 20;
/// On any stage.
pub(super) const MOST_SPEAKERS: usize = 6;
/// On a stage of few, and in an audience of few.
const FEWEST: usize = 3;
const FEW: usize = 4;
/// Drops are this far apart.
const DROP_EVERY_MS: usize = 250;
const DROPS_FROM_MS: usize = 1500;

/// Draws a room. Equal seeds draw equal rooms; every truth comes up equally often among seeds in a row.
pub fn draw(seed: u32, wish: Wish) -> RandomRoom {
    let all = Truth::all();
    let truth = all[seed as usize % all.len()];
    let mut dice = Dice::new(u64::from(seed));
    let loses = !dice.chance(0.5) && !wish.lossless;
    let mut room = Room::new(truth, loses, &mut dice);
    if wish.few {
        room.speakers = room.speakers.clamp(FEWEST, FEW);
        room.listeners = room.listeners.min(FEW);
    }
    let (speakers, listeners) = (room.speakers, room.listeners);
    let experiment = room.write(seed, wish.drop_probe, &mut dice);
    RandomRoom { seed, truth, experiment, loses, speakers, listeners }
}

struct Room {
    truth: Truth,
    loses: bool,
    speakers: usize,
    listeners: usize,
    /// How many relays; 1 unless there is a cascade.
    edges: usize,
    /// Of clocks.
    most_offset_ms: f64,
    /// Latitude and longitude of the middle, and how far people are from it.
    middle: [f64; 2],
    radius_degrees: f64,
    text: String,
}

impl Room {
    fn new(truth: Truth, loses: bool, dice: &mut Dice) -> Self {
        let cascaded = [truth.stage, truth.audience].contains(&Hypothesis::Cascade);
        let speakers = *dice.pick(&[2, 3, 3, 3, 4, 4, 5, MOST_SPEAKERS]);
        // Large audiences are rarer, as they take longest.
        let listeners = *dice.pick(&[2, 2, 2, 2, 3, 3, 4, 4, 6, 12]);
        Self {
            truth,
            loses,
            speakers,
            listeners,
            edges: if cascaded { dice.count(2, 3) } else { 1 },
            most_offset_ms: *dice.pick(&[400.0, 400.0, 400.0, 5000.0]),
            middle: [dice.between(-40.0, 55.0), dice.between(-120.0, 120.0)],
            radius_degrees: *dice.pick(&[2.0, 8.0, 25.0]),
            text: String::new(),
        }
    }

    fn write(&mut self, seed: u32, drop_probe: bool, dice: &mut Dice) -> String {
        let warmup_ms = 1000.0 + self.most_offset_ms;
        let held_ms = self.line(&format!("name = \"random-{seed}\""), "").serving(dice);
        let drain_ms = 3000.0 + self.most_offset_ms + held_ms;
        self.line("[run]", &format!("warmup = \"{warmup_ms}ms\"\nduration = \"{SECONDS}s\"\ndrain = \"{drain_ms}ms\""));
        self.line(&format!("seed = {seed}"), "[signal.pilot]");
        let kbits = dice.pick(&[24, 32, 48]);
        self.line("[media]", &format!("codec.opus = {{ bitrate_bps = {kbits}000 }}"));
        let stretch = dice.between(1.2, 2.2);
        self.line("[geography]", &format!("path_stretch = {stretch:.3}"));
        let speakers: Vec<String> = (1..=self.speakers).map(|n| format!("s{n}")).collect();
        let listeners: Vec<String> = (1..=self.listeners).map(|n| format!("l{n}")).collect();
        for (n, name) in speakers.iter().enumerate() {
            let edge = self.edge_of(n, self.speakers, self.truth.stage);
            self.somebody("speaker", name, edge, dice);
        }
        for (n, name) in listeners.iter().enumerate() {
            let edge = self.edge_of(n, self.listeners, self.truth.audience);
            self.somebody("listener", name, edge, dice);
        }
        if drop_probe {
            self.drop_probe(&speakers, &listeners, dice);
        }
        std::mem::take(&mut self.text)
    }

    fn line(&mut self, first: &str, second: &str) -> &mut Self {
        self.text += &format!("{first}\n{second}\n");
        self
    }

    /// Writes who serves whom, and gives how much later the audience hears for it, in milliseconds.
    fn serving(&mut self, dice: &mut Dice) -> f64 {
        let Truth { stage, audience } = self.truth;
        let mut held_ms = 0.0;
        for (tier, served) in [("stage", stage), ("audience", audience)] {
            let mixing = |dice: &mut Dice| match dice.chance(0.6) {
                true => format!("timing.arrival = {{ deadline = \"{}ms\" }}", dice.count(10, 40)),
                false => "timing.tick = {}".to_owned(),
            };
            match served {
                Hypothesis::Mesh => self.line(&format!("[{tier}.mesh]"), ""),
                Hypothesis::Forward => self.line(&format!("[{tier}.forward]"), ""),
                Hypothesis::Mix => self.line(&format!("[{tier}.mix]"), &mixing(dice)),
                Hypothesis::Cascade => {
                    let own = tier == "stage" || stage != Hypothesis::Cascade;
                    let edges = if own { self.edges() } else { String::new() };
                    self.line(&format!("[{tier}.cascade]"), &edges)
                }
                Hypothesis::DelayedForward | Hypothesis::DelayedMix => {
                    let length_ms = dice.between_decades(300.0, 3000.0).round();
                    held_ms = length_ms;
                    let line = dice.chance(0.6);
                    let hold = if line {
                        format!("delay_line = \"{length_ms}ms\"")
                    } else {
                        format!("segments = {{ length = \"{length_ms}ms\" }}")
                    };
                    self.line(&format!("[{tier}.tier]"), &hold);
                    match served {
                        Hypothesis::DelayedMix => {
                            let mixing = mixing(dice);
                            self.line(&format!("[{tier}.tier.through.mix]"), &mixing)
                        }
                        _ => self,
                    }
                }
            };
        }
        if self.edges == 1 {
            self.place("relay", 0.3, dice);
            self.line("[relay]", "place = \"relay\"");
        } else {
            for n in 0..self.edges {
                self.place(&format!("edge{n}"), 1.0, dice);
            }
            self.direction("trunk", 1.0, 8.0, dice);
        }
        held_ms
    }

    /// The first edge is in the middle of the tree, or the second has a further one.
    fn edges(&self) -> String {
        let edge = |n: usize| {
            let link = if n == 0 { String::new() } else { ", link = \"trunk\"".to_owned() };
            format!("{{ name = \"edge{n}\", place = \"edge{n}\"{link} }}")
        };
        format!("edges = [{}]", (0..self.edges).map(edge).collect::<Vec<_>>().join(", "))
    }

    /// At which edge somebody is: all at the first one, unless a cascade serves them, which spreads them over all.
    fn edge_of(&self, n: usize, of: usize, served: Hypothesis) -> Option<usize> {
        let spread = n * self.edges / of.max(1);
        (self.edges > 1).then_some(if served == Hypothesis::Cascade { spread } else { 0 })
    }

    /// A place at most so far from the middle, relative to what is usual here.
    fn place(&mut self, name: &str, spread: f64, dice: &mut Dice) {
        let radius = self.radius_degrees * spread;
        let [latitude, longitude] = self.middle.map(|at| at + dice.between(-radius, radius));
        self.line(&format!("[place.{name}]"), &format!("at = [{latitude:.3}, {longitude:.3}]"));
    }

    fn somebody(&mut self, role: &str, name: &str, edge: Option<usize>, dice: &mut Dice) {
        self.place(name, 1.0, dice);
        let jitter_ms = self.direction(name, 2.0, 25.0, dice);
        let offset_ms = dice.between(-self.most_offset_ms, self.most_offset_ms);
        let [drift, card] = [(); 2].map(|()| dice.between(-100.0, 100.0));
        self.line(
            &format!("[host.{name}]"),
            &format!("clock = {{ offset = \"{offset_ms:.3}ms\", drift_ppm = {drift:.2} }}\ncard.ppm = {card:.2}"),
        );
        let playout = match dice.count(0, 3) {
            0 => "playout.adaptive = {}".to_owned(),
            1 => "playout.buffers = {}".to_owned(),
            // Wide enough for nearly all packets.
            _ => format!("playout.fixed = \"{:.1}ms\"", dice.between(15.0, 80.0) + 4.0 * jitter_ms),
        };
        let edge = edge.map(|n| format!("edge = \"edge{n}\"\n")).unwrap_or_default();
        self.line(
            &format!("[[{role}]]\nname = \"{name}\"\nplace = \"{name}\"\nlink = \"{name}\"\nhost = \"{name}\""),
            &format!("{playout}\n{edge}"),
        );
    }

    /// Writes a link, and gives about how widely its delays scatter, in milliseconds.
    fn direction(&mut self, name: &str, least_ms: f64, most_ms: f64, dice: &mut Dice) -> f64 {
        self.line(&format!("[link.{name}]"), "");
        let mut widest: f64 = 0.0;
        for way in ["up", "down"] {
            let delay_ms = dice.between(least_ms, most_ms);
            let scatter_ms = dice.between_decades(0.2, 8.0);
            let (jitter, scatter_ms) = match dice.count(0, 3) {
                0 => (String::new(), 0.0),
                1 => (format!("jitter.normal = \"{scatter_ms:.3}ms\""), scatter_ms),
                2 => (
                    format!("jitter.gamma = {{ mean = \"{scatter_ms:.3}ms\", sd = \"{scatter_ms:.3}ms\" }}"),
                    1.5 * scatter_ms,
                ),
                _ => (format!("jitter.uniform = \"{:.3}ms\"", 3.0 * scatter_ms), scatter_ms),
            };
            widest = widest.max(scatter_ms);
            let correlation = *dice.pick(&[0, 0, 50, 90, 98]);
            let loss = match (self.loses && dice.chance(0.8), dice.chance(0.7)) {
                (false, _) => String::new(),
                (true, true) => format!("loss = \"{:.3}%\"", dice.between_decades(0.1, 2.0)),
                (true, false) => {
                    format!(
                        "loss.gilbert = {{ good_to_bad = \"{:.3}%\", bad_to_good = \"40%\" }}",
                        dice.between(0.05, 0.8)
                    )
                }
            };
            let correlation =
                if jitter.is_empty() { String::new() } else { format!("jitter_correlation = \"{correlation}%\"") };
            // The text never fails to grow.
            let _ = writeln!(
                self.text,
                "[link.{name}.{way}]\ndelay = \"{delay_ms:.3}ms\"\n{jitter}\n{correlation}\n{loss}"
            );
        }
        widest
    }

    /// Half of it in, half of it out, as many as fit.
    fn drop_probe(&mut self, speakers: &[String], listeners: &[String], dice: &mut Dice) {
        let some = |names: &[String], most: usize| names.iter().take(most).cloned().collect::<Vec<_>>();
        let participants = [some(speakers, 3), some(listeners, dice.count(2, 3))].concat();
        let turns = (SECONDS * 1000 - DROPS_FROM_MS - 500) / DROP_EVERY_MS;
        let each = (turns / participants.len() / 2).min(6);
        self.line(
            "[drop_probe]",
            &format!(
                "incoming = {each}\noutgoing = {each}\ninterval = \"{DROP_EVERY_MS}ms\"\nfrom = \"{DROPS_FROM_MS}ms\"\n\
                 participants = {participants:?}"
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::experiment::Experiment;

    #[test]
    fn every_seed_draws_an_experiment_and_any_row_of_them_all_truths() {
        let mut truths = BTreeSet::new();
        for seed in 0..500 {
            let wish = Wish { drop_probe: seed % 2 == 0, ..Wish::default() };
            let room = draw(seed, wish);
            let read = Experiment::parse(&room.experiment, Path::new("random.toml"));
            let experiment = read.unwrap_or_else(|error| panic!("{seed}: {error}\n{}", room.experiment));
            assert_eq!((experiment.speakers.len(), experiment.listeners.len()), (room.speakers, room.listeners));
            assert_eq!(experiment.drop_probe.is_some(), wish.drop_probe);
            assert_eq!(draw(seed, wish), room, "equal seeds draw equal rooms");
            truths.insert(room.truth);
        }
        assert_eq!(truths.into_iter().collect::<Vec<_>>().len(), 19);
    }

    #[test]
    fn a_room_without_losses_has_links_that_lose_nothing() {
        for seed in 0..100 {
            let room = draw(seed, Wish { lossless: true, ..Wish::default() });
            let experiment = Experiment::parse(&room.experiment, Path::new("random.toml")).unwrap();
            assert!(!room.loses && !room.experiment.contains("loss"));
            assert!(experiment.links.values().all(|link| link.up.loss.is_none() && link.down.loss.is_none()));
        }
    }

    #[test]
    fn a_room_of_few_is_the_one_of_its_seed_with_fewer_in_it() {
        for seed in 0..100 {
            let [any, few] = [false, true].map(|few| draw(seed, Wish { few, ..Wish::default() }));
            assert!((3..=4).contains(&few.speakers) && (2..=4).contains(&few.listeners));
            assert_eq!((any.truth, any.loses), (few.truth, few.loses));
            let fits = any.speakers == few.speakers && any.listeners == few.listeners;
            assert!(!fits || any == few);
        }
    }
}
