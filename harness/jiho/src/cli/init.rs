//! `jiho init`: a commented experiment to start from.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;

use super::print;
use crate::exit::{Exit, UsageError};
use crate::experiment::TEMPLATE;

/// Write a commented experiment file to start from.
///
/// It describes two speakers and three listeners, and explains every key with its choices and defaults. A file that
/// exists is never overwritten.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  jiho init\n  jiho init chorus.toml && jiho check chorus.toml")]
pub(super) struct Args {
    /// The file to write.
    #[arg(default_value = "experiment.toml")]
    file: PathBuf,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let file = args.file.display();
    let mut out = match File::create_new(&args.file) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(UsageError::say(format!("{file} exists, and is left as it is: name another file")).into());
        }
        created => created.with_context(|| format!("cannot create {file}"))?,
    };
    // Its first lines say how it is used, by its name.
    let name = args.file.file_name().unwrap_or_default().to_string_lossy();
    out.write_all(TEMPLATE.replace("first.toml", &name).as_bytes()).with_context(|| format!("cannot write {file}"))?;
    print(&format!("Wrote {file}. To see what it will do: jiho check {file}\n"))?;
    Ok(Exit::Done)
}
