//! A chorus for a terminal, and in plain words.

use std::fmt::Write;

use jiho_analysis::arrivals::Role;
use jiho_analysis::metrics::chorus::{Way, bpm};

use super::prose::listed;
use crate::run::chorus::{Chorus, ChorusHeard};
use crate::run::measure::Findings;

/// More ears than this are left to the tables.
const CROWD: usize = 16;

/// The ears, and what there is to say; nothing if there was no chorus.
pub fn text(findings: &Findings) -> String {
    let Some(chorus) = &findings.chorus else { return String::new() };
    let mut text = table(findings, chorus);
    text.push('\n');
    for sentence in sentences(findings, chorus) {
        text.push_str(&sentence);
        text.push('\n');
    }
    text
}

fn table(findings: &Findings, chorus: &Chorus) -> String {
    let mut text = format!(
        "\nChorus of {} at {:.1} bpm: from the first voice to the last, in ms, once they have found together\n\n  {:<24}\
         {:>8}{:>8}{:>12}{:>12}{:>10}\n",
        findings.speakers.len(),
        bpm(chorus.song.period),
        "at",
        "median",
        "p95",
        "by delays",
        "with cure",
        "bpm"
    );
    for (recorder, ear) in findings.recorders.iter().zip(&chorus.ears).take(CROWD) {
        let ChorusHeard { spread, predicted_ms, cured_ms, tempo, .. } = ear;
        let tier = if recorder.role == Role::Speaker { "stage" } else { "audience" };
        let cell = |ms: Option<f64>| ms.map_or("–".to_owned(), |ms| format!("{ms:.1}"));
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "  {:<24}{:>8}{:>8}{:>12}{:>12}{:>10}",
            format!("{} ({tier})", recorder.name),
            cell(spread.map(|spread| spread.median_ms)),
            cell(spread.map(|spread| spread.p95_ms)),
            cell(*predicted_ms),
            cell(*cured_ms),
            cell(tempo.steady_bpm),
        );
    }
    text
}

/// What there is to say.
fn sentences(findings: &Findings, chorus: &Chorus) -> Vec<String> {
    let mut said = ways(findings, chorus);
    said.extend(tempo(chorus));
    said.extend(chorus.unsure_clocks.map(|apart| {
        let ms = apart.as_millis_f64();
        format!("What the delays make of a grid, and what would mend it, cannot be said: the singers' clocks may be {ms:.0} ms apart.")
    }));
    said.extend(holds(findings, chorus));
    said.extend(cure(findings, chorus));
    said.push(
        "That voices lie together in the audience says nothing of a mixer: what differs between architectures is how far \
         apart they lie on stage, and how the tempo drags."
            .to_owned(),
    );
    said
}

fn ways(findings: &Findings, chorus: &Chorus) -> Vec<String> {
    let name = |singer: usize| findings.speakers[singer].name.as_str();
    let of = |wanted: &dyn Fn(&Way) -> bool| -> Vec<&str> {
        (0..chorus.singers.len()).filter(|&n| wanted(&chorus.singers[n].way)).map(name).collect()
    };
    let mut said = Vec::new();
    let mut say = |who: Vec<&str>, one: &str, more: &str, what: &str| {
        if !who.is_empty() {
            let verb = if who.len() == 1 { one } else { more };
            said.push(format!("{} {verb} {what}.", listed(&who)));
        }
    };
    say(of(&|way| *way == Way::Grid), "sings", "sing", "on the grid");
    for leader in 0..chorus.singers.len() {
        let what = format!("{} as heard", name(leader));
        say(of(&|way| *way == Way::Follow(leader)), "follows", "follow", &what);
    }
    let together = of(&|way| matches!(way, Way::Together(_)));
    say(together, "corrects", "correct", "their phase by what they hear of the others");
    said
}

fn tempo(chorus: &Chorus) -> Option<String> {
    let song = bpm(chorus.song.period);
    let heard = chorus.ears.iter().filter_map(|ear| ear.tempo.steady_bpm);
    let (low, high) = (heard.clone().reduce(f64::min)?, heard.reduce(f64::max)?);
    let heard = if high - low < 0.15 { format!("{high:.1}") } else { format!("{low:.1} to {high:.1}") };
    let foretold = chorus.steady.as_ref().map_or(String::new(), |steady| {
        format!("; by the delays alone it would be {:.1}", bpm(steady.period(&chorus.song)))
    });
    Some(format!("The tempo was {heard} bpm of the song's {song:.1}{foretold}."))
}

fn holds(findings: &Findings, chorus: &Chorus) -> Vec<String> {
    let pair = |hold: &jiho_analysis::metrics::chorus::Hold| {
        let (one, other) = (&findings.speakers[hold.singer].name, &findings.speakers[hold.other].name);
        format!("{one} and {other} ({:.0} ms, {})", hold.one_way_ms, hold.grade.name())
    };
    let thresholds = &chorus.thresholds;
    let limit = format!(
        "{:.0} to {:.0} ms one way, Schuett 2002",
        thresholds.ensemble.as_millis_f64(),
        thresholds.ensemble_limit.as_millis_f64()
    );
    let (could, could_not): (Vec<_>, Vec<_>) = chorus.holds.iter().partition(|hold| hold.grade.holds_time());
    let mut said = Vec::new();
    for (pairs, what) in [(could, "could hold time"), (could_not, "could never hold time")] {
        if !pairs.is_empty() {
            let named: Vec<String> = pairs.into_iter().map(pair).collect();
            said.push(format!("By hearing each other {what}: {} (limit: {limit}).", listed(&named)));
        }
    }
    let rushes = |hold: &&jiho_analysis::metrics::chorus::Hold| hold.one_way_ms < thresholds.natural.as_millis_f64();
    if chorus.holds.iter().any(|hold| rushes(&hold)) {
        said.push(format!(
            "Below {:.1} ms people who clap together get faster (Chafe and Gurevich 2004).",
            thresholds.natural.as_millis_f64()
        ));
    }
    said
}

fn cure(findings: &Findings, chorus: &Chorus) -> Option<String> {
    let cure = chorus.cure.as_ref()?;
    let advance = |(n, advance): (usize, &jiho_analysis::units::Nanos)| {
        format!("{} by {:.1} ms", findings.speakers[n].name, advance.as_millis_f64())
    };
    let advances: Vec<String> = cure.advances.iter().enumerate().map(advance).collect();
    let left = |role: Role| {
        let ears = findings.recorders.iter().zip(&chorus.ears).filter(move |(recorder, _)| recorder.role == role);
        ears.filter_map(|(_, ear)| ear.cured_ms).reduce(f64::max)
    };
    let audience = left(Role::Listener)?;
    let stage = left(Role::Speaker).map_or(String::new(), |ms| format!(", and singers up to {ms:.1} ms apart"));
    Some(format!(
        "The cure for the audience is to be ahead of what one sings on, {}: then it hears all voices within {audience:.1} ms, \
         but for jitter{stage}.",
        listed(&advances)
    ))
}
