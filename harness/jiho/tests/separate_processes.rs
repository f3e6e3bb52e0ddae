//! A room of separate processes: relay, speakers and listeners as one starts them from a shell.
#![cfg(unix)]
// Helpers of tests fail as tests do, wherever they stand, and say why they skip.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

#[path = "support/guests.rs"]
mod guests;
mod support;

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use guests::{Room, folder, seconds_of_sound, wait_for_sound};
use jiho::report::RunName;
use jiho::report::run_json::RunJson;
use jiho::run::folder::Folder;
use jiho::run::measure::{Findings, Listening, measure};
use jiho_analysis::arrivals::{Reason, Status};
use jiho_analysis::signal::Family;
use jiho_analysis::units::{Nanos, RunTime};
use jiho_drivers::sidecar::Sidecar;
use jiho_proto::codec::CodecConfig;
use jiho_proto::seal::Passphrase;
use nix::sys::signal::Signal;
use support::{PATIENCE, Process, rows};

fn measured(folders: &[Folder]) -> Findings {
    let listening = Listening { family: Family::Voiced, codec: Some(CodecConfig::default()) };
    measure(folders, &RunName::once("processes"), listening, &|_| {}).unwrap()
}

fn duration_of(folder: &Path, name: &str) -> (Sidecar, Nanos) {
    let recording = folder.join(name).join(format!("ear-{name}.wav"));
    let reader = hound::WavReader::open(&recording).unwrap();
    let length = Nanos::from_secs_f64(f64::from(reader.duration()) / f64::from(reader.spec().sample_rate));
    (Sidecar::read(&recording.with_extension("json")).unwrap(), length)
}

