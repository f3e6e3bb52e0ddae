//! `jiho align`: any two recordings, without our signals.

use std::fmt::Write;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use jiho_analysis::align::{Alignment, Lag, Missing, Recording, Request, Weighting, align};
use jiho_analysis::units::{Nanos, Rate};
use jiho_drivers::wav::{ReadError, Reader};
use serde_json::{Value, json};

use super::bar::Bar;
use super::{Format, print};
use crate::exit::{Exit, UsageError};
use crate::experiment::parse_duration;

/// Align two recordings of the same sound, whatever it is: say how much later B is than A, between samples.
///
/// Recordings in any format that `analyze` reads; rates, lengths and levels may differ, and offsets be minutes. Neither needs one of
/// our time signals. All lags that are plausible are given with comparable scores, and it is said where two are nearly
/// as plausible: an echo, or a sound that repeats itself. Drift between the two clocks is given in ppm, unless it would
/// be noise.
///
/// An interval has what noise and differences between the recordings leave open. What a codec or a filter adds to the
/// delay is part of the lag.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jiho align phone.wav laptop.wav
  jiho align sent.wav received.wav --max-lag 2s
  jiho align room.wav stereo.wav --channel 1,2 --format json

Exit codes: 0 one lag · 3 several lags are nearly as plausible as each other · 4 none stands out")]
pub(super) struct Args {
    /// The recording that the other one is compared with.
    #[arg(value_name = "A")]
    a: PathBuf,
    /// The recording whose lag is sought.
    #[arg(value_name = "B")]
    b: PathBuf,
    /// The channel to take, counted from 1: of both recordings, or of A and of B.
    #[arg(long, value_name = "N[,N]", value_delimiter = ',', default_value = "1")]
    channel: Vec<usize>,
    /// The greatest lag to look at, either way, with its unit [default: wherever the recordings overlap]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    max_lag: Option<Nanos>,
    /// How frequencies are weighted.
    #[arg(long, value_enum, default_value_t)]
    method: Method,
    /// A report for people, or the same as JSON.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Method {
    /// The one with the least predicted error for the coherence found; the search itself is by scot.
    #[default]
    Auto,
    /// All alike: generalised cross-correlation with phase transform (GCC-PHAT).
    Phat,
    /// By coherence: smoothed coherence transform (SCOT).
    Scot,
    /// By power: plain cross-correlation.
    Plain,
}

impl Method {
    fn weighting(self) -> Option<Weighting> {
        match self {
            Self::Auto => None,
            Self::Phat => Some(Weighting::Phat),
            Self::Scot => Some(Weighting::Scot),
            Self::Plain => Some(Weighting::Plain),
        }
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let (channel_a, channel_b) = match args.channel[..] {
        [both] => (both, both),
        [a, b] => (a, b),
        _ => return Err(UsageError::say("--channel takes one number, or one for A and one for B").into()),
    };
    let mut a = Channel::open(&args.a, channel_a)?;
    let mut b = Channel::open(&args.b, channel_b)?;
    let request = Request { weighting: args.method.weighting(), most: args.max_lag };
    let bar = Bar::new();
    let longer = seconds(&a).max(seconds(&b));
    // The search goes once through the longer one, and reads little else.
    for channel in [&mut a, &mut b] {
        channel.bar = (seconds(channel) == longer).then(|| bar.clone());
    }
    let found = align(&mut a, &mut b, &request)?;
    bar.clear();
    match args.format {
        Format::Text => print(&text(&a, &b, &request, &found))?,
        Format::Json => print(&format!("{}\n", serde_json::to_string_pretty(&json(&a, &b, &found))?))?,
    }
    Ok(match found.missing {
        Some(_) => Exit::Nothing,
        None if found.is_ambiguous() => Exit::Inconclusive,
        None => Exit::Done,
    })
}

/// One channel of a recording.
struct Channel {
    path: PathBuf,
    /// From 1.
    number: usize,
    reader: Reader<BufReader<File>>,
    block: Vec<Vec<f32>>,
    /// Shows how far it has been read.
    bar: Option<Bar>,
}

impl Channel {
    fn open(path: &Path, number: usize) -> Result<Self, UsageError> {
        let reader = Reader::open(path).map_err(UsageError::new)?;
        if !(1..=reader.channels()).contains(&number) {
            let (path, channels) = (path.display(), reader.channels());
            return Err(UsageError::say(format!("{path} has no channel {number}: they go from 1 to {channels}")));
        }
        Ok(Self { path: path.to_owned(), number, reader, block: Vec::new(), bar: None })
    }

