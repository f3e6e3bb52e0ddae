//! Rooms that somebody else serves: a relay that the run starts, or that is there, in good order and in bad.
#![cfg(unix)]

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::room::{Ran, command, run};
use crate::truth::{FRAME_NS, OPUS_LOOKAHEAD_NS, ms};

const JIHO: &str = env!("CARGO_BIN_EXE_jiho");
/// Whatever does not happen within this time never will, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A port that nobody had a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Two speakers and a listener in a room that `external` serves, for some seconds. Long jitter buffers: a machine that is
/// busy is late.
fn room(seconds: u32, external: &str) -> String {
    format!(
        "name = \"theirs\"\n[run]\nduration = \"{seconds}s\"\n[playout]\nfixed = \"150ms\"\n\
         [relay.external]\npatience = \"30s\"\n{external}\n\
         [[speaker]]\nname = \"ana\"\n[[speaker]]\nname = \"ben\"\n[[listener]]\nname = \"lena\"\n"
    )
}

/// The keys for a relay of ours in a process of its own; `harm` are more of its arguments.
fn ours(port: u16, arguments: &str) -> String {
    let start =
        format!("echo $$ > $JIHO_RUN_FOLDER/pid; exec {JIHO} relay --control 127.0.0.1:{port} --media 127.0.0.1:0");
    format!(
        "control = \"127.0.0.1:{port}\"\ntoken = \"secret\"\nready.line = \"relay ready\"\n\
         start = '{start} {arguments}'"
    )
}

/// The process of a command that wrote its number into the run's folder.
fn process(folder: &Path) -> Option<Pid> {
    std::fs::read_to_string(folder.join("pid")).ok()?.trim().parse().ok().map(Pid::from_raw)
}

/// A process that has ended, and that nobody has asked about yet, does not run.
fn is_running(process: Pid) -> bool {
    match std::fs::read_to_string(format!("/proc/{process}/stat")) {
        Ok(stat) => !stat.contains(") Z"),
        Err(_) => kill(process, None).is_ok(),
    }
}

fn relay_log(ran: &Ran) -> String {
    std::fs::read_to_string(ran.dir.join("relay.log")).unwrap()
}

#[test]
fn a_relay_that_the_run_starts_is_measured_and_stopped() {
    let port = free_port();
    let csv = "--relay-csv \"$JIHO_RUN_FOLDER/relay.csv\"";
    let ran = run(&room(4, &ours(port, csv)), &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let delays = ran.delays();
    assert_eq!(delays.len(), 4 * 4, "two speakers at lena, and each at the other, four beeps each");
    for row in &delays {
        assert_eq!(row.status, "heard", "{row:?}");
        let packets = FRAME_NS + row.network_ns.unwrap() + row.buffer_ns.unwrap() + OPUS_LOOKAHEAD_NS;
        assert!((row.delay_ns.unwrap() - packets).abs() <= ms(3.0), "the packets say {packets} ns: {row:?}");
    }
    let log = relay_log(&ran);
    assert!(log.contains("relay ready: control") && log.contains("lena left"), "{log}");
    assert!(!is_running(process(&ran.dir).unwrap()), "it was stopped");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());

    let passed = ran.relayed();
    assert!(passed.len() > 2 * 50 * 4, "{} packets were passed on", passed.len());
    let run_id = ran.run_json()["run_id"].as_str().unwrap().to_owned();
    for packet in &passed {
        assert!(packet.run_id == run_id && ["ana", "ben"].contains(&packet.speaker.as_str()), "{packet:?}");
        assert_eq!(packet.sent_ns - packet.received_ns, packet.residence_ns, "{packet:?}");
        assert!((0..ms(8000.0)).contains(&packet.received_ns), "on the run's time line: {packet:?}");
    }
    // The kernel stamps what comes by the wall clock: where that is set anew, the packets on their way just then suffer.
    let backwards = passed.iter().filter(|packet| packet.residence_ns <= 0).count();
    assert!(100 * backwards <= passed.len(), "{backwards} of {} packets left before they came", passed.len());
}

#[test]
fn a_relay_that_is_there_already_is_named_on_the_command_line() {
    let temporary = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut relay = Command::new(JIHO)
        .args(["relay", "--token", "secret", "--media", "127.0.0.1:0", "--control"])
        .arg(format!("127.0.0.1:{port}"))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut command, dir) = command(
        "[run]\nduration = '3s'\n[playout]\nfixed = '150ms'\n[[speaker]]\nname = 'ana'\n[[listener]]\nname = 'lena'\n",
        &temporary,
    );
    command.env("JIHO_TOKEN", "secret").args(["--relay", &format!("127.0.0.1:{port}")]);
    let ran = Ran::of(command.output().unwrap(), dir, temporary);
    let alive = relay.try_wait().unwrap().is_none();
    relay.kill().unwrap();
    relay.wait().unwrap();
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(alive, "what the run did not start it does not stop");
    assert_eq!(ran.delays().iter().filter(|row| row.status == "heard").count(), 3);
    assert!(!ran.dir.join("relay.log").exists() && !ran.dir.join("relay.csv").exists());
}