/// Waits until a file that grows holds a whole line with these words.
fn wait_for_line(file: &Path, words: &str) {
    let deadline = Instant::now() + PATIENCE;
    let whole = |text: &str| text.split_inclusive('\n').any(|line| line.ends_with('\n') && line.contains(words));
    while !fs::read_to_string(file).is_ok_and(|text| whole(&text)) {
        assert!(Instant::now() < deadline, "{words:?} is not in {}", file.display());
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn whoever_is_there_hears_every_beep_after_a_plausible_time() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let lena = room.enter(dir.path(), "lena", "hear");
    let ana = room.enter(dir.path(), "ana", "speak --code 0 --duration 8s");
    let ben = room.enter(dir.path(), "ben", "speak --code 1 --duration 8s");
    for speaker in [ana, ben] {
        let ended = speaker.end();
        assert!(ended.status.success() && ended.out.contains("beeps, all in "), "{ended:?}");
    }
    let ended = lena.interrupt();
    assert!(ended.status.success(), "{ended:?}");
    let ended = room.relay.interrupt();
    assert!(ended.status.success() && ended.out.contains("forwarded"), "{ended:?}");
    for line in ["lena came in", "ana came in", "ben left"] {
        assert!(ended.err.contains(line), "{ended:?}");
    }

    let output = Command::new(env!("CARGO_BIN_EXE_jiho"))
        .args(["analyze", "--format", "json", "lena", "ana", "ben"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let analysed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = analysed["architecture"].as_array().unwrap();
    assert_eq!(rows.len(), 4 + 6, "one per hypothesis on stage and audience");
    let named = rows.iter().filter(|row| row["verdict"] == "named");
    assert!(named.clone().all(|row| row["hypothesis"] == "forward"), "{rows:?}");

    let names = ["lena", "ana", "ben"];
    let folders = names.map(|name| folder(dir.path(), name));
    let findings = measured(&folders);
    let first_unix = RunJson::read(&folders[0].run_json()).unwrap().host.unwrap().started_unix_ns;
    // All were present from when the last one's ear had opened, and a little, until the first one's closed, less a
    // delay.
    let presence = names.map(|name| {
        let (sidecar, length) = duration_of(dir.path(), name);
        let start = sidecar.start + Nanos(sidecar.started_unix_ns - first_unix);
        (start + Nanos::from_millis(500), start + length - Nanos::from_millis(700))
    });
    let from = presence.iter().map(|(from, _)| *from).max().unwrap();
    let to = presence.iter().map(|(_, to)| *to).min().unwrap();
    let present = |at: RunTime| from <= at && at <= to;

    let pairs: Vec<_> = findings.pairs().collect();
    assert_eq!(pairs.len(), 4, "two speakers at lena, and each at the other");
    for (recorder, speaker, pair) in &pairs {
        let common = || pair.observations.iter().zip(&pair.paths).filter(|(o, _)| present(o.emission.at));
        assert!(common().count() >= 4, "{} beeps of {}", common().count(), speaker.name);
        for (observation, path) in common() {
            let at = format!("{} at {}: {observation:?}, {path:?}", speaker.name, recorder.name);
            assert_eq!(observation.status, Status::Heard, "{at}");
            let delay = observation.delay.unwrap().value;
            assert!(Nanos::ZERO < delay && delay < Nanos::from_millis(500), "{at}");
            // Packets of both folders are on the same time line: 20 ms of packetisation, the network, the jitter
            // buffer, and 6.5 ms of look-ahead make what was heard.
            let packets = path.unwrap().mouth_to_ear() + Nanos::from_micros(6_500);
            assert!((delay - packets).abs() < Nanos::from_millis(3), "{at}");
        }
        assert_eq!(recorder.flaws, Vec::<String>::new());
    }

    let [ana, ben] = [0, 1].map(|speaker| &findings.speakers[speaker].emissions);
    let both = ana[0].at.max(ben[0].at)..=ana[ana.len() - 1].at.min(ben[ben.len() - 1].at);
    let [ana, ben] = [ana, ben]
        .map(|beeps| beeps.iter().map(|beep| beep.at).filter(|at| both.contains(at)).collect::<Vec<RunTime>>());
    assert!(ana.len() >= 4 && ana == ben, "together whenever each was started: {ana:?} {ben:?}");
}

#[test]
fn in_a_sealed_room_whoever_has_the_passphrase_hears_and_whoever_has_another_opens_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let lena = room.enter(dir.path(), "lena", "hear --passphrase plum --playout 150ms");
    let omar = room.enter(dir.path(), "omar", "hear --passphrase pear --playout 150ms");
    let seat = "join --role listener --name rec --media 127.0.0.1:9 --sdp rec.sdp --passphrase plum";
    let mut tool = Process::jiho(dir.path(), &format!("{seat} --relay {}", room.control));
    tool.wait_for("seat held for rec");
    let ana = room.enter(dir.path(), "ana", "speak --duration 8s --passphrase plum");
    let told = tool.wait_for("rec is sent ana, SSRC ");
    let (ssrc, key) = told.split_once("SSRC ").unwrap().1.split_once(", SFrame ").unwrap();
    let truth = Passphrase::new("plum").stream_key("ana", ssrc.parse().unwrap());
    assert_eq!(key, truth.to_string());
    for process in [ana.end(), lena.interrupt(), omar.interrupt(), tool.interrupt()] {
        assert!(process.status.success(), "{process:?}");
    }
    let findings = measured(&["lena", "omar", "ana"].map(|name| folder(dir.path(), name)));
    let reasons = |name: &str| -> Vec<Option<Reason>> {
        let own = findings.pairs().filter(|(recorder, ..)| recorder.name == name);
        own.flat_map(|(.., pair)| pair.observations.iter().map(|o| o.reason)).collect()
    };
    assert!(reasons("lena").iter().filter(|reason| reason.is_none()).count() >= 4, "{:?}", reasons("lena"));
    let unopened = reasons("omar").iter().filter(|reason| **reason == Some(Reason::NoKey)).count();
    assert!(unopened >= 4 && !reasons("omar").contains(&None), "{:?}", reasons("omar"));
    let seal = |name: &str| RunJson::read(&folder(dir.path(), name).run_json()).unwrap().seal.unwrap();
    assert!(seal("ana").seals.seal_bytes > 0 && seal("lena").unopened.is_empty());
    assert_eq!(seal("omar").unopened[0].packets, seal("omar").unopened[0].received);
}

#[test]
fn a_relay_that_mixes_refuses_whoever_has_a_passphrase() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open_with(dir.path(), "--stage mix --audience mix");
    for verb in ["hear", "speak", "join --role listener --media 127.0.0.1:9"] {
        let attempt = format!("{verb} --passphrase plum --name lena --relay {}", room.control);
        let ended = Process::jiho(dir.path(), &attempt).end();
        assert!(ended.status.code() == Some(1) && ended.err.contains("cannot decode what is sealed"), "{ended:?}");
    }
    let speaker =
        format!("join --role speaker --media 127.0.0.1:9 --passphrase plum --name ff --relay {}", room.control);
    let ended = Process::jiho(dir.path(), &speaker).end();
    assert!(ended.status.code() == Some(2) && ended.err.contains("give --ssrc"), "{ended:?}");
}

#[test]
fn a_killed_listener_keeps_all_but_its_last_second() {
    let dir = tempfile::tempdir().unwrap();
    let mut room = Room::open(dir.path());
    let _ana = room.enter(dir.path(), "ana", "speak");
    let lena = room.enter(dir.path(), "lena", "hear");
    wait_for_sound(dir.path(), "lena", 4.0);
    let killed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    lena.signal(Signal::SIGKILL);
    assert_eq!(lena.end().status.code(), None);
    room.relay.wait_for("lena left");

    let (sidecar, length) = duration_of(dir.path(), "lena");
    assert!(!sidecar.complete && length.as_secs_f64() <= seconds_of_sound(dir.path(), "lena"));
    let ended = Nanos(sidecar.started_unix_ns) + sidecar.start.since_start() + length;
    let lost = Nanos::from(killed) - ended;
    assert!(lost < Nanos::from_secs(1), "lost {lost}");

    let recording = dir.path().join("lena/ear-lena.wav");
    let samples: Vec<i16> = hound::WavReader::open(&recording).unwrap().samples().map(Result::unwrap).collect();
    assert!(samples.iter().any(|&sample| sample.unsigned_abs() > 1000), "ana is in it");
    let run = RunJson::read(&folder(dir.path(), "lena").run_json()).unwrap();
    assert!(run.partial, "run.json says that it did not come to its end");
    for (tool, arguments) in [
        ("soxi", ["-D"].as_slice()),
        ("ffprobe", &["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"]),
    ] {
        let Ok(output) = Command::new(tool).args(arguments).arg(&recording).output() else {
            eprintln!("not checked with {tool}: it is not installed");
            continue;
        };
        let seconds: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap();
        assert!((seconds - length.as_secs_f64()).abs() < 0.001, "{tool}: {seconds} s of {length}");
    }
}

#[test]
fn an_interrupted_listener_completes_its_files() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    for (name, signal) in [("lena", Signal::SIGINT), ("lou", Signal::SIGTERM)] {
        let listener = room.enter(dir.path(), name, "hear");
        wait_for_sound(dir.path(), name, 1.0);
        listener.signal(signal);
        let ended = listener.end();
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        let (sidecar, length) = duration_of(dir.path(), name);
        assert!(sidecar.complete);
        assert_eq!(sidecar.rate.span(sidecar.samples as i64), length);
        let run = RunJson::read(&folder(dir.path(), name).run_json()).unwrap();
        assert!(!run.partial && run.failures.is_empty(), "{run:?}");
    }
}