    fn name(&self) -> String {
        format!("{}#{}", self.path.display(), self.number)
    }
}

impl Recording for Channel {
    type Error = ReadError;

    fn rate(&self) -> Rate {
        self.reader.rate()
    }

    fn samples(&self) -> u64 {
        self.reader.frames()
    }

    fn read(&mut self, first: u64, out: &mut [f32]) -> Result<(), ReadError> {
        self.reader.seek(first)?;
        let mut filled = 0;
        while filled < out.len() && self.reader.next_block(&mut self.block)? > 0 {
            let Some(samples) = self.block.get(self.number - 1) else { break };
            let count = samples.len().min(out.len() - filled);
            out[filled..filled + count].copy_from_slice(&samples[..count]);
            filled += count;
        }
        if let Some(bar) = &self.bar {
            bar.reach("searching", (first + filled as u64) as f64 / self.rate().hz(), seconds(self));
        }
        Ok(())
    }
}

fn seconds(channel: &Channel) -> f64 {
    channel.samples() as f64 / channel.rate().hz()
}

fn text(a: &Channel, b: &Channel, request: &Request, found: &Alignment) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for channel in [a, b] {
        if let Some(truncated) = channel.reader.truncated() {
            let _ = writeln!(text, "warning: {}: {truncated}", channel.path.display());
        }
    }
    let Some(lag) = found.lags.first() else {
        let _ = writeln!(text, "{}", nothing_found(a, b, request, found));
        return text;
    };
    let _ = writeln!(
        text,
        "{} comes {} {} {}: {:.2} samples at {} Hz",
        b.name(),
        milliseconds(lag),
        if lag.lag_s < 0.0 { "before" } else { "after" },
        a.name(),
        lag.lag_s.abs() * b.rate().hz(),
        b.rate().0
    );
    let _ = writeln!(text, "  drift      {}", drift(lag, a));
    let _ = writeln!(
        text,
        "  score      {:.0}, where {:.0} stands out; {} of {} stretches agree",
        lag.score, found.least_score, lag.agreed, found.stretches
    );
    if lag.inverted {
        let _ = writeln!(text, "  polarity   inverted: where one goes up, the other goes down");
    }
    match lag.coherence {
        Some(band) => {
            let (squared, low, high) = (band.squared, band.low_hz, band.high_hz);
            let _ = writeln!(text, "  coherence  {squared:.2} on average, between {low:.0} and {high:.0} Hz");
        }
        None => {
            let _ = writeln!(text, "  coherence  none that could be told from chance");
        }
    }
    let _ = writeln!(text, "  weighting  {}", weighting(lag, request));
    if found.lags.len() > 1 {
        let _ = writeln!(text, "\nOther plausible lags, in ms:");
        for other in &found.lags[1..] {
            let inverted = if other.inverted { ", inverted" } else { "" };
            let _ = writeln!(
                text,
                "  {:>12.4}  score {:>4.0}, {} of {} stretches{inverted}",
                1e3 * other.lag_s,
                other.score,
                other.agreed,
                found.stretches
            );
        }
    }
    if found.is_ambiguous() {
        let _ = writeln!(
            text,
            "\nAmbiguous: the second lag is nearly as plausible as the first. An echo that is as loud as what it \
             echoes, or a sound that repeats itself, does that; a longer recording, or --max-lag, may tell."
        );
    } else {
        let (late, name) = if lag.lag_s < 0.0 { ("A", a) } else { ("B", b) };
        let cut = lag.lag_s.abs();
        let _ = writeln!(text, "\nTo line them up, take the first {cut:.6} s off {late} ({}).", name.path.display());
    }
    text
}

/// A lag's size with its interval, with as many digits as that warrants.
fn milliseconds(lag: &Lag) -> String {
    let (ms, half) = (1e3 * lag.lag_s.abs(), 1e3 * (lag.interval_s.high - lag.lag_s));
    let digits = (1.0 - half.log10()).ceil().clamp(1.0, 5.0) as usize;
    format!("{ms:.digits$} ms [{:.digits$}–{:.digits$}]", ms - half, ms + half)
}

fn drift(lag: &Lag, a: &Channel) -> String {
    let common = lag.common_s;
    let Some(drift) = &lag.drift else {
        return format!("not to be told from noise over the {common:.1} s in common");
    };
    let within = (drift.interval_ppm.high - drift.ppm).max(0.001);
    // Adding zero takes the sign from one that is negative.
    let figure = format!("{:+.3} ppm (± {within:.3})", (1e3 * drift.ppm).round() / 1e3 + 0.0);
    if drift.interval_ppm.low <= 0.0 && drift.interval_ppm.high >= 0.0 {
        return format!("{figure}: none over the {common:.1} s in common");
    }
    let change_ms = 1e-3 * drift.ppm * common;
    let (at_s, path) = (lag.at_s, a.path.display());
    format!(
        "{figure}: {change_ms:+.3} ms over the {common:.1} s in common; the lag is that of their middle, {at_s:.1} s \
         into {path}"
    )
}

