//! `jiho gate` as its users meet it: figures go in; verdicts, sentences and exit codes come out.
//!
//! What is true is made here: links of known delays, in simulation, whose figures are exact.

// Helpers of tests are tests, and say what they found.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const JIHO: &str = env!("CARGO_BIN_EXE_jiho");

/// A folder in which experiments are and gates are run.
struct Bench(TempDir);

struct Judged {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A room whose link to the audience takes this long, and what it is held against.
    fn room(&self, file: &str, to_lena_ms: u32, gates: &str) {
        let text = format!(
            "name = \"room\"\n[run]\nwarmup = \"500ms\"\nduration = \"3s\"\n\
             [link.far]\ndelay = \"{to_lena_ms}ms\"\n\
             [[speaker]]\nname = \"ana\"\n[[speaker]]\nname = \"ben\"\n\
             [[listener]]\nname = \"lena\"\nlink = \"far\"\n[[listener]]\nname = \"mei\"\n{gates}"
        );
        fs::write(self.path(file), text).unwrap();
    }

    fn gate(&self, arguments: &[&str]) -> Judged {
        let mut command = Command::new(JIHO);
        command.arg("gate").args(arguments).current_dir(self.0.path());
        for name in ["GITHUB_SHA", "CI_COMMIT_SHA", "GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME"] {
            command.env_remove(name);
        }
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Judged { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    fn rows(&self, folder: &str) -> Vec<BTreeMap<String, String>> {
        let table = self.path(folder).join("gates.csv");
        csv::Reader::from_path(table).unwrap().deserialize().map(Result::unwrap).collect()
    }
}

impl Judged {
    #[track_caller]
    fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        self
    }

    #[track_caller]
    fn says(self, words: &str) -> Self {
        // Lines are broken where they are full.
        let said = format!("{}{}", self.out, self.err).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(words), "{words:?} is not in {said}");
        self
    }
}

#[test]
fn limits_pass_and_fail_by_what_was_heard() {
    let bench = Bench::new();
    bench.room("room.toml", 30, "[[gate]]\nlimit = \"heard_ratio > 98%\"\n");
    bench
        .gate(&["room.toml", "--on", "sim", "--out", "good", "--limit", "speaker_to_audience.p95 < 400ms"])
        .ends_with(0);
    let rows = bench.rows("good");
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0]["gate"].as_str(), rows[0]["verdict"].as_str()), ("heard_ratio > 98%", "pass"));
    assert_eq!((rows[0]["value"].as_str(), rows[0]["repetitions"].as_str()), ("1.0", "1"));
    assert_eq!((rows[1]["metric"].as_str(), rows[1]["stat"].as_str()), ("speaker_to_audience", "p95"));
    // 30 ms of link come on top of what mei has: that is more than anybody may have.
    let mei: f64 = rows[1]["value"].parse::<f64>().unwrap() - 30.0;
    let limit = format!("speaker_to_audience.p95 < {}ms", mei + 20.0);
    bench
        .gate(&["--run", "good", "--limit", &limit])
        .ends_with(5)
        .says("above the limit")
        .says("the worst is [")
        .says("-> lena]")
        .says("2 gates: 1 pass, 1 fail");
}

#[test]
fn what_makes_no_sense_is_shown_where_it_is() {
    let bench = Bench::new();
    bench.room("room.toml", 30, "");
    let limit = |text: &str| bench.gate(&["room.toml", "--on", "sim", "--limit", text]).ends_with(2);
    limit("speaker_to_audiense.p95 < 400ms").says("--limit:1:1").says("did you mean speaker_to_audience.p95?");
    limit("delay[* -> lenna].p95 < 400ms").says("did you mean `lena`?");
    limit("relay.residence.p99 < 2ms").says("give relay_csv = true in [run]");
    bench.gate(&["room.toml", "--on", "sim"]).ends_with(2).says("there is nothing to judge by");
    bench.gate(&["room.toml", "--on", "sim", "--figure", "delay.p95"]).ends_with(2).says("nothing is named to compare");
    assert!(!bench.path("runs").exists(), "nothing was run for it");
}

#[test]
fn nothing_measured_is_neither_fine_nor_worse() {
    let bench = Bench::new();
    bench.room("room.toml", 30, "[link.default]\nloss = \"100%\"\n");
    bench.gate(&["room.toml", "--on", "sim", "--limit", "delay.p95 < 400ms"]).ends_with(4).says("nothing was measured");
}

