//! Speech by espeak-ng, a program of its own: whoever has not installed it does without.

use std::process::Command;
use std::sync::OnceLock;

use anyhow::Context;

use super::BEEP_RMS;
use super::luck::Luck;

/// What espeak-ng makes, in Hz.
const SPOKEN_HZ: usize = 22_050;

/// Voices, men's and women's, and languages.
const VOICES: [&str; 12] = [
    "en-gb+m3", "en-us+f2", "de+m1", "fr-fr+f3", "es+m5", "it+f1", "nl+m2", "pl+f4", "sv+m4", "cs+f2", "pt+m6",
    "en-gb+f5",
];
const WORDS: [&str; 48] = [
    "the",
    "birch",
    "canoe",
    "slid",
    "on",
    "smooth",
    "planks",
    "glue",
    "sheet",
    "to",
    "dark",
    "blue",
    "background",
    "it",
    "is",
    "easy",
    "tell",
    "depth",
    "of",
    "a",
    "well",
    "these",
    "days",
    "chicken",
    "leg",
    "rare",
    "dish",
    "rice",
    "often",
    "served",
    "in",
    "round",
    "bowls",
    "juice",
    "lemons",
    "makes",
    "fine",
    "punch",
    "box",
    "was",
    "thrown",
    "beside",
    "parked",
    "truck",
    "hogs",
    "were",
    "fed",
    "chopped",
];

/// Why there is no speech.
pub(in crate::verify) fn lacking() -> Option<&'static str> {
    static LACKING: OnceLock<bool> = OnceLock::new();
    let lacking = LACKING.get_or_init(|| Command::new("espeak-ng").arg("--version").output().is_err());
    lacking.then_some("espeak-ng is not installed: scripts/setup --tests installs it")
}

/// Half a minute and more of somebody saying something, at 48 kHz: words in random order, at a random speed and pitch.
pub(in crate::verify) fn speech(luck: &mut Luck) -> anyhow::Result<Vec<f32>> {
    let voice = VOICES[luck.below(VOICES.len())];
    let (speed, pitch) = (120 + luck.below(130), 20 + luck.below(60));
    let text: Vec<String> = (0..12)
        .map(|_| (0..4 + luck.below(8)).map(|_| WORDS[luck.below(WORDS.len())]).collect::<Vec<_>>().join(" "))
        .collect();
    let spoken = Command::new("espeak-ng")
        .args(["-v", voice, "-s", &speed.to_string(), "-p", &pitch.to_string(), "--stdout", &text.join(". ")])
        .output()
        .context("espeak-ng cannot be started")?;
    // WAV with a plain header of 44 bytes, whose length says nothing: espeak-ng writes it before it speaks.
    let samples = spoken.stdout.get(44..).filter(|_| spoken.status.success() && spoken.stdout.starts_with(b"RIFF"));
    let samples = samples.with_context(|| {
        format!("espeak-ng -v {voice} said nothing: {}", String::from_utf8_lossy(&spoken.stderr).trim())
    })?;
    let samples: Vec<f32> =
        samples.chunks_exact(2).map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0).collect();
    anyhow::ensure!(samples.len() > 1, "espeak-ng -v {voice} said nothing");
    // It is there to disturb: straight lines between samples do, and their images lie above 11 kHz.
    let count = (samples.len() - 1) * 48_000 / SPOKEN_HZ;
    Ok((0..count)
        .map(|n| {
            let at = n as f64 * SPOKEN_HZ as f64 / 48_000.0;
            let share = at.fract() as f32;
            (1.0 - share) * samples[at as usize] + share * samples[at as usize + 1]
        })
        .collect())
}

/// Adds as many voices at once as `speakers`, together at a level relative to the beeps'.
pub(super) fn add(sound: &mut [f32], level_db: f64, speakers: u8, luck: &mut Luck) -> anyhow::Result<()> {
    let mut babble = vec![0.0f32; sound.len()];
    for _ in 0..speakers {
        let mut at = 0;
        while at < babble.len() {
            let speech = speech(luck)?;
            babble[at..].iter_mut().zip(&speech).for_each(|(sum, sample)| *sum += sample);
            at += speech.len();
        }
    }
    let gain = BEEP_RMS * 10f64.powf(level_db / 20.0) / active_rms(&babble);
    sound.iter_mut().zip(&babble).for_each(|(sample, speech)| *sample += gain as f32 * speech);
    Ok(())
}

/// The level of speech without its pauses: of blocks of 20 ms within 30 dB of the loudest.
fn active_rms(speech: &[f32]) -> f64 {
    let power = |block: &[f32]| block.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / block.len() as f64;
    let powers: Vec<f64> = speech.chunks(960).map(power).collect();
    let least = powers.iter().copied().fold(0.0, f64::max) / 1000.0;
    let active: Vec<f64> = powers.into_iter().filter(|&power| power > least).collect();
    (active.iter().sum::<f64>() / active.len().max(1) as f64).sqrt().max(f64::MIN_POSITIVE)
}