fn name(weighting: Weighting) -> &'static str {
    match weighting {
        Weighting::Phat => "PHAT",
        Weighting::Scot => "SCOT",
        Weighting::Plain => "plain",
    }
}

fn weighting(lag: &Lag, request: &Request) -> String {
    let own = name(lag.weighting);
    let promised: Vec<String> = (Weighting::ALL.iter().zip(lag.predicted_sd_s))
        .filter(|(_, sd)| sd.is_finite())
        .map(|(weighting, sd)| format!("{} {}", name(*weighting), small(1e6 * sd, "µs")))
        .collect();
    match request.weighting {
        Some(_) => format!("{own}, as asked for"),
        None if promised.is_empty() => own.to_owned(),
        None => format!("{own}, whose predicted error is least: {}", promised.join(", ")),
    }
}

/// A size that may be next to nothing.
fn small(value: f64, unit: &str) -> String {
    if value < 0.001 { format!("under 0.001 {unit}") } else { format!("{value:.3} {unit}") }
}

/// Why there is no lag, and what to try.
fn nothing_found(a: &Channel, b: &Channel, request: &Request, found: &Alignment) -> String {
    let silent = |channel: &Channel| {
        let name = channel.name();
        format!("No lag: {name} is silent. Was the right input recorded? Another channel is chosen by --channel.")
    };
    match found.missing {
        Some(Missing::SilentA) => silent(a),
        Some(Missing::SilentB) => silent(b),
        Some(Missing::TooShort) => "No lag: a recording is shorter than a hundredth of a second.".to_owned(),
        Some(Missing::Unlike) | None => {
            let mut text = format!(
                "No lag: nothing in {} stands out as being in {} too (no score of {:.0} or more).\nTry: ",
                b.name(),
                a.name(),
                found.least_score
            );
            if request.most.is_some() {
                text.push_str("without --max-lag; ");
            }
            text.push_str(
                "longer recordings, with more in common; another --channel; --method phat where one was filtered, \
                 --method plain where both are noisy. If you may choose the sound, `jiho signal render` makes one \
                 that is found in far more noise.",
            );
            text
        }
    }
}

fn json(a: &Channel, b: &Channel, found: &Alignment) -> Value {
    let lags: Vec<Value> = found.lags.iter().map(|lag| lag_json(lag, b.rate())).collect();
    let missing = found.missing.map(|missing| match missing {
        Missing::TooShort => "too_short",
        Missing::SilentA => "silent_a",
        Missing::SilentB => "silent_b",
        Missing::Unlike => "unlike",
    });
    json!({
        "a": a.name(),
        "b": b.name(),
        "lags": lags,
        "ambiguous": found.is_ambiguous(),
        "missing": missing,
        "least_score": found.least_score,
        "stretches": found.stretches,
    })
}

fn lag_json(lag: &Lag, rate: Rate) -> Value {
    let predicted: serde_json::Map<String, Value> = (Weighting::ALL.iter().zip(lag.predicted_sd_s))
        .map(|(weighting, sd)| (format!("{}_sd_ms", name(*weighting).to_lowercase()), (1e3 * sd).into()))
        .collect();
    json!({
        "lag_ms": 1e3 * lag.lag_s,
        "low_ms": 1e3 * lag.interval_s.low,
        "high_ms": 1e3 * lag.interval_s.high,
        "lag_samples_of_b": lag.lag_s * rate.hz(),
        "at_s": lag.at_s,
        "common_s": lag.common_s,
        "score": lag.score,
        "agreed": lag.agreed,
        "inverted": lag.inverted,
        "drift_ppm": lag.drift.map(|drift| drift.ppm),
        "drift_low_ppm": lag.drift.map(|drift| drift.interval_ppm.low),
        "drift_high_ppm": lag.drift.map(|drift| drift.interval_ppm.high),
        "weighting": name(lag.weighting).to_lowercase(),
        "predicted": predicted,
        "coherence": lag.coherence.map(|band| band.squared),
        "coherent_low_hz": lag.coherence.map(|band| band.low_hz),
        "coherent_high_hz": lag.coherence.map(|band| band.high_hz),
    })
}
