//! `jiho signal`: time signals as sound files, and in figures.

pub(super) mod survey;

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use jiho_analysis::signal::{self, Code, Description, Programme, Signal as Rhythm};
use jiho_analysis::units::{MediaTime, Nanos, Rate, RunTime, SampleClock};
use jiho_drivers::wav::Recorder;

use super::{Format, print};
use crate::exit::{Exit, UsageError};
use crate::experiment::{Signal, duration_text, parse_duration};

/// Time signals as sound files, and in figures.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Render(RenderArgs),
    Describe(DescribeArgs),
    Survey(survey::Args),
}

/// Write a speaker's time signal as a WAV file: mono, 16 bits, −20 dBFS.
///
/// Play it into any voice room, record what comes out, and let `jiho analyze` find the signal in the recording.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jiho signal render --out ana.wav
  jiho signal render --code 1 --duration 1m --rate 44100 --out ben.wav
  jiho signal render --family noise_robust --out noise.wav
  jiho signal render --family jiho --out jiho.wav
  jiho signal render --cadence jiho --duration 1m --out coded-jiho.wav")]
struct RenderArgs {
    /// The family of time signals.
    #[arg(long, value_enum, default_value_t)]
    family: Family,
    /// The speaker's code, 0 to 63, by which it is told from others; jiho and bbc carry none.
    #[arg(long, default_value = "0", value_parser = parse_code)]
    code: Code,
    /// Beeps at the speaker's own instants; without it, at those that all speakers of a chorus share.
    #[arg(long)]
    apart: bool,
    /// Of coded signals: a beep every second, or the three and the mark of the Japanese time signal, each ten seconds.
    #[arg(long, value_enum, default_value_t)]
    cadence: Cadence,
    /// The length of the file, with its unit. All beeps are whole.
    #[arg(long, default_value = "10s", value_parser = parse_duration)]
    duration: Nanos,
    /// Samples per second.
    #[arg(long, value_name = "HZ", default_value_t = Rate::OPUS.0, value_parser = clap::value_parser!(u32).range(8_000..=384_000))]
    rate: u32,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace a file that exists.
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Cadence {
    /// Each second.
    #[default]
    Every,
    /// Three beeps, and one on the tenth second.
    Jiho,
}

impl From<Cadence> for signal::Cadence {
    fn from(cadence: Cadence) -> Self {
        match cadence {
            Cadence::Every => Self::Every,
            Cadence::Jiho => Self::Jiho,
        }
    }
}

/// Say in figures what a time signal is: how long and loud, in which band, how exactly it can be placed in time, and with
/// what it could be mistaken.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jiho signal describe
  jiho signal describe --family noise --code 7
  jiho signal describe --family bbc --format json")]
struct DescribeArgs {
    /// The family of time signals.
    #[arg(long, value_enum, default_value_t)]
    family: Family,
    /// The speaker's code, 0 to 63; jiho and bbc carry none.
    #[arg(long, default_value = "0", value_parser = parse_code)]
    code: Code,
    /// For people, or the same as JSON.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum Family {
    /// A coded voice of 200 ms, once a second.
    #[default]
    Voiced,
    /// A coded voice of 400 ms, for paths that damage much.
    VoicedRobust,
    /// A coded noise of 200 ms: flat from 300 to 3400 Hz; noise suppression may remove it.
    Noise,
    /// A coded noise of 400 ms.
    NoiseRobust,
    /// The Japanese telephone time signal, a mark every 10 s: for human ears; a poor ruler.
    Jiho,
    /// The Greenwich pips, a mark every 10 s: for human ears; a poor ruler.
    Bbc,
    /// A coded voice without ends, in which every short piece tells its time: for gaps, skips and steps of the delay.
    Pilot,
}

impl From<Family> for signal::Family {
    fn from(family: Family) -> Self {
        match family {
            Family::Voiced => Self::Voiced,
            Family::VoicedRobust => Self::VoicedRobust,
            Family::Noise => Self::Noise,
            Family::NoiseRobust => Self::NoiseRobust,
            Family::Jiho => Self::Jiho,
            Family::Bbc => Self::Bbc,
            Family::Pilot => Self::Pilot,
        }
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    match &args.action {
        Action::Render(args) => {
            let beeps = render(args)?;
            print(&format!("Wrote {}: {}, beeps: {beeps}.\n", args.out.display(), duration_text(args.duration)))?;
        }
        Action::Describe(args) => {
            let description = Description::of(args.family.into(), args.code);
            match args.format {
                Format::Text => print(&described(&description))?,
                Format::Json => print(&format!("{}\n", serde_json::to_string_pretty(&description)?))?,
            }
        }
        Action::Survey(args) => return survey::run(args),
    }
    Ok(Exit::Done)
}

fn described(description: &Description) -> String {
    let Description { family, rms_dbfs, peak_dbfs, crest_factor_db, rms_bandwidth_hz, side_lobe, .. } = description;
    let Description { before_mark_ms, after_mark_ms, band_3db_hz, band_20db_hz, band_resolution_hz, .. } = description;
    let length = match before_mark_ms {
        0.0 => format!("{after_mark_ms:.0} ms"),
        before => format!("{:.0} ms, of which {before:.0} ms are before its mark", before + after_mark_ms),
    };
    let name = match description.code {
        Some(code) => format!("{family}, code {code}"),
        None => format!("{family}; carries no code"),
    };
    let if_certain = if family.is_coded() { "" } else { ", if only its cycle were certain" };
    let cross_peak = match description.worst_cross_peak {
        Some(peak) => format!("{:.1} dB, with code {}", peak.level_db, peak.code),
        None => "none: all its speakers sound alike, and take turns".to_owned(),
    };
    format!(
        "{name}
length            {length}
level             {rms_dbfs:.2} dBFS RMS while it sounds
crest factor      {crest_factor_db:.1} dB: peaks at {peak_dbfs:.1} dBFS
band, −3 dB       {:.0} to {:.0} Hz, averaged over {band_resolution_hz:.0} Hz
band, −20 dB      {:.0} to {:.0} Hz
RMS bandwidth     {rms_bandwidth_hz:.0} Hz below 6 kHz
Cramér–Rao bound  {:.2} µs at 0 dB: white noise as strong below 6 kHz as the signal{if_certain}
side lobe         {:.1} dB, {:.2} ms from the peak: the highest beyond 1 ms
worst cross-peak  {cross_peak}
",
        band_3db_hz[0],
        band_3db_hz[1],
        band_20db_hz[0],
        band_20db_hz[1],
        description.cramer_rao_at_0_db_us,
        side_lobe.level_db,
        side_lobe.lag_ms,
    )
}

/// Gives the number of beeps.
fn render(args: &RenderArgs) -> anyhow::Result<usize> {
    refuse_to_replace(&args.out, args.force)?;
    let programme = programme(args)?;
    let clock = SampleClock::new(RunTime::START, Rate(args.rate));
    let end = clock.first_sample_from(RunTime::START + args.duration);
    let mut recorder = Recorder::create(&args.out, clock.rate)?;
    let mut first = MediaTime(0);
    let mut samples = [0.0; 4096];
    while first < end {
        let length = usize::try_from(end - first).unwrap_or(usize::MAX).min(samples.len());
        programme.render(&clock, first, &mut samples[..length]);
        recorder.write(&samples[..length])?;
        first = first + length as i64;
    }
    recorder.finish()?;
    Ok(programme.emissions().len())
}

fn refuse_to_replace(file: &Path, force: bool) -> Result<(), UsageError> {
    if file.exists() && !force {
        let file = file.display();
        return Err(UsageError::say(format!("{file} exists: name another file, or give --force to replace it")));
    }
    Ok(())
}

fn programme(args: &RenderArgs) -> Result<Programme, UsageError> {
    let signal = Rhythm::from(&Signal::of(args.family.into()));
    let cadence = if signal.family.is_coded() { args.cadence.into() } else { signal.cadence };
    let signal = Rhythm { together: signal.together && !args.apart, cadence, ..signal };
    let mut programmes = signal.programmes(&[args.code], RunTime::START, args.duration);
    programmes.pop().filter(|programme| !programme.emissions().is_empty()).ok_or_else(|| {
        let duration = duration_text(args.duration);
        UsageError::say(format!("no whole beep fits into {duration}: give a longer --duration"))
    })
}

pub(super) fn parse_code(text: &str) -> Result<Code, String> {
    let number = text.parse().ok().and_then(Code::new);
    number.ok_or_else(|| format!("codes go from 0 to {}", Code::COUNT - 1))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: RenderArgs,
    }

