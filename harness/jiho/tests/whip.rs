//! A relay's door for WebRTC: what it answers to HTTP, asked by curl, and rooms of ours by way of it.
#![cfg(all(unix, feature = "webrtc"))]
// Helpers of tests fail as tests do, wherever they stand, and say why they skip.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{Process, TOKEN, rows};

use self::skip::skip;

#[path = "support/skip.rs"]
mod skip;

/// An offer of one audio, as browsers make it; nobody is behind it.
fn offer(direction: &str) -> String {
    let fingerprint = ["AB"; 32].join(":");
    [
        "v=0",
        "o=- 1 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        "a=ice-ufrag:zjkk",
        "a=ice-pwd:bPXJMM09aR8AiX1jdukzR6Y1",
        &format!("a=fingerprint:sha-256 {fingerprint}"),
        "a=setup:actpass",
        "a=mid:0",
        "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
        &format!("a={direction}"),
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "",
    ]
    .join("\r\n")
}

/// A relay with a door.
struct Doored {
    relay: Process,
    url: String,
}

impl Doored {
    fn open(folder: &Path, arguments: &str) -> Self {
        let arguments = format!("relay --control 127.0.0.1:0 --media 127.0.0.1:0 --whip 127.0.0.1:0 {arguments}");
        let mut relay = Process::jiho(folder, &arguments);
        let url = relay.wait_for("relay ready: ").split_once("WHIP ").unwrap().1.to_owned();
        Self { relay, url }
    }

    /// Asks it: the status, the headers by their names in small letters, and what came with them.
    fn ask(&self, method: &str, path: &str, more: &[&str], body: Option<&str>) -> Answer {
        let mut curl = Command::new("curl");
        curl.args(["-s", "-i", "-X", method, &format!("{}{path}", self.url)]).args(more);
        if let Some(body) = body {
            curl.args(["--data-binary", body]);
        }
        let output = curl.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        Answer { status, headers, body: body.to_owned() }
    }

    fn post(&self, path: &str, body: &str) -> Answer {
        self.ask("POST", path, &[&bearer(TOKEN), SDP], Some(body))
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

const SDP: &str = "-HContent-Type: application/sdp";

fn bearer(token: &str) -> String {
    format!("-HAuthorization: Bearer {token}")
}

fn has_curl() -> bool {
    let there = Command::new("curl").arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        skip("there is no curl");
    }
    there
}

#[test]
fn a_session_is_made_and_ended_as_rfc_9725_has_it() {
    if !has_curl() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut door = Doored::open(dir.path(), "");

    let made = door.post("/whip/ana", &offer("sendonly"));
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.headers["content-type"], "application/sdp");
    assert!(made.headers["etag"].starts_with('"') && made.headers["server"].starts_with("jiho/"), "{made:?}");
    for line in ["a=recvonly", "a=setup:", "a=candidate:", "typ host"] {
        assert!(made.body.contains(line), "{line} is not in {}", made.body);
    }
    door.relay.wait_for("ana came in");
    let session = made.headers["location"].clone();

    // A name has one who speaks, and one who hears the same by it.
    assert_eq!(door.post("/whip/ana", &offer("sendonly")).status, 409);
    assert_eq!(door.post("/whep/lena", &offer("recvonly")).status, 201);
    assert_eq!(door.post("/whep/lena", &offer("recvonly")).status, 409);

    let again = door.ask("PATCH", &session, &[&bearer(TOKEN)], Some("a=ice-ufrag:other"));
    assert_eq!((again.status, again.headers["allow"].contains("DELETE")), (405, true), "{again:?}");
    assert_eq!(door.ask("GET", &session, &[], None).status, 204);
    assert_eq!(door.ask("DELETE", &session, &[], None).status, 401);
    assert_eq!(door.ask("DELETE", &session, &[&bearer(TOKEN)], None).status, 200);
    door.relay.wait_for("ana left");
    assert_eq!(door.ask("DELETE", &session, &[&bearer(TOKEN)], None).status, 404);
    assert_eq!(door.ask("PATCH", &session, &[&bearer(TOKEN)], None).status, 404);
    // The name is free again.
    assert_eq!(door.post("/whip/ana", &offer("sendrecv")).status, 201);

    let ended = door.relay.interrupt();
    assert!(ended.status.success() && ended.err.contains("lena-hears left"), "{ended:?}");
}

