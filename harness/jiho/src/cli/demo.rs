//! `jiho demo`: the founding room's story, in a few seconds of simulation.

use std::path::{Path, PathBuf};

use jiho_analysis::signal::Code;
use jiho_analysis::track::Tracker;
use jiho_analysis::units::Rate;

use super::run::Shown;
use super::{findings, print};
use crate::exit::Exit;
use crate::experiment::{Experiment, ExperimentError};
use crate::report;
use crate::report::story::{Room, story};
use crate::run::folder::Folder;
use crate::run::{self, Outcome, World};

/// The room while it sings, and while somebody is called up to the stage.
const CHORUS: &str = include_str!("../../../../fixtures/experiments/clubhouse-chorus.toml");
const PROMOTION: &str = include_str!("../../../../fixtures/experiments/clubhouse.toml");
/// Everybody who plays a pilot in it.
const SPEAKERS: usize = 4;

/// Who serves the room, word for word as its experiments say it …
const SERVED: &str = "\
[stage.forward]

[audience.tier]
delay_line = \"400ms\"
through.mix = {}
";

/// … and what else might: the folder of the runs, what the room is called, and who serves it.
const ROOMS: [(&str, &str, &str); 3] = [
    ("clubhouse", "as it was", SERVED),
    ("mesh", "a mesh", "[stage.mesh]\n\n[audience.mesh]\n"),
    ("mixer", "a mixer", "[stage.mix]\n\n[audience.mix]\n"),
];

/// The same in words.
const TRUTH: &str = "In truth one server forwards to the stage, and mixes for the audience what it then holds back by \
                     400 ms. Servers in a row that lose nothing between them would sound the same on stage.";

const INTRODUCTION: &str = "\
A voice room as it was in 2021: ana, ben and chloe are on the stage, lena, mei and omar listen. On stage
a chorus fell apart that the audience heard well together, and whoever was called up to the stage heard
nothing for about 1.5 s. Nobody could tell why, nor what kind of room it was. Here it is simulated, and
measured from what every ear in it heard.

";

/// Tell the story of a voice room in a few seconds of simulation: a chorus that is apart on stage and together in the
/// audience, the silence that somebody meets who is called up to the stage and what it is made of, what kind of room it is
/// by its sound alone, and what would have been different in a mesh and with a mixer.
///
/// The room is that of fixtures/experiments/clubhouse.toml and clubhouse-chorus.toml. Each of the six runs is kept in a
/// folder of its own, ROOM/chorus and ROOM/promotion, with the experiment to begin with.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jiho demo
  jiho demo --out /tmp/story
  jiho explain /tmp/story/mesh/promotion
  jiho run /tmp/story/clubhouse/chorus/experiment.toml --on loopback")]
pub(super) struct Args {
    /// The folder to make [default: runs/demo-TIME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let out = args.out.clone().unwrap_or_else(|| run::usual_folder("demo"));
    Folder::create(&out)?;
    let progress = Shown::new();
    // All rooms have the same pilots. Their tables take longer to make than a room takes to be tracked.
    let pilots = Tracker::new(Rate::OPUS, &Code::all().take(SPEAKERS).collect::<Vec<_>>());
    let mut rooms = Vec::new();
    for (folder, name, served) in ROOMS {
        let hold = |part: &str, text: &str| hold(&out.join(folder), part, &text.replace(SERVED, served), &progress);
        rooms.push(Room { name, chorus: hold("chorus", CHORUS)?, promotion: hold("promotion", PROMOTION)? });
    }
    drop(pilots);
    progress.clear();
    if let Some((room, others)) = rooms.split_first() {
        print(&format!("{INTRODUCTION}{}{}", story(room, TRUTH, others)?, files(&out)))?;
    }
    let outcomes = rooms.iter().flat_map(|room| [&room.chorus, &room.promotion]);
    Ok(Exit::worst(outcomes.map(|outcome| findings::verdict(&outcome.findings, &[]))))
}

fn hold(room: &Path, part: &str, text: &str, progress: &Shown) -> anyhow::Result<Outcome> {
    let name = format!("{}-{part}.toml", room.file_name().unwrap_or_default().display());
    let experiment = Experiment::parse(text, Path::new(&name)).map_err(ExperimentError::from)?;
    let outcome = run::run(&experiment, text, World::Sim, &room.join(part), progress)?;
    report::write_all(outcome.folder.path(), outcome.folder.path())?;
    anyhow::ensure!(!outcome.run.partial, "the story broke off; what there is of it is in {}", room.display());
    Ok(outcome)
}

fn files(out: &Path) -> String {
    let names = ROOMS.map(|(folder, ..)| folder).join(", ");
    let out = out.display();
    format!(
        "\nAll runs are in {out}: {names}, each with a chorus and a promotion.\n\
         `jiho explain {out}/mesh/promotion` says what a room was like; report.html in each folder shows it.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_experiments_are_of_one_room_and_say_once_who_serves_it() {
        let room = |text: &str| {
            assert_eq!(text.matches(SERVED).count(), 1);
            let Experiment { links, listeners, speakers, stage, audience, relay, .. } =
                Experiment::parse(text, Path::new("room.toml")).unwrap();
            let speak = speakers.into_iter().map(|who| (who.name, who.link)).collect::<Vec<_>>();
            let listen = listeners.into_iter().map(|who| (who.name, who.link)).collect::<Vec<_>>();
            (links, speak, listen, stage, audience, relay)
        };
        let (chorus, promotion) = (room(CHORUS), room(PROMOTION));
        assert_eq!(chorus, promotion);
    }
}
