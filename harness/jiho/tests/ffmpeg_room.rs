//! ffmpeg speaks and hears in the room, by plain RTP and the relay's session descriptions.
#![cfg(target_os = "linux")]
// Helpers of tests fail as tests do, wherever they stand, and say why they skip.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

#[path = "support/guests.rs"]
mod guests;
#[path = "support/skip.rs"]
mod skip;
mod support;

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use guests::{Room, folder, seconds_of_sound, wait_for_sound};
use jiho::hearing::hear_file;
use jiho::report::run_json::RunJson;
use jiho_analysis::signal::{Code, Family, Signal};
use jiho_analysis::units::{Nanos, RunTime};
use jiho_drivers::sidecar::Sidecar;
use skip::skip;
use support::{Process, rows};

const CODE: u8 = 5;
const SECONDS: i64 = 6;

/// Whether ffmpeg can be used; says so if not.
fn ffmpeg_is_missing() -> bool {
    let missing = Command::new("ffmpeg").arg("-version").output().is_err();
    if missing {
        skip("ffmpeg is not installed (scripts/setup --tests installs it)");
    }
    missing
}

fn ffmpeg(dir: &Path, arguments: &str) -> Process {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-nostdin", "-nostats"]).args(arguments.split_whitespace()).current_dir(dir);
    Process::start(command)
}

/// A UDP port such that the next one is free too, as ffmpeg wants it.
fn port_pair() -> u16 {
    for _ in 0..1000 {
        let first = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        if port.is_multiple_of(2) && UdpSocket::bind(("127.0.0.1", port + 1)).is_ok() {
            return port;
        }
    }
    panic!("no two neighbouring UDP ports are free");
}

