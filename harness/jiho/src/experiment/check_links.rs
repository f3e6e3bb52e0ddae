//! What is checked of links and hosts: numbers that make no distribution, times that never come.

use std::collections::BTreeMap;
use std::path::Path;

use jiho_analysis::units::Nanos;

use super::check::Check;
use super::file::{DirectionEntry, File};
use super::host::{Card, Clock, Host};
use super::link::{Bottleneck, Direction, Empirical, Jitter, Link, Measured};
use super::parts::Run;
use super::place::Place;
use super::text::duration_text;

/// More parts per million than any clock of a working machine is wrong by.
const MOST_PPM: f64 = 10_000.0;
/// Of an empirical distribution.
const MOST_VALUES: usize = 1_000_000;

impl Check<'_> {
    /// Fills in what links leave out; `folder` is where files that they name are looked for.
    pub(super) fn links(&mut self, file: &mut File, folder: &Path, place: &Place<'_>) -> BTreeMap<String, Link> {
        let until = Nanos(file.run.duration.0.saturating_add(file.run.drain.0));
        let mut links = BTreeMap::new();
        for (name, entry) in std::mem::take(&mut file.link) {
            let [mut both, mut up, mut down] = entry.split();
            let place = place.key(&name);
            self.direction(&mut both, folder, until, &place);
            self.direction(&mut up, folder, until, &place.key("up"));
            self.direction(&mut down, folder, until, &place.key("down"));
            links.insert(name, Link { up: merge(up, &both), down: merge(down, &both) });
        }
        links
    }

    /// Checks hosts.
    pub(super) fn hosts(&mut self, hosts: &mut BTreeMap<String, Host>, run: &Run, folder: &Path, place: &Place<'_>) {
        for (name, host) in hosts {
            let place = place.key(name);
            self.clock(&host.clock, run, &place.key("clock"));
            self.card(&host.card, &place.key("card"));
            if let Some(wake_up) = &mut host.wake_up {
                self.jitter(wake_up, folder, &place.key("wake_up"));
            }
        }
    }

    fn direction(&mut self, entry: &mut DirectionEntry, folder: &Path, until: Nanos, place: &Place<'_>) {
        if let Some(jitter) = &mut entry.jitter {
            self.jitter(jitter, folder, &place.key("jitter"));
        }
        if entry.jitter_correlation.is_some_and(|share| share.fraction() >= 1.0) {
            let message = "fully correlated jitter would never change".to_owned();
            self.problem(&place.key("jitter_correlation"), message, "less than 100%; nearly all is \"99%\"");
        }
        if let Some(bottleneck) = &mut entry.bottleneck {
            self.bottleneck(bottleneck, &place.key("bottleneck"));
        }
        for (n, outage) in entry.outage.iter().flatten().enumerate() {
            let place = place.key("outage").index(n);
            if outage.lasts == Nanos::ZERO {
                self.problem(&place.key("for"), "an outage of no time at all".to_owned(), "such as \"300ms\"");
            }
            self.comes(outage.at, until, &place.key("at"));
        }
        let mut last = None;
        for (n, change) in entry.route_change.iter().flatten().enumerate() {
            let place = place.key("route_change").index(n).key("at");
            self.comes(change.at, until, &place);
            self.in_order(&mut last, change.at, &place);
        }
    }

    fn comes(&mut self, at: Nanos, until: Nanos, place: &Place<'_>) {
        if at >= until {
            let message = format!("the run is over when it is {} into its beeps", duration_text(at));
            let mend = format!("less than {}: `duration` and `drain` in [run] together", duration_text(until));
            self.problem(place, message, &mend);
        }
    }

    fn in_order(&mut self, last: &mut Option<Nanos>, at: Nanos, place: &Place<'_>) {
        if last.is_some_and(|last| at <= last) {
            self.problem(place, "not later than the one before".to_owned(), "give them in order of time");
        }
        *last = Some(at);
    }

    fn jitter(&mut self, jitter: &mut Jitter, folder: &Path, place: &Place<'_>) {
        match jitter {
            Jitter::Normal(_) | Jitter::Uniform(_) => {}
            Jitter::LogNormal { sigma, .. } => {
                if !(0.0..=5.0).contains(sigma) {
                    let place = place.key("log_normal").key("sigma");
                    self.problem(&place, format!("a sigma of {sigma} makes no delays"), "0 to 5; 0.5 is a long tail");
                }
            }
            Jitter::Gamma { .. } => {
                if jitter.model().is_none() {
                    let message = "no gamma distribution has this mean and this standard deviation".to_owned();
                    let mend = "give both, the greater at most a hundred times the smaller";
                    self.problem(&place.key("gamma"), message, mend);
                }
            }
            Jitter::Pareto { shape, .. } => {
                if !(1.0..=100.0).contains(shape) {
                    let place = place.key("pareto").key("shape");
                    self.problem(&place, format!("a shape of {shape} makes no delays"), "1 to 100; 3 is a long tail");
                }
            }
            Jitter::Empirical(empirical) => self.empirical(empirical, folder, &place.key("empirical")),
        }
    }

    fn empirical(&mut self, empirical: &mut Empirical, folder: &Path, place: &Place<'_>) {
        match (empirical.file.take(), empirical.delays.is_empty()) {
            (Some(_), false) => {
                let message = "delays are given twice, as a file and as values".to_owned();
                self.problem(&place.key("file"), message, "give either `file` or `delays`");
            }
            (Some(file), true) => match delays(&folder.join(&file)) {
                Ok(delays) => empirical.delays = delays,
                Err(message) => {
                    let mend = "a CSV file with a column `delay_ms` or `delay_ns`, such as delays.csv of a run";
                    self.problem(&place.key("file"), format!("{file}: {message}"), mend);
                }
            },
            (None, true) => {
                let mend = "give some, as in delays = [\"1ms\", \"5ms\"], or a CSV file, as in file = \"delays.csv\"";
                self.problem(place, "there are no delays to choose from".to_owned(), mend);
            }
            (None, false) => {}
        }
    }

    fn bottleneck(&mut self, bottleneck: &mut Bottleneck, place: &Place<'_>) {
        if bottleneck.bytes_per_second == 0 {
            let message = "nothing gets through a bottleneck of 0 bytes per second".to_owned();
            self.problem(&place.key("bytes_per_second"), message, "such as 8000; an `outage` lets nothing through");
        }
        match (bottleneck.queue, bottleneck.queue_bytes) {
            (Some(_), Some(_)) => {
                let message = "the queue has two limits".to_owned();
                self.problem(&place.key("queue_bytes"), message, "give either `queue` or `queue_bytes`");
            }
            (None, Some(0)) => {
                let message = "no packet fits into a queue of 0 bytes".to_owned();
                self.problem(&place.key("queue_bytes"), message, "at least 120 for one packet of 80 bytes of Opus");
            }
            (None, None) => bottleneck.queue = Some(Bottleneck::DEFAULT_QUEUE),
            _ => {}
        }
    }

    fn clock(&mut self, clock: &Clock, run: &Run, place: &Place<'_>) {
        self.ppm(clock.drift_ppm, &place.key("drift_ppm"));
        let mut last = None;
        for (n, step) in clock.step.iter().enumerate() {
            let place = place.key("step").index(n).key("at");
            self.comes(step.at, run.duration + run.drain, &place);
            self.in_order(&mut last, step.at, &place);
        }
        let room = (run.warmup - Run::SHORTEST_WARMUP).min(run.drain);
        if clock.offset.abs() > room {
            let message =
                format!("beeps by a clock that is {} off sound before or after the run", duration_text(clock.offset));
            let mend = format!(
                "at most {} with these `warmup` and `drain` in [run]: beeps must sound after the first {} and be heard",
                duration_text(room.max(Nanos::ZERO)),
                duration_text(Run::SHORTEST_WARMUP)
            );
            self.problem(&place.key("offset"), message, &mend);
        }
    }

    fn card(&mut self, card: &Card, place: &Place<'_>) {
        self.ppm(card.ppm, &place.key("ppm"));
        if !(Nanos::from_millis(1)..=Nanos::from_secs(1)).contains(&card.period) {
            let message = format!("no sound card takes {} at once", duration_text(card.period));
            self.problem(&place.key("period"), message, "1ms to 1s");
        }
    }

    fn ppm(&mut self, ppm: f64, place: &Place<'_>) {
        if !(-MOST_PPM..=MOST_PPM).contains(&ppm) {
            let message = format!("no clock is wrong by {ppm} parts per million");
            self.problem(place, message, &format!("-{MOST_PPM} to {MOST_PPM}; sound cards have up to 100 or so"));
        }
    }
}

