//! The pilot tracker against the truth: breaks that were made, and what is said of them.
//!
//! Recordings are put together of pieces of a pilot, or come out of a real decoder whose packets were dropped: when each
//! break begins, what is silent and what is lost in it is known by construction.

use std::fmt::Write;

use jiho_analysis::signal::{Code, Signal};
use jiho_analysis::track::{Break, BreakKind, Lag, Tracker, breaks};
use jiho_analysis::units::{MediaTime, Nanos, Rate, RunTime, SampleClock};
use jiho_proto::codec::{CodecConfig, Decoder, Encoder, FRAME_SAMPLES, OpusApplication, OpusConfig};
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;
use rayon::prelude::*;
use serde::Serialize;

use BreakKind::{LossConcealed, LossUnconcealed, NotEmitted, Rebase, Replay, Silence, Skip, Stretch};

/// Silence and lost programme must be this near to the truth, …
const EDGE_MS: f64 = 3.0;
/// … delays before and after a break too, once the codec's mode is allowed for, …
const DELAY_US: f64 = 100.0;
const CODEC_MODE_US: f64 = 35.0;
/// … and silence − lost programme − step to nothing.
const CLOSURE_US: f64 = 100.0;
/// Opus' look-ahead where its mode is not known, in samples.
const OPUS_SAMPLES: i64 = 311;
const FRAME_MS: f64 = 20.0;

/// What was found of one way of breaking a pilot.
#[derive(Clone, Debug, Serialize)]
pub struct PilotFigures {
    /// The way, in words.
    pub way: String,
    /// Breaks that were made.
    pub made: usize,
    /// Of these, found where they are.
    pub found: usize,
    /// Found where there are none.
    pub strangers: usize,
    /// Found, and held to be of another kind.
    pub wrong_kind: usize,
    /// The greatest error of a silence; of a stretch, for each of its splices.
    pub silence_ms: f64,
    /// The greatest error of lost programme, in the same way.
    pub lost_ms: f64,
    /// The greatest error of a delay before or after a break.
    pub delay_us: f64,
    /// The greatest |silence − lost programme − step|.
    pub closure_us: f64,
    /// Whether all goals are met.
    pub passed: bool,
}

/// A break as it was made: when it begins in the recording, its silence, and where the programme goes on.
#[derive(Clone, Copy, Debug)]
struct Made {
    at_ms: f64,
    silence_ms: f64,
    lost_ms: f64,
    kind: BreakKind,
}

/// A way: its name and the recording with what was done to it.
type Way = (String, fn(&Scene) -> anyhow::Result<(Vec<f32>, Vec<Made>)>, Scene);

/// What ways differ in.
#[derive(Clone, Copy, Debug, Default)]
struct Scene {
    /// Silence, and where the programme goes on after 1 s of it, relative to where it was.
    cut: (f64, f64, Option<BreakKind>),
    codec: Option<(u32, bool)>,
    /// Of packets.
    loss: f64,
    percent: f64,
    speakers: u8,
    /// Of white noise, over the pilot.
    noise_db: Option<f64>,
}

/// Verifies all ways on all processors; `done` is called after each.
///
/// # Errors
/// The codec refuses.
pub fn verify(done: &(dyn Fn() + Sync)) -> anyhow::Result<Vec<PilotFigures>> {
    ways()
        .par_iter()
        .map(|(name, make, scene)| {
            let (recording, made) = make(scene)?;
            let delay = if scene.codec.is_some() || scene.speakers > 1 { OPUS_SAMPLES } else { 0 };
            let figures = judge(name, &recording, &made, delay, scene.speakers.max(1));
            done();
            Ok(figures)
        })
        .collect()
}

/// How many ways there are.
pub fn count() -> usize {
    ways().len()
}

