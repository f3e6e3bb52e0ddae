//! Sound made shorter or longer by one pitch period: where it repeats itself, a repetition is taken out or put in, and a
//! cross-fade hides the seam. The pitch stays. This is the time-domain method of NetEq's accelerate and preemptive
//! expand; what to look for, a period by normalised correlation, is as in WSOLA (Verhelst & Roelands, 1993).

/// What is taken out or put in at once: 2.5 to 15 ms.
const SHORTEST: usize = 120;
const LONGEST: usize = 720;
/// The shortest cross-fade: 2.5 ms.
const FADE: usize = 120;
/// A frame of less than 10 ms is left alone.
const SHORTEST_FRAME: usize = 480;
/// How much of what was played the search looks at.
const BEFORE: usize = LONGEST;
/// A period is looked for at a quarter of the rate first.
const COARSE: usize = 4;
/// How like each other two periods must be, by normalised correlation, for one to go unnoticed.
const ALIKE: f32 = 0.9;
/// The same where the delay is far too long.
const HARDLY_ALIKE: f32 = 0.5;
/// A mean square below which sound counts as silence: −80 dBFS.
const SILENCE: f32 = 1e-8;

/// What was played last, and room to work in.
#[derive(Debug, Default)]
pub(super) struct Stretcher {
    before: Vec<f32>,
    sound: Vec<f32>,
    coarse: Vec<f32>,
}

impl Stretcher {
    /// Takes a pitch period out of a frame; gives how many samples, if sound repeats there.
    pub(super) fn accelerate(&mut self, fast: bool, frame: &mut Vec<f32>) -> Option<usize> {
        let most = LONGEST.min(frame.len().checked_sub(FADE)?);
        let period = self.period(frame, most, if fast { HARDLY_ALIKE } else { ALIKE })?;
        let fade = period.min(frame.len() - period);
        for n in 0..fade {
            frame[n] = faded(frame[n], frame[n + period], n, fade);
        }
        frame.drain(fade..fade + period);
        Some(period)
    }

    /// Puts a pitch period into a frame: what was played last is repeated before it goes on.
    pub(super) fn expand(&mut self, frame: &mut Vec<f32>) -> Option<usize> {
        let most = LONGEST.min(frame.len()).min(self.before.len());
        let period = self.period(frame, most, ALIKE)?;
        let repeated = self.before.len() - period;
        let put_in = (0..period).map(|n| faded(frame[n], self.before[repeated + n], n, period));
        self.sound.clear();
        self.sound.extend(put_in);
        self.sound.extend_from_slice(frame);
        std::mem::swap(&mut self.sound, frame);
        Some(period)
    }

    /// Remembers what is played.
    pub(super) fn played(&mut self, sound: &[f32]) {
        let new = &sound[sound.len().saturating_sub(BEFORE)..];
        let old = (self.before.len() + new.len()).saturating_sub(BEFORE);
        self.before.drain(..old);
        self.before.extend_from_slice(new);
    }

    /// Remembers that nothing is.
    pub(super) fn silent(&mut self) {
        self.before.clear();
    }

    /// The span, [`SHORTEST`] to `most`, after which sound about the frame's start repeats itself best, if it does so
    /// well enough. Silence repeats itself after any.
    fn period(&mut self, frame: &[f32], most: usize, alike: f32) -> Option<usize> {
        if most < SHORTEST || frame.len() < SHORTEST_FRAME {
            return None;
        }
        self.sound.clear();
        self.sound.extend_from_slice(&self.before);
        self.sound.extend_from_slice(frame);
        if power(&self.sound) < SILENCE {
            return Some(most);
        }
        self.coarse.clear();
        self.coarse.extend(self.sound.chunks_exact(COARSE).map(|few| few.iter().sum::<f32>()));
        let rough = best(SHORTEST / COARSE..=most / COARSE, |lag| likeness(&self.coarse, lag))?.0 * COARSE;
        let near = rough.saturating_sub(COARSE).max(SHORTEST)..=(rough + COARSE).min(most);
        best(near, |lag| likeness(&self.sound, lag)).filter(|(_, likeness)| *likeness >= alike).map(|(lag, _)| lag)
    }
}

fn best(lags: impl Iterator<Item = usize>, likeness: impl Fn(usize) -> f32) -> Option<(usize, f32)> {
    lags.map(|lag| (lag, likeness(lag))).reduce(|best, other| if other.1 > best.1 { other } else { best })
}

/// The normalised correlation of a sound with itself, so much later.
fn likeness(sound: &[f32], lag: usize) -> f32 {
    let (mut product, mut early, mut late) = (0.0, 0.0, 0.0);
    for (a, b) in sound.iter().zip(&sound[lag..]) {
        product += a * b;
        early += a * a;
        late += b * b;
    }
    let norm: f32 = early * late;
    if norm > 0.0 { product / norm.sqrt() } else { 0.0 }
}

fn power(sound: &[f32]) -> f32 {
    sound.iter().map(|sample| sample * sample).sum::<f32>() / sound.len().max(1) as f32
}

/// Sample `n` of a cross-fade of `len`.
fn faded(from: f32, to: f32, n: usize, len: usize) -> f32 {
    let share = (n + 1) as f32 / (len + 1) as f32;
    from + share * (to - from)
}
