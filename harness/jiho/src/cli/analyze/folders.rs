//! Recordings of runs, whose folders say what was played.

use anyhow::Context;
use jiho_analysis::signal::Family;
use jiho_proto::codec::CodecConfig;

use super::Args;
use crate::cli::bar::Bar;
use crate::cli::{Format, findings, print};
use crate::exit::{Exit, UsageError};
use crate::experiment::Experiment;
use crate::report::RunName;
use crate::report::run_json::RunJson;
use crate::run;
use crate::run::chorus::Chorus;
use crate::run::folder::Folder;
use crate::run::measure::{Listening, measure};
use crate::takes;

pub(super) fn analyze(args: &Args) -> anyhow::Result<Exit> {
    if args.out.is_some() || args.against.is_some() {
        let not_here = "--out and --against are for WAV files: the tables of runs are written into the first folder";
        return Err(UsageError::say(not_here).into());
    }
    let folders = args.paths.iter().map(|path| Folder::open(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let first = folders.first().context("no folder")?;
    let (listening, lookahead) = played(&folders)?;
    let (mut remarks, mut keyless, mut partial, mut singing) = (Vec::new(), Vec::new(), false, None);
    for folder in folders.iter().filter(|folder| folder.run_json().is_file()) {
        let run = RunJson::read(&folder.run_json())?;
        remarks.extend(run.remarks());
        keyless.extend(run.keyless());
        singing = singing.or(run.singing);
        if run.partial {
            let reasons: String = run.failures.iter().map(|reason| format!(": {reason}")).collect();
            remarks.push(format!("{} is partial: it ended before its time{reasons}.", folder.path().display()));
            partial = true;
        }
    }
    let run = if first.run_json().is_file() {
        RunJson::read(&first.run_json())?.name()
    } else {
        // Killed before it was written: the folder's name is the next best.
        RunName::once(first.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default())
    };
    let mut total = 0.0;
    for (wav, _) in folders.iter().map(Folder::sidecars).collect::<anyhow::Result<Vec<_>>>()?.iter().flatten() {
        total += takes::seconds(wav).unwrap_or(0.0);
    }
    let bar = Bar::new();
    let mut found = measure(&folders, &run, listening, &|seconds| bar.add("hearing", seconds, total))?;
    bar.clear();
    found.chorus = singing.map(|singing| Chorus::of(&found, &singing));
    run::write_tables(first, &found)?;
    let architecture = run::write_architecture(&folders, &found)?;
    run::write_pages(first)?;
    match args.format {
        Format::Text => print(&format!(
            "{}\nThe tables are in {}.\n",
            findings::text(&found, &architecture, lookahead, &remarks, &keyless),
            first.path().display()
        ))?,
        Format::Json => {
            let mut value = serde_json::json!({ "folder": first.path(), "partial": partial });
            findings::add(&mut value, &found, &architecture);
            print(&format!("{}\n", serde_json::to_string_pretty(&value)?))?;
        }
    }
    Ok(findings::verdict(&found, &keyless))
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
    Ok((Listening { family: family.unwrap_or(Family::Voiced), codec: Some(codec) }, codec.delay()))
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

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!((listening.family, listening.codec, lookahead), (Family::Jiho, Some(CodecConfig::L16), 0));
        let (listening, lookahead) = played(&[old, ben.clone(), cem]).unwrap();
        assert_eq!((listening.family, lookahead), (Family::Voiced, 312));
        assert!(matches!(listening.codec, Some(CodecConfig::Opus(_))));
        let error = played(&[ana, ben]).unwrap_err();
        assert_eq!(Exit::of(&error), Exit::Invalid);
        let error = error.to_string();
        assert!(error.contains("ana was made with L16") && error.contains("ben with Opus"), "{error}");
    }
}