#[test]
fn a_simulation_is_worse_than_its_baseline_by_what_was_added() {
    let bench = Bench::new();
    bench.room("before.toml", 30, "");
    bench.room("after.toml", 33, "");
    bench.gate(&["before.toml", "--on", "sim", "--out", "before", "--limit", "heard_ratio > 98%"]).ends_with(0);
    let compare = |file: &str, out: &str, more: &[&str]| {
        let arguments =
            [file, "--on", "sim", "--out", out, "--baseline", "before", "--figure", "speaker_to_audience.max"];
        bench.gate(&[&arguments, more].concat())
    };
    compare("before.toml", "same", &[]).ends_with(0);
    assert_eq!(bench.rows("same")[0]["change"], "0.0");
    compare("after.toml", "later", &[]).ends_with(5).says("is worse than the baseline by 3 ms").says("-> lena]: +3 ms");
    compare("after.toml", "seed", &["--seed", "9"]).ends_with(2).says("other seeds");
    // What a user allows is allowed, in the experiment as well.
    let allowed =
        "[baseline]\nfolder = \"before\"\n[[gate]]\nfigure = \"speaker_to_audience.max\"\nworse_by = \"5ms\"\n";
    bench.room("allowed.toml", 33, allowed);
    bench.gate(&["allowed.toml", "--on", "sim", "--out", "allowed"]).ends_with(0);
}

/// A program that is jiho, but for what it does to an experiment first.
fn build(path: &Path, script: &str) {
    fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn another_build_is_run_in_turn_and_compared() {
    let bench = Bench::new();
    bench.room("room.toml", 33, "[[gate]]\nfigure = \"speaker_to_audience.max\"\n");
    // The other build is 3 ms faster on the way to lena.
    let faster = format!(
        "sed 's/33ms/30ms/' \"$2\" > faster.toml; echo other >> turns; shift 2; exec {JIHO} run faster.toml \"$@\""
    );
    build(&bench.path("other"), &faster);
    bench
        .gate(&["room.toml", "--on", "sim", "--out", "ab", "--against", "./other"])
        .ends_with(5)
        .says("is worse than the other build by 3 ms");
    assert_eq!(fs::read_to_string(bench.path("turns")).unwrap(), "other\n");
    build(&bench.path("same"), &format!("exec {JIHO} \"$@\""));
    let same =
        bench.gate(&["room.toml", "--on", "sim", "--out", "aa", "--repeat", "3", "--against", "./same"]).ends_with(0);
    let turns: Vec<&str> = same.err.lines().filter_map(|line| line.split(", ").nth(1)).collect();
    let [other, this] = ["the other build", "this build"];
    assert_eq!(turns, [other, this, this, other, other, this], "A B B A A B");
    build(&bench.path("broken"), "echo 'no such codec' >&2; exit 1");
    bench
        .gate(&["room.toml", "--on", "sim", "--out", "ac", "--against", "./broken"])
        .ends_with(1)
        .says("the other build, ")
        .says("ended with exit code 1: no such codec");
    bench.gate(&["room.toml", "--on", "sim", "--against", "./none"]).ends_with(2).says("there is no program ./none");
}

#[test]
fn a_history_grows_and_catches_what_falls_out_of_it() {
    let bench = Bench::new();
    bench.room("room.toml", 30, "[[gate]]\nfigure = \"speaker_to_audience.max\"\n");
    bench.gate(&["room.toml", "--on", "sim", "--history", "history.csv"]).ends_with(2).says("--record begins one");
    let judge = |out: &str, commit: &str| {
        let arguments = ["room.toml", "--on", "sim", "--out", out, "--history", "history.csv"];
        bench.gate(&[&arguments[..], &["--record", "--commit", commit, "--branch", "main"]].concat())
    };
    judge("1", "aaa").ends_with(3).says("too few to judge by");
    judge("2", "bbb").ends_with(0);
    bench.room("room.toml", 33, "[[gate]]\nfigure = \"speaker_to_audience.max\"\n");
    judge("3", "ccc").ends_with(5).says("worse than the last level of the history by 3 ms");
    let text = fs::read_to_string(bench.path("history.csv")).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0], ["time", "commit", "branch", "experiment", "host_class", "speaker_to_audience.max"]);
    assert_eq!(rows.len(), 4);
    for (row, commit) in rows[1..].iter().zip(["aaa", "bbb", "ccc"]) {
        assert_eq!(row[1..5], [commit, "main", "room", "simulation"]);
    }
    let figure = |n: usize| rows[n][5].parse::<f64>().unwrap();
    assert!((figure(3) - figure(2) - 3.0).abs() < 0.01 && figure(1) == figure(2), "{text}");
}

#[test]
fn over_loopback_what_is_judged_is_repeated() {
    let bench = Bench::new();
    bench.room("room.toml", 5, "");
    // However busy the machine: nobody hears anybody a minute late.
    let limit = ["--limit", "delay.median < 60s"];
    let arguments = ["room.toml", "--out", "real", "--repeat", "5"];
    bench.gate(&[&arguments[..], &limit].concat()).ends_with(0).says("over 5 repetitions").says("repetition 5 of 5");
    let rows = bench.rows("real");
    let [low, value, high] = ["low", "value", "high"].map(|column| rows[0][column].parse::<f64>().unwrap());
    assert!(low <= value && value <= high && low > 0.0, "{rows:?}");
    assert_eq!(fs::read_dir(bench.path("real")).unwrap().flatten().filter(|entry| entry.path().is_dir()).count(), 5);
}
