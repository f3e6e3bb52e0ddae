use std::net::SocketAddr;
use std::time::Duration;

use jiho_proto::control::{Join, Joined, MAX_LINE_BYTES, Message, Talker};
use jiho_proto::engine::PeerId;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};

use super::server::{Limits, serve_within};
use super::*;
use crate::udp::Socket;

const PATIENCE: Duration = Duration::from_secs(20);

fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn waker() -> Waker {
    Socket::bind(loopback()).unwrap().waker()
}

/// The next input, as the engine's thread would see it.
async fn input(link: &mut ControlLink) -> ControlInput {
    link.inputs.recv().await.unwrap()
}

fn join(media: &str) -> Message {
    Message::from_line(
        format!(r#"{{"join":{{"name":"ana","role":"speaker","token":"t","media":"{media}"}}}}"#).as_bytes(),
    )
    .unwrap()
}

fn media_of(input: &ControlInput) -> (PeerId, SocketAddr) {
    match input {
        ControlInput::Message { peer, message: Message::Join(Join { media, .. }) } => (*peer, *media),
        other => panic!("not a join: {other:?}"),
    }
}

#[tokio::test]
async fn messages_travel_both_ways_and_peers_are_numbered() {
    let (server, mut relay) = serve(loopback(), waker()).await.unwrap();
    let address = server.local_addr().to_string();
    let (first, mut ana) = connect(&address, CONNECT_TIMEOUT, waker()).await.unwrap();
    ana.send(PeerId::RELAY, join("127.0.0.1:6000"));
    assert_eq!(media_of(&input(&mut relay).await), (PeerId(1), "127.0.0.1:6000".parse().unwrap()));
    let (second, mut ben) = connect(&address, CONNECT_TIMEOUT, waker()).await.unwrap();
    ben.send(PeerId::RELAY, join("127.0.0.1:6001"));
    assert_eq!(media_of(&input(&mut relay).await), (PeerId(2), "127.0.0.1:6001".parse().unwrap()));

    for (peer, link) in [(PeerId(2), &mut ben), (PeerId(1), &mut ana)] {
        let talker = Message::Talker(Talker { name: format!("for {}", peer.0), ssrc: 7 });
        relay.send(peer, talker.clone());
        match input(link).await {
            ControlInput::Message { peer, message } => assert_eq!((peer, message), (PeerId::RELAY, talker)),
            other => panic!("{other:?}"),
        }
    }
    drop((ana, ben));
    first.closed().await;
    second.closed().await;
    server.shutdown().await;
}

#[tokio::test]
async fn an_unspecified_media_address_becomes_the_one_at_the_other_end() {
    let (server, mut relay) = serve(loopback(), waker()).await.unwrap();
    let (_client, mut link) = connect(&server.local_addr().to_string(), CONNECT_TIMEOUT, waker()).await.unwrap();
    link.send(PeerId::RELAY, join("0.0.0.0:6000"));
    assert_eq!(media_of(&input(&mut relay).await).1, "127.0.0.1:6000".parse().unwrap());
    relay.send(
        PeerId(1),
        Message::Joined(Joined { media: "0.0.0.0:4000".parse().unwrap(), payload_type: 96, sdp: String::new() }),
    );
    match input(&mut link).await {
        ControlInput::Message { message: Message::Joined(joined), .. } => {
            assert_eq!(joined.media, "127.0.0.1:4000".parse().unwrap());
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_the_engine_says_last_still_arrives() {
    let (server, mut relay) = serve(loopback(), waker()).await.unwrap();
    let (client, link) = connect(&server.local_addr().to_string(), CONNECT_TIMEOUT, waker()).await.unwrap();
    link.send(PeerId::RELAY, Message::Leave);
    drop(link);
    client.closed().await;
    assert!(matches!(input(&mut relay).await, ControlInput::Message { message: Message::Leave, .. }));
    match input(&mut relay).await {
        ControlInput::Closed { peer: PeerId(1), reason } => {
            assert_eq!(reason, "the client closed the control connection");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refused_client_is_told_why_and_disconnected() {
    let (server, mut relay) = serve(loopback(), waker()).await.unwrap();
    let (_client, mut link) = connect(&server.local_addr().to_string(), CONNECT_TIMEOUT, waker()).await.unwrap();
    link.send(PeerId::RELAY, join("0.0.0.0:6000"));
    input(&mut relay).await;
    relay.send(PeerId(1), Message::Refused { reason: "the token is wrong".to_owned() });
    match input(&mut link).await {
        ControlInput::Message { message: Message::Refused { reason }, .. } => assert_eq!(reason, "the token is wrong"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(input(&mut link).await, ControlInput::Closed { peer: PeerId::RELAY, .. }));
    assert!(matches!(input(&mut relay).await, ControlInput::Closed { peer: PeerId(1), .. }));
}

/// Says `bytes` to a server and gives all that it answers before it closes.
async fn answer_to(bytes: &[u8]) -> Message {
    let (server, _relay) = serve(loopback(), waker()).await.unwrap();
    let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line).await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
    Message::from_line(&line).unwrap()
}

#[tokio::test]
async fn a_malformed_line_is_answered_with_the_reason() {
    let Message::Refused { reason } = answer_to(b"GET / HTTP/1.1\r\n\r\n").await else { panic!("not refused") };
    assert!(reason.starts_with("not a control message"), "{reason}");
}

#[tokio::test]
async fn an_endless_line_is_answered_with_the_limit() {
    let Message::Refused { reason } = answer_to(&vec![b'x'; 3 * MAX_LINE_BYTES]).await else { panic!("not refused") };
    assert!(reason.contains(&MAX_LINE_BYTES.to_string()), "{reason}");
}

#[tokio::test]
async fn a_line_of_the_longest_length_is_read() {
    let (server, mut relay) = serve(loopback(), waker()).await.unwrap();
    let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
    let mut line = br#""leave""#.to_vec();
    line.resize(MAX_LINE_BYTES, b' ');
    line.push(b'\n');
    stream.write_all(&line).await.unwrap();
    assert!(matches!(input(&mut relay).await, ControlInput::Message { message: Message::Leave, .. }));
}

/// All that a server says on a connection until it closes it.
async fn last_words(stream: TcpStream) -> Message {
    let mut text = Vec::new();
    BufReader::new(stream).read_to_end(&mut text).await.unwrap();
    Message::from_line(text.strip_suffix(b"\n").unwrap()).unwrap()
}

#[tokio::test]
async fn whoever_does_not_join_in_time_is_disconnected_and_told_why() {
    let limits = Limits { join_deadline: Duration::from_millis(100), connections: MAX_CONNECTIONS };
    for said in ["", "\n", "{\"join", "\"leave\"\n"] {
        let (server, mut relay) = serve_within(limits, loopback(), waker()).await.unwrap();
        let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        let Message::Refused { reason } = last_words(stream).await else { panic!("not refused") };
        assert_eq!(reason, "the client has not joined within 0.1 s of connecting");
        let closed = loop {
            if let ControlInput::Closed { peer, reason } = input(&mut relay).await {
                break (peer, reason);
            }
        };
        assert_eq!(closed, (PeerId(1), reason));
    }
}

#[tokio::test]
async fn whoever_has_joined_may_be_silent_for_longer_than_the_deadline() {
    let limits = Limits { join_deadline: Duration::from_secs(2), connections: MAX_CONNECTIONS };
    let (server, mut relay) = serve_within(limits, loopback(), waker()).await.unwrap();
    let (_client, link) = connect(&server.local_addr().to_string(), CONNECT_TIMEOUT, waker()).await.unwrap();
    link.send(PeerId::RELAY, join("127.0.0.1:6000"));
    input(&mut relay).await;
    // Somebody who connects later and says nothing is disconnected: the deadline has passed for both.
    let _silent = TcpStream::connect(server.local_addr()).await.unwrap();
    assert!(matches!(input(&mut relay).await, ControlInput::Closed { peer: PeerId(2), .. }));
    assert!(relay.next_input().is_none());
}

#[tokio::test]
async fn a_connection_too_many_is_turned_away_until_another_ends() {
    let limits = Limits { join_deadline: JOIN_DEADLINE, connections: 2 };
    let (server, mut relay) = serve_within(limits, loopback(), waker()).await.unwrap();
    let address = server.local_addr().to_string();
    let (first, ana) = connect(&address, CONNECT_TIMEOUT, waker()).await.unwrap();
    let (_second, ben) = connect(&address, CONNECT_TIMEOUT, waker()).await.unwrap();
    for link in [&ana, &ben] {
        link.send(PeerId::RELAY, join("127.0.0.1:6000"));
        input(&mut relay).await;
    }
    let stream = TcpStream::connect(server.local_addr()).await.unwrap();
    let Message::Refused { reason } = last_words(stream).await else { panic!("not refused") };
    assert!(reason.contains("all the connections"), "{reason}");

    drop(ana);
    first.closed().await;
    assert!(matches!(input(&mut relay).await, ControlInput::Closed { .. }));
    // The server may hear of the end of a connection a moment later than the relay.
    let seated = async {
        loop {
            let (_third, link) = connect(&address, CONNECT_TIMEOUT, waker()).await.unwrap();
            link.send(PeerId::RELAY, join("127.0.0.1:6001"));
            tokio::task::yield_now().await;
            if let Ok(input) = tokio::time::timeout(Duration::from_millis(100), relay.inputs.recv()).await {
                return media_of(&input.unwrap()).1;
            }
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, seated).await.unwrap(), "127.0.0.1:6001".parse().unwrap());
}

#[tokio::test]
async fn an_ipv4_address_in_the_guise_of_ipv6_is_called_by_its_own_name() {
    let (server, mut relay) = serve(loopback(), waker()).await.unwrap();
    let (_client, link) = connect(&server.local_addr().to_string(), CONNECT_TIMEOUT, waker()).await.unwrap();
    for media in ["[::ffff:127.0.0.1]:6000", "[::]:6000"] {
        link.send(PeerId::RELAY, join(media));
        assert_eq!(media_of(&input(&mut relay).await).1, "127.0.0.1:6000".parse().unwrap());
    }
}

#[tokio::test]
async fn shutting_down_closes_every_connection() {
    let (server, _relay) = serve(loopback(), waker()).await.unwrap();
    let (_client, mut link) = connect(&server.local_addr().to_string(), CONNECT_TIMEOUT, waker()).await.unwrap();
    let closed = tokio::spawn(async move { input(&mut link).await });
    server.shutdown().await;
    assert!(matches!(closed.await.unwrap(), ControlInput::Closed { .. }));
}

#[tokio::test]
async fn a_client_that_never_reads_is_disconnected() {
    let (server, mut relay) = serve(loopback(), waker()).await.unwrap();
    let _stream = TcpStream::connect(server.local_addr()).await.unwrap();
    let talker = Message::Talker(Talker { name: "x".repeat(10_000), ssrc: 1 });
    let closed = tokio::time::timeout(PATIENCE, async {
        loop {
            relay.send(PeerId(1), talker.clone());
            tokio::task::yield_now().await;
            if let Some(input) = relay.next_input() {
                return input;
            }
        }
    });
    match closed.await.unwrap() {
        ControlInput::Closed { peer: PeerId(1), reason } => assert!(reason.contains("does not read"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_port_without_a_listener_is_refused_by_name() {
    // Bound, so that nobody else gets it, but not listening.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(loopback()).unwrap();
    let relay = socket.local_addr().unwrap().to_string();
    let error = connect(&relay, CONNECT_TIMEOUT, waker()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused { .. }), "{error}");
    assert!(error.to_string().contains(&relay));
}

/// On Linux a listener whose queue is full leaves connection requests unanswered.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_relay_that_does_not_answer_is_given_up() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(loopback()).unwrap();
    let listener = socket.listen(1).unwrap();
    let relay = listener.local_addr().unwrap().to_string();
    let mut connected = Vec::new();
    let error = loop {
        match connect(&relay, Duration::from_millis(200), waker()).await {
            Ok(connection) => connected.push(connection),
            Err(error) => break error,
        }
        assert!(connected.len() < 100, "a queue of one takes them all");
    };
    assert!(matches!(error, ConnectError::TimedOut { .. }), "{error}");
    assert!(error.to_string().contains(&relay) && error.to_string().contains("0.2 s"), "{error}");
}

#[tokio::test]
async fn an_address_without_port_is_no_address() {
    let error = connect("127.0.0.1", CONNECT_TIMEOUT, waker()).await.unwrap_err();
    assert!(matches!(error, ConnectError::NotFound { .. }), "{error}");
    assert!(error.to_string().contains("host:port"), "{error}");
}

#[tokio::test]
async fn a_control_port_in_use_is_named() {
    let (server, _link) = serve(loopback(), waker()).await.unwrap();
    let error = serve(server.local_addr(), waker()).await.unwrap_err().to_string();
    assert!(error.contains(&format!("TCP address {}", server.local_addr())), "{error}");
}
