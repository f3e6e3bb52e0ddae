//! One control connection, whichever side it is on.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use jiho_proto::control::{ControlError, MAX_LINE_BYTES, Message};
use jiho_proto::engine::PeerId;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{ControlInput, Inputs};

/// How long the other side may take to read our last words.
pub(super) const GOODBYE: Duration = Duration::from_secs(1);
/// What it may still say meanwhile.
const GOODBYE_BYTES: u64 = 1 << 20;

/// Which end of the connection we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Relay,
    Client,
}

/// Why a connection ended.
enum End {
    ByUs,
    ByPeer,
    Broken(io::Error),
    Malformed(ControlError),
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
    if let (End::Malformed(error), Side::Relay) = (&end, side) {
        let refusal = Message::Refused { reason: error.to_string() };
        let _ = timeout(GOODBYE, write.write_all(refusal.to_line().as_bytes())).await;
    }
    let _ = timeout(GOODBYE, write.shutdown()).await;
    if matches!(end, End::ByUs | End::Malformed(_)) {
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
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut *read).take(MAX_LINE_BYTES as u64 + 1).read_until(b'\n', &mut line).await {
            Ok(0) => return End::ByPeer,
            Ok(_) => {}
            Err(error) => return End::Broken(error),
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        if text.trim_ascii().is_empty() {
            continue;
        }
        match Message::from_line(text) {
            Ok(mut message) => {
                fill_in_address(&mut message, side, remote);
                inputs.give(ControlInput::Message { peer, message }).await;
            }
            Err(error) => return End::Malformed(error),
        }
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
fn fill_in_address(message: &mut Message, side: Side, remote: SocketAddr) {
    let media = match (message, side) {
        (Message::Join(join), Side::Relay) => &mut join.media,
        (Message::Joined(joined), Side::Client) => &mut joined.media,
        _ => return,
    };
    if media.ip().is_unspecified() {
        media.set_ip(remote.ip().to_canonical());
    }
}

fn describe(end: &End, side: Side) -> String {
    let other = match side {
        Side::Relay => "the client",
        Side::Client => "the relay",
    };
    match end {
        End::ByUs => "closed from our side".to_owned(),
        End::ByPeer => format!("{other} closed the control connection"),
        End::Broken(error) => format!("the control connection to {other} broke: {error}"),
        End::Malformed(error) => format!("{other} does not speak our protocol: {error}"),
    }
}
