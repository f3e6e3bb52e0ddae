//! `jiho demo`: the story as it is printed, held against the tables of its runs by arithmetic of its own.

// Helpers of tests are tests, and say what they found.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use tempfile::TempDir;

type Row = BTreeMap<String, String>;

/// Beats until singers have found together.
const SETTLING: usize = 8;
const ROOMS: [&str; 3] = ["clubhouse", "mesh", "mixer"];

struct Told {
    text: String,
    dir: PathBuf,
    _temporary: TempDir,
}

/// Told once for all tests.
static TOLD: LazyLock<Told> = LazyLock::new(|| {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("story");
    let text = jiho(&["demo", "--out", dir.to_str().unwrap()]).replace(dir.to_str().unwrap(), "DIR");
    Told { text, dir, _temporary: temporary }
});

fn jiho(arguments: &[&str]) -> String {
    let ran = Command::new(env!("CARGO_BIN_EXE_jiho")).args(arguments).output().unwrap();
    assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

fn rows(run: &str, table: &str) -> Vec<Row> {
    let path = TOLD.dir.join(run).join(table);
    csv::Reader::from_path(path).unwrap().deserialize().map(Result::unwrap).collect()
}

fn number(row: &Row, column: &str) -> Option<f64> {
    row[column].parse().ok()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
    0.5 * (low + high)
}

/// A row of the story's table, a cell per room.
fn cells(what: &str) -> [String; 3] {
    let line = TOLD.text.lines().find(|line| line.trim_start().starts_with(what));
    let line = line.unwrap_or_else(|| panic!("no {what}: {}", TOLD.text));
    let cells = line.trim_start().strip_prefix(what).unwrap().split("  ").filter(|cell| !cell.is_empty());
    let cells: Vec<String> = cells.map(|cell| cell.trim().to_owned()).collect();
    cells.try_into().unwrap_or_else(|cells| panic!("{what}: {cells:?}"))
}

/// The figures of such a row are these, to so much.
fn shows(what: &str, within: f64, figure: impl Fn(&str) -> f64) -> [f64; 3] {
    let shown = cells(what).map(|cell| cell.trim_end_matches(" ms").parse::<f64>().unwrap());
    for (room, shown) in ROOMS.into_iter().zip(shown) {
        let figure = figure(room);
        assert!((shown - figure).abs() <= within, "{what} in {room}: {shown}, not {figure}");
    }
    shown
}

/// How far apart voices are at a tier's ears, once singers have found together: of its ears the one in the middle.
fn spread_ms(room: &str, role: &str) -> f64 {
    let mut ears: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in rows(&format!("{room}/chorus"), "chorus.csv").into_iter().filter(|row| row["role"] == role) {
        ears.entry(row["recorder"].clone()).or_default().push(row);
    }
    let of_ear = |beats: &Vec<Row>| {
        let whole = beats[SETTLING..].iter().filter(|row| row["voices"] == "3");
        median(whole.map(|row| number(row, "spread_ns").unwrap() / 1e6).collect())
    };
    median(ears.values().map(of_ear).collect())
}

fn delay_ms(room: &str, relation: &str) -> f64 {
    let delays = rows(&format!("{room}/chorus"), "delays.csv");
    let of_tier = delays.iter().filter(|row| row["relation"] == relation);
    median(of_tier.filter_map(|row| Some(number(row, "delay_ns")? / 1e6)).collect())
}

fn longest_ms(room: &str, column: &str) -> f64 {
    let gaps = rows(&format!("{room}/promotion"), "gaps.csv");
    let of_ear = gaps.iter().filter(|row| row["side"] == "ear");
    of_ear.filter_map(|row| Some(number(row, column)? / 1e6)).fold(0.0, f64::max)
}

#[test]
fn the_story_reads_as_it_is_recorded() {
    insta::assert_snapshot!(TOLD.text);
}

#[test]
fn a_chorus_is_apart_on_stage_and_together_in_the_audience_of_every_room() {
    let stage = shows("first voice to last on stage", 0.51, |room| spread_ms(room, "speaker"));
    let audience = shows("first voice to last in the audience", 0.51, |room| spread_ms(room, "listener"));
    assert!(stage.iter().all(|ms| *ms > 70.0) && audience.iter().all(|ms| *ms < 20.0), "{stage:?} {audience:?}");
    assert!(stage[1] < stage[0] && stage[0] < stage[2], "a mesh is nearer, a mixer further: {stage:?}");
}

#[test]
fn the_tempo_drags_by_a_third_of_twice_the_delay_that_singers_hear_each_other_with() {
    let shown =
        shows("beats a minute, of a song of 100", 0.6, |room| 60_000.0 / (600.0 + 2.0 / 3.0 * delay_ms(room, "stage")));
    assert!(shown[1] > shown[0] && shown[0] > shown[2], "{shown:?}");
}

#[test]
fn delays_and_silences_are_those_of_the_tables() {
    shows("mouth to ear on stage", 0.51, |room| delay_ms(room, "stage"));
    shows("mouth to ear in the audience", 0.51, |room| delay_ms(room, "audience"));
    let silence = shows("silence for who is called up", 0.51, |room| longest_ms(room, "silence_ns"));
    shows("… and what is never heard there", 0.51, |room| longest_ms(room, "lost_ns"));
    assert!(silence.iter().all(|ms| (1400.0..1600.0).contains(ms)), "{silence:?}");
    let steps: f64 = rows("clubhouse/promotion", "stack.csv")
        .iter()
        .filter(|row| row["side"] == "ear" && row["speaker"] == "ben")
        .map(|row| number(row, "length_ns").unwrap() / 1e6)
        .sum();
    assert!((steps - silence[0]).abs() < 20.0, "{steps}");
}

#[test]
fn every_room_is_named_rightly_as_far_as_sound_tells() {
    assert_eq!(cells("the stage, by its sound"), ["forward or cascade", "mesh", "mix"]);
    assert_eq!(cells("the audience, by its sound"), ["delayed mix", "mesh", "mix"]);
    // What singers' beeps tell is less, but nothing wrong.
    for (room, stage, audience) in
        [("clubhouse", "forward", "delayed_mix"), ("mesh", "mesh", "mesh"), ("mixer", "mix", "mix")]
    {
        for row in rows(&format!("{room}/chorus"), "topology.csv") {
            let truth = if row["tier"] == "stage" { stage } else { audience };
            let wrong = if row["hypothesis"] == truth { "ruled_out" } else { "named" };
            assert_ne!(row["verdict"], wrong, "{room}: {row:?}");
        }
    }
}

#[test]
fn each_run_is_explained_to_whoever_was_in_the_room() {
    for run in ["chorus", "promotion"] {
        let folder = TOLD.dir.join("clubhouse").join(run);
        insta::assert_snapshot!(format!("explain_{run}"), jiho(&["explain", folder.to_str().unwrap()]));
    }
}

#[test]
fn each_run_is_kept_with_an_experiment_that_can_be_checked_and_a_picture_of_its_chorus() {
    for room in ROOMS {
        for run in ["chorus", "promotion"] {
            jiho(&["check", TOLD.dir.join(room).join(run).join("experiment.toml").to_str().unwrap()]);
        }
        let picture = fs::read_to_string(TOLD.dir.join(room).join("chorus/chorus.svg")).unwrap();
        assert!(picture.contains("at lena (audience)"), "{picture}");
    }
}

#[test]
fn a_folder_that_is_there_is_not_written_to() {
    let temporary = tempfile::tempdir().unwrap();
    fs::write(temporary.path().join("mine"), "").unwrap();
    let told =
        Command::new(env!("CARGO_BIN_EXE_jiho")).arg("demo").arg("--out").arg(temporary.path()).output().unwrap();
    assert_eq!(told.status.code(), Some(2));
    assert_eq!(entries(temporary.path()), 1);
}

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}
