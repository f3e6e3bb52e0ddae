//! The recording at the decimated rate: its last seconds, and the energy of any stretch of them.

use super::tape::Tape;

/// Samples that are looked at together.
pub(super) const STRIDE: i64 = 64;

/// The sum of squares over a stretch of it is the energy of the recording's samples there.
pub(super) struct Stream {
    samples: Tape<f32>,
    /// By stride: the energy of all before it.
    before: Tape<f64>,
}

impl Stream {
    pub(super) fn new() -> Self {
        Self { samples: Tape::new(0, Vec::new()), before: Tape::new(0, vec![0.0]) }
    }

    pub(super) fn end(&self) -> i64 {
        self.samples.end()
    }

    pub(super) fn samples(&self) -> &Tape<f32> {
        &self.samples
    }

    pub(super) fn extend(&mut self, samples: impl Iterator<Item = f32>) {
        self.samples.extend(samples);
        while self.before.end() * STRIDE <= self.samples.end() {
            let stride = self.before.end() - 1;
            let total = self.before[stride] + energy_of(self.samples.slice(stride * STRIDE..(stride + 1) * STRIDE));
            self.before.extend([total].into_iter());
        }
    }

    /// The energy of the `terms` samples from `from` on.
    pub(super) fn energy(&self, from: i64, terms: i64) -> f64 {
        let to = from + terms;
        let (first, last) = (-(-from).div_euclid(STRIDE), to.div_euclid(STRIDE));
        if first >= last {
            return energy_of(self.samples.slice(from..to));
        }
        let edges =
            energy_of(self.samples.slice(from..first * STRIDE)) + energy_of(self.samples.slice(last * STRIDE..to));
        self.between(first, last) + edges
    }

    /// At least so much energy have the `terms` samples from each index of a stride on.
    pub(super) fn least_energy(&self, stride: i64, terms: i64) -> f64 {
        let (first, last) = (stride + 1, (stride * STRIDE + terms).div_euclid(STRIDE));
        if first < last { self.between(first, last) } else { 0.0 }
    }

    pub(super) fn forget_before(&mut self, index: i64) {
        let stride = index.div_euclid(STRIDE);
        self.samples.forget_before(stride * STRIDE);
        self.before.forget_before(stride);
    }

    fn between(&self, first: i64, last: i64) -> f64 {
        (self.before[last.min(self.before.end() - 1)] - self.before[first]).max(0.0)
    }
}

/// In eight lanes that the processor can take at once: a plain sum has to be taken in order.
fn energy_of(samples: &[f32]) -> f64 {
    let mut lanes = [0.0f32; 8];
    let chunks = samples.chunks_exact(8);
    let rest: f32 = chunks.remainder().iter().map(|x| x * x).sum();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += x * x;
        }
    }
    f64::from(lanes.iter().sum::<f32>() + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn energies_are_sums_of_squares_wherever_they_begin() {
        let samples: Vec<f32> = (0..2000).map(|n| ((n * n) % 17) as f32 - 8.0).collect();
        let mut stream = Stream::new();
        for piece in samples.chunks(77) {
            stream.extend(piece.iter().copied());
        }
        let truth = |from: usize, terms: usize| -> f64 {
            samples[from..from + terms].iter().map(|&x| f64::from(x).powi(2)).sum()
        };
        for from in (0..1000).step_by(13) {
            for terms in [1, 30, 64, 100, 555] {
                let energy = stream.energy(from as i64, terms as i64);
                assert!((energy - truth(from, terms)).abs() < 1e-3, "{from}, {terms}: {energy}");
                let least = stream.least_energy(from as i64 / STRIDE, terms as i64);
                assert!(least <= energy + 1e-3, "{from}, {terms}: {least} > {energy}");
            }
        }
    }
}
