//! Clients on a real Mumble server, which is started for each test if the host has one.
#![cfg(feature = "mumble")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)] // helpers of tests are tests

mod engines;
mod support;

use std::time::Duration;

use jiho_drivers::mumble::{MumbleError, connect};
use jiho_proto::codec::{CodecConfig, Encoder, FRAME_SAMPLES};
use support::{Client, MODERATOR_PASSWORD, PASSWORD, PATIENCE, Server};
use tokio::time::sleep;

/// One second of a tone, in Opus packets of 20 ms.
fn tone() -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(&CodecConfig::default()).unwrap();
    let sound: Vec<f32> = (0..48_000).map(|n| 0.3 * (n as f32 * 0.0576).sin()).collect();
    let payload = |frame: &[f32]| {
        let mut payload = Vec::new();
        encoder.encode(frame, &mut payload).map(|()| payload).unwrap()
    };
    sound.chunks_exact(FRAME_SAMPLES).map(payload).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_of_voice_arrives_whole_in_order_and_from_its_speaker() {
    let Some(server) = Server::start() else { return };
    let (mut ana, mut ben) = (server.client("ana").await, server.client("ben").await);
    assert!(ana.connection.server_version.starts_with("1."), "{}", ana.connection.server_version);
    let names = ben.connection.names();
    assert_eq!(names.get(&ana.connection.session).map(String::as_str), Some("ana"));
    assert_eq!(names.get(&ben.connection.session).map(String::as_str), Some("ben"));

    let payloads = tone();
    let last = payloads.len() - 1;
    let hearing = tokio::task::spawn_blocking(move || {
        let heard = ben.hear(last + 1, Duration::from_secs(3));
        (ben, heard)
    });
    for (n, payload) in payloads.iter().enumerate() {
        ana.say(1000 + 2 * n as u64, n == last, payload);
        sleep(Duration::from_millis(20)).await;
    }
    let (ben, heard) = hearing.await.unwrap();
    let session = Some(ana.connection.session);
    let said: Vec<_> = (0u64..)
        .zip(&payloads)
        .map(|(n, payload)| (session, 1000 + 2 * n, n == last as u64, payload.clone()))
        .collect();
    assert_eq!(heard.len(), said.len());
    assert_eq!(heard, said);
    assert_eq!(ben.connection.tunnelled(), 0, "nothing came by TCP");
    ana.connection.close().await;
    ben.connection.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_refused_in_words() {
    let Some(server) = Server::start() else { return };
    for wrong in [Some("not it"), None] {
        let error = connect(&server.address, "eve", wrong, PATIENCE).await.unwrap_err();
        assert!(matches!(&error, MumbleError::Refused { refusal, .. } if refusal.kind == 4), "{error:?}");
        let words = error.to_string();
        assert!(words.contains("refused eve: wrong server password; give the one of serverpassword"), "{words}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_muted_is_not_heard_until_a_moderator_lifts_it() {
    let Some(server) = Server::start() else { return };
    let (mut ana, mut ben) = (server.client("ana").await, server.client("ben").await);
    let moderator = connect(&server.address, "SuperUser", Some(MODERATOR_PASSWORD), PATIENCE).await.unwrap();
    let session = ana.connection.session;
    let payload = tone().swap_remove(0);
    let mut sequence = 0;
    let mut comes_through = |ana: &mut Client| {
        sequence += 2;
        ana.say(sequence, false, &payload);
        ben.hear(1, Duration::from_millis(500)).len() == 1
    };

    assert!(comes_through(&mut ana));
    moderator.set_suppressed(session, true).await.unwrap();
    assert!(!comes_through(&mut ana), "muted");
    moderator.set_suppressed(session, false).await.unwrap();
    assert!(comes_through(&mut ana), "lifted");
    ana.connection.mute_self(true).await.unwrap();
    assert!(!comes_through(&mut ana), "muted herself");
    ana.connection.mute_self(false).await.unwrap();
    assert!(comes_through(&mut ana));
    assert!(moderator.roster().borrow().users.values().all(|user| !user.self_muted));

    let denied = ben.connection.set_suppressed(session, true).await.unwrap_err();
    assert!(denied.to_string().contains("we have not the permission"), "{denied}");
    let nobody = moderator.move_to(999, 0).await.unwrap_err();
    assert!(matches!(nobody, MumbleError::NoSuchSession { session: 999 }), "{nobody}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_and_goes_is_followed_and_the_end_is_told() {
    let Some(server) = Server::start() else { return };
    let ana = connect(&server.address, "ana", Some(PASSWORD), PATIENCE).await.unwrap();
    let ben = connect(&server.address, "ben", Some(PASSWORD), PATIENCE).await.unwrap();
    let session = ben.session;
    let mut roster = ana.roster();
    let came = roster.wait_for(|roster| roster.users.contains_key(&session));
    assert_eq!(tokio::time::timeout(PATIENCE, came).await.unwrap().unwrap().users[&session].name, "ben");
    ben.close().await;
    let went = roster.wait_for(|roster| !roster.users.contains_key(&session));
    assert!(tokio::time::timeout(PATIENCE, went).await.is_ok());

    assert_eq!(ana.ended(), None);
    drop(server);
    tokio::time::timeout(PATIENCE, roster.wait_for(|_| ana.ended().is_some())).await.unwrap().unwrap();
    let error = ana.mute_self(true).await.unwrap_err();
    assert!(error.to_string().starts_with("the connection to the Mumble server has ended: "), "{error}");
}

#[tokio::test]
async fn where_no_server_is_the_error_says_so() {
    // A port that was just free; nothing listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = connect(&format!("127.0.0.1:{port}"), "ana", None, PATIENCE).await.unwrap_err();
    assert!(error.to_string().contains("check that it runs, and its port"), "{error}");

    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = deaf.local_addr().unwrap().to_string();
    let error = connect(&address, "ana", None, Duration::from_millis(200)).await.unwrap_err();
    assert!(error.to_string().contains("no answer within 0.2 s"), "{error}");
}
