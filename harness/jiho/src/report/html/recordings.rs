//! What each ear heard: its waveform with what was found in it, and the sound itself as far as the page has room for it.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiho_analysis::arrivals::ArrivalKind;
use jiho_drivers::sidecar::Sidecar;
use jiho_drivers::wav;
use jiho_proto::codec::RATE;
use maud::{Markup, html};
use rayon::prelude::*;

use super::parts::{Figure, Picture, Sheet};
use super::plot::{LEFT, RIGHT, WIDTH, series_class};
use super::sound;
use super::waveform::Waveform;
use crate::report::room::Room;
use crate::report::tables::Tables;
use crate::svg::{Scale, px};

/// The page holds no more sound than this, in bytes of its text; longer recordings are beside it.
const BUDGET: u64 = 4_000_000;
/// More recordings than this are only named.
const MOST: usize = 24;
const COLUMNS: usize = 800;
const WAVE: f64 = 34.0;
const LANE: f64 = 13.0;

pub(super) fn section(tables: &Tables, room: &Room<'_>) -> anyhow::Result<Markup> {
    let recordings = tables.recordings()?;
    if recordings.is_empty() {
        return Ok(html! {});
    }
    let (shown, named) = recordings.split_at(recordings.len().min(MOST));
    let mut left = BUDGET;
    let fits: Vec<bool> = shown
        .iter()
        .map(|(_, sidecar)| {
            // Four characters for three bytes.
            let size = sound::bytes(sidecar.samples) * 4 / 3;
            let fits = sidecar.rate == RATE && sidecar.samples > 0 && size <= left;
            left -= if fits { size } else { 0 };
            fits
        })
        .collect();
    let players = shown.par_iter().zip(&fits).map(|((wav, sidecar), fits)| player(wav, sidecar, *fits));
    let players: Vec<Markup> = players.collect();
    let embedded = fits.iter().filter(|fits| **fits).count();
    Ok(html! {
        p {
            (embedded) " of " (recordings.len()) " recordings can be heard on this page, compressed by Opus at "
            (sound::BITRATE_BPS / 1000) " kb/s; it holds " (BUDGET / 1_000_000) " MB of them at most. All figures were taken from \
            the uncompressed WAV files beside it, which the links lead to."
        }
        @for ((number, (wav, sidecar)), player) in shown.iter().enumerate().zip(players) {
            div.recording {
                (figure(tables, room, number, wav, sidecar)?.html())
                (player)
            }
        }
        @if !named.is_empty() {
            details {
                summary { (named.len()) " more recordings" }
                ul { @for (wav, sidecar) in named { li { (link(wav, sidecar)) } } }
            }
        }
    })
}

fn player(wav: &Path, sidecar: &Sidecar, fits: bool) -> Markup {
    let sound = fits.then(|| embedded(wav)).flatten();
    html! {
        p.player {
            @if let Some(data) = sound {
                audio controls preload="none" aria-label=(format!("What {} heard", sidecar.recorder)) src=(data) {}
            }
            " " (link(wav, sidecar))
        }
    }
}

/// A recording that cannot be read any more is linked to all the same.
fn embedded(wav: &Path) -> Option<String> {
    let recording = wav::read(wav).ok()?;
    let file = sound::ogg_opus(recording.channels.first()?).ok()?;
    Some(format!("data:audio/ogg;base64,{}", STANDARD.encode(file)))
}

fn link(wav: &Path, sidecar: &Sidecar) -> Markup {
    let file = wav.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let seconds = sidecar.samples as f64 / sidecar.rate.hz();
    html! { a href=(format!("./{}", encoded(&file))) { (file) } span.faint { (format!(" {seconds:.1} s")) } }
}

