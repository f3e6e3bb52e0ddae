//! `jiho check`: is an experiment in order, and what will it do?

use std::fmt::{self, Display};
use std::path::PathBuf;

use jiho_analysis::signal::{Cadence, Family, Signal as Rhythm};
use jiho_analysis::units::RunTime;

use super::{Format, described, print};
use crate::exit::Exit;
use crate::experiment::{
    Application, Architecture, Arrival, Cascade, Codec, Edge, Experiment, Location, Mix, Sealing, Signal, Through,
    Timing, duration_text,
};
use crate::report::words::counted;

/// Check an experiment file, and say what it will do.
///
/// Whatever is wrong is shown with its line and column, and with how to mend it; the exit code is then 2.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  jiho check chorus.toml\n  jiho check chorus.toml --format json")]
pub(super) struct Args {
    /// The experiment's file.
    experiment: PathBuf,
    /// A summary for people, or the experiment with all defaults filled in as JSON.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let experiment = Experiment::load(&args.experiment)?;
    match args.format {
        Format::Text => print(&format!("{} is in order.\n\n{}", args.experiment.display(), Summary(&experiment)))?,
        Format::Json => print(&format!("{}\n", serde_json::to_string_pretty(&experiment)?))?,
    }
    Ok(Exit::Done)
}

/// The experiment in a screenful.
struct Summary<'a>(&'a Experiment);

impl Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(experiment) = self;
        let run = &experiment.run;
        writeln!(f, "name       {}", experiment.name)?;
        let [total, warmup, duration, drain] = [run.total(), run.warmup, run.duration, run.drain].map(duration_text);
        writeln!(
            f,
            "time       {total}: {warmup} to join, {duration} of beeps, {drain} to listen on; seed {}",
            run.seed
        )?;
        writeln!(f, "signal     {}", signal(&experiment.signal))?;
        writeln!(f, "codec      {}", codec(&experiment.media.codec))?;
        if let Some(Sealing::Sframe(_)) = &experiment.media.seal {
            let keyless: Vec<&str> =
                experiment.listeners.iter().filter(|l| l.keyless).map(|l| l.name.as_str()).collect();
            let but = if keyless.is_empty() { String::new() } else { format!(" but {}", keyless.join(", ")) };
            writeln!(f, "seal       SFrame, end to end: everybody has the key{but}")?;
        }
        writeln!(f, "stage      {}", architecture(&experiment.stage))?;
        writeln!(f, "audience   {}", architecture(&experiment.audience))?;
        if let Some(external) = &experiment.relay.external {
            writeln!(f, "relay      {}", described::external(external))?;
        }
        if let Some(room) = &experiment.room {
            writeln!(f, "room       {}", described::room(room))?;
        }
        if let Some(probe) = &experiment.drop_probe {
            writeln!(f, "drop probe {}", described::drop_probe(probe))?;
        }
        writeln!(f, "expected   {}\n", expected(experiment))?;
        self.participants(f)?;
        writeln!(f, "\nlinks, one way")?;
        let widest = experiment.links.keys().map(|name| name.chars().count()).max().unwrap_or(0).max(10);
        for (name, link) in &experiment.links {
            if link.up == link.down {
                writeln!(f, "{name:<widest$} {}", described::direction(&link.up))?;
            } else {
                writeln!(f, "{name:<widest$} up:   {}", described::direction(&link.up))?;
                writeln!(f, "{:<widest$} down: {}", "", described::direction(&link.down))?;
            }
        }
        if !experiment.places.is_empty() {
            writeln!(f, "\nplaces")?;
        }
        for (name, Location { at: [latitude, longitude] }) in &experiment.places {
            writeln!(f, "{name:<widest$} {latitude}, {longitude}")?;
        }
        if !experiment.hosts.is_empty() {
            writeln!(f, "\nhosts")?;
        }
        for (name, host) in &experiment.hosts {
            writeln!(f, "{name:<widest$} {}", described::host(host))?;
        }
        Ok(())
    }
}

impl Summary<'_> {
    fn participants(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Experiment { speakers, listeners, .. }) = self;
        let rows = speakers
            .iter()
            .map(|s| ("speaker", &s.name, s.code.to_string(), s.playout.to_string(), &s.link))
            .chain(listeners.iter().map(|l| ("listener", &l.name, String::new(), l.playout.to_string(), &l.link)));
        let names = speakers.iter().map(|s| &s.name).chain(listeners.iter().map(|l| &l.name));
        let widest = names.map(String::len).max().unwrap_or(0).max("name".len());
        let policies = rows.clone().map(|(.., playout, _)| playout.len());
        let wide = policies.max().unwrap_or(0).max("jitter buffer".len());
        writeln!(f, "{:<10} {:<widest$}  {:<4}  {:<wide$}  link", "role", "name", "code", "jitter buffer")?;
        for (role, name, code, playout, link) in rows {
            writeln!(f, "{role:<10} {name:<widest$}  {code:<4}  {playout:<wide$}  {link}")?;
        }
        Ok(())
    }
}

