//! Which of a device's offers is taken.

use cpal::{BufferSize, SampleFormat, StreamConfig, SupportedBufferSize, SupportedStreamConfigRange};
use jiho_analysis::units::Rate;

use super::format::rank;
use super::{Channels, DeviceError, MOST_CHANNELS, StreamRequest};

/// The rates that devices are asked for.
const USUAL_RATES: [Rate; 10] = [
    Rate(8_000),
    Rate(16_000),
    Rate(22_050),
    Rate(24_000),
    Rate(32_000),
    Rate(44_100),
    Rate(48_000),
    Rate(88_200),
    Rate(96_000),
    Rate(192_000),
];

/// An offer that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) format: SampleFormat,
    pub(super) config: StreamConfig,
}

/// The offer of as many channels as are asked for, in the best format, with a buffer of a fixed size. `own` is how many
/// channels the device itself has, where it says so: sound servers offer more, and mix them out of those.
pub(super) fn choose(
    id: &str,
    offers: &[SupportedStreamConfigRange],
    own: Option<u16>,
    request: &StreamRequest,
) -> Result<Chosen, DeviceError> {
    let usable = |offer: &&SupportedStreamConfigRange| {
        offer.contains_rate(request.rate.0) && offer.channels() > 0 && rank(offer.sample_format()).is_some()
    };
    if !offers.iter().any(|offer| usable(&offer)) {
        return Err(DeviceError::Rate { id: id.to_owned(), rate: request.rate, rates: rates_of(offers) });
    }
    let least = request.only.map_or(1, |only| only.saturating_add(1));
    let wanted = |channels: u16| match request.channels {
        Channels::Fewest => channels >= least,
        Channels::Most => (least..=own.unwrap_or(MOST_CHANNELS).max(least)).contains(&channels),
        Channels::Exactly(exactly) => channels == exactly && channels >= least,
    };
    // Few channels come first, or many.
    let order = |channels: u16| if request.channels == Channels::Most { u16::MAX - channels } else { channels };
    let best = offers
        .iter()
        .filter(|offer| usable(offer) && wanted(offer.channels()))
        .min_by_key(|offer| (order(offer.channels()), rank(offer.sample_format())));
    let Some(offer) = best else {
        let wanted = if let Channels::Exactly(exactly) = request.channels { exactly.max(least) } else { least };
        return Err(DeviceError::Channels { id: id.to_owned(), wanted, rate: request.rate });
    };
    let frames = match *offer.buffer_size() {
        SupportedBufferSize::Range { min, max } if min <= max => request.buffer_frames.clamp(min, max),
        _ => request.buffer_frames,
    };
    let buffer_size = BufferSize::Fixed(frames);
    let config = StreamConfig { channels: offer.channels(), sample_rate: request.rate.0, buffer_size };
    Ok(Chosen { format: offer.sample_format(), config })
}

/// Those of the usual rates that are offered.
pub(super) fn rates_of(offers: &[SupportedStreamConfigRange]) -> Vec<Rate> {
    USUAL_RATES.into_iter().filter(|rate| offers.iter().any(|offer| offer.contains_rate(rate.0))).collect()
}

/// The formats that are offered, the best first.
pub(super) fn formats_of(offers: &[SupportedStreamConfigRange]) -> Vec<String> {
    let mut ranked: Vec<_> =
        offers.iter().filter_map(|o| Some((rank(o.sample_format())?, o.sample_format().to_string()))).collect();
    ranked.sort();
    ranked.dedup();
    ranked.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::RunClock;

    fn offer(channels: u16, format: SampleFormat, frames: (u32, u32)) -> SupportedStreamConfigRange {
        let size = SupportedBufferSize::Range { min: frames.0, max: frames.1 };
        SupportedStreamConfigRange::new(channels, 44_100, 48_000, size, format)
    }

    fn chosen(
        offers: &[SupportedStreamConfigRange],
        channels: Channels,
        only: Option<u16>,
        own: Option<u16>,
    ) -> Result<Chosen, DeviceError> {
        let request = StreamRequest {
            device: None,
            rate: Rate::OPUS,
            buffer_frames: 480,
            channels,
            only,
            clock: RunClock::start(),
        };
        choose("x", offers, own, &request)
    }

    #[test]
    fn channels_are_as_asked_for_and_the_format_is_the_best_of_them() {
        let sizes = (64, 4096);
        let offers = [
            offer(2, SampleFormat::I16, sizes),
            offer(2, SampleFormat::I32, sizes),
            offer(1, SampleFormat::U16, sizes),
            offer(6, SampleFormat::F32, sizes),
            offer(32, SampleFormat::F32, sizes),
        ];
        let of = |channels, only| chosen(&offers, channels, only, None).map(|c| (c.config.channels, c.format));
        assert_eq!(of(Channels::Fewest, None), Ok((1, SampleFormat::U16)));
        assert_eq!(of(Channels::Fewest, Some(1)), Ok((2, SampleFormat::I32)));
        assert_eq!(of(Channels::Most, None), Ok((6, SampleFormat::F32)));
        assert_eq!(of(Channels::Exactly(32), None), Ok((32, SampleFormat::F32)));
        let own = chosen(&offers, Channels::Most, None, Some(2)).map(|chosen| chosen.config.channels);
        assert_eq!(own, Ok(2));
        assert!(matches!(of(Channels::Exactly(3), None), Err(DeviceError::Channels { wanted: 3, .. })));
    }

    #[test]
    fn the_buffer_is_never_left_to_the_system() {
        for (sizes, frames) in [((64, 4096), 480), ((1024, 4096), 1024), ((16, 128), 128)] {
            let chosen = chosen(&[offer(1, SampleFormat::F32, sizes)], Channels::Fewest, None, None).unwrap();
            assert_eq!(chosen.config.buffer_size, BufferSize::Fixed(frames));
        }
    }

    #[test]
    fn formats_of_single_bits_are_no_sound() {
        let error = chosen(&[offer(2, SampleFormat::DsdU8, (64, 4096))], Channels::Fewest, None, None).unwrap_err();
        assert!(matches!(error, DeviceError::Rate { .. }));
    }
}