/// The delays in a CSV file's column `delay_ms` or `delay_ns`; rows without one are left out.
fn delays(path: &Path) -> Result<Vec<Measured>, String> {
    let mut reader = csv::Reader::from_path(path).map_err(|error| error.to_string())?;
    let headers = reader.headers().map_err(|error| error.to_string())?;
    let column = |name: &str| headers.iter().position(|header| header == name);
    let (column, nanos) = match (column("delay_ms"), column("delay_ns")) {
        (Some(column), _) => (column, 1e6),
        (None, Some(column)) => (column, 1.0),
        (None, None) => return Err("there is no column `delay_ms` or `delay_ns`".to_owned()),
    };
    let mut delays = Vec::new();
    for (n, record) in reader.records().enumerate() {
        let record = record.map_err(|error| error.to_string())?;
        let Some(text) = record.get(column).filter(|text| !text.is_empty()) else { continue };
        let value = text.trim().parse::<f64>().map(|value| value * nanos);
        match value {
            // Twelve hours, as everywhere.
            Ok(value) if (0.0..=4.32e13).contains(&value) => delays.push(Measured(Nanos(value.round() as i64))),
            _ => return Err(format!("row {}: `{text}` is not a delay", n + 1)),
        }
        if delays.len() > MOST_VALUES {
            return Err(format!("more than {MOST_VALUES} delays"));
        }
    }
    if delays.is_empty() { Err("there are no delays in it".to_owned()) } else { Ok(delays) }
}

/// What a direction says itself, and for the rest what its link says of both.
fn merge(own: DirectionEntry, both: &DirectionEntry) -> Direction {
    Direction {
        delay: own.delay.or(both.delay).unwrap_or_default(),
        loss: own.loss.or(both.loss).unwrap_or_default(),
        jitter: own.jitter.or_else(|| both.jitter.clone()),
        jitter_correlation: own.jitter_correlation.or(both.jitter_correlation).unwrap_or_default(),
        duplication: own.duplication.or(both.duplication).unwrap_or_default(),
        reorder: own.reorder.or(both.reorder).unwrap_or_default(),
        bottleneck: own.bottleneck.or(both.bottleneck),
        outage: own.outage.or_else(|| both.outage.clone()).unwrap_or_default(),
        route_change: own.route_change.or_else(|| both.route_change.clone()).unwrap_or_default(),
    }
}
