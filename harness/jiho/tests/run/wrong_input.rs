//! What cannot be run ends with the documented exit code and one message that names the place and the mend.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::room::{Ran, command, run};
use crate::skip::skip;

const ROOM: &str = "[[speaker]]\nname = \"ana\"\n[[listener]]\nname = \"lena\"\n";

/// Refused before anything was made.
fn assert_refused(ran: &Ran, words: &[&str]) {
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    for words in words {
        assert!(ran.stderr.contains(words), "{words:?} is not in\n{}", ran.stderr);
    }
    assert_eq!(ran.stdout, "");
    assert!(!ran.dir.join("emissions.csv").exists(), "nothing was run");
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
    let ran = run(&format!("[run]\nwarmpu = \"1s\"\n{ROOM}"), &["--on", "sim"]);
    assert_refused(&ran, &["warmpu", "`warmup`", "experiment.toml:2:1"]);
}

#[test]
fn a_link_that_is_not_there_is_named_with_those_that_are() {
    let ran = run(&format!("[link.dls]\ndelay = \"1ms\"\n{ROOM}link = \"dsl\"\n"), &["--on", "sim"]);
    assert_refused(&ran, &["dsl", "dls", "experiment.toml:7"]);
}

#[test]
fn a_wrong_unit_is_named_with_the_right_ones() {
    let ran = run(&format!("[run]\nduration = \"20 furlongs\"\n{ROOM}"), &["--on", "sim"]);
    assert_refused(&ran, &["20 furlongs", "experiment.toml:2:12", "ms"]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let temporary = tempfile::tempdir().unwrap();
    let (mut command, dir) = command(ROOM, &temporary);
    fs::remove_file(temporary.path().join("experiment.toml")).unwrap();
    let ran = Ran::of(command.output().unwrap(), dir, temporary);
    assert_refused(&ran, &["experiment.toml", "No such file"]);
}

#[test]
fn an_earlier_run_is_never_overwritten() {
    let temporary = tempfile::tempdir().unwrap();
    let (mut command, dir) = command(ROOM, &temporary);
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("precious"), "take").unwrap();
    let ran = Ran::of(command.args(["--on", "sim"]).output().unwrap(), dir, temporary);
    assert_refused(&ran, &[ran.dir.to_str().unwrap(), "--out"]);
    assert_eq!(fs::read_dir(&ran.dir).unwrap().count(), 1);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let temporary = tempfile::tempdir().unwrap();
    let (mut command, dir) = command(ROOM, &temporary);
    fs::write(&dir, "a file, and no folder").unwrap();
    let ran = Ran::of(command.args(["--on", "sim"]).output().unwrap(), dir, temporary);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains(ran.dir.to_str().unwrap()), "{}", ran.stderr);
    assert_eq!(ran.stderr.trim().lines().count(), 1, "{}", ran.stderr);
}

/// Runs `jiho run` on a disk of a mebibyte, or with files limited to a quarter of one; what it leaves is copied to
/// a folder of its own.
fn on_a_small_disk(world: &str) -> Option<Ran> {
    const IN_A_NAMESPACE: &str = "mount -t tmpfs -o size=1m none \"$1\" && shift && { \"$@\"; code=$?; cp -r \"$DISK\"/run \"$KEPT\"; exit $code; }";
    const LIMITED: &str = "shift; trap '' XFSZ; ulimit -f 256; \"$@\"; code=$?; ulimit -f unlimited 2>/dev/null; \
                           mv \"$DISK\"/run \"$KEPT\"; exit $code";
    let temporary = tempfile::tempdir().unwrap();
    let (disk, kept) = (temporary.path().join("disk"), temporary.path().join("run"));
    fs::create_dir(&disk).unwrap();
    let file = temporary.path().join("experiment.toml");
    fs::write(&file, format!("[run]\nduration = \"20s\"\n{ROOM}")).unwrap();
    let possible = |program: &str, arguments: &[&str]| {
        Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
    };
    let mount = format!("mount -t tmpfs -o size=1m none {}", disk.display());
    let (mut command, script) = if possible("unshare", &["-rm", "sh", "-c", &mount]) {
        let mut command = Command::new("unshare");
        command.args(["-rm", "bash", "-c"]);
        (command, IN_A_NAMESPACE)
    } else if possible("bash", &["-c", "ulimit -f 256"]) {
        let mut command = Command::new("bash");
        command.arg("-c");
        (command, LIMITED)
    } else {
        return None;
    };
    let arguments = [Path::new(env!("CARGO_BIN_EXE_jiho")), Path::new("run"), &file, Path::new("--out")];
    command.arg(script).arg("bash").arg(&disk).args(arguments).arg(disk.join("run"));
    let output = command.args(["--on", world]).env("DISK", &disk).env("KEPT", &kept).output().unwrap();
    Some(Ran::of(output, kept, temporary))
}

#[test]
fn a_full_disk_is_named_and_what_was_recorded_is_kept() {
    for world in ["sim", "loopback"] {
        let Some(ran) = on_a_small_disk(world) else {
            skip("neither user namespaces nor `ulimit -f` are there to make a small disk");
            return;
        };
        assert_eq!(ran.code, Some(1), "{world}: {}{}", ran.stdout, ran.stderr);
        let message = ran.stderr.trim();
        assert_eq!(message.lines().count(), 1, "{world}: one message: {message}");
        assert!(message.contains("ear-") && message.contains(".wav"), "{world}: the file: {message}");
        assert!(message.contains("disk is full") && message.contains("make room"), "{world}: the mend: {message}");
        for name in ["ana", "lena"] {
            let samples: Vec<i16> = ran.recording(name).into_samples().map(Result::unwrap).collect();
            assert!(samples.len() > 48_000, "{world}: {} samples of {name} were kept", samples.len());
            assert!(!ran.sidecar(name).complete, "{world}: {name}");
        }
    }
}

/// An experiment for devices, where no program can be found and no bus is up.
fn on_devices(text: &str) -> Ran {
    let temporary = tempfile::tempdir().unwrap();
    let (mut command, dir) = command(text, &temporary);
    let empty = temporary.path().join("empty");
    fs::create_dir(&empty).unwrap();
    command.args(["--on", "device"]).env("PATH", &empty).env("XDG_RUNTIME_DIR", &empty).env_remove("JIHO_BUS");
    Ran::of(command.output().unwrap(), dir, temporary)
}

#[cfg(unix)]
#[test]
fn devices_without_a_sound_server_are_refused_with_the_mend() {
    assert_refused(&on_devices(ROOM), &["there is no `pulseaudio`", "apt-get install pulseaudio"]);
}

#[cfg(unix)]
#[test]
fn who_sings_by_ear_is_refused_on_devices_before_anything_is_started() {
    let singer = "[[speaker]]\nname = \"ben\"\nsing.follow.leader = \"ana\"\n";
    assert_refused(&on_devices(&format!("{ROOM}{singer}")), &["ben sings", "over loopback"]);
}
