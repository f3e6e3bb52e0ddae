//! `[[gate]]` and `[baseline]`: what a run is held against.

use std::path::PathBuf;

use jiho_analysis::signal::{Family, Signal as Rhythm};
use serde::{Deserialize, Serialize, Serializer};

use super::check::Check;
use super::error::{Problem, Spot};
use super::place::Place;
use super::text::Percent;
use super::{Experiment, Invalid, mend};
use crate::figures::{Figure, FigureError, Metric};
use crate::gates::{Comparison, Gate, LimitError, amount};

/// A gate as the file has it: `limit` alone, or `figure` with what it may be worse by.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GateEntry {
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    figure: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worse_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worse_by_share: Option<Percent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Percent>,
}

/// What a run is compared with, where the command line does not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// The folder of a run or of a series, seen from the experiment's file.
    Folder(PathBuf),
    /// A history's file, seen from the experiment's file.
    History(PathBuf),
}

impl Serialize for Gate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entry = match self {
            Self::Limit(limit) => GateEntry { limit: Some(limit.text.clone()), ..GateEntry::default() },
            Self::Comparison(Comparison { figure, worse_by, worse_by_share, error }) => GateEntry {
                limit: None,
                figure: Some(figure.to_string()),
                worse_by: worse_by.map(|value| amount::written(value, figure.unit())),
                worse_by_share: worse_by_share.map(Percent::of),
                error: (*error != Comparison::ERROR).then(|| Percent::of(*error)),
            },
        };
        entry.serialize(serializer)
    }
}

impl Check<'_> {
    pub(super) fn gates(&mut self, entries: Vec<GateEntry>, place: &Place<'_>) -> Vec<Gate> {
        let entries = entries.into_iter().enumerate();
        entries.filter_map(|(n, entry)| self.gate(entry, &place.index(n))).collect()
    }

    fn gate(&mut self, entry: GateEntry, place: &Place<'_>) -> Option<Gate> {
        let GateEntry { limit, figure, worse_by, worse_by_share, error } = entry;
        match (limit, figure) {
            (Some(text), None) => {
                for (key, given) in [
                    ("worse_by", worse_by.is_some()),
                    ("worse_by_share", worse_by_share.is_some()),
                    ("error", error.is_some()),
                ] {
                    if given {
                        let message = format!("`{key}` is for comparisons, and this is a limit");
                        self.problem(&place.key(key), message, "give `figure` in place of `limit`, or leave it out");
                    }
                }
                let limit = text.parse().map_err(|error: LimitError| {
                    self.problem_within(&place.key("limit"), &text, error.at.clone(), advice(&error.to_string()));
                });
                limit.ok().map(Gate::Limit)
            }
            (None, Some(text)) => {
                let figure: Figure = text
                    .parse()
                    .map_err(|error: FigureError| {
                        let at = error.span(&text);
                        self.problem_within(&place.key("figure"), &text, at, advice(&error.to_string()));
                    })
                    .ok()?;
                let worse_by = match worse_by.map(|text| amount::parse(&text, figure.unit())).transpose() {
                    Ok(value) if value.is_some_and(|value| value < 0.0) => {
                        let message = "a floor below nothing makes no sense".to_owned();
                        self.problem(&place.key("worse_by"), message, "give how much worse the figure may be");
                        None
                    }
                    Ok(value) => value,
                    Err(message) => {
                        let (message, mend) = advice(&message);
                        self.problem(&place.key("worse_by"), message, mend.as_deref().unwrap_or("such as \"2ms\""));
                        None
                    }
                };
                let error = error.map_or(Comparison::ERROR, Percent::fraction);
                if !(1e-6..=0.2).contains(&error) {
                    let message = format!("an error of {} is none to judge by", Percent::of(error));
                    self.problem(&place.key("error"), message, "0.0001% to 20%; 0.5% is usual");
                }
                let worse_by_share = worse_by_share.map(Percent::fraction);
                Some(Gate::Comparison(Comparison { figure, worse_by, worse_by_share, error }))
            }
            (Some(_), Some(_)) => {
                let message = "a gate is a limit or a comparison, and this is both".to_owned();
                self.problem(&place.key("figure"), message, "make two gates of it");
                None
            }
            (None, None) => {
                let message = "this gate says nothing".to_owned();
                let mend = "give limit = \"speaker_to_audience.p95 < 400ms\", or figure = \"speaker_to_audience.p95\" \
                            to compare it";
                self.problem(place, message, mend);
                None
            }
        }
    }

    /// Whether the run will have what the gates ask for.
    pub(super) fn gates_have_figures(&mut self, experiment: &Experiment, place: &Place<'_>) {
        for (n, gate) in experiment.gates.iter().enumerate() {
            if let Some((message, mend)) = lacks(gate.figure(), experiment) {
                let place = place.index(n);
                let key = if matches!(gate, Gate::Limit(_)) { "limit" } else { "figure" };
                self.problem(&place.key(key), message, &mend);
            }
        }
    }

    /// A problem with a part of a text that stands in the file as it is; with all of the text if it is escaped there.
    fn problem_within(
        &mut self,
        place: &Place<'_>,
        text: &str,
        at: std::ops::Range<usize>,
        (message, mend): mend::Advice,
    ) {
        let whole = place.span().unwrap_or(0..0);
        let plain = self.text.get(whole.clone()).is_some_and(|written| written.get(1..written.len() - 1) == Some(text));
        let span = if plain { whole.start + 1 + at.start..whole.start + 1 + at.end } else { whole };
        self.problems.push(Problem { message, mend, spot: Some(Spot::new(self.text, span)) });
    }
}