    /// What a file holds that is rendered with these arguments, as hound reads it.
    fn rendered(arguments: &str) -> (hound::WavSpec, Vec<f64>) {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out.wav");
        let line = Line::parse_from(["render", "--out", out.to_str().unwrap()].into_iter().chain(arguments.split(' ')));
        render(&line.args).unwrap();
        let mut reader = hound::WavReader::open(&out).unwrap();
        let samples = reader.samples::<i16>().map(|sample| f64::from(sample.unwrap()) / 32_768.0).collect();
        (reader.spec(), samples)
    }

    fn seconds_of_sound(samples: &[f64], rate: f64) -> f64 {
        samples.chunks(48).filter(|chunk| chunk.iter().any(|x| x.abs() > 1e-3)).count() as f64 * 48.0 / rate
    }

    #[test]
    fn a_rendered_file_has_the_length_and_rate_that_were_asked_for() {
        let (spec, samples) = rendered("--duration 2.5s --rate 44100");
        assert_eq!((spec.sample_rate, spec.channels, spec.bits_per_sample), (44_100, 1, 16));
        assert_eq!(samples.len(), 110_250);
    }

    #[test]
    fn a_coded_voice_sounds_for_a_fifth_of_each_second_at_the_level_that_help_names() {
        let (_, samples) = rendered("--duration 10s --code 5");
        let seconds = seconds_of_sound(&samples, 48_000.0);
        assert!((seconds - 2.0).abs() < 0.05, "{seconds}");
        let energy: f64 = samples.iter().map(|x| x * x).sum();
        let level_dbfs = 10.0 * (energy / (2.0 * 48_000.0)).log10();
        assert!((level_dbfs + 20.0).abs() < 1.0, "{level_dbfs}");
    }

