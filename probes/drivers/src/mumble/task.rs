//! What goes on over the connection once we are in.

use std::time::{Duration, Instant};

use jiho_proto::mumble::VoiceLine;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_rustls::client::TlsStream;

use super::GOODBYE;
use super::error::MumbleError;
use super::greeting::nonce;
use super::messages::{CryptSetup, Incoming, Outgoing, Ping};
use super::roster::Roster;

/// The server drops who does not ping for 30 s ("Establishing a connection", section "Ping").
const PING_PERIOD: Duration = Duration::from_secs(5);
/// The server answers pings: after so long without a word it is gone.
const SILENCE: Duration = Duration::from_secs(20);
/// How often the engine is asked whether it has lost the server's nonce: it waits for seconds before it says so.
const LOOK_PERIOD: Duration = Duration::from_millis(500);

/// The task's end of a connection.
pub(super) struct Wires {
    pub(super) session: u32,
    pub(super) line: VoiceLine,
    pub(super) roster: watch::Sender<Roster>,
    pub(super) queue: mpsc::Receiver<Outgoing>,
    /// For what the server asks; does not keep the queue open.
    pub(super) answers: mpsc::WeakSender<Outgoing>,
}

/// Carries messages until either side ends it, then says why.
pub(super) async fn run(stream: TlsStream<TcpStream>, wires: Wires) {
    let Wires { session, line, roster, mut queue, answers } = wires;
    let (mut read, mut write) = tokio::io::split(stream);
    let reason = tokio::select! {
        reason = listen(&mut read, session, &line, &roster, &answers) => reason,
        reason = speak(&mut write, &line, &mut queue) => reason,
    };
    roster.send_modify(|roster| roster.ended = Some(reason));
    let _ = timeout(GOODBYE, write.shutdown()).await;
}

async fn listen(
    read: &mut (impl AsyncRead + Unpin),
    session: u32,
    line: &VoiceLine,
    roster: &watch::Sender<Roster>,
    answers: &mpsc::WeakSender<Outgoing>,
) -> String {
    let mut body = Vec::new();
    loop {
        let message = match timeout(SILENCE, Incoming::read(read, &mut body)).await {
            Ok(Ok(message)) => message,
            Ok(Err(MumbleError::Ended { reason })) => return reason,
            Ok(Err(error)) => return error.to_string(),
            Err(_) => return format!("the server has not said a word for {} s", SILENCE.as_secs()),
        };
        roster.send_if_modified(|roster| roster.note(&message));
        match message {
            Incoming::UserRemove(removed) if removed.session == Some(session) => {
                let how = if removed.ban == Some(true) { "banned" } else { "removed" };
                return format!("we were {how}: {}", removed.reason.unwrap_or_else(|| "no reason given".to_owned()));
            }
            Incoming::CryptSetup(CryptSetup { server_nonce: Some(theirs), .. }) => match nonce(theirs) {
                Ok(nonce) => line.set_server_nonce(nonce),
                Err(error) => return error.to_string(),
            },
            Incoming::CryptSetup(_) => {
                let client_nonce = Some(line.own_nonce().to_vec());
                let answer = Outgoing::CryptSetup(CryptSetup { client_nonce, ..CryptSetup::default() });
                if let Some(answers) = answers.upgrade() {
                    // Whoever does not send what waits has no use for this either.
                    let _ = answers.try_send(answer);
                }
            }
            _ => {}
        }
    }
}

async fn speak(
    write: &mut (impl AsyncWrite + Unpin),
    line: &VoiceLine,
    queue: &mut mpsc::Receiver<Outgoing>,
) -> String {
    let begin = Instant::now();
    let mut pings = interval(PING_PERIOD);
    let mut looks = interval(LOOK_PERIOD);
    // After a host has slept, one ping is as good as many.
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let message = tokio::select! {
            message = queue.recv() => match message {
                Some(message) => message,
                None => return "closed from our side".to_owned(),
            },
            _ = pings.tick() => Outgoing::Ping(ping(begin, line)),
            _ = looks.tick() => {
                if !line.take_resync_wanted() {
                    continue;
                }
                Outgoing::CryptSetup(CryptSetup::default())
            }
        };
        if let Err(error) = message.write(write).await {
            return format!("the connection broke: {error}");
        }
    }
}

fn ping(begin: Instant, line: &VoiceLine) -> Ping {
    let traffic = line.traffic();
    Ping {
        timestamp: Some(begin.elapsed().as_micros() as u64),
        good: Some(traffic.received.good),
        late: Some(traffic.received.late),
        lost: Some(traffic.received.lost),
        resync: Some(traffic.resyncs),
    }
}
