//! `jiho schema`: JSON schemas of what jiho writes.

use super::print;
use crate::exit::{Exit, UsageError};
use crate::report::schemas;

/// Print the JSON schema (draft 2020-12) of what jiho writes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jiho schema report > report.schema.json")]
pub(super) struct Args {
    /// Of what: report (report.json), run (run.json), line (each line of `jiho run --format jsonl`).
    name: String,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let none =
        || UsageError::say(format!("there is no schema {:?}: there are {}", args.name, schemas::NAMES.join(", ")));
    print(&schemas::text(&args.name).ok_or_else(none)?)?;
    Ok(Exit::Done)
}
