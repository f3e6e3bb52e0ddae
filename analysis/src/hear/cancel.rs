//! Speakers who sound at once: what each code adds to the others' correlations is known, and is taken out.
//!
//! Two codes' cross-correlation is 15 dB and more below a peak, and not zero: it would shift a peak by up to 15 µs and
//! draw ghosts of codes that do not sound at all.

use std::collections::BTreeMap;

use super::bank::Bank;
use super::peak::{self, REACH};
use super::scan::{Candidate, Heard, MARGIN};
use crate::units::Rate;

/// Each pass leaves about a sixth of the error before it.
const PASSES: usize = 3;
/// However well the others explain the sound, this part of its energy is held to be unexplained: codecs bend a
/// signal, and what they leave of one speaker must not be taken for a faint other one.
const LEAST_REST: f64 = 0.03;
/// Values to either side of a peak among which its top may lie once the others are taken out.
const MIDDLE: usize = 4;
/// What stands beside a higher peak is kept with this score: an echo.
const ECHO_SCORE: f64 = 0.30;

pub(super) struct Cancellation {
    rate: Rate,
    templates: Vec<Vec<f32>>,
    /// At the decimated rate.
    template_len: usize,
    pending: Vec<(usize, Candidate)>,
    /// By code that sounds: what it adds to each code's correlation, at lags from −`template_len` − `REACH` on.
    cross: BTreeMap<usize, Vec<Vec<f32>>>,
}

