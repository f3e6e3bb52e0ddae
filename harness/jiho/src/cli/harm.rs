//! Arguments that make a relay worse on purpose, so that somebody can see a gate fail.

use jiho_analysis::units::{Nanos, RunTime};
use jiho_proto::link::{Direction, Link, Loss, RouteChange};

use crate::experiment::{LONGEST, Percent, duration_text, parse_duration};

/// What the relay does to what it sends.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Harm on purpose, off unless given")]
pub(super) struct HarmArgs {
    /// Hold everything that is sent back so long, signalling too.
    #[arg(long, value_name = "TIME", default_value = "0s", hide_default_value = true, value_parser = parse_duration)]
    hold: Nanos,
    /// Lose so many of the packets that are sent, each for itself, as in '1%'.
    #[arg(long, value_name = "SHARE", default_value = "0%", hide_default_value = true, value_parser = Percent::parse)]
    lose: Percent,
    /// Hold everything back so much longer in every other stretch of --hold-step-every, as a jitter buffer that re-bases.
    #[arg(long, value_name = "TIME", default_value = "0s", hide_default_value = true, value_parser = parse_duration)]
    hold_step: Nanos,
    /// How long each stretch of --hold-step lasts, from 1s.
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = parse_stretch, requires = "hold_step")]
    hold_step_every: Nanos,
}

impl HarmArgs {
    /// As a link between the relay and everybody.
    pub(super) fn link(&self) -> Link {
        let Self { hold, lose, hold_step, hold_step_every } = self;
        let up = Direction { delay: *hold, loss: Loss::Independent(lose.fraction()), ..Direction::default() };
        let stretches = if *hold_step == Nanos::ZERO { 0 } else { LONGEST.0 / hold_step_every.0.max(1) };
        let route_changes = (1..=stretches).map(|stretch| RouteChange {
            at: RunTime::START + Nanos(stretch * hold_step_every.0),
            delay: if stretch % 2 == 1 { *hold + *hold_step } else { *hold },
        });
        Link { up: Direction { route_changes: route_changes.collect(), ..up }, ..Link::default() }
    }

    /// In words, for everybody to see; `None`: no harm is done.
    pub(super) fn described(&self) -> Option<String> {
        let Self { hold, lose, hold_step, hold_step_every } = self;
        let [held, step, every] = [hold, hold_step, hold_step_every].map(|span| duration_text(*span));
        let harms = [
            (*hold > Nanos::ZERO, format!("holds what it sends back by {held}")),
            (lose.fraction() > 0.0, format!("loses {lose} of it")),
            (*hold_step > Nanos::ZERO, format!("holds it back by {step} more every other {every}")),
        ];
        let harms: Vec<String> = harms.into_iter().filter_map(|(done, harm)| done.then_some(harm)).collect();
        (!harms.is_empty()).then(|| harms.join(", "))
    }
}

fn parse_stretch(text: &str) -> Result<Nanos, String> {
    let stretch = parse_duration(text)?;
    if stretch < Nanos::from_secs(1) { Err("less than 1s".to_owned()) } else { Ok(stretch) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        harm: HarmArgs,
    }

    fn harm(arguments: &str) -> HarmArgs {
        Command::parse_from(["relay"].into_iter().chain(arguments.split_whitespace())).harm
    }

    #[test]
    fn without_a_word_no_harm_is_done() {
        assert_eq!((harm("").link(), harm("").described()), (Link::default(), None));
    }

    #[test]
    fn harm_is_done_to_what_is_sent_and_said() {
        let harm = harm("--hold 3ms --lose 1% --hold-step 20ms --hold-step-every 2s");
        let Link { up, down } = harm.link();
        assert_eq!(down, Direction::default());
        assert_eq!(up.loss, Loss::Independent(0.01));
        let delays = [1.9, 2.1, 3.9, 4.1, 6.1].map(|s| up.delay_at(RunTime::START + Nanos::from_secs_f64(s)));
        assert_eq!(delays, [3, 23, 23, 3, 23].map(Nanos::from_millis));
        let said = harm.described().unwrap();
        assert_eq!(said, "holds what it sends back by 3ms, loses 1% of it, holds it back by 20ms more every other 2s");
    }
}
