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

    fn resolve_group(&mut self, group: &[(usize, Candidate)]) -> Vec<(usize, Heard)> {
        let raw = |candidate: &Candidate| Heard::of(candidate, &candidate.values, f64::from(candidate.energy));
        let mut heard: Vec<Heard> = group.iter().map(|(_, candidate)| raw(candidate)).collect();
        if group.iter().all(|(code, _)| *code == group[0].0) {
            return group.iter().map(|(code, _)| *code).zip(heard).collect();
        }
        for (code, _) in group {
            self.learn(*code);
        }
        for _ in 0..PASSES {
            for own in 0..group.len() {
                let (code, candidate) = &group[own];
                let mut values = candidate.values.clone();
                let mut energy = f64::from(candidate.energy);
                for (other, (other_code, _)) in group.iter().enumerate() {
                    if other_code != code {
                        energy -= self.take_out(&mut values, candidate.index, *code, *other_code, heard[other]);
                    }
                }
                let least = LEAST_REST * f64::from(candidate.energy);
                heard[own] = Heard::of(candidate, &values, energy.max(least));
            }
        }
        let kept = group.iter().zip(heard).map(|((code, _), heard)| (*code, heard));
        // What was only another code's shadow has lost its height.
        kept.filter(|(_, heard)| heard.value.abs() >= heard.rival || heard.value.abs() >= 0.3 * heard.energy.sqrt())
            .collect()
    }

    /// Takes `other` out of the correlation of `code` around `index`; returns the energy that it had there.
    fn take_out(&self, values: &mut [f32], index: usize, code: usize, other: usize, heard: Heard) -> f64 {
        let Some(cross) = self.cross.get(&other).map(|by_code| &by_code[code]) else { return 0.0 };
        // Where the first of `values` lies in `cross`, which has `REACH` values of margin.
        let offset = (index as f64 - MARGIN as f64) - heard.position + self.template_len as f64 + REACH as f64;
        let taps = peak::coarse_taps(offset - offset.floor());
        let first = offset.floor() as i64 + 1 - REACH as i64;
        for (value, at) in values.iter_mut().zip(first..) {
            let window = usize::try_from(at).ok().and_then(|at| cross.get(at..at + 2 * REACH));
            let sum: f32 = window.map_or(0.0, |window| window.iter().zip(taps).map(|(c, tap)| c * tap).sum());
            *value -= heard.value as f32 * sum;
        }
        let apart = (heard.position - index as f64).abs();
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
