//! `jiho relay`: the reference relay in a process of its own.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::ValueEnum;
use jiho_analysis::units::Nanos;
use jiho_drivers::udp::Traffic;
#[cfg(feature = "webrtc")]
use jiho_proto::codec::CodecConfig;
use jiho_proto::handshake::{self, Promotion};
use jiho_relay::RelayStats;
#[cfg(feature = "webrtc")]
use jiho_relay::Serving;

use super::harm::HarmArgs;
use super::print;
use super::room::{CodecArgs, TokenArgs};
use super::serving::ServingArgs;
use crate::exit::Exit;
#[cfg(feature = "webrtc")]
use crate::exit::UsageError;
use crate::experiment::parse_duration;
use crate::live::relay::{self, Settings};

/// Run the reference relay until Ctrl-C.
///
/// It lets speakers and listeners in (control, TCP) and brings each speaker's sound to everybody else (media, UDP), by an
/// architecture of its own for the stage and for the audience.
/// Who comes and goes is said on standard error, after the line `relay ready: control ADDRESS, media ADDRESS`; what
/// became of all packets, on standard output at the end.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  JIHO_TOKEN=secret jiho relay
  JIHO_TOKEN=secret jiho relay --control 0.0.0.0:4000 --media 0.0.0.0:4005
  JIHO_TOKEN=secret jiho relay --stage mesh --audience mix
  JIHO_TOKEN=secret jiho relay --audience tier --delay-line 5s
  JIHO_TOKEN=secret jiho relay --control 127.0.0.1:4010 --media 127.0.0.1:4015 --uplink 127.0.0.1:4000
  JIHO_TOKEN=secret jiho relay --hold 3ms --lose 1%

Control and media must be reachable by everybody: the defaults serve this host only. Port 0 takes any free port.

Exit codes: 1 if an address is in use or cannot be had, 2 for wrong usage.")]
pub(super) struct Args {
    /// Where to take control connections.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:4000")]
    control: SocketAddr,
    /// Where to take and send media.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:4005")]
    media: SocketAddr,
    #[command(flatten)]
    token: TokenArgs,
    #[command(flatten)]
    codec: CodecArgs,
    #[command(flatten)]
    serving: ServingArgs,
    /// Be an edge of another relay: its control address. Both rooms are then one.
    #[arg(long, value_name = "HOST:PORT")]
    uplink: Option<String>,
    /// How long the token lets people in and takes commands, with its unit [default: for good]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    token_lifetime: Option<Nanos>,
    /// What is exchanged before somebody who is promoted is on the stage.
    #[arg(long, value_enum, default_value_t)]
    promotion: Profile,
    /// How long the sound device of whoever is promoted stands still once the transport is ready.
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_duration)]
    device_restart: Nanos,
    /// Write a row for each packet that is passed on to this file, as relay.csv has them; times are the wall clock's,
    /// since 1970.
    #[arg(long, value_name = "FILE")]
    relay_csv: Option<PathBuf>,
    #[command(flatten)]
    harm: HarmArgs,
    #[cfg(feature = "webrtc")]
    #[command(flatten)]
    whip: WhipArgs,
}

/// The door for WebRTC.
#[cfg(feature = "webrtc")]
#[derive(Debug, clap::Args)]
struct WhipArgs {
    /// Let people in by WHIP, and let them hear by WHEP: where to take HTTP. The bearer token is the room's.
    #[arg(long, value_name = "HOST:PORT")]
    whip: Option<String>,
    /// The address of this host by which their media goes, by UDP [default: that of --whip, or this host's on the network]
    #[arg(long, value_name = "IP", requires = "whip")]
    whip_address: Option<std::net::IpAddr>,
}