#[test]
fn a_relay_that_cannot_serve_is_an_error_that_says_why_and_nothing_is_left_running() {
    let port = free_port();
    let pid = "echo $$ > $JIHO_RUN_FOLDER/pid";
    let refuses = format!("{pid}; exec {JIHO} relay --control 127.0.0.1:{port} --media 127.0.0.1:0 --token other");
    for (start, ready, says) in [
        ("no-such-relay --port 1".to_owned(), "tcp = '127.0.0.1:9'", "exit status: 127) before it was ready"),
        (format!("{pid}; echo no config; exit 3"), "tcp = '127.0.0.1:9'", "exit status: 3) before it was ready"),
        (
            format!("{pid}; exec sleep 600"),
            "line = 'ready'",
            "was not ready within 1s: it has written no line with \"ready\"",
        ),
        (format!("{pid}; exec sleep 600"), "http = 'http://127.0.0.1:9/'", "http://127.0.0.1:9/ did not answer"),
        (refuses, "line = 'relay ready'", "the relay refused us: the token is not the room's"),
    ] {
        let patience = if start.contains("other") { "30s" } else { "1s" };
        let external = format!("control = '127.0.0.1:{port}'\ntoken = 'secret'\nready.{ready}\nstart = '''{start}'''");
        let experiment = room(60, &external).replace("patience = \"30s\"", &format!("patience = \"{patience}\""));
        let began = Instant::now();
        let ran = run(&experiment, &[]);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(ran.code == Some(1) && said.contains(says), "{start}: {:?} {said}", ran.code);
        assert!(began.elapsed() < Duration::from_secs(50), "it did not wait for the run's end");
        assert!(ran.dir.join("relay.log").exists(), "{start}");
        if start.contains("no config") {
            assert!(said.contains("| no config"), "{said}");
        }
        assert!(process(&ran.dir).is_none_or(|process| !is_running(process)), "{start}");
    }
}