fn ways() -> Vec<Way> {
    let mut ways: Vec<Way> = Vec::new();
    let cuts = [
        ("20 ms unheard, nothing in their place", 20.0, 20.0, LossUnconcealed),
        ("60 ms unheard, nothing in their place", 60.0, 60.0, LossUnconcealed),
        ("1.5 s silent", 1500.0, 1500.0, Silence),
        ("300 ms silent, nothing lost", 300.0, 0.0, Silence),
        ("400 ms silent, 30 s later tier", 400.0, -29_600.0, Silence),
        ("400 ms silent, 30 s earlier tier", 400.0, 30_400.0, Silence),
        ("buffer 60 ms later", 0.0, -60.0, Rebase),
        ("buffer 60 ms earlier", 0.0, 60.0, Rebase),
        ("500 ms skipped", 0.0, 500.0, Skip),
        ("800 ms again", 0.0, -800.0, Replay),
    ];
    for (name, silence_ms, lost_ms, kind) in cuts {
        let scene = Scene { cut: (silence_ms, lost_ms, Some(kind)), ..Scene::default() };
        ways.push((name.to_owned(), cut, scene));
        // A lost packet's place is concealed by a decoder: that is seen to below.
        if kind != LossUnconcealed {
            ways.push((format!("{name}, Opus 32 kb/s"), cut, Scene { codec: Some((32_000, true)), ..scene }));
        }
    }
    let silence = (700.0, 700.0, Some(NotEmitted));
    ways.push(("700 ms of comfort noise".to_owned(), comfort, Scene { cut: silence, ..Scene::default() }));
    for percent in [1.0, -1.0, 3.0, -5.0, 10.0, -10.0] {
        ways.push((format!("stretched by {percent:+} %"), stretched, Scene { percent, ..Scene::default() }));
    }
    for (kbps, voip) in [(12, true), (24, true), (32, true), (32, false), (64, false)] {
        for loss in [0.01, 0.05, 0.1] {
            let tuned = if voip { "voip" } else { "audio" };
            let scene = Scene { codec: Some((kbps * 1000, voip)), loss, ..Scene::default() };
            ways.push((format!("Opus {kbps} kb/s {tuned}, loss {} %", 100.0 * loss), lossy, scene));
        }
    }
    let silence = (400.0, 400.0, None);
    for speakers in [2, 4, 8] {
        let scene = Scene { speakers, cut: silence, ..Scene::default() };
        ways.push((format!("400 ms missing, {speakers} at once, Opus"), chorus, scene));
    }
    for noise_db in [-20.0, 0.0] {
        let scene = Scene { noise_db: Some(noise_db), cut: (400.0, 400.0, None), ..Scene::default() };
        ways.push((format!("400 ms missing, noise {noise_db:+} dB"), cut, scene));
    }
    ways
}

fn judge(name: &str, recording: &[f32], made: &[Made], delay_samples: i64, speakers: u8) -> PilotFigures {
    let found = found(recording, speakers);
    let delay = Rate::OPUS.span(delay_samples);
    let mut figures = PilotFigures {
        way: name.to_owned(),
        made: made.len(),
        found: 0,
        strangers: 0,
        wrong_kind: 0,
        silence_ms: 0.0,
        lost_ms: 0.0,
        delay_us: 0.0,
        closure_us: 0.0,
        passed: false,
    };
    let mut taken = vec![false; found.len()];
    // By how much the programme is late at each break, by construction.
    let mut lag = Nanos::ZERO;
    for truth in made {
        let at = truth.at_ms + delay.as_millis_f64();
        let near = |b: &Break| (b.last_before.as_millis_f64() - at).abs();
        let step = Nanos::from_secs_f64((truth.silence_ms - truth.lost_ms) / 1000.0);
        let best = (0..found.len())
            .filter(|&n| !taken[n] && near(&found[n]) < 15.0)
            .min_by(|&a, &b| near(&found[a]).total_cmp(&near(&found[b])));
        let before = lag;
        lag += step;
        let Some(n) = best else { continue };
        taken[n] = true;
        let one = &found[n];
        figures.found += 1;
        figures.wrong_kind += usize::from(one.kind != truth.kind);
        let worst = |worst: &mut f64, error: f64| *worst = worst.max(error.abs());
        let steps = f64::from(one.steps);
        worst(&mut figures.silence_ms, (one.silence.as_millis_f64() - truth.silence_ms) / steps);
        worst(&mut figures.lost_ms, (one.lost.as_millis_f64() - truth.lost_ms) / steps);
        worst(&mut figures.closure_us, one.closure().0 as f64 / 1000.0);
        for (found, truth) in [(one.before, before), (one.after, lag)] {
            worst(&mut figures.delay_us, (found.step_from(&Lag::default()) - truth - delay).0 as f64 / 1000.0);
        }
    }
    figures.strangers = taken.iter().filter(|&&taken| !taken).count();
    let mode_us = if delay_samples > 0 { CODEC_MODE_US } else { 0.0 };
    figures.passed = figures.found == figures.made
        && figures.strangers + figures.wrong_kind == 0
        && figures.silence_ms <= EDGE_MS
        && figures.lost_ms <= EDGE_MS
        && figures.delay_us <= DELAY_US + mode_us
        && figures.closure_us < CLOSURE_US;
    figures
}

