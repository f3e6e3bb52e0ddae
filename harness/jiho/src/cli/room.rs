//! Arguments that all parts of a room share.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::ValueEnum;
use jiho_analysis::units::{Nanos, Rate};
use jiho_proto::codec::{CodecConfig, OpusConfig};
use jiho_proto::seal::Passphrase;
use jiho_relay::check_name;

use super::print;
use crate::exit::{Exit, UsageError};
use crate::experiment::{DropProbe, LONGEST, Playout, parse_duration};
use crate::live::part::{Part, Stayed};
use crate::live::sound::Sound;
use crate::report::words::counted;
use crate::run::usual_folder;

/// The room's codec: the same for everybody.
#[derive(Debug, clap::Args)]
pub(super) struct CodecArgs {
    /// The room's codec: everybody in a room uses the same.
    #[arg(long, value_enum, default_value_t)]
    codec: Codec,
    /// Opus' constant bit rate, in bits per second.
    #[arg(long, value_name = "BPS", default_value_t = 32_000, value_parser = clap::value_parser!(u32).range(6_000..=510_000))]
    bitrate: u32,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Codec {
    /// Opus (RFC 6716), tuned for speech.
    #[default]
    Opus,
    /// Uncompressed, 16 bits.
    L16,
}

impl CodecArgs {
    pub(super) fn config(&self) -> CodecConfig {
        match self.codec {
            Codec::Opus => CodecConfig::Opus(OpusConfig { bitrate_bps: self.bitrate, ..OpusConfig::default() }),
            Codec::L16 => CodecConfig::L16,
        }
    }
}

/// The room's secret.
#[derive(Debug, clap::Args)]
pub(super) struct TokenArgs {
    /// The room's secret: nobody gets in without it.
    #[arg(long, env = "JIHO_TOKEN", hide_env_values = true, value_parser = parse_token)]
    pub(super) token: String,
}

/// The key of a room that is sealed end to end.
#[derive(Debug, clap::Args)]
pub(super) struct SealArgs {
    /// In a room that is sealed end to end (SFrame): the passphrase that all keys are derived from. Without it what comes
    /// is taken for unsealed.
    #[arg(long, env = "JIHO_PASSPHRASE", hide_env_values = true, value_parser = parse_passphrase)]
    passphrase: Option<String>,
}

impl SealArgs {
    pub(super) fn passphrase(&self) -> Option<Passphrase> {
        self.passphrase.as_deref().map(Passphrase::new)
    }
}

/// Who takes part, where, and for how long.
#[derive(Debug, clap::Args)]
pub(super) struct PartArgs {
    /// The relay's control address.
    #[arg(long, value_name = "HOST:PORT", required_unless_present = "device", conflicts_with = "device")]
    relay: Option<String>,
    /// The room's secret.
    #[arg(long, env = "JIHO_TOKEN", hide_env_values = true, required_unless_present = "device", value_parser = parse_token)]
    token: Option<String>,
    /// Use a sound device, by its id from `jiho device list`, in place of a room; `default` is the system's own.
    #[arg(long, value_name = "ID")]
    device: Option<String>,
    /// The device's samples per second.
    #[arg(long, value_name = "HZ", default_value_t = Rate::OPUS.0, value_parser = clap::value_parser!(u32).range(8_000..=384_000))]
    rate: u32,
    /// The name in the room, and of the files; with a device the default is `device`.
    #[arg(long, required_unless_present = "device", value_parser = parse_name)]
    name: Option<String>,
    /// Where our media comes from and goes to, on this host [default: any address, any free port]
    #[arg(long, value_name = "IP:PORT")]
    media: Option<SocketAddr>,
    #[command(flatten)]
    codec: CodecArgs,
    #[command(flatten)]
    seal: SealArgs,
    /// The jitter buffer's policy: how long it holds the first packet, with its unit; or `adaptive`, or `buffers`, with
    /// options as an experiment's file has them: 'adaptive = { max = "200ms" }'.
    #[arg(long, value_name = "TIME|POLICY", default_value = "40ms", value_parser = Playout::parse)]
    playout: Playout,
    /// Drop some of our own packets on purpose, so that who misses them tells how the room is served; options as
    /// [drop_probe] of an experiment has them: 'incoming = 5, outgoing = 5, interval = "1s"'. Each is a hole of 20 ms in
    /// what somebody hears.
    #[arg(long, value_name = "OPTIONS", num_args = 0..=1, default_missing_value = "", value_parser = DropProbe::parse, conflicts_with = "device")]
    drop_probe: Option<DropProbe>,
    /// Drop packets in a room that is not on this host too: whoever runs it has given leave.
    #[arg(long, requires = "drop_probe")]
    leave_to_drop: bool,
    /// When to stop, with its unit [default: at Ctrl-C, or after 12h, when recordings are full]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Nanos>,
    /// The folder to make [default: runs/NAME-TIME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl PartArgs {
    /// What is to be done where.
    pub(super) fn place(&self) -> Result<Place, UsageError> {
        let name = self.name.clone().unwrap_or_else(|| "device".to_owned());
        let out = self.out.clone().unwrap_or_else(|| usual_folder(&name));
        let duration = self.duration.unwrap_or(LONGEST);
        if let Some(device) = &self.device {
            let device = Some(device.clone()).filter(|id| id != "default");
            let rate = Rate(self.rate);
            return Ok(Place::Device(Sound { device, name, rate, duration, out }));
        }
        let (Some(relay), Some(token)) = (self.relay.clone(), self.token.clone()) else {
            return Err(UsageError::say("give the room with --relay and --token, or a sound device with --device"));
        };
        Ok(Place::Room(Box::new(Part {
            relay,
            token,
            name,
            media: self.media,
            codec: self.codec.config(),
            seal: self.seal.passphrase(),
            playout: (&self.playout).into(),
            plays: None,
            drop_probe: self.drop_probe.clone(),
            leave_to_drop: self.leave_to_drop,
            duration,
            out,
        })))
    }
}

/// Where somebody speaks or hears.
pub(super) enum Place {
    Room(Box<Part>),
    Device(Sound),
}

/// Says what was left behind.
pub(super) fn report(stayed: &Stayed, speaks: bool) -> anyhow::Result<Exit> {
    let seconds = stayed.lasted.as_secs_f64();
    let folder = stayed.folder.path().display();
    let beeps = if speaks { format!(" and {}", counted(stayed.beeps, "beep")) } else { String::new() };
    print(&format!(
        "{seconds:.1} s{beeps}, all in {folder}. To measure: jiho analyze {folder} [OTHER FOLDERS OF THE ROOM]\n"
    ))?;
    Ok(if speaks && stayed.beeps == 0 { Exit::Nothing } else { Exit::Done })
}

pub(super) fn parse_name(text: &str) -> Result<String, String> {
    check_name(text).map(|()| text.to_owned()).map_err(|error| error.to_string())
}

pub(super) fn parse_token(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("an empty token lets nobody in".to_owned()) } else { Ok(text.to_owned()) }
}

fn parse_passphrase(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("an empty passphrase keeps nothing secret".to_owned()) } else { Ok(text.to_owned()) }
}

/// For help: what is left behind, and how times of several processes go together.
pub(super) const TIME_BASE: &str = "\
Files: ear-NAME.wav with its sidecar, emissions.csv, packets.csv and run.json. Times count from the process's own \
start; run.json and the sidecar say when that was by the wall clock (started_unix_ns), by which `jiho analyze` brings \
the folders of several processes onto one time line. On one host all share one clock, and nothing is lost (bound 0). \
Between hosts a delay is known only as well as their wall clocks agree: synchronise them (chrony, PTP); jiho does not \
know how well that went, and says so.

Exit codes: 1 if the relay does not answer, refuses us or goes away, or an address is in use, or a device cannot be \
had or ends in the middle; what was recorded until then is kept. 2 for wrong usage. 4 if not one beep was sounded.";
