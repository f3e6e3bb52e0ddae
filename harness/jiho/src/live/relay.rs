//! The reference relay in a process of its own.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use jiho_analysis::roles::Step;
use jiho_analysis::units::{Nanos, RunTime};
use jiho_drivers::clock::RunClock;
use jiho_drivers::control::{self, CONNECT_TIMEOUT};
use jiho_drivers::media::{MediaReport, MediaThread};
use jiho_drivers::udp::Socket;
use jiho_proto::codec::CodecConfig;
use jiho_proto::engine::{Engine, Input, Output};
use jiho_proto::event::{Event, StepTaken};
use jiho_proto::handshake::Promotion;
use jiho_proto::link::{Impaired, Link};
use jiho_proto::records::Records;
use jiho_relay::{Relay, RelayConfig, RelayStats, Serving};
use tokio::sync::oneshot;
use tokio::time::{Duration, timeout};

use super::relay_csv::RelayCsv;
use super::told::Told;
use super::{interrupt, say};
use crate::run::unkept::Unkept;

/// How soon an interrupt is noticed.
const TICK: Duration = Duration::from_millis(50);

/// Where a relay is, and what it asks for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it takes control connections.
    pub control: SocketAddr,
    /// Where it takes and sends media.
    pub media: SocketAddr,
    /// The room's secret.
    pub token: String,
    /// For how long it lets people in; `None`: for good.
    pub token_lifetime: Option<Nanos>,
    /// The room's codec.
    pub codec: CodecConfig,
    /// How sound reaches the stage.
    pub stage: Serving,
    /// How sound reaches the audience.
    pub audience: Serving,
    /// How somebody comes from the audience to the stage.
    pub promotion: Promotion,
    /// Whose edge it is: that relay's control address.
    pub uplink: Option<String>,
    /// Where each packet that it passes on is noted, if anywhere.
    pub relay_csv: Option<PathBuf>,
    /// What is done to what it sends, on purpose …
    pub harm: Link,
    /// … in words, for whoever starts it.
    pub harm_said: Option<String>,
    /// The door for WebRTC, if it has one.
    #[cfg(feature = "webrtc")]
    pub door: Option<Door>,
}

/// Where people come in by WHIP.
#[cfg(feature = "webrtc")]
#[derive(Clone, Debug)]
pub struct Door {
    /// Where it takes HTTP, as `host:port`.
    pub listen: String,
    /// By which address their media goes, if it was said.
    pub media: Option<std::net::IpAddr>,
}

/// Runs a relay until Ctrl-C, and gives what became of all datagrams. Who comes and goes is said on standard error.
///
/// # Errors
/// An address cannot be taken, or the media socket fails.
pub fn serve(settings: Settings) -> anyhow::Result<(RelayStats, MediaReport)> {
    crate::run::block_on(serve_async(settings))
}