fn found(recording: &[f32], speakers: u8) -> Vec<Break> {
    let codes: Vec<Code> = Code::all().take(usize::from(speakers)).collect();
    let mut tracker = Tracker::new(Rate::OPUS, &codes);
    let mut segments = tracker.push(recording).segments;
    segments.extend(tracker.finish().segments);
    breaks(codes[0], &segments)
}

fn pilot(number: usize, seconds: i64) -> Vec<f32> {
    let codes: Vec<Code> = Code::all().skip(number).take(1).collect();
    let clock = SampleClock::new(RunTime::START, Rate::OPUS);
    let mut samples = vec![0.0; 48_000 * seconds as usize];
    for programme in Signal::PILOT.programmes(&codes, RunTime::START, Nanos::from_secs(seconds)) {
        programme.render(&clock, MediaTime(0), &mut samples);
    }
    samples
}

fn samples(ms: f64) -> usize {
    (48.0 * ms).round().max(0.0) as usize
}

/// A break at an instant that is no whole number of frames.
fn cut(scene: &Scene) -> anyhow::Result<(Vec<f32>, Vec<Made>)> {
    let (silence_ms, lost_ms, kind) = scene.cut;
    // Where another tier comes from far before, the pilot has sounded for long; little of that is recorded.
    let (from_ms, at_ms) = if lost_ms < -5000.0 { (28_000.0, 34_007.0) } else { (0.0, 6007.0) };
    let pilot = pilot(0, (at_ms + lost_ms.max(0.0)) as i64 / 1000 + 8);
    let mut whole = vec![0.0; samples(from_ms)];
    whole.extend_from_slice(&pilot[samples(from_ms)..samples(at_ms)]);
    whole.resize(whole.len() + samples(silence_ms), 0.0);
    let on = samples(at_ms + lost_ms);
    whole.extend_from_slice(&pilot[on..on + samples(6000.0)]);
    if let Some(codec) = scene.codec {
        whole = through(&whole, codec, &[])?;
    }
    if let Some(noise_db) = scene.noise_db {
        let mut luck = Pcg32::seed_from_u64(5);
        let rms = 0.1 * 10f64.powf(noise_db / 20.0);
        whole.iter_mut().for_each(|sample| *sample += (rms * normal(&mut luck)) as f32);
    }
    // Noise that sounds on through the gap is like comfort noise.
    let kind = kind.unwrap_or(NotEmitted);
    Ok((whole, vec![Made { at_ms, silence_ms, lost_ms, kind }]))
}

fn comfort(scene: &Scene) -> anyhow::Result<(Vec<f32>, Vec<Made>)> {
    let (silence_ms, lost_ms, _) = scene.cut;
    let mut recording = pilot(0, 12);
    let mut luck = Pcg32::seed_from_u64(6);
    for sample in &mut recording[samples(5003.0)..samples(5003.0 + silence_ms)] {
        *sample = (0.1 * 10f64.powf(-40.0 / 20.0) * normal(&mut luck)) as f32;
    }
    Ok((recording, vec![Made { at_ms: 5003.0, silence_ms, lost_ms, kind: NotEmitted }]))
}

/// Splices as WSOLA makes them (Verhelst & Roelands 1993), with a cross-fade of 5 ms.
fn stretched(scene: &Scene) -> anyhow::Result<(Vec<f32>, Vec<Made>)> {
    const STEP_MS: f64 = 10.0;
    let (pilot, fade) = (pilot(0, 20), samples(5.0));
    let apart_ms = 100.0 * STEP_MS / scene.percent.abs();
    let splices = (4000.0 / apart_ms) as usize;
    let step_ms = STEP_MS * scene.percent.signum();
    let mut out = pilot[..samples(5000.0)].to_vec();
    let mut at = out.len();
    for _ in 0..splices {
        let to = (at as i64 - (48.0 * step_ms) as i64) as usize;
        for n in 0..fade {
            let x = n as f32 / fade as f32;
            out.push((1.0 - x) * pilot[at + n] + x * pilot[to + n]);
        }
        at = to + samples(apart_ms);
        out.extend_from_slice(&pilot[to + fade..at]);
    }
    out.extend_from_slice(&pilot[at..at + samples(3000.0)]);
    let lost_ms = -step_ms * splices as f64;
    Ok((out, vec![Made { at_ms: 5000.0, silence_ms: 0.0, lost_ms, kind: Stretch }]))
}