/// For a link (RFC 3986, section 2.3).
fn encoded(file: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    file.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// A time signal that was found, or a stretch that was missing.
struct Found {
    speaker: String,
    from_s: f64,
    to_s: f64,
    said: String,
}

fn figure(tables: &Tables, room: &Room<'_>, number: usize, wav: &Path, sidecar: &Sidecar) -> anyhow::Result<Figure> {
    let ear = &sidecar.recorder;
    let seconds = (sidecar.samples as f64 / sidecar.rate.hz()).max(0.001);
    let x = Scale::new((0.0, seconds), (LEFT, WIDTH - RIGHT));
    let found = found(tables, sidecar)?;
    let heard = |speaker: &(usize, &&str)| found.iter().any(|one| one.speaker == *speaker.1);
    let lanes: Vec<(usize, &&str)> = room.speakers.iter().enumerate().filter(heard).collect();
    let bottom = 2.0 * WAVE + 12.0 + LANE * lanes.len() as f64;
    let content = html! {
        @if let Some(wave) = Waveform::read(wav, (0, sidecar.samples as i64), COLUMNS) { (wave.draw(&x, WAVE + 4.0, WAVE)) }
        @for (lane, (series, speaker)) in lanes.iter().enumerate() {
            @let y = 2.0 * WAVE + 12.0 + LANE * (lane as f64 + 0.5);
            text.tick x=(px(LEFT - 6.0)) y=(px(y + 3.5)) text-anchor="end" { (speaker) }
            @for one in found.iter().filter(|one| one.speaker == **speaker) {
                rect class=(format!("found {}", series_class(*series))) x=(px(x.at(one.from_s))) y=(px(y - 5.0))
                    width=(px((x.at(one.to_s) - x.at(one.from_s)).max(1.6))) height="10" { title { (one.said) } }
            }
        }
        @for value in x.ticks(10) {
            text.tick x=(px(x.at(value))) y=(px(bottom + 12.0)) text-anchor="middle" { (x.label(value)) }
        }
        text.tick x=(px(LEFT - 6.0)) y=(px(bottom + 12.0)) text-anchor="end" { "s" }
        line.playhead x1=(px(LEFT)) x2=(px(LEFT)) y1="0" y2=(px(bottom)) data-from=(px(LEFT)) data-to=(px(WIDTH - RIGHT))
            data-seconds=(format!("{seconds:.3}")) {}
    };
    let rows = found.iter().map(|one| {
        vec![one.speaker.clone(), format!("{:.4}", one.from_s), format!("{:.4}", one.to_s), one.said.clone()]
    });
    let caption = format!("Found in what {ear} heard, by the recording's own time");
    let heads = ["speaker", "from (s)", "to (s)", "what"];
    Ok(Figure {
        id: format!("ear-{number}"),
        title: format!("At {ear}"),
        says: says(&found, seconds),
        picture: Picture { width: WIDTH, height: bottom + 18.0, content },
        table: Sheet { caption, heads: &heads, names: 1, rows: rows.collect() }.html(),
    })
}

fn says(found: &[Found], seconds: f64) -> String {
    let breaks = found.iter().filter(|one| one.to_s > one.from_s).count();
    format!(
        "Waveform of {seconds:.1} s. Under it, speaker by speaker: {} arrivals, {} stretches that were missing.",
        found.len() - breaks,
        breaks
    )
}

/// Time signals; of pilots, which never end, where they broke off.
fn found(tables: &Tables, sidecar: &Sidecar) -> anyhow::Result<Vec<Found>> {
    let rate = sidecar.rate.hz();
    let since_start = |ns: i64| (ns - sidecar.start.0) as f64 / 1e9;
    let arrivals = tables.arrivals()?.iter().filter(|row| row.recorder == sidecar.recorder);
    let signals = arrivals.filter(|row| matches!(row.kind, Some(ArrivalKind::Beep | ArrivalKind::Echo)));
    let signals = signals.map(|row| {
        let at = row.arrival_sample / rate;
        let what = if row.kind == Some(ArrivalKind::Echo) { "echo of" } else { "time signal" };
        let beep = row.beep.map(|beep| format!(" {beep}")).unwrap_or_default();
        let said = format!("{what}{beep}, score {:.2}, SNR {:.0} dB", row.score, row.snr_db);
        Found { speaker: row.speaker.clone().unwrap_or_default(), from_s: at, to_s: at, said }
    });
    let breaks = tables.breaks()?.iter().filter(|row| row.recorder == sidecar.recorder).map(|row| Found {
        speaker: row.speaker.clone().unwrap_or_default(),
        from_s: since_start(row.last_before_ns),
        to_s: since_start(row.first_after_ns),
        said: format!("{}: {:.1} ms of silence", super::word(&row.kind), row.silence_ns as f64 / 1e6),
    });
    Ok(signals.chain(breaks).collect())
}