async fn serve_async(settings: Settings) -> anyhow::Result<(RelayStats, MediaReport)> {
    let interrupt = interrupt();
    let socket = Socket::bind(settings.media)?;
    let media = socket.local_addr();
    let Settings { control, token, token_lifetime, codec, stage, audience, promotion, uplink, .. } = settings;
    let Settings { relay_csv, harm, harm_said, .. } = settings;
    #[cfg(feature = "webrtc")]
    let (door, secret) = (settings.door, token.clone());
    let (server, link) = match &uplink {
        Some(uplink) => control::serve_edge(control, uplink, CONNECT_TIMEOUT, socket.waker()).await?,
        None => control::serve(control, socket.waker()).await?,
    };
    let token_expires = token_lifetime.map(|lifetime| RunTime::START + lifetime);
    let (uplink, seed) = (uplink.is_some(), std::process::id());
    let config =
        RelayConfig { token_expires, stage, audience, promotion, ..RelayConfig::forwarding(media, token, codec) };
    let relay = Relay::new(RelayConfig { uplink, seed, note_packets: relay_csv.is_some(), ..config });
    let (relay, stats) = Counted::new(relay);
    let clock = RunClock::start();
    let kept: Box<dyn Records> = match relay_csv {
        Some(path) => Box::new(RelayCsv::create(&path, clock.started_unix_ns())?),
        None => Box::new(Unkept),
    };
    let (records, mut news) = Told::new(kept);
    let engine: Box<dyn Engine> = match &harm_said {
        Some(_) => Box::new(Impaired::new(relay, media, harm, u64::from(seed), 0)),
        None => Box::new(relay),
    };
    let thread = MediaThread::spawn("relay", engine, socket, clock, link, Box::new(records))
        .context("cannot start the relay's thread")?;
    let harmed = harm_said.map(|harm| format!(", harmed on purpose: it {harm}")).unwrap_or_default();
    #[cfg(feature = "webrtc")]
    let door = match door {
        Some(door) => Some(open(door, server.local_addr(), secret, [stage, audience]).await?),
        None => None,
    };
    #[cfg(feature = "webrtc")]
    let by_http = door.as_ref().map(|door| format!(", WHIP http://{}", door.local_addr())).unwrap_or_default();
    #[cfg(not(feature = "webrtc"))]
    let by_http = "";
    say(&format!("relay ready: control {}, media {media}{by_http}{harmed}", server.local_addr()));
    while !interrupt.wanted() && !thread.is_finished() {
        if let Ok(Some(event)) = timeout(TICK, news.recv()).await {
            tell(&event);
        }
    }
    #[cfg(feature = "webrtc")]
    if let Some(door) = door {
        door.shutdown().await;
    }
    thread.stop();
    let report = tokio::task::spawn_blocking(move || thread.join()).await?;
    server.shutdown().await;
    while let Ok(event) = news.try_recv() {
        tell(&event);
    }
    match report.outcome {
        Ok(()) => Ok((stats.await.unwrap_or_default(), report)),
        Err(error) => Err(error.into()),
    }
}

#[cfg(feature = "webrtc")]
async fn open(
    door: Door,
    relay: SocketAddr,
    token: String,
    serving: [Serving; 2],
) -> anyhow::Result<jiho_drivers::whip::Door> {
    let [stage_mixes, audience_mixes] = serving.map(|serving| serving.mixes());
    let check_name = |name: &str| jiho_relay::check_name(name).map_err(|error| error.to_string());
    let Door { listen, media } = door;
    let settings =
        jiho_drivers::whip::Settings { listen, media, relay, token, stage_mixes, audience_mixes, check_name };
    Ok(jiho_drivers::whip::Door::open(settings).await?)
}

fn tell(event: &Event) {
    match event {
        Event::Admitted { name } => say(&format!("{name} came in")),
        Event::Left { name } => say(&format!("{name} left")),
        Event::Joined => say("joined the relay whose edge this is"),
        Event::Failed { reason } => say(reason),
        Event::Refused { name, reason } => say(&format!("refused {name:?}: {reason}")),
        Event::Step(StepTaken { number: Some(number), change, subject, step, detail }) => {
            let change = change.name();
            match step {
                Step::Commanded => say(&format!("change {number}: to {change} {subject} was commanded")),
                Step::Done => say(&format!("change {number}: to {change} {subject} is done")),
                Step::Failed => say(&format!("change {number}: to {change} {subject} failed: {detail}")),
                _ => {}
            }
        }
        _ => {}
    }
}

/// Hands out the relay's statistics when it has stopped.
struct Counted {
    relay: Relay,
    stats: Option<oneshot::Sender<RelayStats>>,
}

impl Counted {
    fn new(relay: Relay) -> (Self, oneshot::Receiver<RelayStats>) {
        let (stats, receiver) = oneshot::channel();
        (Self { relay, stats: Some(stats) }, receiver)
    }
}

impl Engine for Counted {
    fn handle(&mut self, now: RunTime, input: Input<'_>) {
        let stop = matches!(input, Input::Stop);
        self.relay.handle(now, input);
        if let Some(stats) = self.stats.take_if(|_| stop) {
            // Whoever does not wait for them does not need them.
            let _ = stats.send(self.relay.stats());
        }
    }

    fn poll_output(&mut self) -> Output<'_> {
        self.relay.poll_output()
    }
}
