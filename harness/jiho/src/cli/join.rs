//! `jiho join`: a seat for an outside tool.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;
use jiho_analysis::arrivals::Role;
use jiho_proto::control::{Join, Joined};

use super::print;
use super::room::{SealArgs, TokenArgs, parse_name};
use crate::exit::{Exit, UsageError};
use crate::live::seat;

/// Hold a seat in a room for an outside tool such as ffmpeg, until Ctrl-C.
///
/// jiho does the signalling, the tool sends and receives plain RTP. The relay's session description (SDP) is what the
/// tool receives by; the line `seat held` on standard error says where to send.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The relay's control address.
    #[arg(long, value_name = "HOST:PORT")]
    relay: String,
    #[command(flatten)]
    token: TokenArgs,
    /// The tool's name in the room.
    #[arg(long, value_parser = parse_name)]
    name: String,
    /// A speaker sends and receives, a listener only receives.
    #[arg(long, value_enum)]
    role: SeatRole,
    /// Where the tool sends from and receives, as the relay sees it.
    #[arg(long, value_name = "IP:PORT")]
    media: SocketAddr,
    /// Be sent only these speakers: most tools take one stream at a time [default: everybody else]
    #[arg(long, value_name = "NAME", num_args = 1..)]
    hear: Option<Vec<String>>,
    #[command(flatten)]
    seal: SealArgs,
    /// With a passphrase: the SSRC that a speaker's tool sends with, which its key depends on.
    #[arg(long, value_name = "NUMBER", requires = "passphrase")]
    ssrc: Option<u32>,
    /// Write the session description to this file, in place of one that is there [default: standard output]
    #[arg(long, value_name = "FILE")]
    sdp: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
The token is in the environment here: export JIHO_TOKEN=secret

ffmpeg speaks: a WAV file, as RTP from the seat's address to the one that `seat held` names (here 127.0.0.1:4005):
  jiho join --relay 127.0.0.1:4000 --name ff --role speaker --media 127.0.0.1:6000 --sdp ff.sdp
  ffmpeg -re -i ana.wav -c:a libopus -b:a 32k -vbr off -frame_duration 20 -payload_type 111 \\
    -f rtp -rtpflags skip_rtcp 'rtp://127.0.0.1:4005?localrtpport=6000'

ffmpeg hears one speaker, by the session description. Its port and the next one must be free:
  jiho join --relay 127.0.0.1:4000 --name rec --role listener --media 127.0.0.1:6010 \\
    --hear ana --sdp rec.sdp
  ffmpeg -protocol_whitelist file,udp,rtp -i rec.sdp rec.wav

With the wall clock as time base the recording says when each packet came, so that delays can be measured from it:
  ffmpeg -protocol_whitelist file,udp,rtp -use_wallclock_as_timestamps 1 -i rec.sdp \\
    -copyts -c:a pcm_s16le rec.mka
  ffprobe -show_entries packet=pts_time,size rec.mka

Exit codes: 1 if the relay does not answer, refuses us or goes away; 2 for wrong usage.";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SeatRole {
    Speaker,
    Listener,
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let Args { relay, token, name, role, media, hear, seal, ssrc, sdp } = args;
    let role = match role {
        SeatRole::Speaker => Role::Speaker,
        SeatRole::Listener => Role::Listener,
    };
    let passphrase = seal.passphrase();
    let own_key = match (&passphrase, role, ssrc) {
        (Some(_), Role::Speaker, None) => {
            return Err(UsageError::say(
                "a speaker's key depends on its SSRC: give --ssrc, and have the tool send with it",
            )
            .into());
        }
        (Some(passphrase), Role::Speaker, Some(ssrc)) => format!(", SFrame {}", passphrase.stream_key(&name, ssrc)),
        _ => String::new(),
    };
    let sealed = passphrase.is_some();
    let join = Join { name: name.clone(), role, token: token.token, media, subscribe: hear, sealed };
    let held = seat::hold(&relay, join, passphrase.as_ref(), |joined| {
        let Joined { media: there, payload_type, sdp: description } = joined;
        match &sdp {
            Some(file) => {
                std::fs::write(file, description).with_context(|| format!("cannot write {}", file.display()))?;
            }
            None => print(description)?,
        }
        let from = if role == Role::Speaker {
            format!("send media from {media} to {there}, RTP payload type {payload_type}{own_key}")
        } else {
            format!("receive media at {media}")
        };
        // Without a standard error to say it on, the seat is held all the same.
        let _ = writeln!(std::io::stderr(), "seat held for {name}: {from}");
        Ok(())
    })?;
    let _ = writeln!(std::io::stderr(), "seat given up after {:.1} s", held.as_secs_f64());
    Ok(Exit::Done)
}