#[cfg(feature = "webrtc")]
impl WhipArgs {
    fn door(self, codec: CodecConfig, serving: [Serving; 2]) -> Result<Option<relay::Door>, UsageError> {
        let Some(listen) = self.whip else { return Ok(None) };
        if serving.contains(&Serving::Mesh) {
            return Err(UsageError::say("a mesh has no door for WebRTC: its speakers' packets do not pass the relay"));
        }
        if !matches!(codec, CodecConfig::Opus(_)) {
            return Err(UsageError::say("WebRTC has Opus: leave out --codec, or --whip"));
        }
        Ok(Some(relay::Door { listen, media: self.whip_address }))
    }
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Profile {
    /// Nothing: all is kept ready.
    #[default]
    Warm,
    /// A further transport: a cookie and keys.
    SecondTransport,
    /// As WebRTC with DTLS 1.2.
    WebrtcDtls12,
    /// As WebRTC with DTLS 1.3.
    WebrtcDtls13,
    /// From a delayed path to the live one.
    TierSwitch,
}

impl Profile {
    fn promotion(self) -> Promotion {
        Promotion::of(match self {
            Self::Warm => handshake::Profile::Warm,
            Self::SecondTransport => handshake::Profile::SecondTransport,
            Self::WebrtcDtls12 => handshake::Profile::WebrtcDtls12,
            Self::WebrtcDtls13 => handshake::Profile::WebrtcDtls13,
            Self::TierSwitch => handshake::Profile::TierSwitch,
        })
    }
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let Args { control, media, token, codec, serving, uplink, token_lifetime, promotion, device_restart, .. } = args;
    let (relay_csv, harm, harm_said) = (args.relay_csv, args.harm.link(), args.harm.described());
    let (stage, audience) = serving.stage_and_audience(uplink.is_some())?;
    let promotion = Promotion { device_restart, ..promotion.promotion() };
    let (token, codec) = (token.token, codec.config());
    #[cfg(feature = "webrtc")]
    let door = args.whip.door(codec, [stage, audience])?;
    let settings = Settings {
        control,
        media,
        token,
        token_lifetime,
        codec,
        stage,
        audience,
        promotion,
        uplink,
        relay_csv,
        harm,
        harm_said,
        #[cfg(feature = "webrtc")]
        door,
    };
    let (stats, report) = relay::serve(settings)?;
    print(&text(&stats, &report.traffic))?;
    Ok(Exit::Done)
}

fn text(stats: &RelayStats, traffic: &Traffic) -> String {
    let RelayStats {
        received,
        forwarded,
        copies,
        from_strangers,
        from_listeners,
        from_muted,
        flights,
        rtcp,
        malformed,
        wrong_stream,
        ..
    } = *stats;
    let RelayStats { decoded, mixed, encoded, mix_concealed, mix_late, mix_skipped, undecodable, not_held, .. } =
        *stats;
    let Traffic { send_errors, oversized, overflowed, .. } = *traffic;
    [
        ("received", received, ""),
        ("  forwarded", forwarded, ""),
        ("  from strangers", from_strangers, "no seat has that address"),
        ("  from listeners", from_listeners, "only speakers are forwarded"),
        ("  from the muted", from_muted, "a moderator wants them silent"),
        ("  handshakes", flights, "of promotions"),
        ("  RTCP", rtcp, "ends at the relay"),
        ("  malformed", malformed, "neither RTP nor RTCP"),
        ("  wrong stream", wrong_stream, "another seat's SSRC, or one too many"),
        ("mixed", mixed, "rounds of 20 ms"),
        ("  decoded", decoded, "frames"),
        ("  encoded", encoded, "frames: one per round and distinct mix"),
        ("  concealed", mix_concealed, "rounds in which a speaker's packet was missing"),
        ("  late", mix_late, "came after their round"),
        ("  skipped", mix_skipped, "frames left out because of clocks that drift"),
        ("  undecodable", undecodable, "not of the room's codec"),
        ("not held back", not_held, "the delayed tier had no room"),
        ("sent", copies, ""),
        ("not sent", send_errors, "the system did not take them"),
        ("oversized", oversized, "dropped unread"),
        ("overflowed", overflowed, "dropped by the system before they were read"),
    ]
    .iter()
    .filter(|(name, count, _)| *count > 0 || matches!(*name, "received" | "  forwarded" | "sent"))
    .map(|(name, count, note)| format!("{name:<18}{count:>10}  {note}").trim_end().to_owned() + "\n")
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_leave_out_what_did_not_happen() {
        let stats = RelayStats { received: 12, forwarded: 10, copies: 20, rtcp: 2, ..RelayStats::default() };
        let expected = "\
received                  12
  forwarded               10
  RTCP                     2  ends at the relay
sent                      20
";
        assert_eq!(text(&stats, &Traffic::default()), expected);
    }
}
