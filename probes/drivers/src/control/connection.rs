//! One control connection, whichever side it is on.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use jiho_proto::control::{ControlError, MAX_LINE_BYTES, Message};
use jiho_proto::engine::PeerId;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::{ControlInput, Inputs};

/// How long the other side may take to read our last words.
pub(super) const GOODBYE: Duration = Duration::from_secs(1);
/// What it may still say meanwhile.
const GOODBYE_BYTES: u64 = 1 << 20;

/// Which end of the connection we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Whoever has connected must ask for a seat within `join_deadline`, or is disconnected.
    Relay {
        join_deadline: Duration,
    },
    Client,
}

/// Why a connection ended.
enum End {
    ByUs,
    ByPeer,
    Broken(io::Error),
    Malformed(ControlError),
    /// Nobody has joined for that long.
    Late(Duration),
}

/// Carries messages both ways until either side ends it, then tells the engine.
pub(super) async fn run(
    stream: TcpStream,
    side: Side,
    peer: PeerId,
    inputs: Inputs,
    mut outgoing: mpsc::Receiver<Message>,
) {
    let reason = match stream.peer_addr() {
        Ok(remote) => talk(stream, side, peer, remote, &inputs, &mut outgoing).await,
        Err(error) => describe(&End::Broken(error), side),
    };
    inputs.give(ControlInput::Closed { peer, reason }).await;
}

async fn talk(
    stream: TcpStream,
    side: Side,
    peer: PeerId,
    remote: SocketAddr,
    inputs: &Inputs,
    outgoing: &mut mpsc::Receiver<Message>,
) -> String {
    // Messages are single small packets; to hold them back for company would only make them late.
    let _ = stream.set_nodelay(true);
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let end = tokio::select! {
        end = read_messages(&mut read, side, peer, remote, inputs) => end,
        end = write_messages(&mut write, outgoing) => end,
    };
    let refusal = match (&end, side) {
        (End::Malformed(error), Side::Relay { .. }) => Some(error.to_string()),
        (End::Late(_), _) => Some(describe(&end, side)),
        _ => None,
    };
    if let Some(reason) = refusal {
        let refusal = Message::Refused { reason };
        let _ = timeout(GOODBYE, write.write_all(refusal.to_line().as_bytes())).await;
    }
    let _ = timeout(GOODBYE, write.shutdown()).await;
    if matches!(end, End::ByUs | End::Malformed(_) | End::Late(_)) {
        // A socket closed with unread input resets the connection, and our last words would be lost with it.
        let _ = timeout(GOODBYE, tokio::io::copy(&mut read.take(GOODBYE_BYTES), &mut tokio::io::sink())).await;
    }
    describe(&end, side)
}

async fn read_messages(
    read: &mut (impl AsyncBufRead + Unpin),
    side: Side,
    peer: PeerId,
    remote: SocketAddr,
    inputs: &Inputs,
) -> End {
    let mut may_join_until = match side {
        Side::Relay { join_deadline } => Some((Instant::now() + join_deadline, join_deadline)),
        Side::Client => None,
    };
    let mut line = Vec::new();
    loop {
        let read = read_message(read, &mut line);
        let message = match may_join_until {
            Some((until, span)) => timeout_at(until, read).await.unwrap_or(Err(End::Late(span))),
            None => read.await,
        };
        match message {
            Ok(mut message) => {
                if matches!(message, Message::Join(_) | Message::Command(_) | Message::Trunk(_)) {
                    may_join_until = None;
                }
                fill_in_addresses(&mut message, remote);
                inputs.give(ControlInput::Message { peer, message }).await;
            }
            Err(end) => return end,
        }
    }
}

/// Reads one message into `line`; empty lines are passed over.
async fn read_message(read: &mut (impl AsyncBufRead + Unpin), line: &mut Vec<u8>) -> Result<Message, End> {
    loop {
        line.clear();
        match (&mut *read).take(MAX_LINE_BYTES as u64 + 1).read_until(b'\n', line).await {
            Ok(0) => return Err(End::ByPeer),
            Ok(_) => {}
            Err(error) => return Err(End::Broken(error)),
        }
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        if text.trim_ascii().is_empty() {
            continue;
        }
        return Message::from_line(text).map_err(End::Malformed);
    }
}

/// Writes until the engine has no more to say: after a refusal, or when its end of the queue is gone.
async fn write_messages(write: &mut (impl AsyncWrite + Unpin), outgoing: &mut mpsc::Receiver<Message>) -> End {
    while let Some(message) = outgoing.recv().await {
        if let Err(error) = write.write_all(message.to_line().as_bytes()).await {
            return End::Broken(error);
        }
        if matches!(message, Message::Refused { .. }) {
            break;
        }
    }
    End::ByUs
}

/// Who binds to all addresses does not know which of them the other side reaches: that is the one at the other end
/// of the connection.
fn fill_in_addresses(message: &mut Message, remote: SocketAddr) {
    for media in message.media_mut() {
        let ip = if media.ip().is_unspecified() { remote.ip() } else { media.ip() };
        // An IPv4 address in the guise of IPv6 would not be equal to the one from which packets come.
        if let IpAddr::V4(ip) = ip.to_canonical() {
            *media = SocketAddr::new(ip.into(), media.port());
        } else {
            media.set_ip(ip);
        }
    }
}

fn describe(end: &End, side: Side) -> String {
    let other = match side {
        Side::Relay { .. } => "the client",
        Side::Client => "the relay",
    };
    match end {
        End::ByUs => "closed from our side".to_owned(),
        End::ByPeer => format!("{other} closed the control connection"),
        End::Broken(error) => format!("the control connection to {other} broke: {error}"),
        End::Late(span) => format!("{other} has not joined within {} s of connecting", span.as_secs_f64()),
        End::Malformed(error) => format!("{other} does not speak our protocol: {error}"),
    }
}