impl Cancellation {
    pub(super) fn new(rate: Rate, templates: Vec<Vec<f32>>, template_len: usize) -> Self {
        Self { rate, templates, template_len, pending: Vec::new(), cross: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, code: usize, candidate: Candidate) {
        self.pending.push((code, candidate));
    }

    /// Gives the candidates that no later one can overlap, refined, in order of time; all have been added whose lag is
    /// below `scanned`.
    pub(super) fn resolve(&mut self, scanned: usize) -> Vec<(usize, Heard)> {
        self.pending.sort_by_key(|(code, candidate)| (candidate.index, *code));
        let mut resolved = Vec::new();
        let mut start = 0;
        while start < self.pending.len() {
            let mut end = start + 1;
            while end < self.pending.len()
                && self.pending[end].1.index - self.pending[end - 1].1.index <= self.template_len
            {
                end += 1;
            }
            let closed = self.pending[end - 1].1.index.saturating_add(self.template_len) < scanned;
            if !closed && scanned != usize::MAX {
                break;
            }
            let group: Vec<_> = self.pending[start..end].to_vec();
            resolved.extend(self.resolve_group(&group));
            start = end;
        }
        self.pending.drain(..start);
        resolved
    }

    /// Codes that sound at once. The clearest is believed first; what is left of the next one without it is judged, and
    /// so on: a code that does not sound is but a shadow of those that do, and fades with them.
    fn resolve_group(&mut self, group: &[(usize, Candidate)]) -> Vec<(usize, Heard)> {
        let mut order: Vec<usize> = (0..group.len()).collect();
        let clearness = |(_, candidate): &(usize, Candidate)| candidate.values[MARGIN].powi(2) / candidate.energy;
        order.sort_by(|&a, &b| clearness(&group[b]).total_cmp(&clearness(&group[a])));
        let mut believed: Vec<(usize, Heard)> = Vec::new();
        for own in order {
            if self.is_shadow(&group[own], group, &believed) {
                continue;
            }
            let heard = self.without_others(&group[own], group, &believed);
            if heard.value.abs() >= heard.rival || heard.value.powi(2) >= ECHO_SCORE.powi(2) * heard.energy {
                self.learn(group[own].0);
                believed.push((own, heard));
            }
        }
        for _ in 0..PASSES {
            for n in 0..believed.len() {
                let own = &group[believed[n].0];
                if believed.iter().any(|(other, _)| group[*other].0 != own.0) {
                    believed[n].1 = self.without_others(own, group, &believed);
                }
            }
        }
        believed.sort_by_key(|(own, _)| *own);
        believed.into_iter().map(|(own, heard)| (group[own].0, heard)).collect()
    }

    /// A quick look at the peak's middle, without the others: most candidates are shadows, and fade to far less.
    fn is_shadow(&self, own: &(usize, Candidate), group: &[(usize, Candidate)], believed: &[(usize, Heard)]) -> bool {
        let (code, candidate) = own;
        let mut middle = candidate.values[MARGIN - MIDDLE..=MARGIN + MIDDLE].to_vec();
        let others = believed.iter().filter(|(other, _)| group[*other].0 != *code);
        let explained: f64 = others
            .map(|(other, heard)| {
                self.take_out(&mut middle, candidate.index as i64 - MIDDLE as i64, *code, group[*other].0, *heard)
            })
            .sum();
        let rest = (f64::from(candidate.energy) - explained).max(LEAST_REST * f64::from(candidate.energy));
        let height = f64::from(middle.iter().fold(0.0f32, |highest, value| highest.max(value.abs())));
        height < 0.8 * f64::from(candidate.rival) && height < 0.8 * ECHO_SCORE * rest.sqrt()
    }

    fn without_others(
        &self,
        (code, candidate): &(usize, Candidate),
        group: &[(usize, Candidate)],
        believed: &[(usize, Heard)],
    ) -> Heard {
        let mut values = candidate.values.clone();
        let mut energy = f64::from(candidate.energy);
        for (other, heard) in believed {
            let other_code = group[*other].0;
            if other_code != *code {
                energy -= self.take_out(&mut values, candidate.index as i64 - MARGIN as i64, *code, other_code, *heard);
            }
        }
        Heard::of(candidate, &values, energy.max(LEAST_REST * f64::from(candidate.energy)))
    }

    /// Takes `other` out of the correlation of `code` from lag `first` on; returns the energy that it had there.
    fn take_out(&self, values: &mut [f32], first: i64, code: usize, other: usize, heard: Heard) -> f64 {
        let Some(cross) = self.cross.get(&other).map(|by_code| &by_code[code]) else { return 0.0 };
        // Where the first of `values` lies in `cross`, which has `REACH` values of margin.
        let offset = first as f64 - heard.position + (self.template_len + REACH) as f64;
        let taps = peak::coarse_taps(offset - offset.floor());
        let window_start = offset.floor() as i64 + 1 - REACH as i64;
        for (value, at) in values.iter_mut().zip(window_start..) {
            let window = usize::try_from(at).ok().and_then(|at| cross.get(at..at + 2 * REACH));
            *value -= heard.value as f32 * window.map_or(0.0, |window| dot(window, taps));
        }
        let apart = (heard.position - first as f64 - (values.len() / 2) as f64).abs();
        let overlap = (1.0 - apart / self.template_len as f64).max(0.0);
        heard.value.powi(2) * overlap
    }

    /// Correlates a code with all: its template, alone in silence, through the bank itself.
    fn learn(&mut self, code: usize) {
        if self.cross.contains_key(&code) {
            return;
        }
        let mut bank = Bank::new(self.rate, &self.templates);
        let template = &self.templates[code];
        let norm = template.iter().map(|&t| f64::from(t).powi(2)).sum::<f64>().sqrt() as f32;
        let mut samples = vec![0.0; self.template_len * bank.decimation()];
        samples.extend(template.iter().map(|t| t / norm));
        let mut cross = vec![vec![0.0; REACH]; self.templates.len()];
        let mut keep = |values: &[Vec<f32>]| {
            for (row, values) in cross.iter_mut().zip(values) {
                row.extend_from_slice(values);
            }
        };
        bank.push(&samples, &mut |c| keep(c.values));
        bank.finish(&mut |c| keep(c.values));
        for row in &mut cross {
            row.truncate(REACH + 2 * self.template_len + 1);
            row.extend([0.0; REACH]);
        }
        self.cross.insert(code, cross);
    }
}

/// The sum of products, in eight lanes that the processor can take at once: a plain sum has to be taken in order.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    lanes.iter().sum()
}