/// Packets lost at random, each for itself, and concealed by the decoder.
fn lossy(scene: &Scene) -> anyhow::Result<(Vec<f32>, Vec<Made>)> {
    let mut luck = Pcg32::seed_from_u64(7);
    let pilot = pilot(0, 30);
    let frames = pilot.len() / FRAME_SAMPLES;
    let lost: Vec<bool> = (0..frames)
        .map(|n| n > 100 && n + 50 < frames && f64::from(luck.next_u32()) < scene.loss * 4_294_967_296.0)
        .collect();
    let mut made = Vec::new();
    let mut at = 0;
    for run in lost.chunk_by(|a, b| a == b) {
        if run[0] {
            let (at_ms, length_ms) = (FRAME_MS * at as f64, FRAME_MS * run.len() as f64);
            made.push(Made { at_ms, silence_ms: length_ms, lost_ms: length_ms, kind: LossConcealed });
        }
        at += run.len();
    }
    Ok((through(&pilot, scene.codec.unwrap_or((32_000, true)), &lost)?, made))
}

/// Several speakers, each through a codec of its own; the first one's pilot is missing for a while.
fn chorus(scene: &Scene) -> anyhow::Result<(Vec<f32>, Vec<Made>)> {
    let (silence_ms, lost_ms, _) = scene.cut;
    let mut mix = vec![0.0f32; 48_000 * 12];
    for number in 0..usize::from(scene.speakers) {
        let mut own = pilot(number, 12);
        if number == 0 {
            own[samples(6003.0)..samples(6003.0 + silence_ms)].fill(0.0);
        }
        let heard = through(&own, (32_000, true), &[])?;
        mix.iter_mut().zip(&heard).for_each(|(mix, heard)| *mix += heard);
    }
    Ok((mix, vec![Made { at_ms: 6003.0, silence_ms, lost_ms, kind: NotEmitted }]))
}

fn through(sound: &[f32], (bitrate_bps, voip): (u32, bool), lost: &[bool]) -> anyhow::Result<Vec<f32>> {
    let application = if voip { OpusApplication::Voip } else { OpusApplication::Audio };
    let codec = CodecConfig::Opus(OpusConfig { bitrate_bps, application, ..OpusConfig::default() });
    let (mut encoder, mut decoder) = (Encoder::new(&codec)?, Decoder::new(&codec)?);
    let (mut payload, mut frame, mut heard) = (Vec::new(), Vec::new(), Vec::with_capacity(sound.len()));
    for (n, spoken) in sound.chunks_exact(FRAME_SAMPLES).enumerate() {
        encoder.encode(spoken, &mut payload)?;
        if lost.get(n).copied().unwrap_or(false) {
            decoder.conceal(FRAME_SAMPLES, &mut frame);
        } else {
            decoder.decode(&payload, &mut frame)?;
        }
        heard.extend_from_slice(&frame);
    }
    Ok(heard)
}

/// Standard normal, by Box & Muller (1958).
fn normal(luck: &mut Pcg32) -> f64 {
    let mut unit = || (f64::from(luck.next_u32()) + 0.5) / 4_294_967_296.0;
    (-2.0 * unit().ln()).sqrt() * (std::f64::consts::TAU * unit()).cos()
}

/// The figures as a table for people.
pub fn text(figures: &[PilotFigures]) -> String {
    let mut text = format!(
        "{:<44} {:>9} {:>10} {:>10} {:>10} {:>9} {:>10}\n",
        "way", "breaks", "wrong kind", "silence ms", "lost ms", "delay µs", "closure µs"
    );
    for way in figures {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:<44} {:>9} {:>10} {:>10.2} {:>10.2} {:>9.1} {:>10.2}{}",
            way.way,
            format!(
                "{}/{}{}",
                way.found,
                way.made,
                if way.strangers > 0 { format!("+{}", way.strangers) } else { String::new() }
            ),
            way.wrong_kind,
            way.silence_ms,
            way.lost_ms,
            way.delay_us,
            way.closure_us,
            if way.passed { "" } else { "  misses a goal" }
        );
    }
    let missed = figures.iter().filter(|way| !way.passed).count();
    let _ = match missed {
        0 => writeln!(text, "\nAll {} ways meet their goals; errors are the greatest of each way.", figures.len()),
        _ => writeln!(text, "\n{missed} of {} ways miss a goal; errors are the greatest of each way.", figures.len()),
    };
    text
}