#[test]
fn whoever_asks_for_what_cannot_be_is_told_so() {
    if !has_curl() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let door = Doored::open(dir.path(), "");
    let (token, wrong) = (bearer(TOKEN), bearer("another"));
    let sending = offer("sendonly");

    let no_token = door.ask("POST", "/whip/ana", &[SDP], Some(&sending));
    assert_eq!((no_token.status, no_token.headers["www-authenticate"].as_str()), (401, "Bearer"));
    assert_eq!(door.ask("POST", "/whip/ana", &[SDP, &wrong], Some(&sending)).status, 401);
    let text = door.ask("POST", "/whip/ana", &[&token, "-HContent-Type: text/plain"], Some(&sending));
    assert_eq!((text.status, text.headers["accept-post"].as_str()), (415, "application/sdp"));
    assert_eq!(door.ask("POST", "/whip/ana", &[&token, SDP, "-HAccept: text/html"], Some(&sending)).status, 406);
    assert_eq!(door.post("/whip/ana", "hello").status, 400);
    assert_eq!(door.post("/whip/ana", &"x".repeat(100_000)).status, 413);
    // Nothing would be heard: the offer does not send, or does not receive.
    assert_eq!(door.post("/whip/ana", &offer("recvonly")).status, 422);
    assert_eq!(door.post("/whep/ana", &sending).status, 422);
    assert_eq!(door.post("/whip/..%2Fana", &sending).status, 404);
    assert_eq!(door.post("/elsewhere", &sending).status, 404);
    let silent = door.post("/whep/lena/ana", &offer("recvonly"));
    assert_eq!((silent.status, silent.headers["retry-after"].as_str()), (409, "1"), "{silent:?}");
    assert!(silent.body.contains("ana"), "{silent:?}");
    assert_eq!(door.ask("PUT", "/whip/ana", &[&token], None).status, 405);
    assert_eq!(door.ask("GET", "/whip/ana", &[], None).status, 204);

    let asked = door.ask("OPTIONS", "/whip/ana", &["-HOrigin: https://example.com"], None);
    assert_eq!((asked.status, asked.headers["accept-post"].as_str()), (200, "application/sdp"));
    assert_eq!(asked.headers["access-control-allow-origin"], "*");
    assert!(asked.headers["access-control-allow-headers"].contains("Authorization"), "{asked:?}");
    assert!(asked.headers["access-control-expose-headers"].contains("Location"), "{asked:?}");
}

#[test]
fn a_room_that_mixes_lets_nobody_be_heard_alone() {
    if !has_curl() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let door = Doored::open(dir.path(), "--audience mix");
    assert_eq!(door.post("/whep/lena/ana", &offer("recvonly")).status, 404);
    assert_eq!(door.post("/whep/lena", &offer("recvonly")).status, 201);
}

#[test]
fn a_mesh_has_no_door() {
    let dir = tempfile::tempdir().unwrap();
    let ended = Process::jiho(dir.path(), "relay --media 127.0.0.1:0 --stage mesh --whip 127.0.0.1:0").end();
    assert!(ended.status.code() == Some(2) && ended.out.is_empty() && ended.err.contains("mesh"), "{ended:?}");
}

/// Runs the example, or another experiment; gives all pairs.
fn run(folder: &Path, experiment: &Path) -> Vec<BTreeMap<String, String>> {
    let run = format!("run {} --room whip --client probe --out run", experiment.display());
    let ended = Process::jiho(folder, &run).end();
    assert!(ended.status.success(), "{ended:?}");
    rows(&folder.join("run/pairs.csv"))
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/experiments/rooms/whip.toml")
}

fn pairs(rows: &[BTreeMap<String, String>]) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = rows
        .iter()
        .filter(|row| row["heard"] != "0")
        .map(|row| (row["speaker"].clone(), row["recorder"].clone()))
        .collect();
    pairs.sort();
    pairs
}

fn all_heard(rows: &[BTreeMap<String, String>]) {
    let expected = [("ana", "ben"), ("ana", "lena"), ("ben", "ana"), ("ben", "lena")];
    let expected = expected.map(|(speaker, ear)| (speaker.to_owned(), ear.to_owned()));
    assert_eq!(pairs(rows), expected, "nobody hears themselves, and everybody all others");
    for row in rows {
        assert_eq!(row["heard"], row["expected"], "{row:?}");
        let packets: f64 = row["network_median_ms"].parse().unwrap_or(0.0);
        assert!(packets < 20.0, "two guests and a relay on one host do not take a frame's time: {row:?}");
    }
}

#[test]
fn whoever_publishes_by_whip_is_heard_by_whep() {
    let dir = tempfile::tempdir().unwrap();
    all_heard(&run(dir.path(), &example()));
}

#[test]
fn in_a_room_that_mixes_nobody_hears_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let door = Doored::open(dir.path(), "--stage mix --audience mix");
    let text = std::fs::read_to_string(example()).unwrap();
    let (head, tail) = text.split_once("client = \"browser\"\n").unwrap();
    let Doored { url, .. } = &door;
    let there = format!(
        "client = \"probe\"\npublish = \"{url}/whip/{{name}}\"\nplay = \"{url}/whep/{{listener}}\"\ntoken = \"{TOKEN}\"\n"
    );
    let experiment = dir.path().join("mixed.toml");
    std::fs::write(&experiment, format!("{head}{there}{tail}")).unwrap();
    all_heard(&run(dir.path(), &experiment));
    // Somebody else's server is left without sessions.
    let ended = door.relay.interrupt();
    for who in ["ana left", "ben-hears left", "lena-hears left"] {
        assert!(ended.err.contains(who), "{ended:?}");
    }
}
