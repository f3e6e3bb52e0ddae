//! What can be asked for by name.

use jiho_analysis::arrivals::Role;
use jiho_analysis::metrics::Relation;
use jiho_analysis::roles::Change;

use super::Stat;

/// In what a metric is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Milliseconds,
    /// A share, 0 to 1.
    Ratio,
    /// A number of things.
    Count,
    /// Beats per minute.
    BeatsPerMinute,
}

impl Unit {
    /// As columns and limits have it; nothing for what is a plain number.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Ratio | Self::Count => "",
            Self::BeatsPerMinute => "bpm",
        }
    }
}

/// Something that is measured again and again in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Mouth-to-ear delay of each beep that was heard, of all pairs or of those of a relation.
    Delay(Option<Relation>),
    /// The least mouth-to-ear delay of each pair, less than the median: how much of the delay waiting adds.
    Jitter,
    /// How much more an audience's pair takes than the median of the stage's pairs.
    TierOffset,
    /// 1 for each expected beep that was heard, else 0.
    Heard,
    /// 1 for each frame that a jitter buffer had to conceal, 0 for one that it played.
    Concealed,
    /// Each jump of a delay by 1 ms or more: its size.
    Step,
    /// Of each change of somebody's role, at each ear that it bears on.
    Gap(Change, Part),
    /// From the first voice of a beat to the last, of ears of a role or of all.
    Spread(Option<Role>),
    /// Beats per minute at an ear.
    Tempo,
    /// How long a relay had each packet.
    Residence,
}

/// What is asked of a change of somebody's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// How long the subject hears nothing of somebody.
    Silence,
    /// How much of the programme it never hears.
    Lost,
    /// How much it hears twice.
    Repeated,
    /// From the command until it hears the new path.
    FirstAudio,
    /// From the command until the delay has settled.
    Steady,
    /// From the command until others hear the subject.
    Heard,
    /// How much of the subject's first or last words others never hear.
    WordsLost,
}

const CHANGES: [(&str, Change); 7] = [
    ("join", Change::Join),
    ("leave", Change::Leave),
    ("promotion", Change::Promote),
    ("demotion", Change::Demote),
    ("mute", Change::Mute),
    ("unmute", Change::Unmute),
    ("removal", Change::Remove),
];

const PARTS: [(&str, Part); 7] = [
    ("silence", Part::Silence),
    ("lost", Part::Lost),
    ("repeated", Part::Repeated),
    ("first_audio", Part::FirstAudio),
    ("steady", Part::Steady),
    ("heard", Part::Heard),
    ("words_lost", Part::WordsLost),
];

impl Metric {
    /// All of them, in the order in which they are documented.
    pub fn all() -> Vec<Self> {
        let mut all = vec![
            Self::Delay(None),
            Self::Delay(Some(Relation::Stage)),
            Self::Delay(Some(Relation::Audience)),
            Self::Delay(Some(Relation::Own)),
            Self::Jitter,
            Self::TierOffset,
            Self::Heard,
            Self::Concealed,
            Self::Step,
            Self::Spread(None),
            Self::Spread(Some(Role::Speaker)),
            Self::Spread(Some(Role::Listener)),
            Self::Tempo,
            Self::Residence,
        ];
        for (_, change) in CHANGES {
            all.extend(PARTS.map(|(_, part)| Self::Gap(change, part)));
        }
        all
    }

    /// As it is written.
    pub fn name(self) -> String {
        let name = match self {
            Self::Delay(None) => "delay",
            Self::Delay(Some(Relation::Stage)) => "speaker_to_speaker",
            Self::Delay(Some(Relation::Audience)) => "speaker_to_audience",
            Self::Delay(Some(Relation::Own)) => "own_voice",
            Self::Jitter => "jitter",
            Self::TierOffset => "tier_offset",
            Self::Heard => "heard_ratio",
            Self::Concealed => "concealed_ratio",
            Self::Step => "delay_step",
            Self::Spread(None) => "chorus.spread",
            Self::Spread(Some(Role::Speaker)) => "chorus.stage.spread",
            Self::Spread(Some(Role::Listener)) => "chorus.audience.spread",
            Self::Tempo => "chorus.tempo",
            Self::Residence => "relay.residence",
            Self::Gap(change, part) => {
                let change = CHANGES.iter().find(|(_, other)| *other == change).map_or("", |(name, _)| name);
                let part = PARTS.iter().find(|(_, other)| *other == part).map_or("", |(name, _)| name);
                return format!("{change}.{part}");
            }
        };
        name.to_owned()
    }

    /// In words, as the subject of a sentence.
    pub fn described(self) -> String {
        let words = match self {
            Self::Delay(None) => "mouth-to-ear delay",
            Self::Delay(Some(Relation::Stage)) => "mouth-to-ear delay on stage",
            Self::Delay(Some(Relation::Audience)) => "mouth-to-ear delay in the audience",
            Self::Delay(Some(Relation::Own)) => "delay of speakers' own voices",
            Self::Jitter => "delay above each pair's least",
            Self::TierOffset => "delay that the audience has more than the stage",
            Self::Heard => "share of beeps that were heard",
            Self::Concealed => "share of frames that had to be concealed",
            Self::Step => "size of delays' jumps",
            Self::Spread(None) => "spread of a beat's voices",
            Self::Spread(Some(Role::Speaker)) => "spread of a beat's voices on stage",
            Self::Spread(Some(Role::Listener)) => "spread of a beat's voices in the audience",
            Self::Tempo => "tempo",
            Self::Residence => "time that packets spend in the relay",
            Self::Gap(change, part) => {
                let change = CHANGES.iter().find(|(_, other)| *other == change).map_or("", |(name, _)| name);
                let part = match part {
                    Part::Silence => "silence",
                    Part::Lost => "lost programme",
                    Part::Repeated => "repeated programme",
                    Part::FirstAudio => "time to first audio",
                    Part::Steady => "time to steady delay",
                    Part::Heard => "time to be heard",
                    Part::WordsLost => "loss of the subject's words",
                };
                return format!("{part} at {change}");
            }
        };
        words.to_owned()
    }

    /// In what it is measured.
    pub const fn unit(self) -> Unit {
        match self {
            Self::Heard | Self::Concealed => Unit::Ratio,
            Self::Tempo => Unit::BeatsPerMinute,
            _ => Unit::Milliseconds,
        }
    }

    /// What is made of it where nobody says otherwise.
    pub const fn usual_stat(self) -> Stat {
        match self {
            Self::Heard | Self::Concealed => Stat::Mean,
            _ => Stat::Quantile(0.5),
        }
    }

    /// Whether less of it is better.
    pub const fn is_cost(self) -> bool {
        !matches!(self, Self::Heard | Self::Tempo)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_on_the_page_about_gates() {
        let page = include_str!("../../../../docs/gates.md");
        for metric in Metric::all() {
            let name = metric.name();
            let told = |name: &str| page.contains(&format!("`{name}`"));
            let all_told = match (metric, name.split_once('.')) {
                (Metric::Gap(..), Some((change, part))) => told(change) && told(&format!("CHANGE.{part}")),
                _ => told(&name),
            };
            assert!(all_told, "{name} is not in docs/gates.md");
        }
    }
}