#[test]
fn a_wrong_token_is_refused_in_one_message_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut room = Room::open(dir.path());
    let attempt = format!("hear --relay {} --token wrong --name eve --out eve", room.control);
    let ended = Process::jiho(dir.path(), &attempt).end();
    assert_eq!(ended.status.code(), Some(1));
    let message = format!("jiho: relay {}: the relay refused us: the token is not the room's", room.control);
    assert_eq!(ended.err, message);
    assert!(!dir.path().join("eve").exists());
    room.relay.wait_for("refused \"eve\": the token is not the room's");
}

#[test]
fn a_taken_name_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let _lena = room.enter(dir.path(), "lena", "hear");
    let attempt = format!("hear --relay {} --name lena --out other", room.control);
    let ended = Process::jiho(dir.path(), &attempt).end();
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.err.ends_with("somebody named lena is in the room already"), "{ended:?}");
}

#[test]
fn nobody_at_the_address_is_said_with_the_mend() {
    let dir = tempfile::tempdir().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for verb in ["speak", "hear", "join --role listener --media 127.0.0.1:6000"] {
        let ended = Process::jiho(dir.path(), &format!("{verb} --relay {nobody} --name lena")).end();
        assert_eq!(ended.status.code(), Some(1), "{verb}");
        let message = format!("relay {nobody}: nobody listens there; start it with `jiho relay`, or check the port");
        assert_eq!(ended.err, format!("jiho: {message}"));
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn somebody_who_does_not_answer_is_no_relay() {
    let dir = tempfile::tempdir().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let ended = Process::jiho(dir.path(), &format!("hear --relay {address} --name lena --out lena")).end();
    assert_eq!(ended.status.code(), Some(1));
    let message = format!("relay {address}: somebody listens there, and did not answer within 3 s");
    assert!(ended.err.contains(&message), "{ended:?}");
}

#[test]
fn whoever_is_stopped_before_the_relay_answers_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let lena = Process::jiho(dir.path(), &format!("hear --relay {address} --name lena --out lena"));
    let _connection = silent.accept().unwrap();
    let ended = lena.interrupt();
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.err.contains(&format!("relay {address}: stopped before it let us in")), "{ended:?}");
    assert!(!dir.path().join("lena").exists());
}

