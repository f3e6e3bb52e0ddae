//! `jiho analyze`: recordings that are there already, ours or anybody's.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Context;
use jiho_analysis::signal::{Code, Family};
use jiho_proto::codec::CodecConfig;

use super::bar::Bar;
use super::{Format, findings, print, signal};
use crate::exit::{Exit, UsageError};
use crate::experiment::Experiment;
use crate::report::median_text;
use crate::report::run_json::RunJson;
use crate::report::table::Table;
use crate::report::{arrivals, differences};
use crate::run;
use crate::run::folder::Folder;
use crate::run::measure::{Listening, measure};
use crate::takes::{self, Difference, Take};

/// Find time signals in recordings: in folders of runs, or in anybody's WAV files.
///
/// Folders: everybody's beeps are found in everybody's recordings, again or for the first time; several folders are
/// parts of one room (`jiho speak`, `jiho hear`) and are put on one time line by their wall clocks.
///
/// WAV files (8 to 32 bits or float, 8 to 384 kHz, up to 64 channels): which codes are in them, when, how
/// clearly; and how much later each is than the same code in the first file (or the one of --against), and than the
/// first code in the same channel. Files are held to have begun at one instant; a difference within one file needs no
/// such faith.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jiho analyze runs/first-20260101T120000Z
  jiho analyze runs/ana-* runs/lena-*
  jiho analyze phone.wav laptop.wav
  jiho analyze room.wav --against ana.wav --codes 0,1 --out found")]
pub(super) struct Args {
    /// Folders of runs, or WAV files.
    #[arg(required = true, value_name = "FOLDER|WAV")]
    paths: Vec<PathBuf>,
    /// For WAV files: the one that the others are compared with [default: the first]
    #[arg(long, value_name = "WAV")]
    against: Option<PathBuf>,
    /// For WAV files: the codes to look for, such as 0,1 or 0-7.
    #[arg(long, default_value = "all")]
    codes: Codes,
    /// For WAV files: the family of time signals to look for.
    #[arg(long, value_enum, default_value_t)]
    family: signal::Family,
    /// For WAV files: also write arrivals.csv and differences.csv into this folder, which is made. Tables of runs are
    /// written into their own folder, the first one named.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A report for people, or the same as JSON.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    for path in &args.paths {
        if !path.exists() {
            return Err(UsageError::say(format!("{}: there is no such file or folder", path.display())).into());
        }
    }
    let folders = args.paths.iter().filter(|path| path.is_dir()).count();
    match folders {
        0 => analyze_files(args),
        n if n == args.paths.len() => analyze_folders(args),
        _ => Err(UsageError::say("give either folders of runs or WAV files, not both at once").into()),
    }
}