    #[test]
    fn speakers_apart_have_instants_of_their_own() {
        let onset = |arguments| rendered(arguments).1.iter().position(|x| x.abs() > 1e-3).unwrap();
        let apart = [onset("--code 0 --apart"), onset("--code 1 --apart")];
        let together = [onset("--code 0"), onset("--code 1")];
        assert!(apart[0].abs_diff(apart[1]) > 480, "{apart:?}");
        assert!(together[0].abs_diff(together[1]) < 480, "{together:?}");
    }

    #[test]
    fn the_audible_time_signal_begins_with_its_pips() {
        let (_, samples) = rendered("--family jiho");
        let sounds = |ms: usize| samples[ms * 48..(ms + 50) * 48].iter().any(|x| x.abs() > 0.05);
        assert_eq!([0, 500, 1000, 2000, 3000, 3500].map(sounds), [true, false, true, true, true, true]);
    }

    #[test]
    fn a_description_names_each_figure_once_and_what_it_could_be_mistaken_for() {
        let text = |family| described(&Description::of(family, Code::new(9).unwrap()));
        let noise = text(signal::Family::Noise);
        for line in ["noise, code 9", "length            200 ms", "level             -20.00 dBFS", "with code "] {
            assert!(noise.contains(line), "{line:?} is not in\n{noise}");
        }
        let bbc = text(signal::Family::Bbc);
        for line in ["bbc; carries no code", "5500 ms, of which 5000 ms are before its mark", "take turns"] {
            assert!(bbc.contains(line), "{line:?} is not in\n{bbc}");
        }
    }
}
