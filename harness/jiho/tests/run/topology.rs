//! Who served the room, from a run's tables alone, and `jiho explain`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::room::{Ran, run, simulated};

/// A mixed audience behind a delayed tier and a forwarded stage, with losses; uncompressed and without luck in codecs.
const EXPERIMENT: &str = "name = \"room\"\n[run]\nduration = \"12s\"\nwarmup = \"1s\"\nseed = 3\n[signal.pilot]\n\
    [media]\ncodec.l16 = {}\n[stage.forward]\n[audience.tier]\ndelay_line = \"900ms\"\nthrough.mix = {}\n\
    [link.default]\ndelay = \"12ms\"\njitter.normal = \"2ms\"\nloss = \"1%\"\n\
    [[speaker]]\nname = \"ana\"\n[[speaker]]\nname = \"ben\"\n[[speaker]]\nname = \"chloe\"\n\
    [[listener]]\nname = \"lena\"\n[[listener]]\nname = \"mei\"\n";
/// What may be read.
const TABLES: [&str; 5] = ["emissions.csv", "delays.csv", "breaks.csv", "events.csv", "packets.csv"];

fn explain(folder: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_jiho")).arg("explain").arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The tables of a run and nothing else, in a folder of their own, as `changed`.
fn tables_alone(ran: &Ran, changed: impl Fn(&str) -> String) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for table in TABLES {
        let text = fs::read_to_string(ran.dir.join(table)).unwrap();
        fs::write(folder.path().join(table), changed(&text)).unwrap();
    }
    folder
}

/// What `jiho explain` says of the room, without who heard what.
fn served(page: &str) -> &str {
    page.split_once("What kind of room it was").unwrap().1
}

#[test]
fn a_room_is_explained_from_its_tables_alone() {
    let ran = simulated(EXPERIMENT);
    let page = explain(&ran.dir);
    insta::assert_snapshot!(page);
    let verdicts: BTreeMap<String, String> = csv::Reader::from_path(ran.dir.join("topology.csv"))
        .unwrap()
        .deserialize()
        .map(|row: Result<BTreeMap<String, String>, _>| row.unwrap())
        .map(|row| (format!("{} {}", row["tier"], row["hypothesis"]), row["verdict"].clone()))
        .collect();
    assert_eq!(verdicts.len(), 4 + 6);
    assert_eq!(verdicts["audience delayed_mix"], "named");
    assert_eq!(verdicts["stage mix"], "ruled_out");

    let alone = tables_alone(&ran, str::to_owned);
    assert_eq!(explain(alone.path()), page, "neither the experiment nor run.json is looked at");

    // What the configuration calls things, shuffled: people, streams and the experiment itself.
    let shuffled = tables_alone(&ran, |text| {
        let mut text = text.to_owned();
        for (from, to) in [
            ("ana", "#1"),
            ("ben", "#2"),
            ("lena", "#3"),
            ("mei", "#4"),
            ("mix", "forward"),
            ("room-sim", "mesh"),
            ("relay", "edge"),
            ("#1", "mei"),
            ("#2", "ana"),
            ("#3", "mesh"),
            ("#4", "ben"),
        ] {
            text = text.replace(&format!(",{from},"), &format!(",{to},")).replace(from, to);
        }
        text
    });
    assert_eq!(served(&explain(shuffled.path())), served(&page));
}

#[test]
fn a_folder_without_delays_says_what_makes_them() {
    let ran = simulated(EXPERIMENT);
    let folder = tables_alone(&ran, str::to_owned);
    fs::remove_file(folder.path().join("delays.csv")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_jiho")).arg("explain").arg(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("jiho analyze"));
}

#[test]
fn who_was_called_up_reads_what_the_silence_was_made_of() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/experiments/clubhouse.toml");
    let ran = run(&fs::read_to_string(fixture).unwrap(), &["--on", "sim"]);
    let page = explain(&ran.dir);
    let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("lena was called up to the stage. For lena the room fell silent for 1.48 s."), "{page}");
    assert!(words.contains("1.05 s for the sound device to restart"), "{page}");
}