fn analyze_folders(args: &Args) -> anyhow::Result<Exit> {
    if args.out.is_some() || args.against.is_some() {
        let not_here = "--out and --against are for WAV files: the tables of runs are written into the first folder";
        return Err(UsageError::say(not_here).into());
    }
    let folders = args.paths.iter().map(|path| Folder::open(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let first = folders.first().context("no folder")?;
    let (listening, lookahead) = played(&folders)?;
    let mut remarks = Vec::new();
    for folder in folders.iter().filter(|folder| folder.run_json().is_file()) {
        remarks.extend(RunJson::read(&folder.run_json())?.remarks());
    }
    let run_id = if first.run_json().is_file() {
        RunJson::read(&first.run_json())?.run_id
    } else {
        // Killed before it was written: the folder's name is the next best.
        first.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let mut total = 0.0;
    for (wav, _) in folders.iter().map(Folder::sidecars).collect::<anyhow::Result<Vec<_>>>()?.iter().flatten() {
        total += takes::seconds(wav).unwrap_or(0.0);
    }
    let bar = Bar::new();
    let found = measure(&folders, &run_id, listening, &|seconds| bar.add("hearing", seconds, total))?;
    bar.clear();
    run::write_tables(first, &found)?;
    match args.format {
        Format::Text => print(&format!(
            "{}\nThe tables are in {}.\n",
            findings::text(&found, lookahead, &remarks),
            first.path().display()
        ))?,
        Format::Json => {
            let value = serde_json::json!({ "folder": first.path(), "pairs": findings::json(&found) });
            print(&format!("{}\n", serde_json::to_string_pretty(&value)?))?;
        }
    }
    Ok(findings::verdict(&found))
}

/// What was played in a room, and the codec's look-ahead in samples. Folders that do not say are held to be of coded
/// voices through Opus.
fn played(folders: &[Folder]) -> anyhow::Result<(Listening, i64)> {
    let said = folders.iter().map(says).collect::<anyhow::Result<Vec<_>>>()?;
    let families = said.iter().zip(folders).filter_map(|((family, _), folder)| Some(((*family)?, folder)));
    let codecs = said.iter().zip(folders).filter_map(|((_, codec), folder)| Some(((*codec)?, folder)));
    let family = agreed(families, |a, b| a == b, ToString::to_string)?;
    // Bit rates may differ: they do not change when a beep is heard.
    let same = |a: &CodecConfig, b: &CodecConfig| (a.payload_type(), a.delay()) == (b.payload_type(), b.delay());
    let codec = agreed(codecs, same, |codec| format!("{codec:?}"))?.unwrap_or_default();
    Ok((run::listening_for(family.unwrap_or(Family::Voiced), &codec), codec.delay()))
}

/// The time signal that was spoken and the codec, as far as a folder tells.
fn says(folder: &Folder) -> anyhow::Result<(Option<Family>, Option<CodecConfig>)> {
    let effective = folder.experiment_effective();
    if effective.is_file() {
        let experiment = Experiment::load(&effective)?;
        let codec = run::codec(&experiment.media.codec);
        return Ok((Some(run::listening(&experiment).family), Some(codec)));
    }
    if !folder.run_json().is_file() {
        return Ok((None, None));
    }
    let run = RunJson::read(&folder.run_json())?;
    Ok((run.family, run.codec))
}

/// What all who say something say.
fn agreed<'a, T>(
    said: impl Iterator<Item = (T, &'a Folder)>,
    same: impl Fn(&T, &T) -> bool,
    words: impl Fn(&T) -> String,
) -> Result<Option<T>, UsageError> {
    let mut first: Option<(T, &Folder)> = None;
    for (value, folder) in said {
        match &first {
            None => first = Some((value, folder)),
            Some((other, there)) if !same(other, &value) => {
                let [there, folder] = [there, folder].map(|folder| folder.path().display());
                let (other, value) = (words(other), words(&value));
                return Err(UsageError::say(format!(
                    "{there} was made with {other} and {folder} with {value}: they cannot be of one room; name the \
                     folders of one room only"
                )));
            }
            Some(_) => {}
        }
    }
    Ok(first.map(|(value, _)| value))
}

fn analyze_files(args: &Args) -> anyhow::Result<Exit> {
    let mut paths = args.paths.clone();
    if let Some(against) = &args.against {
        paths.retain(|path| path != against);
        paths.insert(0, against.clone());
    }
    let mut total = 0.0;
    for path in &paths {
        total += takes::seconds(path).map_err(UsageError::new)?;
    }
    let bar = Bar::new();
    let hearing = |seconds| bar.add("hearing", seconds, total);
    let takes = takes::takes(&paths, args.family.into(), &args.codes.0, &hearing)?;
    bar.clear();
    let reference = takes.iter().position(|take| !take.voices.is_empty());
    let found = reference.map(|reference| takes::differences(&takes, reference)).unwrap_or_default();
    if let Some(out) = &args.out {
        let folder = Folder::create(out)?;
        Table::write(&folder.arrivals(), arrivals::of_takes(&takes))?;
        Table::write(&folder.path().join("differences.csv"), differences::rows(&takes, &found))?;
    }
    match args.format {
        Format::Text => print(&text(&takes, &found))?,
        Format::Json => {
            let arrivals: Vec<_> = arrivals::of_takes(&takes).collect();
            let differences: Vec<_> = differences::rows(&takes, &found).collect();
            let value = serde_json::json!({ "arrivals": arrivals, "differences": differences });
            print(&format!("{}\n", serde_json::to_string_pretty(&value)?))?;
        }
    }
    Ok(if reference.is_some() { Exit::Done } else { Exit::Nothing })
}

fn text(takes: &[Take], differences: &[Difference]) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for take in takes {
        let seconds = take.recorder.clock.rate.span(take.recorder.samples).as_secs_f64();
        let hz = take.recorder.clock.rate.0;
        let _ = writeln!(text, "{}: {seconds:.1} s at {hz} Hz", take.name());
        if let Some(truncated) = &take.truncated {
            let _ = writeln!(text, "  warning: {truncated}");
        }
        for (code, detections) in &take.voices {
            let sure = detections.iter().filter(|d| d.is_sure()).count();
            let mean = |part: fn(&jiho_analysis::hear::Detection) -> f64| {
                jiho_analysis::stats::median(&detections.iter().map(part).collect::<Vec<_>>()).unwrap_or(f64::NAN)
            };
            let first = detections.first().map_or(0.0, |d| d.position / take.recorder.clock.rate.hz());
            let _ = writeln!(
                text,
                "  code {code}: {} arrivals, {sure} of them sure; the first {first:.6} s in; score {:.2}, SNR {:.0} dB \
                 (medians)",
                detections.len(),
                mean(|d| d.score),
                mean(|d| d.snr_db)
            );
        }
        if take.voices.is_empty() {
            let _ = writeln!(text, "  {}", nothing_found(take.peak));
        }
    }
    let named = |(take, code): (usize, Code)| format!("code {code} in {}", takes[take].name());
    for (title, same) in [("Between recordings", false), ("At one ear (needs no synchronised clocks)", true)] {
        let found: Vec<_> = differences.iter().filter(|d| (d.from.0 == d.to.0) == same).collect();
        if found.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{title}, in ms: median [95 % interval], range, beeps in common");
        for difference in found {
            let delays = &difference.delays;
            let Some(distribution) = &delays.distribution else { continue };
            let drift = delays.drift_ppm.map_or(String::new(), |ppm| format!(", drift {ppm:+.1} ppm"));
            let doubt = if delays.ambiguous > 0 { ", ambiguous" } else { "" };
            let _ = writeln!(
                text,
                "  {} comes {} after {}; {:.3} to {:.3}, {}/{}{drift}{doubt}",
                named(difference.to),
                median_text(distribution, 3),
                named(difference.from),
                distribution.quantile_ms(0.0),
                distribution.quantile_ms(1.0),
                delays.heard + delays.ambiguous,
                delays.expected,
            );
        }
    }
    if takes.iter().any(|take| !take.placed) && differences.iter().any(|d| d.from.0 != d.to.0) {
        let _ = writeln!(text, "Recordings without a sidecar are held to have begun at the same instant.");
    }
    text
}

/// Why nothing may have been found, and what to do.
fn nothing_found(peak: f32) -> String {
    let level_db = 20.0 * peak.log10();
    match level_db {
        level if level < -80.0 => "no signal found: it is silent; was the right input recorded?".to_owned(),
        level if level < -50.0 => {
            format!("no signal found: it is faint (peak {level:.0} dBFS); record it louder, or nearer to the source")
        }
        level => format!(
            "no signal found (peak {level:.0} dBFS); was one of `jiho signal render` played? Any family but voiced \
             needs its --family"
        ),
    }
}

/// The codes to look for.
#[derive(Clone, Debug)]
struct Codes(Vec<Code>);

impl std::str::FromStr for Codes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self(Code::all().collect()));
        }
        let mut codes = BTreeSet::new();
        for part in text.split(',') {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let (from, to) = (code(from)?, code(to)?);
            codes.extend(Code::all().filter(|code| (from..=to).contains(code)));
            if from > to {
                return Err(format!("`{part}` runs backwards"));
            }
        }
        Ok(Self(codes.into_iter().collect()))
    }
}

