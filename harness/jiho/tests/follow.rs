//! `jiho analyze` on sound that is still coming: what is heard is said before the sound ends.
// Helpers of tests are tests.
#![allow(clippy::unwrap_used)]

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

fn jiho(arguments: &str, folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jiho"));
    command.args(arguments.split_whitespace()).current_dir(folder);
    command
}

/// Runs to the end.
fn done(arguments: &str, folder: &Path) -> Output {
    jiho(arguments, folder).output().unwrap()
}

/// A recording of 12 s and its bytes.
fn rendered(folder: &Path) -> Vec<u8> {
    let rendered = done("signal render --code 5 --duration 12s --out whole.wav", folder);
    assert!(rendered.status.success(), "{rendered:?}");
    fs::read(folder.join("whole.wav")).unwrap()
}

fn spawn(mut command: Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

/// The first thing that a process says, and all the rest to its end.
fn first_line(child: &mut Child) -> (Value, BufReader<std::process::ChildStdout>) {
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    (serde_json::from_str(&line).unwrap(), out)
}

fn arrivals(first: Value, mut rest: impl Read) -> Vec<f64> {
    let mut text = String::new();
    rest.read_to_string(&mut text).unwrap();
    let rest = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    std::iter::once(first).chain(rest).filter_map(|line| line["arrival"]["arrival_sample"].as_f64()).collect()
}

/// What is heard in the whole file.
fn heard_in_whole(folder: &Path) -> Vec<f64> {
    let all: Value = serde_json::from_slice(&done("analyze whole.wav --codes 5 --format json", folder).stdout).unwrap();
    all["arrivals"].as_array().unwrap().iter().map(|arrival| arrival["arrival_sample"].as_f64().unwrap()).collect()
}

#[test]
fn a_pipe_is_heard_while_it_flows_and_as_its_file_would_be() {
    let folder = tempfile::tempdir().unwrap();
    let sound = rendered(folder.path());
    let mut child = spawn(jiho("analyze - --codes 5 --format json", folder.path()));
    let mut pipe = child.stdin.take().unwrap();
    let (now, later) = sound.split_at(sound.len() / 2);
    pipe.write_all(now).unwrap();
    let (first, rest) = first_line(&mut child);
    assert_eq!(first["arrival"]["code"], 5, "said while the pipe is open: {first}");
    pipe.write_all(later).unwrap();
    drop(pipe);
    assert_eq!(arrivals(first, rest), heard_in_whole(folder.path()));
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_file_is_followed_until_its_sidecar_says_that_it_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let sound = rendered(folder.path());
    let (now, later) = sound.split_at(sound.len() / 2);
    let path = folder.path().join("ear.wav");
    fs::write(&path, now).unwrap();
    let sidecar = |complete: bool| {
        let text = format!(
            r#"{{"format":1,"recorder":"lena","role":"listener","rate":48000,"start_ns":0,"start_error_ns":0,
                "started_unix_ns":0,"samples":0,"clipped":0,"discontinuities":[],"complete":{complete}}}"#
        );
        fs::write(folder.path().join("ear.json"), text).unwrap();
    };
    sidecar(false);
    let mut child =
        spawn(jiho("analyze ear.wav --follow --patience 10m --codes 5 --format json --out found", folder.path()));
    let (first, rest) = first_line(&mut child);
    OpenOptions::new().append(true).open(&path).unwrap().write_all(later).unwrap();
    sidecar(true);
    assert_eq!(arrivals(first, rest), heard_in_whole(folder.path()));
    assert!(child.wait().unwrap().success());
    let table = fs::read_to_string(folder.path().join("found/arrivals.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + heard_in_whole(folder.path()).len());
}

#[test]
fn a_file_that_stays_as_it_is_ends_with_patience() {
    let folder = tempfile::tempdir().unwrap();
    rendered(folder.path());
    let output = done("analyze whole.wav --follow --patience 0s --codes 5", folder.path());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("code  5  score") && text.contains("whole.wav#1: 12.0 s at 48000 Hz"), "{text}");
}

#[test]
fn what_cannot_be_followed_is_refused_with_the_mend() {
    let folder = tempfile::tempdir().unwrap();
    rendered(folder.path());
    for (arguments, words) in [
        ("analyze whole.wav - ", "one recording can be followed at a time"),
        ("analyze nowhere.wav --follow", "nowhere.wav: cannot be read"),
        ("analyze whole.wav --follow --against whole.wav", "--against compares files"),
        ("analyze -", "stdin: is empty; record or copy it again"),
    ] {
        let output = jiho(arguments, folder.path()).stdin(Stdio::null()).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments}: {error}");
        assert!(error.contains(words), "{arguments}: {error}");
    }
}
