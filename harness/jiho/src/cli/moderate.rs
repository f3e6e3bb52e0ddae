//! `jiho room`: commands to a room's relay from outside.

use clap::Subcommand;
use jiho_proto::control::Action;

use super::print;
use super::room::{TokenArgs, parse_name};
use crate::exit::Exit;
use crate::live::command;

/// Change somebody's role in a room, from outside.
///
/// The relay carries it out with whoever it is about, tells everybody else, and says when it is done.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The token is in the environment here: export JIHO_TOKEN=secret

Examples:
  jiho room promote lena --relay 127.0.0.1:4000
  jiho room mute ana --relay 127.0.0.1:4000 && sleep 5 && jiho room unmute ana --relay 127.0.0.1:4000

Exit codes: 1 if the relay does not answer, refuses us or goes away, or if it cannot be done; 2 for wrong usage.")]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// From the audience to the stage.
    Promote(Whom),
    /// From the stage to the audience.
    Demote(Whom),
    /// Nothing of what they send is passed on, and they send nothing more.
    Mute(Whom),
    /// They send again.
    Unmute(Whom),
    /// Out of the room.
    Remove(Whom),
}

#[derive(Debug, clap::Args)]
struct Whom {
    /// The name in the room.
    #[arg(value_parser = parse_name)]
    name: String,
    /// The relay's control address.
    #[arg(long, value_name = "HOST:PORT")]
    relay: String,
    #[command(flatten)]
    token: TokenArgs,
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let (action, Whom { name, relay, token }): (fn(String) -> Action, Whom) = match args.verb {
        Verb::Promote(whom) => (Action::Promote, whom),
        Verb::Demote(whom) => (Action::Demote, whom),
        Verb::Mute(whom) => (Action::Mute, whom),
        Verb::Unmute(whom) => (Action::Unmute, whom),
        Verb::Remove(whom) => (Action::Remove, whom),
    };
    let action = action(name);
    let (change, name) = action.parts();
    let said = format!("{} {name}", change.name());
    let took = command::give(&relay, &token.token, action)?;
    print(&format!("{said}: done after {:.3} s\n", took.as_secs_f64()))?;
    Ok(Exit::Done)
}
