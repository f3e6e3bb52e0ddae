//! `jiho completions`: what a shell completes.

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, print};
use crate::exit::Exit;

/// Print a shell's completions of jiho's verbs and options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jiho completions bash > ~/.local/share/bash-completion/completions/jiho
  jiho completions fish > ~/.config/fish/completions/jiho.fish")]
pub(super) struct Args {
    /// Of which shell.
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "jiho", &mut script);
    print(&String::from_utf8(script)?)?;
    Ok(Exit::Done)
}