/// What a run of the experiment lacks for a figure, and the mend.
fn lacks(figure: &Figure, experiment: &Experiment) -> Option<(String, String)> {
    let name = figure.metric.name();
    let lacks = |what: &str, mend: &str| Some((format!("there is no `{name}` without {what}"), mend.to_owned()));
    let pilot = Rhythm::from(&experiment.signal).family == Family::Pilot;
    match figure.metric {
        // Somebody else's relay may write its table itself.
        Metric::Residence if !experiment.run.relay_csv && experiment.relay.external.is_none() => {
            return lacks("a table of the relay's packets", "give relay_csv = true in [run]");
        }
        Metric::Gap(..) if !pilot => return lacks("a pilot, which tells of every instant", "give [signal.pilot]"),
        Metric::Spread(_) | Metric::Tempo if experiment.chorus.is_none() => {
            return lacks("a chorus", "give speakers `sing`");
        }
        Metric::Spread(_) | Metric::Tempo | Metric::Gap(..) | Metric::Residence => {}
        // All others come of beeps, but for how often a jitter buffer had nothing.
        metric if pilot && metric != Metric::Concealed => {
            return lacks("beeps, and a pilot has none", "give [signal.voiced], or leave [signal.pilot] out");
        }
        _ => {}
    }
    let speakers: Vec<&str> = (experiment.speakers.iter().map(|speaker| speaker.name.as_str()))
        .chain(experiment.listeners.iter().filter(|listener| listener.code.is_some()).map(|l| l.name.as_str()))
        .collect();
    let ears: Vec<&str> = (experiment.speakers.iter().map(|speaker| speaker.name.as_str()))
        .chain(experiment.listeners.iter().map(|listener| listener.name.as_str()))
        .collect();
    for (named, known, who) in
        [(&figure.pairs.speaker, &speakers, "nobody who speaks"), (&figure.pairs.ear, &ears, "nobody")]
    {
        if let Some(name) = named.as_ref().filter(|name| !known.contains(&name.as_str())) {
            let mend = match mend::nearest(name, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("one of {}, or *", mend::list(known)),
            };
            return Some((format!("{who} is named `{name}`"), mend));
        }
    }
    None
}

/// A gate from the command line, where `origin` is the option that it was given by.
///
/// # Errors
/// It makes no sense, or nothing in the experiment, if there is one, would be measured that it asks for.
pub fn gate_from(
    origin: &str,
    text: &str,
    experiment: Option<&Experiment>,
    parse: impl Fn(&str) -> Result<Gate, (String, std::ops::Range<usize>)>,
) -> Result<Gate, Invalid> {
    let invalid = |(message, mend), span| {
        let problem = Problem { message, mend, spot: Some(Spot::new(text, span)) };
        Invalid { origin: origin.to_owned(), problems: vec![problem] }
    };
    let gate = parse(text).map_err(|(message, at)| invalid(advice(&message), at))?;
    match experiment.and_then(|experiment| lacks(gate.figure(), experiment)) {
        Some((message, mend)) => Err(invalid((message, Some(mend)), 0..text.len())),
        None => Ok(gate),
    }
}