/// Waits until somebody has bound a UDP port: looking does not disturb them, as trying would.
fn wait_for_port(port: u16) {
    let wanted = format!(":{port:04X} ");
    let deadline = Instant::now() + Duration::from_secs(60);
    let bound = || {
        ["udp", "udp6"]
            .iter()
            .any(|table| fs::read_to_string(format!("/proc/net/{table}")).is_ok_and(|text| text.contains(&wanted)))
    };
    while !bound() {
        assert!(Instant::now() < deadline, "ffmpeg does not listen on port {port}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Takes a seat for ffmpeg, `role` with what else it needs; `name.sdp` is then there.
fn seat(dir: &Path, room: &Room, name: &str, role: &str, port: u16) -> Process {
    let arguments =
        format!("join --relay {} --name {name} --role {role} --media 127.0.0.1:{port} --sdp {name}.sdp", room.control);
    let mut seat = Process::jiho(dir, &arguments);
    seat.wait_for(&format!("seat held for {name}"));
    seat
}

/// ffmpeg plays a rendered time signal into the room, to its end.
fn play_into(dir: &Path, room: &Room, port: u16) {
    let ended = ffmpeg(
        dir,
        &format!(
            "-re -i signal.wav -c:a libopus -b:a 32k -vbr off -frame_duration 20 -payload_type 111 -f rtp \
             -rtpflags skip_rtcp rtp://{}?localrtpport={port}",
            room.media
        ),
    )
    .end();
    assert!(ended.status.success(), "{ended:?}");
}

fn render(dir: &Path) {
    let ended =
        Process::jiho(dir, &format!("signal render --code {CODE} --duration {SECONDS}s --out signal.wav")).end();
    assert!(ended.status.success(), "{ended:?}");
}

/// The instants of the rendered beeps.
fn rendered() -> Vec<RunTime> {
    let codes = [Code::new(CODE).unwrap()];
    let programme = &Signal::VOICED.programmes(&codes, RunTime::START, Nanos::from_secs(SECONDS))[0];
    programme.emissions().iter().map(|emission| emission.at).collect()
}

/// Where a code is found in a recording, in seconds from its start.
fn heard(recording: &Path, code: u8) -> Vec<f64> {
    let codes = [Code::new(code).unwrap()];
    let heard = hear_file(recording, Family::Voiced, &codes, &|_| {}).unwrap().swap_remove(0);
    heard.detections.iter().map(|detection| detection.position / heard.clock_rate.hz()).collect()
}

/// How much farther apart neighbouring beeps were heard than they were rendered, in ms.
fn apart_ms(arrivals: &[f64]) -> Vec<f64> {
    let truth = rendered();
    let rendered_seconds = truth.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64());
    arrivals.windows(2).zip(rendered_seconds).map(|(pair, truth)| (pair[1] - pair[0] - truth) * 1e3).collect()
}

#[test]
fn a_listener_hears_ffmpeg_play_a_time_signal_with_its_own_spacing() {
    if ffmpeg_is_missing() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    render(dir.path());
    let room = Room::open(dir.path());
    // ffmpeg paces by a coarse clock of its own: a long jitter buffer keeps that out of the result.
    let lena = room.enter(dir.path(), "lena", "hear --playout 500ms");
    let port = port_pair();
    let seat = seat(dir.path(), &room, "ff", "speaker", port);
    play_into(dir.path(), &room, port);
    // What still waits in the jitter buffer is to be heard too.
    let played = seconds_of_sound(dir.path(), "lena");
    wait_for_sound(dir.path(), "lena", played + 1.0);
    for part in [lena, seat] {
        let ended = part.interrupt();
        assert!(ended.status.success() && ended.err.contains("stopping"), "{ended:?}");
    }
    // Only its speaker's media came to the relay: no RTCP, nothing malformed, nothing of another stream.
    let ended = room.relay.interrupt();
    let counted: Vec<&str> = ended.out.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(counted, ["received", "forwarded", "sent"], "{ended:?}");

    let recording = dir.path().join("lena/ear-lena.wav");
    let start = Sidecar::read(&recording.with_extension("json")).unwrap().start.since_start().as_secs_f64();
    let arrivals: Vec<f64> = heard(&recording, CODE).iter().map(|at| start + at).collect();
    assert_eq!(arrivals.len(), rendered().len(), "{arrivals:?}");
    let packets = rows(&dir.path().join("lena/packets.csv"));
    let (played, faults): (Vec<_>, Vec<_>) =
        packets.iter().filter(|row| row["speaker"] == "ff").partition(|row| row["action"] == "played");
    assert!(played.len() as i64 >= (SECONDS - 1) * 50, "{} frames were played", played.len());
    // A packet that came too late may move what follows: whatever lies across such a place proves nothing.
    let faults: Vec<f64> = faults
        .iter()
        .filter_map(|row| row["played_ns"].parse::<f64>().or_else(|_| row["at_ns"].parse()).ok())
        .map(|ns| ns * 1e-9)
        .collect();
    let clean: Vec<f64> = arrivals
        .windows(2)
        .zip(apart_ms(&arrivals))
        .filter(|(pair, _)| !faults.iter().any(|at| (pair[0] - 0.1..pair[1] + 0.3).contains(at)))
        .map(|(_, apart)| apart)
        .collect();
    assert!(clean.len() >= 3, "too many packets of ffmpeg's came too late, at {faults:?}");
    assert!(clean.iter().all(|apart| apart.abs() < 0.1), "{clean:?}");
}

#[test]
fn the_delay_of_what_ffmpeg_hears_is_measured_from_its_own_recording() {
    if ffmpeg_is_missing() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(dir.path());
    let port = port_pair();
    let _seat = seat(dir.path(), &room, "rec", "listener --hear ana", port);
    let recording = ffmpeg(
        dir.path(),
        "-protocol_whitelist file,udp,rtp -use_wallclock_as_timestamps 1 -i rec.sdp -copyts -c:a pcm_s16le rec.mka",
    );
    wait_for_port(port);
    let ana = room.enter(dir.path(), "ana", "speak --duration 8s");
    assert!(ana.end().status.success());
    recording.interrupt();

    let converted = ffmpeg(dir.path(), "-i rec.mka rec.wav").end();
    assert!(converted.status.success(), "{converted:?}");
    let start = first_sample_unix(&dir.path().join("rec.mka"));
    let arrivals: Vec<f64> = heard(&dir.path().join("rec.wav"), 0).iter().map(|at| start + at).collect();
    let host = RunJson::read(&folder(dir.path(), "ana").run_json()).unwrap().host.unwrap();
    let started_unix_ns = host.started_unix_ns;
    let beeps: Vec<f64> = rows(&dir.path().join("ana/emissions.csv"))
        .iter()
        .map(|row| (started_unix_ns + row["sent_ns"].parse::<i64>().unwrap()) as f64 * 1e-9)
        .collect();
    assert!(beeps.len() >= 5 && arrivals.len() == beeps.len(), "{beeps:?} {arrivals:?}");
    let delays_ms: Vec<f64> = arrivals.iter().zip(&beeps).map(|(arrival, beep)| (arrival - beep) * 1e3).collect();
    // 20 ms of packetisation and 6.5 ms of look-ahead, less the half millisecond to which Matroska rounds. Above that,
    // the packet that was least late for its place was woken for three times: by the speaker, the relay and ffmpeg.
    let late_ms = host.threads.iter().map(|thread| thread.wakeup_p99_ns).max().unwrap() as f64 / 1e6;
    let possible = 26.0..31.5 + 3.0 * late_ms;
    assert!(delays_ms.iter().all(|delay| possible.contains(delay)), "{delays_ms:?} are not all in {possible:?}");
    let least = delays_ms.iter().copied().fold(f64::INFINITY, f64::min);
    let most = delays_ms.iter().copied().fold(0.0, f64::max);
    assert!(most - least < 0.2, "{delays_ms:?}");
}

/// When a recording's first sample came, in Unix time: by the packet that was least late for its place.
fn first_sample_unix(recording: &Path) -> f64 {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "packet=pts_time,size", "-of", "csv=p=0"])
        .arg(recording)
        .output()
        .unwrap();
    let mut samples = 0.0;
    let mut start = f64::INFINITY;
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let (at, bytes) = line.split_once(',').unwrap();
        start = start.min(at.parse::<f64>().unwrap() - samples / 48_000.0);
        // Stereo, 16 bits.
        samples += bytes.trim_end_matches(',').parse::<f64>().unwrap() / 4.0;
    }
    start
}

#[test]
fn ffmpeg_hears_ffmpeg_through_the_relay() {
    if ffmpeg_is_missing() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    render(dir.path());
    let room = Room::open(dir.path());
    let (speaks, hears) = (port_pair(), port_pair());
    let _speaker = seat(dir.path(), &room, "ff", "speaker", speaks);
    let _listener = seat(dir.path(), &room, "rec", "listener", hears);
    let recording = ffmpeg(dir.path(), "-protocol_whitelist file,udp,rtp -i rec.sdp rec.wav");
    wait_for_port(hears);
    play_into(dir.path(), &room, speaks);
    recording.interrupt();

    let arrivals = heard(&dir.path().join("rec.wav"), CODE);
    assert_eq!(arrivals.len(), rendered().len(), "{arrivals:?}");
    let apart = apart_ms(&arrivals);
    assert!(apart.iter().all(|apart| apart.abs() < 0.1), "{apart:?}");
}
