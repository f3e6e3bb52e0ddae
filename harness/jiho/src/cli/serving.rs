//! Arguments that choose how a relay serves its room.

use clap::ValueEnum;
use jiho_analysis::units::Nanos;
use jiho_relay::{Hold, Serving, Through, Timing};

use crate::exit::UsageError;
use crate::experiment::parse_duration;

/// Stage and audience.
#[derive(Debug, clap::Args)]
pub(super) struct ServingArgs {
    /// How sound reaches the stage.
    #[arg(long, value_enum, default_value_t)]
    stage: Architecture,
    /// How sound reaches the audience.
    #[arg(long, value_enum, default_value_t)]
    audience: Architecture,
    /// Mix at the latest when this much has passed since a round's first packet came.
    #[arg(long, value_name = "TIME", default_value = "20ms", value_parser = parse_duration)]
    mix_deadline: Nanos,
    /// Mix at each multiple of 20 ms, not when the last speaker's packet has come.
    #[arg(long, conflicts_with = "mix_deadline")]
    mix_tick: bool,
    /// Tier: hold each packet back this long.
    #[arg(long, value_name = "TIME", value_parser = parse_duration, conflicts_with = "segments")]
    delay_line: Option<Nanos>,
    /// Tier: hold packets back until their segment, of this length, is complete.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    segments: Option<Nanos>,
    /// Tier: what is held back.
    #[arg(long, value_enum, default_value_t)]
    through: Made,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Architecture {
    /// Each speaker sends to each hearer directly.
    Mesh,
    /// The relay passes on each packet.
    #[default]
    Forward,
    /// The relay mixes: for each speaker everybody else, for all of the audience one and the same.
    Mix,
    /// What is forwarded or mixed is held back.
    Tier,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Made {
    /// Each speaker's packets.
    #[default]
    Forward,
    /// Mixes.
    Mix,
}

impl ServingArgs {
    /// What was chosen, for a relay that is an edge of another one or is not.
    pub(super) fn stage_and_audience(&self, edge: bool) -> Result<(Serving, Serving), UsageError> {
        let chosen = [self.stage, self.audience];
        if edge && chosen.contains(&Architecture::Mesh) {
            return Err(UsageError::say("a mesh has no edges: its speakers' packets do not pass the relay"));
        }
        Ok((self.serving(self.stage)?, self.serving(self.audience)?))
    }

    fn serving(&self, architecture: Architecture) -> Result<Serving, UsageError> {
        let timing = if self.mix_tick { Timing::Tick } else { Timing::Arrival { deadline: self.mix_deadline } };
        Ok(match architecture {
            Architecture::Mesh => Serving::Mesh,
            Architecture::Forward => Serving::Forward,
            Architecture::Mix => Serving::Mix(timing),
            Architecture::Tier => {
                let hold = match (self.delay_line, self.segments) {
                    (Some(delay), _) => Hold::DelayLine(delay),
                    (None, Some(Nanos::ZERO)) => return Err(UsageError::say("segments need a length")),
                    (None, Some(length)) => Hold::Segments(length),
                    (None, None) => {
                        return Err(UsageError::say("say how a tier is delayed: --delay-line 5s, or --segments 2s"));
                    }
                };
                let through = match self.through {
                    Made::Forward => Through::Forward,
                    Made::Mix => Through::Mix(timing),
                };
                Serving::Tier { hold, through }
            }
        })
    }
}
