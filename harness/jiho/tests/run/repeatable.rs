//! A simulation is a function of its file and its seed.

use std::collections::BTreeMap;
use std::fs;

use crate::room::{Ran, run};

/// With everything that draws random numbers in it.
fn experiment(seed: u32) -> String {
    format!(
        "name = \"repeatable\"\n[run]\nduration = \"5s\"\nseed = {seed}\n\
         [link.default]\ndelay = \"20ms\"\nloss = \"3%\"\njitter.normal = \"5ms\"\n\
         [[speaker]]\nname = \"ana\"\n[[speaker]]\nname = \"ben\"\n[[listener]]\nname = \"lena\"\n"
    )
}

fn files(ran: &Ran) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(&ran.dir).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes_in_every_file() {
    let [first, second] = [(); 2].map(|()| files(&run(&experiment(7), &["--on", "sim"])));
    let names: Vec<&String> = first.keys().collect();
    assert_eq!(names, second.keys().collect::<Vec<_>>());
    for name in [
        "arrivals.csv",
        "delays.csv",
        "ear-ana.json",
        "ear-lena.wav",
        "emissions.csv",
        "packets.csv",
        "pairs.csv",
        "steps.csv",
    ] {
        assert!(first.contains_key(name), "{name} is not among {names:?}");
    }
    for (name, bytes) in &first {
        assert!(second[name] == *bytes, "{name} differs");
    }
}

#[test]
fn another_seed_gives_another_run() {
    let [seven, eight] = [7, 8].map(|seed| files(&run(&experiment(seed), &["--on", "sim"])));
    for name in ["arrivals.csv", "delays.csv", "ear-lena.wav", "packets.csv", "run.json"] {
        assert!(seven[name] != eight[name], "{name} does not depend on the seed");
    }
    assert_eq!(seven["emissions.csv"].len(), eight["emissions.csv"].len(), "what is sent does not depend on luck");
}

#[test]
fn a_seed_on_the_command_line_takes_the_place_of_the_files() {
    let asked = files(&run(&experiment(8), &["--on", "sim", "--seed", "7"]));
    let written = files(&run(&experiment(7), &["--on", "sim"]));
    for (name, bytes) in &written {
        // As given, the file is still the one with the other seed.
        assert_eq!(asked[name] == *bytes, name != "experiment.toml", "{name}");
    }
}

#[test]
fn repetitions_have_a_folder_and_a_seed_each_and_one_name() {
    let series = run(&experiment(7), &["--on", "sim", "--repeat", "2"]);
    let names = |rep: &str| {
        let run = fs::read_to_string(series.dir.join(rep).join("run.json")).unwrap();
        let run: serde_json::Value = serde_json::from_str(&run).unwrap();
        (run["run_id"].clone(), run["rep"].as_u64().unwrap_or(1), run["seed"].as_u64().unwrap())
    };
    let (first, second) = (names("rep-1"), names("rep-2"));
    assert_eq!(first.0, second.0);
    assert_eq!([(first.1, first.2), (second.1, second.2)], [(1, 7), (2, 8)]);
    let rows = fs::read_to_string(series.dir.join("rep-2/pairs.csv")).unwrap();
    assert!(rows.lines().skip(1).all(|row| row.split(',').nth(1) == Some("2")), "{rows}");
    assert!(series.stdout.contains("over 2 repetitions"), "{}", series.stdout);
    // What each repetition heard is what a run with its seed hears.
    let alone = run(&experiment(8), &["--on", "sim"]);
    let ear = |dir: &std::path::Path| fs::read(dir.join("ear-lena.wav")).unwrap();
    assert!(ear(&series.dir.join("rep-2")) == ear(&alone.dir));
}
