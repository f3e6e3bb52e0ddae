//! `jiho signal survey`: which family of time signals suits a path.

use std::ffi::OsStr;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use jiho_analysis::units::{Nanos, Rate};

use super::refuse_to_replace;
use crate::cli::bar::Bar;
use crate::cli::run::Shown;
use crate::cli::world::{On, RoomArgs};
use crate::cli::{Format, print};
use crate::exit::{Exit, UsageError};
use crate::experiment::{Experiment, duration_text, parse_duration};
use crate::report::survey::{SurveyRow, rows};
use crate::report::table::Table;
use crate::run::{self, World};
use crate::survey::pair::{self, Nothing, Received};
use crate::survey::plan::{self, Plan};
use crate::survey::{Figures, Recommendation, recommend, room};

/// Send all families of time signals through a path, and say which one suits it, and why.
///
/// The path is an experiment: its room is run once per family, whatever signal it names. Or it is anything that you can
/// play into and record: --render makes a recording with all families one after another; play it, record what comes
/// out, and give both files. The second one may begin at any time and have another rate, level and clock; of several
/// channels the one is taken in which most is found.
///
/// Recommended is the family that is heard most often; of those the one whose delays spread least. Tones are shown and
/// never recommended: they fit at several delays.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jiho signal survey mine.toml
  jiho signal survey mine.toml --on loopback --out surveyed
  jiho signal survey mine.toml --room videoroom
  jiho signal survey --render sent.wav
  jiho signal survey sent.wav received.wav

Exit codes: 0 one is recommended · 3 even that one is heard less than half of the time · 4 none came through")]
pub(super) struct Args {
    /// An experiment; or two WAV files: what was sent, and what came out.
    #[arg(value_name = "EXPERIMENT.toml|SENT.wav RECEIVED.wav", num_args = 1..=2, required_unless_present = "render")]
    path: Vec<PathBuf>,
    /// Write what is to be sent as a WAV file: mono, 16 bits, −20 dBFS.
    #[arg(long, value_name = "FILE", conflicts_with = "path")]
    render: Option<PathBuf>,
    /// With --render: for how long each family sounds; one beep a second.
    #[arg(long, value_name = "DURATION", default_value = "16s", value_parser = parse_duration, requires = "render")]
    each: Nanos,
    /// With --render: samples per second.
    #[arg(long, value_name = "HZ", default_value_t = Rate::OPUS.0, requires = "render",
          value_parser = clap::value_parser!(u32).range(8_000..=384_000))]
    rate: u32,
    /// With --render: replace a file that exists.
    #[arg(long, requires = "render")]
    force: bool,
    /// For an experiment: in virtual time, or in real time over this machine's loopback [default: sim; in a room of somebody
    /// else's: loopback]
    #[arg(long, value_enum)]
    on: Option<On>,
    #[command(flatten)]
    room: RoomArgs,
    /// For two WAV files: the channel of the second one to take, from 1 [default: where most is found]
    #[arg(long, value_name = "N")]
    channel: Option<usize>,
    /// Write survey.csv into this folder, which is made; the runs of an experiment are kept in it too [default for an
    /// experiment: runs/NAME-survey-TIME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A report for people, or the same as JSON.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    if let Some(file) = &args.render {
        return render(file, args);
    }
    match &args.path[..] {
        [sent, received] => through_recordings(sent, received, args),
        [file] if file.extension() == Some(OsStr::new("wav")) => {
            let file = file.display();
            let both = format!("{file} is one recording of two: give what was sent and what was received");
            Err(UsageError::say(both).into())
        }
        [file] => through_room(file, args),
        _ => Err(UsageError::say("give an experiment, or what was sent and what was received").into()),
    }
}

fn render(file: &Path, args: &Args) -> anyhow::Result<Exit> {
    if args.each < plan::SHORTEST {
        let shortest = duration_text(plan::SHORTEST);
        return Err(UsageError::say(format!("--each is at least {shortest}: every code sounds once")).into());
    }
    refuse_to_replace(file, args.force)?;
    let plan = Plan::new(args.each);
    plan.write(file, Rate(args.rate))?;
    print(&format!(
        "Wrote {file}: {}, beeps: {}.\nPlay it into the path, record what comes out as a WAV file, and run: jiho \
         signal survey {file} RECEIVED.wav\n",
        duration_text(plan.length()),
        plan.beeps(),
        file = file.display(),
    ))?;
    Ok(Exit::Done)
}

fn through_room(file: &Path, args: &Args) -> anyhow::Result<Exit> {
    let experiment = args.room.served(Experiment::load(file)?)?;
    let usual = if experiment.room.is_some() { On::Loopback } else { On::Sim };
    let on = args.on.unwrap_or(usual).for_room(&experiment);
    on.enter(&experiment)?;
    let world = World::from(on);
    let out = args.out.clone().unwrap_or_else(|| run::usual_folder(&format!("{}-survey", experiment.name)));
    let progress = Shown::new();
    let families = room::survey(&experiment, world, &out, &progress)?;
    progress.clear();
    let survey = Survey { recommended: recommend(&families), families };
    survey.keep(&out)?;
    let remarks = [format!("The runs and survey.csv are in {}.", out.display())];
    survey.report(&remarks, args.format)
}

fn through_recordings(sent: &Path, received: &Path, args: &Args) -> anyhow::Result<Exit> {
    compared(sent, received, args.channel, args.out.as_deref(), args.format)
}

