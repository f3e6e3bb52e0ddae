//! `jiho man`: manual pages.

use std::path::PathBuf;

use anyhow::Context;
use clap::CommandFactory;

use super::{Cli, print};
use crate::exit::Exit;

/// Print jiho's manual page, or write those of all verbs.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jiho man | man -l -
  jiho man --out ~/.local/share/man/man1 && man jiho-run")]
pub(super) struct Args {
    /// Write a page for each verb into this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    match &args.out {
        Some(out) => {
            std::fs::create_dir_all(out)
                .and_then(|()| clap_mangen::generate_to(Cli::command(), out))
                .with_context(|| format!("cannot write manual pages into {}", out.display()))?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page)?;
            print(&String::from_utf8(page)?)?;
        }
    }
    Ok(Exit::Done)
}