#[test]
fn a_port_in_use_is_named_with_the_mend() {
    let dir = tempfile::tempdir().unwrap();
    let control = TcpListener::bind("127.0.0.1:0").unwrap();
    let media = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (tcp, udp) = (control.local_addr().unwrap(), media.local_addr().unwrap());
    let attempts = [
        (format!("relay --control {tcp} --media 127.0.0.1:0"), format!("TCP address {tcp}")),
        (format!("relay --control 127.0.0.1:0 --media {udp}"), format!("UDP address {udp}")),
        (format!("hear --relay {tcp} --name lena --media {udp}"), format!("UDP address {udp}")),
    ];
    for (attempt, address) in attempts {
        let ended = Process::jiho(dir.path(), &attempt).end();
        assert_eq!(ended.status.code(), Some(1), "{attempt}");
        let mend = "another program has that port; stop it, name another port, or port 0 for any free one";
        assert!(ended.err.starts_with(&format!("jiho: cannot use {address}: {mend}")), "{ended:?}");
        assert_eq!(ended.err.lines().count(), 1);
    }
}

#[test]
fn a_relay_counts_what_strangers_send_and_forwards_none_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    stranger.send_to(&[0x80; 92], &room.media).unwrap();
    let ended = room.relay.interrupt();
    let counts: Vec<Vec<&str>> = ended.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(counts[0], ["received", "1"]);
    assert_eq!(counts[1], ["forwarded", "0"]);
    assert_eq!(counts[2][..3], ["from", "strangers", "1"]);
}

#[test]
fn when_the_relay_goes_away_what_was_recorded_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let lena = room.enter(dir.path(), "lena", "hear");
    wait_for_sound(dir.path(), "lena", 1.0);
    room.relay.signal(Signal::SIGKILL);
    let ended = lena.end();
    assert_eq!(ended.status.code(), Some(1));
    let last = ended.err.lines().last().unwrap();
    assert!(last.starts_with("jiho: ended early; what was recorded is in lena: relay "), "{last}");
    assert!(last.contains("the connection to the relay is gone"), "{last}");
    let (sidecar, length) = duration_of(dir.path(), "lena");
    assert!(sidecar.complete && length > Nanos::from_millis(900), "{length}");
    let run = RunJson::read(&folder(dir.path(), "lena").run_json()).unwrap();
    assert!(run.partial && run.failures[0].contains("the connection to the relay is gone"), "{run:?}");
}

#[test]
fn two_folders_of_one_name_cannot_belong_to_one_room() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let ended = room.enter(dir.path(), "ana", "speak --duration 3s").end();
    assert!(ended.status.success(), "{ended:?}");
    assert!(!rows(&dir.path().join("ana/emissions.csv")).is_empty());
    let twice = [folder(dir.path(), "ana"), folder(dir.path(), "ana")];
    let listening = Listening { family: Family::Voiced, codec: Some(CodecConfig::default()) };
    let error = measure(&twice, &RunName::once("twice"), listening, &|_| {}).unwrap_err().to_string();
    assert!(error.contains("another folder holds a speaker named ana too"), "{error}");
}

