//! Looking for a pilot that is on no trail: near where it was, then around there, then anywhere in its period.

use realfft::RealFftPlanner;

use super::input::{decimated, dot};
use super::table::{COARSE, COARSE_BLOCK, Table};
use crate::hear::peak::{REACH, refine};

/// A find: the lag in samples, with its coefficient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Find {
    pub(super) lag: f64,
    pub(super) rho: f64,
}

/// Nearly independent values in a stretch of so many samples.
const INDEPENDENT: f64 = 0.8;
/// A coefficient must exceed what chance makes of noise by so many standard deviations: for some hundred lags …
const NEAR_SIGMAS: f64 = 6.0;
/// … for ten thousand …
const AROUND_SIGMAS: f64 = 7.0;
/// … and for millions.
const ANYWHERE_SIGMAS: f64 = 9.0;
/// And it must be so high: other voices are not noise.
const LEAST_NEAR: f64 = 0.3;
const LEAST_AROUND: f64 = 0.25;
const LEAST_ANYWHERE: f64 = 0.15;
/// The best find anywhere must be so much higher than the next one.
const UNRIVALLED: f64 = 1.25;

/// What may be a rival, in the same terms.
const RIVAL: (f64, f64) = (4.0, 0.05);

/// Energy of a stretch in which there is nothing to be found.
const SILENT: f32 = 1e-9;

/// Samples that a search anywhere needs.
pub(super) fn block_samples() -> usize {
    COARSE_BLOCK * COARSE
}

/// Where `own`, whose first sample is at `first`, fits within `reach` samples of a lag, best first: the local peaks.
pub(super) fn near(table: &Table, own: &[f32], first: i64, lag: f64, reach: usize) -> Vec<Find> {
    within(table, own, first, lag, reach, (NEAR_SIGMAS, LEAST_NEAR))
}

fn within(table: &Table, own: &[f32], first: i64, lag: f64, reach: usize, (sigmas, least): (f64, f64)) -> Vec<Find> {
    let range = reach + REACH + 2;
    let centre = ((first as f64 - lag).rem_euclid(table.period)).round() as i64;
    let pilot = table.stretch(centre - range as i64, own.len() + 2 * range);
    if pilot.len() < own.len() + 2 * range {
        return Vec::new();
    }
    let values: Vec<f32> = (0..=2 * range).map(|n| dot(own, &pilot[n..n + own.len()])).collect();
    peaks(&values, pilot, own, sigmas, least)
        .into_iter()
        .map(|(at, rho)| Find { lag: (first - centre) as f64 + range as f64 - at, rho })
        .collect()
}

/// The same by transforms, for a wide reach.
pub(super) fn around(table: &Table, own: &[f32], first: i64, lag: f64, reach: usize) -> Vec<Find> {
    let centre = ((first as f64 - lag).rem_euclid(table.period)).round() as i64;
    let pilot = table.stretch(centre - reach as i64, own.len() + 2 * reach);
    if pilot.len() < own.len() + 2 * reach {
        return Vec::new();
    }
    let samples = pilot.len().next_power_of_two();
    let mut planner = RealFftPlanner::new();
    let (forward, inverse) = (planner.plan_fft_forward(samples), planner.plan_fft_inverse(samples));
    let transform = |stretch: &[f32]| {
        let (mut padded, mut spectrum) = (forward.make_input_vec(), forward.make_output_vec());
        padded[..stretch.len()].copy_from_slice(stretch);
        // The lengths are the plan's own, so the transform cannot fail.
        let _ = forward.process(&mut padded, &mut spectrum);
        spectrum
    };
    let scale = 1.0 / samples as f32;
    let mut product: Vec<_> = transform(pilot).iter().zip(transform(own)).map(|(a, b)| a * b.conj() * scale).collect();
    product[0].im = 0.0;
    product[samples / 2].im = 0.0;
    let mut values = inverse.make_output_vec();
    let _ = inverse.process(&mut product, &mut values);
    values.truncate(2 * reach + 1);
    peaks(&values, pilot, own, AROUND_SIGMAS, LEAST_AROUND)
        .into_iter()
        .map(|(at, rho)| Find { lag: (first - centre) as f64 + reach as f64 - at, rho })
        .collect()
}

/// Where `own`, [`block_samples`] long, fits in the whole period, if it fits anywhere and nowhere else.
pub(super) fn anywhere(table: &Table, own: &[f32], first: i64) -> Option<Find> {
    if dot(own, own) < SILENT {
        return None;
    }
    let block = decimated(own, COARSE);
    let finds = table.search(&block, 3);
    let mut fine: Vec<Find> = finds
        .into_iter()
        .filter_map(|(position, _)| {
            let lag = first as f64 - position;
            within(table, own, first, lag, 2 * COARSE, RIVAL).into_iter().next()
        })
        .collect();
    fine.sort_by(|a, b| b.rho.abs().total_cmp(&a.rho.abs()));
    let (best, rival) = (*fine.first()?, fine.get(1).map_or(0.0, |find| find.rho.abs()));
    let clear = best.rho.abs() * (INDEPENDENT * own.len() as f64).sqrt() >= ANYWHERE_SIGMAS;
    (clear && best.rho.abs() >= LEAST_ANYWHERE.max(UNRIVALLED * rival)).then_some(best)
}

/// Peaks of |ρ| between samples, the highest first. `values[n]` is the correlation of `own` with `pilot` from `n` on.
fn peaks(values: &[f32], pilot: &[f32], own: &[f32], sigmas: f64, least: f64) -> Vec<(f64, f64)> {
    let own_energy: f64 = own.iter().map(|&x| f64::from(x).powi(2)).sum();
    let least = least.max(sigmas / (INDEPENDENT * own.len() as f64).sqrt());
    if own_energy < f64::from(SILENT) {
        return Vec::new();
    }
    let mut energy: f64 = pilot[..own.len()].iter().map(|&s| f64::from(s).powi(2)).sum();
    let mut found: Vec<(f64, f64)> = Vec::new();
    for n in 1..values.len() - 1 {
        energy += f64::from(pilot[n + own.len() - 1]).powi(2) - f64::from(pilot[n - 1]).powi(2);
        let height = values[n].abs();
        if height >= values[n - 1].abs() && height > values[n + 1].abs() {
            let rough = f64::from(height) / (own_energy * energy.max(1e-12)).sqrt();
            // Between samples a peak is at most so much higher.
            if 1.4 * rough >= least {
                let peak = refine(values, n);
                let rho = peak.value / (own_energy * energy.max(1e-12)).sqrt();
                if rho.abs() >= least {
                    found.push((peak.position, rho));
                }
            }
        }
    }
    found.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    found
}
