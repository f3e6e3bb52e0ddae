//! The command line: one file per verb, each with its arguments and what it does with them.

mod align;
mod analyze;
mod bar;
mod check;
mod compare;
mod completions;
mod demo;
mod described;
mod device;
mod explain;
mod findings;
mod gate;
mod harm;
mod hear;
mod init;
mod join;
mod listen;
mod man;
mod moderate;
mod relay;
mod report;
mod room;
mod run;
mod schema;
mod serving;
mod signal;
mod speak;
mod sweep;
mod theirs;
mod track;
mod verify;
mod watch;
mod world;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::exit::Exit;

/// Measures what a voice room does to sound: plays coded time signals into speakers' streams, records at every ear,
/// finds each signal in each recording, and says how late it arrived.
#[derive(Debug, Parser)]
#[command(name = "jiho", version, subcommand_required = true, arg_required_else_help = true, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const AFTER_HELP: &str = "\
Results go to standard output; progress, warnings and errors to standard error.

Exit codes:
  0  measured, and all gates pass
  1  unexpected failure
  2  wrong usage, or an invalid experiment
  3  inconclusive: too little was heard, or clocks or noise leave too much room
  4  nothing was measured
  5  a gate failed";

#[derive(Debug, Subcommand)]
enum Verb {
    Demo(demo::Args),
    Init(init::Args),
    Check(check::Args),
    Run(run::Args),
    Gate(gate::Args),
    Sweep(sweep::Args),
    Relay(relay::Args),
    Speak(speak::Args),
    Hear(hear::Args),
    Listen(listen::Args),
    Join(join::Args),
    Room(moderate::Args),
    Analyze(analyze::Args),
    Explain(explain::Args),
    Report(report::Args),
    Compare(compare::Args),
    Track(track::Args),
    Align(align::Args),
    Signal(signal::Args),
    Device(device::Args),
    Verify(verify::Args),
    Schema(schema::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Does what the command line asks for; says what went wrong in one message on standard error.
pub fn main() -> ExitCode {
    let done = match Cli::parse().verb {
        Verb::Demo(args) => demo::run(&args),
        Verb::Init(args) => init::run(&args),
        Verb::Check(args) => check::run(&args),
        Verb::Run(args) => run::run(&args),
        Verb::Gate(args) => gate::run(&args),
        Verb::Sweep(args) => sweep::run(&args),
        Verb::Relay(args) => relay::run(args),
        Verb::Speak(args) => speak::run(&args),
        Verb::Hear(args) => hear::run(&args),
        Verb::Listen(args) => listen::run(&args),
        Verb::Join(args) => join::run(args),
        Verb::Room(args) => moderate::run(args),
        Verb::Analyze(args) => analyze::run(&args),
        Verb::Explain(args) => explain::run(&args),
        Verb::Report(args) => report::run(&args),
        Verb::Compare(args) => compare::run(&args),
        Verb::Track(args) => track::run(&args),
        Verb::Align(args) => align::run(&args),
        Verb::Signal(args) => signal::run(&args),
        Verb::Device(args) => device::run(&args),
        Verb::Verify(args) => verify::run(&args),
        Verb::Schema(args) => schema::run(&args),
        Verb::Completions(args) => completions::run(&args),
        Verb::Man(args) => man::run(&args),
    };
    let exit = done.unwrap_or_else(|error| {
        // Nothing can be done about a standard error that cannot be written to.
        let _ = writeln!(io::stderr(), "jiho: {}", message(&error));
        Exit::of(&error)
    });
    crate::bus::leave();
    exit.into()
}

/// An error and its causes, without those that an error above them already speaks of.
fn message(error: &anyhow::Error) -> String {
    let mut message = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !message.contains(&cause) {
            message = if message.is_empty() { cause } else { format!("{message}: {cause}") };
        }
    }
    message
}

/// Writes to standard output. A reader that has gone away, as in `jiho … | head`, has seen enough.
fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
