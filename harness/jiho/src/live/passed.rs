//! A recording passed through sound devices: played into one, and what comes back recorded from the same or another.

use std::path::Path;

use jiho_analysis::units::{MediaTime, Nanos, Rate, RunTime};
use jiho_drivers::clock::RunClock;
use jiho_drivers::device::{Channels, SoundDevices, Source, StreamRequest};
use jiho_drivers::wav::{self, Recorder};

use super::both::Both;

/// Devices wake before, and afterwards what was played is waited for.
const AROUND: Nanos = Nanos::from_secs(2);

/// Through which devices.
#[derive(Clone, Debug)]
pub struct Through {
    /// The device that plays; `None`: the system's default.
    pub play: Option<String>,
    /// The device that records; `None`: the system's default.
    pub record: Option<String>,
    /// Samples per second of both.
    pub rate: Rate,
    /// Both devices' buffers.
    pub buffer_frames: u32,
    /// Play on this channel only, from 0; `None`: on all.
    pub output_channel: Option<u16>,
    /// Record this channel, from 0.
    pub input_channel: u16,
}

/// Plays the first channel of `sent`, and writes what comes back to `received`; `wait` lets a little time pass, and gives
/// the time. Gives which device ended before its time, if one did: what came until then is kept.
///
/// # Errors
/// A device cannot be used or does not run, or a file cannot be read or written.
pub fn pass(
    devices: &dyn SoundDevices,
    clock: RunClock,
    through: &Through,
    sent: &Path,
    received: &Path,
    wait: &mut dyn FnMut() -> RunTime,
) -> anyhow::Result<Option<&'static str>> {
    let sound = wav::read(sent)?.channels.into_iter().next().unwrap_or_default();
    let whole = AROUND + through.rate.span(sound.len() as i64) + AROUND;
    let request = |device: &Option<String>, channels, only| StreamRequest {
        device: device.clone(),
        rate: through.rate,
        buffer_frames: through.buffer_frames,
        channels,
        only,
        clock,
    };
    let channel = usize::from(through.input_channel);
    let mut recorder = Recorder::create(received, through.rate)?;
    // The ear first: it must miss nothing.
    let mut ear = devices.record(&request(&through.record, Channels::Most, Some(through.input_channel)))?;
    let mut mouth = devices
        .play(&request(&through.play, Channels::Fewest, through.output_channel), sounding(sound, through.rate))?;
    let mut both = Both::of(through.play.as_ref(), through.record.as_ref(), wait());
    let (mut piece, mut own, mut written) = (Vec::new(), Vec::new(), 0);
    let ended = loop {
        let now = wait();
        loop {
            let first = ear.read(&mut piece);
            if piece.is_empty() {
                break;
            }
            // What was not fetched in time is silence.
            own.clear();
            own.resize(usize::try_from(first.0 - written).unwrap_or(0), 0.0);
            own.extend(piece.iter().skip(channel).step_by(ear.channels()));
            written += own.len() as i64;
            recorder.write(&own)?;
        }
        let (playing, recording) = (mouth.status(), ear.status());
        if let Some(ended) = both.look(&playing, &recording, now)? {
            break Some(ended);
        }
        if playing.start().is_some_and(|start| now - start > whole) {
            break None;
        }
    };
    recorder.finish()?;
    Ok(ended)
}

/// The sound, after the devices have woken.
fn sounding(sound: Vec<f32>, rate: Rate) -> Source {
    let before = (AROUND.as_secs_f64() * rate.hz()) as i64;
    Box::new(move |first: MediaTime, out: &mut [f32]| {
        for (n, sample) in out.iter_mut().enumerate() {
            let at = usize::try_from(first.0 + n as i64 - before).ok();
            *sample = at.and_then(|at| sound.get(at).copied()).unwrap_or(0.0);
        }
    })
}

#[cfg(all(test, feature = "device"))]
mod tests {
    use jiho_analysis::signal::Family;
    use jiho_drivers::device::virtual_card::{Model, VirtualCard};

    use super::*;
    use crate::survey::pair;
    use crate::survey::plan::Plan;

    #[test]
    fn all_families_come_back_from_a_card_after_its_latency() {
        let folder = tempfile::tempdir().unwrap();
        let [sent, received] = ["sent.wav", "received.wav"].map(|name| folder.path().join(name));
        Plan::new(Nanos::from_secs(4)).write(&sent, Rate::OPUS).unwrap();
        let card = VirtualCard::new(Model { latency: Nanos::from_millis(30), ..Model::default() });
        let through = Through {
            play: None,
            record: None,
            rate: Rate::OPUS,
            buffer_frames: 480,
            output_channel: None,
            input_channel: 0,
        };
        let ended = pass(&card, RunClock::start(), &through, &sent, &received, &mut || {
            card.advance(Nanos::from_millis(20));
            card.now()
        });
        assert_eq!(ended.unwrap(), None);
        let found = pair::compare(&sent, &received, None, &|_| {}).unwrap().unwrap();
        // Tones fit at several delays.
        let mut coded = found.families.iter().filter(|figures| figures.family.is_coded());
        assert!(coded.all(|figures| figures.heard == figures.expected && figures.expected > 0), "{:?}", found.families);
        let voiced = found.families.iter().find(|figures| figures.family == Family::Voiced).unwrap();
        // The recording began with the card: later by the wait and by the card's latency, less the time to its start.
        let late_ms = voiced.delay_ms.unwrap();
        assert!((late_ms - 2030.0).abs() < 1.0, "{late_ms}");
    }
}