#[test]
fn somebody_who_does_not_speak_our_signalling_is_found_out_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let external = format!("control = \"{}\"\ntoken = \"secret\"", silent.local_addr().unwrap());
    let ran = run(&room(600, &external), &[]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stderr.contains("the relay did not answer within 3 s; does it speak jiho's signalling?"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_relay_that_dies_in_the_middle_ends_the_run_and_what_was_heard_is_kept() {
    let port = free_port();
    // Dead once it has passed on three seconds of both speakers.
    let csv = "$JIHO_RUN_FOLDER/relay.csv";
    let start = format!(
        "{JIHO} relay --control 127.0.0.1:{port} --media 127.0.0.1:0 --relay-csv {csv} & \
         while [ $(cat {csv} | wc -l) -lt 300 ]; do sleep 0.1; done; kill -9 $!; exit 7"
    );
    let external =
        format!("control = \"127.0.0.1:{port}\"\ntoken = \"secret\"\nready.line = \"relay ready\"\nstart = '{start}'");
    let ran = run(&room(600, &external), &[]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    let failures = ran.run_json()["failures"].clone();
    assert!(
        failures.as_array().unwrap().iter().any(|f| f
            .as_str()
            .unwrap()
            .contains("the connection to the relay is gone")
            || f.as_str().unwrap().contains("the relay ended (exit status: 7) in the middle of the run")),
        "{failures}"
    );
    assert!(ran.stdout.contains("This run is partial"), "{}", ran.stdout);
    assert!(ran.delays().iter().filter(|row| row.status == "heard").count() >= 2, "{:?}", ran.delays());
    assert!(ran.sidecar("lena").complete);
}

#[test]
fn a_relay_that_does_not_end_when_it_is_told_to_is_killed() {
    let start = "trap : TERM; echo $$ > $JIHO_RUN_FOLDER/pid; echo here; while :; do sleep 0.1; done";
    let external =
        format!("rtp = {{ send_to = \"127.0.0.1:9\" }}\nready.line = \"here\"\nstop = \"300ms\"\nstart = '{start}'");
    let ran = run(&room(2, &external), &[]);
    assert_eq!(ran.code, Some(4), "nothing comes back: {}{}", ran.stdout, ran.stderr);
    assert!(relay_log(&ran).contains("jiho: it did not end within 0.3 s and was killed"), "{}", relay_log(&ran));
    assert!(!is_running(process(&ran.dir).unwrap()));
}

#[test]
fn ctrl_c_stops_the_relay_and_twice_kills_it() {
    for times in [1, 2] {
        let temporary = tempfile::tempdir().unwrap();
        // It ends by itself only if it is told to once.
        let start = "trap \"sleep 600\" TERM; echo $$ > $JIHO_RUN_FOLDER/pid; echo here; while :; do sleep 0.1; done";
        let start = if times == 1 { "echo $$ > $JIHO_RUN_FOLDER/pid; echo here; exec sleep 600" } else { start };
        let external =
            format!("rtp = {{ send_to = \"127.0.0.1:9\" }}\nready.line = \"here\"\nstop = \"60s\"\nstart = '{start}'");
        let (mut command, dir) = command(&room(600, &external), &temporary);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let patience = Instant::now() + PATIENCE;
        // Somebody speaks: all are there.
        while std::fs::read_to_string(dir.join("packets.csv")).map_or(0, |text| text.lines().count()) < 10 {
            assert!(Instant::now() < patience, "the run does not begin");
            thread::sleep(Duration::from_millis(50));
        }
        let relay = process(&dir).unwrap();
        let run = Pid::from_raw(i32::try_from(child.id()).unwrap());
        for _ in 0..times {
            kill(run, Signal::SIGINT).unwrap();
            thread::sleep(Duration::from_millis(500));
        }
        let ran = Ran::of(child.wait_with_output().unwrap(), dir, temporary);
        let code = if times == 1 { 4 } else { 130 };
        assert_eq!(ran.code, Some(code), "{}{}", ran.stdout, ran.stderr);
        while is_running(relay) {
            assert!(Instant::now() < patience, "it is still there");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_relay_that_takes_plain_rtp_is_measured_without_signalling() {
    let reflector = UdpSocket::bind("127.0.0.1:0").unwrap();
    reflector.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let lena: SocketAddr = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let send_to = reflector.local_addr().unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let serving = thread::spawn({
        let done = Arc::clone(&done);
        move || {
            let mut packet = [0; 2048];
            while !done.load(Ordering::Relaxed) {
                if let Ok((length, _)) = reflector.recv_from(&mut packet) {
                    reflector.send_to(&packet[..length], lena).unwrap();
                }
            }
        }
    });
    let experiment = format!(
        "[run]\nduration = '4s'\n[playout]\nfixed = '150ms'\n[relay.external.rtp]\nsend_to = '{send_to}'\n\
         [[speaker]]\nname = 'ana'\n[[speaker]]\nname = 'ben'\n[[listener]]\nname = 'lena'\nmedia = '{lena}'\n"
    );
    let ran = run(&experiment, &[]);
    done.store(true, Ordering::Relaxed);
    serving.join().unwrap();
    let delays = ran.delays();
    let heard: Vec<_> = delays.iter().filter(|row| row.recorder == "lena" && row.status == "heard").collect();
    assert_eq!(heard.len(), 2 * 4, "{}{}", ran.stdout, ran.stderr);
    for row in heard {
        let delay = row.delay_ns.unwrap();
        assert!((ms(150.0)..ms(400.0)).contains(&delay), "the jitter buffer's 150 ms and more: {row:?}");
    }
    let others = delays.iter().filter(|row| row.recorder != "lena");
    assert!(
        others.clone().count() > 0 && others.clone().all(|row| row.status == "missing"),
        "nobody sends to speakers"
    );
}

#[test]
fn in_virtual_time_there_is_no_external_relay() {
    let ran = run(&room(2, "control = \"127.0.0.1:4000\"\ntoken = \"t\""), &["--on", "sim"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("an external relay takes real time"), "{}", ran.stderr);
    assert!(!ran.dir.exists());
}

/// Short beeps in quick succession.
fn gated(port: u16, harm: &str) -> (Option<i32>, String) {
    let temporary = tempfile::tempdir().unwrap();
    let file = temporary.path().join("gated.toml");
    let room = room(2, &ours(port, harm))
        .replace("[run]\n", "[signal.voiced]\nperiod = \"400ms\"\nspread = \"150ms\"\n[run]\n");
    std::fs::write(&file, room).unwrap();
    let mut gate = Command::new(JIHO);
    gate.arg("gate").arg(&file).arg("--out").arg(temporary.path().join("gate"));
    gate.args(["--repeat", "5", "--limit", "delay[ana -> lena].median < 500ms", "--limit", "concealed_ratio < 30%"]);
    let output = gate.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), format!("{text}{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn a_relay_that_became_worse_fails_its_gate_by_name_and_an_unharmed_one_does_not() {
    let (code, said) = gated(free_port(), "--hold 600ms");
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("above the limit of 500 ms") && said.contains("ana -> lena"), "{said}");
    let (code, said) = gated(free_port(), "--lose 60%");
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("share of frames that had to be concealed"), "{said}");
    let (code, said) = gated(free_port(), "");
    assert!(matches!(code, Some(0 | 3)), "{said}");
}

#[test]
fn the_experiments_of_our_own_ci_are_in_order() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/ci");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let experiment = jiho::experiment::Experiment::load(&file).unwrap();
        assert!(experiment.relay.external.unwrap().start.is_some(), "{}", file.display());
    }
}