/// Says which family suits the path between two recordings; survey.csv goes to `out`.
pub(in crate::cli) fn compared(
    sent: &Path,
    received: &Path,
    channel: Option<usize>,
    out: Option<&Path>,
    format: Format,
) -> anyhow::Result<Exit> {
    let bar = Bar::new();
    let total = pair::seconds(sent, received).map_err(UsageError::new)?;
    let found = pair::compare(sent, received, channel, &|seconds| bar.add("hearing", seconds, total))?;
    bar.clear();
    let found = match found {
        Ok(found) => found,
        Err(nothing) => return nothing_came(received, nothing, format),
    };
    let remarks = remarks(received, &found);
    let survey = Survey { recommended: recommend(&found.families), families: found.families };
    if let Some(out) = out {
        std::fs::create_dir_all(out).with_context(|| format!("cannot make the folder {}", out.display()))?;
        survey.keep(out)?;
    }
    survey.report(&remarks, format)
}

fn nothing_came(received: &Path, nothing: Nothing, format: Format) -> anyhow::Result<Exit> {
    let file = received.display();
    let why = match nothing {
        Nothing::Silent => format!("{file} is silent: was the right input recorded?"),
        Nothing::NotThere { peak_dbfs } => format!(
            "{file} (peak {peak_dbfs:.0} dBFS) does not hold what was sent: is it the right recording, and was it \
             going on while the file was played?"
        ),
    };
    match format {
        Format::Text => print(&format!("{why}\n"))?,
        Format::Json => print(&format!("{}\n", serde_json::json!({ "families": [], "missing": why })))?,
    }
    Ok(Exit::Nothing)
}

fn remarks(file: &Path, received: &Received) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Some(truncated) = &received.truncated {
        remarks.push(format!("warning: {}: {truncated}.", file.display()));
    }
    if received.channels > 1 {
        remarks
            .push(format!("Channel {} of {} is the one in which most is found.", received.channel, received.channels));
    }
    let inverted: usize = received.families.iter().map(|figures| figures.inverted).sum();
    if 2 * inverted > received.families.iter().map(|figures| figures.heard + figures.ambiguous).sum() {
        remarks.push("The path reverses the polarity.".to_owned());
    }
    let unrecorded: Vec<&str> =
        received.families.iter().filter(|f| f.expected == 0).map(|figures| figures.family.name()).collect();
    if !unrecorded.is_empty() {
        let names = unrecorded.join(", ");
        remarks.push(format!("Not judged, as the recording has none of their beeps' time: {names}."));
    }
    remarks.push(format!(
        "Delays count from the starts of both files, at the middle of each family; drift {:+.2} ppm is left out of their \
         spread.",
        received.drift_ppm + 0.0
    ));
    remarks
}

/// What came of all families, and what follows from it.
struct Survey {
    families: Vec<Figures>,
    recommended: Recommendation,
}

impl Survey {
    fn keep(&self, out: &Path) -> anyhow::Result<()> {
        Ok(Table::<SurveyRow>::write(&out.join("survey.csv"), rows(&self.families, &self.recommended))?)
    }

    fn report(&self, remarks: &[String], format: Format) -> anyhow::Result<Exit> {
        match format {
            Format::Text => print(&self.text(remarks))?,
            Format::Json => {
                let value = serde_json::json!({
                    "families": rows(&self.families, &self.recommended),
                    "recommended": self.recommended.family,
                    "reason": self.recommended.reason,
                    "remarks": remarks,
                });
                print(&format!("{}\n", serde_json::to_string_pretty(&value)?))?;
            }
        }
        Ok(match self.recommended {
            Recommendation { family: None, .. } => Exit::Nothing,
            Recommendation { is_doubtful: true, .. } => Exit::Inconclusive,
            _ => Exit::Done,
        })
    }

    fn text(&self, remarks: &[String]) -> String {
        let mut text = format!(
            "{:<13} {:>9} {:>6} {:>7} {:>7} {:>8} {:>9} {:>11} {:>10} {:>10}\n",
            "family", "heard", "faint", "ρ", "ρ 5 %", "2nd dB", "level dB", "delay ms", "spread", "echoes"
        );
        // Writing to a string cannot fail.
        for figures in &self.families {
            let shown =
                |figure: Option<f64>, digits: usize| figure.map_or("–".to_owned(), |f| format!("{f:.digits$}"));
            let _ = write!(
                text,
                "{:<13} {:>9} {:>6} {:>7} {:>7} {:>8} {:>9} {:>11} {:>10} {:>10}",
                figures.family.name(),
                format!("{}/{}", figures.heard, figures.expected),
                figures.weak,
                shown(figures.score_median, 3),
                shown(figures.score_p05, 3),
                shown(figures.second_peak_db, 1),
                figures
                    .level_change_db
                    .map_or("–".to_owned(), |db| format!("{:+.1}", 0.0 + (10.0 * db).round() / 10.0)),
                shown(figures.delay_ms, 3),
                figures.spread_us.map_or("–".to_owned(), spread),
                figures.echoes,
            );
            let _ = match figures.ambiguous {
                0 => writeln!(text),
                ambiguous => writeln!(text, "  and {ambiguous} ambiguous"),
            };
        }
        let _ = match self.recommended.family {
            Some(family) => writeln!(text, "\nRecommended: {family}. {}", self.recommended.reason),
            None => writeln!(text, "\n{}", self.recommended.reason),
        };
        if self.recommended.family.is_some() && self.recommended.is_doubtful {
            let _ = writeln!(text, "Less than half of its beeps are heard: no family is sure on this path.");
        }
        for remark in remarks {
            let _ = writeln!(text, "{remark}");
        }
        text
    }
}

fn spread(us: f64) -> String {
    if us < 1000.0 { format!("{us:.1} µs") } else { format!("{:.2} ms", us / 1000.0) }
}