fn code(text: &str) -> Result<Code, String> {
    let number = text.trim().parse().ok().and_then(Code::new);
    number.ok_or_else(|| {
        format!("`{text}` is no code: expected numbers from 0 to {}, such as 0,1 or 0-7", Code::COUNT - 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_lists_and_ranges() {
        let numbers = |text: &str| text.parse::<Codes>().map(|c| c.0.iter().map(|c| c.number()).collect::<Vec<_>>());
        assert_eq!(numbers("3,0-2").unwrap(), [0, 1, 2, 3]);
        assert_eq!(numbers("all").unwrap().len(), 64);
        for wrong in ["", "64", "a", "5-2", "1,,2"] {
            assert!(numbers(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn folders_say_what_was_played_and_those_that_disagree_are_refused_by_name() {
        let temporary = tempfile::tempdir().unwrap();
        let made = |name: &str, says: &str| {
            let folder = Folder::create(&temporary.path().join(name)).unwrap();
            let run = format!(
                r#"{{"format":1,"run_id":"r","experiment":"r","on":"room","seed":1,"jiho_version":"0","opus_version":"0",
                    "partial":false,"failures":[],"clock_bound_ns":0{says}}}"#
            );
            std::fs::write(folder.run_json(), run).unwrap();
            folder
        };
        let lena = made("lena", r#","codec":"l16""#);
        let ana = made("ana", r#","codec":"l16","family":"jiho""#);
        let opus = |kbps: u32| format!(r#","codec":{{"opus":{{"bitrate_bps":{kbps}000,"application":"voip"}}}}"#);
        let (ben, cem, old) = (made("ben", &opus(32)), made("cem", &opus(64)), made("old", ""));

        let (listening, lookahead) = played(&[lena.clone(), ana.clone()]).unwrap();
        assert_eq!((listening.family, listening.codec_sd.0, lookahead), (Family::Jiho, 0, 0));
        let (listening, lookahead) = played(&[old, ben.clone(), cem]).unwrap();
        assert_eq!((listening.family, lookahead), (Family::Voiced, 312));
        assert!(listening.codec_sd.0 > 0);
        let error = played(&[ana, ben]).unwrap_err();
        assert_eq!(Exit::of(&error), Exit::Invalid);
        let error = error.to_string();
        assert!(error.contains("ana was made with L16") && error.contains("ben with Opus"), "{error}");
    }
}