/// A message and the mend that it ends with.
fn advice(message: &str) -> mend::Advice {
    match message.split_once(": ") {
        Some((message, mend)) => (message.to_owned(), Some(mend.to_owned())),
        None => (message.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const ROOM: &str = "[[speaker]]\nname = \"ana\"\n[[listener]]\nname = \"lena\"\n";

    fn parsed(gates: &str) -> Result<Experiment, Invalid> {
        Experiment::parse(&format!("{ROOM}{gates}"), Path::new("room.toml"))
    }

    #[test]
    fn somebody_elses_relay_may_have_a_table_of_its_packets() {
        let theirs = "[relay.external]\ncontrol = \"127.0.0.1:4000\"\ntoken = \"t\"\n";
        let gate = "[[gate]]\nlimit = \"relay.residence.p99 < 2ms\"\n";
        assert!(parsed(gate).is_err());
        assert_eq!(parsed(&format!("{theirs}{gate}")).unwrap().gates.len(), 1);
    }

    #[test]
    fn gates_are_read_and_written_back() {
        let experiment = parsed(
            "[baseline]\nhistory = \"history.csv\"\n\
             [[gate]]\nlimit = \"speaker_to_audience[ana -> lena].p95 < 400ms\"\n\
             [[gate]]\nfigure = \"heard_ratio\"\nworse_by = \"1%\"\n\
             [[gate]]\nfigure = \"delay.p95\"\nworse_by = \"2.5ms\"\nworse_by_share = \"3%\"\nerror = \"1%\"\n",
        )
        .unwrap();
        assert_eq!(experiment.baseline, Some(Baseline::History("history.csv".into())));
        let Gate::Comparison(last) = &experiment.gates[2] else { panic!("{:?}", experiment.gates) };
        assert_eq!((last.worse_by, last.worse_by_share, last.error), (Some(2.5), Some(0.03), 0.01));
        let again = Experiment::parse(&experiment.to_toml(), Path::new("again.toml")).unwrap();
        assert_eq!((again.gates, again.baseline), (experiment.gates, experiment.baseline));
    }

    #[test]
    fn what_is_wrong_with_a_gate_is_shown_at_its_very_word() {
        for (gate, column, says) in [
            ("limit = \"delay.average < 4ms\"", 16, "\"average\" is no statistic"),
            ("limit = \"delay.p95 < 400\"", 22, "lacks a unit"),
            ("limit = \"delay.p95\"", 10, "compares a figure with a value"),
            ("limit = \"delay[ana -> lea].p95 < 4ms\"", 9, "did you mean `lena`?"),
            ("limit = \"promotion.silence.p95 < 300ms\"", 9, "give [signal.pilot]"),
            ("limit = \"chorus.spread.p95 < 30ms\"", 9, "without a chorus"),
            ("limit = \"relay.residence.p99 < 2ms\"", 9, "relay_csv = true"),
            ("figure = \"heard_ratoi\"", 11, "did you mean heard_ratio"),
            ("figure = \"delay.p95\"\nworse_by = \"2\"", 12, "lacks a unit"),
            ("limit = \"delay.p95 < 4ms\"\nworse_by = \"2ms\"", 12, "is for comparisons"),
            ("figure = \"delay.p95\"\nlimit = \"delay.p95 < 4ms\"", 10, "is both"),
            ("", 1, "says nothing"),
            ("limit = \"delay.p95 < 4ms\"\nfloor = \"2ms\"", 1, "unknown key `floor`"),
        ] {
            let invalid = parsed(&format!("[[gate]]\n{gate}\n")).unwrap_err();
            let spot = invalid.problems[0].spot.as_ref().unwrap();
            assert!(invalid.to_string().contains(says), "{gate}: {invalid}");
            assert_eq!(spot.column, column, "{gate}: {invalid}");
        }
    }
}