#[test]
fn a_moderator_commands_from_outside_and_is_told_what_became_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open_with(dir.path(), "--promotion webrtc-dtls12");
    let ana = room.enter(dir.path(), "ana", "speak --duration 20s");
    let lena = room.enter(dir.path(), "lena", "hear");
    let command = |words: &str| Process::jiho(dir.path(), &format!("room {words} --relay {}", room.control)).end();
    for words in ["promote lena", "mute ana", "unmute ana", "demote ana", "demote lena"] {
        let ended = command(words);
        assert!(ended.status.success() && ended.out.starts_with(&format!("{words}: done after ")), "{ended:?}");
    }
    for (words, says) in [
        ("demote lena", "demote lena: lena is in the audience"),
        ("promote zoe", "nobody named zoe"),
        ("mute ana --token wrong", "the token is not the room's"),
    ] {
        let ended = command(words);
        assert!(ended.status.code() == Some(1) && ended.err.contains(says), "{ended:?}");
    }
    assert!(command("remove lena").status.success());
    let ended = lena.end();
    assert!(ended.status.code() == Some(1) && ended.err.contains("removed us from the room"), "{ended:?}");
    let steps = rows(&dir.path().join("lena").join("events.csv"));
    let flights = steps.iter().filter(|row| row["step"] == "flight_received" && row["event"] == "promote").count();
    assert_eq!(flights, 3, "{steps:#?}");
    ana.interrupt();
    let relay = room.relay.interrupt();
    for line in ["change 1: to promote lena is done", "change 4: to demote ana is done", "refused \"moderator\""] {
        assert!(relay.err.contains(line), "{line:?} is not in {}", relay.err);
    }
}

#[test]
fn a_relay_that_dies_during_a_promotion_is_an_error_and_what_was_recorded_is_analysed_as_partial() {
    let dir = tempfile::tempdir().unwrap();
    // The device never comes back: whenever the relay dies after it has stopped, the promotion is under way.
    let mut room = Room::open_with(dir.path(), "--promotion webrtc-dtls12 --device-restart 1h");
    let ana = room.enter(dir.path(), "ana", "speak");
    // Far more than a busy machine delays packets by.
    let lena = room.enter(dir.path(), "lena", "hear --playout 1s");
    wait_for_sound(dir.path(), "lena", 9.0);
    let moderator = Process::jiho(dir.path(), &format!("room promote lena --relay {}", room.control));
    room.relay.wait_for("change 1: to promote lena was commanded");
    wait_for_line(&dir.path().join("lena/events.csv"), ",device_restart_begun,");
    room.relay.signal(Signal::SIGKILL);

    let gone = "the connection to the relay is gone";
    let ended = moderator.end();
    assert!(ended.status.code() == Some(1) && ended.err.contains(gone), "{ended:?}");
    for (name, process) in [("ana", ana), ("lena", lena)] {
        let ended = process.end();
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        let errors: Vec<&str> = ended.err.lines().filter(|line| line.starts_with("jiho: ")).collect();
        let [message] = errors[..] else { panic!("one message: {ended:?}") };
        assert!(
            message.starts_with(&format!("jiho: ended early; what was recorded is in {name}: relay ")),
            "{message}"
        );
        assert!(message.contains(gone) && ended.err.ends_with(message), "{ended:?}");
        let (sidecar, length) = duration_of(dir.path(), name);
        assert!(sidecar.complete && length > Nanos::from_secs(3), "{name}: {length}");
        let run = RunJson::read(&folder(dir.path(), name).run_json()).unwrap();
        assert!(run.partial && run.failures[0].contains(gone), "{run:?}");
    }
    let steps = rows(&dir.path().join("lena/events.csv"));
    let last = steps.iter().rfind(|row| row["event"] == "promote").unwrap();
    assert!(last["step"] == "failed" && last["detail"].contains(gone), "{last:?}");

    let analysed = Process::jiho(dir.path(), "analyze lena ana").end();
    // How many beeps were due and could not be heard depends on when the relay died.
    assert!(matches!(analysed.status.code(), Some(0 | 3)), "{analysed:?}");
    for name in ["ana", "lena"] {
        let says = format!("{name} is partial: it ended before its time: relay {}: {gone}", room.control);
        assert!(analysed.out.contains(&says), "{analysed:?}");
    }
    let delays = rows(&dir.path().join("lena/delays.csv"));
    let heard = delays.iter().filter(|row| row["status"] == "heard").count();
    assert!(heard >= 2, "what was heard before is measured: {delays:#?}");
}

#[test]
fn an_expired_token_lets_nobody_in() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open_with(dir.path(), "--token-lifetime 0s");
    let hear = format!("hear --relay {} --name lena --out lena", room.control);
    let ended = Process::jiho(dir.path(), &hear).end();
    assert!(ended.status.code() == Some(1) && ended.err.contains("the token has expired"), "{ended:?}");
    let relay = room.relay.interrupt();
    assert!(relay.err.contains("refused \"lena\": the token has expired"), "{}", relay.err);
}
