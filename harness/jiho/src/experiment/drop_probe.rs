//! `[drop_probe]`: which of their own packets participants drop on purpose, in the file and on the command line.

use jiho_analysis::units::{Nanos, RunTime};
use jiho_proto::drop_probe::{self as model, Withhold as Model};
use serde::{Deserialize, Serialize};

use super::text::{duration, duration_text};

/// `[drop_probe]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DropProbe {
    /// Packets that come, per participant.
    pub incoming: u32,
    /// Packets that go, per speaker.
    pub outgoing: u32,
    /// Between any two in the room: participants take turns, so that every hole has one cause.
    #[serde(with = "duration")]
    pub interval: Nanos,
    /// When the first one is dropped, from the end of the warm-up; on the command line, from the start.
    #[serde(with = "duration")]
    pub from: Nanos,
    /// From whom a packet that goes is withheld.
    pub withhold: Withhold,
    /// Whose packets; absent: everybody's. In the effective form all are named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub participants: Option<Vec<String>>,
}

/// From whom a packet that goes is withheld.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Withhold {
    /// From one of the destinations that it has, each in its turn. In a mesh that is one hearer, else a server.
    #[default]
    FromOne,
    /// From all of them.
    FromAll,
}

impl Default for DropProbe {
    fn default() -> Self {
        Self {
            incoming: 5,
            outgoing: 5,
            interval: Nanos::from_millis(250),
            from: Nanos::from_secs(2),
            withhold: Withhold::default(),
            participants: None,
        }
    }
}

impl DropProbe {
    /// Holes that are closer together cannot be told apart.
    pub const SHORTEST_INTERVAL: Nanos = Nanos::from_millis(100);
    /// More does not tell more, and is heard.
    pub const MOST: u32 = 1000;

    /// Reads what the command line gives: what the file's table holds, as `incoming = 5, interval = '1s'`.
    ///
    /// # Errors
    /// It is something else; in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Given {
            drop_probe: DropProbe,
        }
        let given: Given =
            toml::from_str(&format!("drop_probe = {{ {text} }}")).map_err(|error| error.message().to_owned())?;
        match given.drop_probe.wrong() {
            Some((key, message, mend)) => Err(format!("{key}: {message}: {mend}")),
            None if given.drop_probe.participants.is_some() => {
                Err("participants: there is one participant here: leave it out".to_owned())
            }
            None => Ok(given.drop_probe),
        }
    }

    /// A value that cannot be: its key, what is wrong, and the mend.
    pub(super) fn wrong(&self) -> Option<(&'static str, String, String)> {
        let range = |key, count: u32| {
            let message = format!("{count} packets are more than a probe needs");
            (count > Self::MOST).then(|| (key, message, format!("at most {}; ten decide", Self::MOST)))
        };
        let least = duration_text(Self::SHORTEST_INTERVAL);
        range("incoming", self.incoming).or_else(|| range("outgoing", self.outgoing)).or_else(|| {
            (self.interval < Self::SHORTEST_INTERVAL).then(|| {
                let message = format!("holes every {} run into each other", duration_text(self.interval));
                ("interval", message, format!("at least {least}"))
            })
        })
    }

    /// When the last turn ends, with so many participants.
    pub(super) fn ends(&self, participants: usize) -> Nanos {
        let turns = i64::from(self.incoming.saturating_add(self.outgoing)).saturating_mul(participants as i64);
        Nanos(self.interval.0.saturating_mul(turns).saturating_add(self.from.0))
    }

    /// The part of the `index`-th of so many participants, in a run whose first beep may sound at `beeps`.
    pub fn part(&self, index: usize, of: usize, speaks: bool, beeps: RunTime) -> model::DropProbe {
        let turns = |count: usize| Nanos(self.interval.0 * count as i64);
        model::DropProbe {
            first: beeps + self.from + turns(index),
            interval: turns(of),
            incoming: self.incoming,
            outgoing: if speaks { self.outgoing } else { 0 },
            withhold: match self.withhold {
                Withhold::FromOne => Model::FromOne,
                Withhold::FromAll => Model::FromAll,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_takes_what_the_file_has() {
        assert_eq!(DropProbe::parse(""), Ok(DropProbe::default()));
        let given = DropProbe::parse("incoming = 3, outgoing = 0, interval = '1s', withhold = 'from_all'");
        let interval = Nanos::from_secs(1);
        let wanted =
            DropProbe { incoming: 3, outgoing: 0, interval, withhold: Withhold::FromAll, ..DropProbe::default() };
        assert_eq!(given, Ok(wanted));
    }

    #[test]
    fn what_is_wrong_on_the_command_line_is_said() {
        for (text, says) in [
            ("incoming = 3, interval = '20ms'", "interval: holes every 20ms"),
            ("outgoing = 5000", "outgoing: 5000 packets"),
            ("ingoing = 3", "ingoing"),
            ("participants = ['ana']", "participants: there is one"),
        ] {
            let message = DropProbe::parse(text).unwrap_err();
            assert!(message.contains(says), "{text}: {message}");
        }
    }

    #[test]
    fn participants_take_turns() {
        let probe = DropProbe::default();
        let parts: Vec<_> = (0..3).map(|n| probe.part(n, 3, n == 0, RunTime::START)).collect();
        let first: Vec<i64> = parts.iter().map(|part| part.first.0 / 1_000_000).collect();
        assert_eq!(first, [2000, 2250, 2500]);
        assert!(parts.iter().all(|part| part.interval == Nanos::from_millis(750)));
        assert_eq!(parts.iter().map(|part| part.outgoing).collect::<Vec<_>>(), [5, 0, 0]);
    }
}