fn signal(signal: &Signal) -> String {
    let Rhythm { family, period, spread, together, cadence } = signal.into();
    let [period, spread] = [period, spread].map(duration_text);
    if !family.is_coded() {
        return format!("{family}: a mark in each {period}, speakers taking turns");
    }
    if family == Family::Pilot {
        return format!("{family}: goes on throughout, and is measured at each second");
    }
    let instants = if together { "everybody at the same instants" } else { "each at its own instants" };
    let each = match cadence {
        Cadence::Every => format!("each {period}"),
        Cadence::Jiho => format!("the last three and the first of ten times {period}"),
    };
    format!("{family}: a beep in {each}, within its first {spread}, {instants}")
}

fn codec(codec: &Codec) -> String {
    match codec {
        Codec::Opus(opus) => {
            let application = match opus.application {
                Application::Voip => "voip",
                Application::Audio => "audio",
                Application::LowDelay => "low_delay",
            };
            let dtx = if opus.dtx { ", discontinuous transmission" } else { "" };
            let fec = match opus.fec {
                true => format!(", forward error correction for {} % loss", opus.expected_loss_percent),
                false => String::new(),
            };
            format!("Opus at {} kb/s, tuned for {application}{dtx}{fec}", f64::from(opus.bitrate_bps) / 1000.0)
        }
        Codec::L16 {} => "L16: uncompressed".to_owned(),
    }
}

fn architecture(architecture: &Architecture) -> String {
    match architecture {
        Architecture::Mesh {} => "mesh: each speaker sends to each hearer directly".to_owned(),
        Architecture::Forward {} => "forward: the relay passes on each packet".to_owned(),
        Architecture::Mix(mix) => format!("mix: {}", mixing(mix)),
        Architecture::Cascade(Cascade { edges }) if edges.is_empty() => "cascade: the stage's relays".to_owned(),
        Architecture::Cascade(Cascade { edges }) => {
            let edge = |edge: &Edge| match &edge.of {
                Some(of) => format!("{} (of {of})", edge.name),
                None => edge.name.clone(),
            };
            format!("cascade: {}", edges.iter().map(edge).collect::<Vec<_>>().join(", "))
        }
        Architecture::Tier(tier) => {
            let what = match &tier.through {
                Through::Forward {} => "what is forwarded".to_owned(),
                Through::Mix(mix) => mixing(mix),
            };
            let how = match (tier.delay_line, &tier.segments) {
                (Some(delay), _) => format!("held back by {}", duration_text(delay)),
                (None, Some(segments)) => format!("sent in segments of {}", duration_text(segments.length)),
                (None, None) => String::new(),
            };
            format!("tier: {what}, {how}")
        }
    }
}

fn mixing(mix: &Mix) -> String {
    match &mix.timing {
        Timing::Arrival(Arrival { deadline }) => {
            format!("one stream for each, mixed when all have come or {} have passed", duration_text(*deadline))
        }
        Timing::Tick {} => "one stream for each, mixed each 20 ms".to_owned(),
    }
}

fn expected(experiment: &Experiment) -> String {
    let beeps: usize = experiment
        .programmes(RunTime::START)
        .iter()
        .take(experiment.speakers.len())
        .map(|programme| programme.emissions().len())
        .sum();
    let others = experiment.speakers.len() - 1 + experiment.listeners.len();
    format!("{}, each at {}: {}", counted(beeps, "beep"), counted(others, "ear"), counted(beeps * others, "delay"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn one_ear_is_spoken_of_in_the_singular() {
        let said = |run: &str, more: &str| {
            let text = format!("{run}[[speaker]]\nname = 'ana'\n[[listener]]\nname = 'lena'\n{more}");
            expected(&Experiment::parse(&text, Path::new("file.toml")).unwrap())
        };
        assert_eq!(said("[run]\nduration = '1s'\n", ""), "1 beep, each at 1 ear: 1 delay");
        assert_eq!(said("", ""), "20 beeps, each at 1 ear: 20 delays");
        assert_eq!(said("", "[[listener]]\nname = 'mei'\n"), "20 beeps, each at 2 ears: 40 delays");
    }
}
