//! What was played, between samples too.

/// Everything that was played, by channel.
#[derive(Debug, Default)]
pub(super) struct Cable {
    channels: Vec<Vec<f32>>,
}

/// Neighbours on either side that a value between samples is made of: Lagrange's interpolation of degree 7, which is
/// right to −80 dB up to a fifth of the sampling rate.
const HALF: i64 = 4;

impl Cable {
    /// Plays a buffer.
    pub(super) fn put(&mut self, frames: impl Iterator<Item = f32>, channels: u16) {
        let channels = usize::from(channels);
        self.channels.resize(channels, Vec::new());
        for (n, sample) in frames.enumerate() {
            self.channels[n % channels].push(sample);
        }
    }

    /// What a channel plays at a count; silence where nothing is played.
    pub(super) fn at(&self, count: f64, channel: usize) -> f32 {
        let Some(samples) = self.channels.get(channel) else { return 0.0 };
        let (whole, part) = (count.floor(), count - count.floor());
        let first = whole as i64 - HALF + 1;
        let near = |n: i64| {
            usize::try_from(first + n)
                .ok()
                .and_then(|index| samples.get(index))
                .map_or(0.0, |sample| f64::from(*sample))
        };
        if part == 0.0 {
            return near(HALF - 1) as f32;
        }
        if (0..2 * HALF).all(|n| near(n) == 0.0) {
            return 0.0;
        }
        let place = part + (HALF - 1) as f64;
        let weight =
            |n: i64| (0..2 * HALF).filter(|m| *m != n).map(|m| (place - m as f64) / (n - m) as f64).product::<f64>();
        (0..2 * HALF).map(|n| near(n) * weight(n)).sum::<f64>() as f32
    }
}

/// Which count a mouth plays at a position of its time, counted in samples; `None`: it plays the silence of an xrun.
pub(super) fn count_at(position: f64, xruns: &[(i64, i64)], period: i64) -> Option<f64> {
    let mut count = position;
    for (buffer, samples) in xruns {
        let begin = (buffer * period) as f64;
        if count < begin {
            break;
        }
        if count < begin + *samples as f64 {
            return None;
        }
        count -= *samples as f64;
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_samples_a_tone_is_the_tone() {
        let mut cable = Cable::default();
        let tone = |count: f64| (count * 0.4).sin();
        cable.put((0..200).map(|n| tone(f64::from(n)) as f32), 1);
        for n in 20..150 {
            let count = f64::from(n) + f64::from(n % 7) / 7.0;
            assert!((f64::from(cable.at(count, 0)) - tone(count)).abs() < 1e-4);
        }
        assert_eq!((cable.at(-30.0, 0), cable.at(400.0, 0), cable.at(3.0, 1)), (0.0, 0.0, 0.0));
    }

    #[test]
    fn an_underrun_is_silence_and_then_goes_on_where_it_was() {
        let xruns = [(2, 50), (4, 10)];
        let of = |position| count_at(position, &xruns, 100);
        assert_eq!((of(199.0), of(220.0), of(250.0)), (Some(199.0), None, Some(200.0)));
        assert_eq!((of(449.0), of(455.0), of(460.0)), (Some(399.0), None, Some(400.0)));
    }
}
