//! Each distribution against what is known of it in closed form.

use proptest::prelude::*;

use super::*;

const N: usize = 100_000;
const MS: fn(i64) -> Nanos = Nanos::from_millis;

/// In ms, in the order drawn.
fn draw(jitter: &Jitter, correlation: f64) -> Vec<f64> {
    let (mut luck, mut wander) = (Luck::new(&[11]), Wander::default());
    (0..N).map(|_| jitter.at(wander.next(correlation, luck.normal())).as_millis_f64()).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn sd(values: &[f64]) -> f64 {
    let mean = mean(values);
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(q * (sorted.len() - 1) as f64) as usize]
}

fn autocorrelation(values: &[f64], lag: usize) -> f64 {
    let (mean, variance) = (mean(values), sd(values).powi(2));
    let products = values.iter().zip(&values[lag..]).map(|(a, b)| (a - mean) * (b - mean));
    products.sum::<f64>() / (values.len() - lag) as f64 / variance
}

fn gamma(mean: Nanos, sd: Nanos) -> Jitter {
    Jitter::Gamma(Gamma::new(mean, sd).unwrap())
}

fn all_kinds() -> Vec<Jitter> {
    vec![
        Jitter::Uniform { max: MS(10) },
        Jitter::Normal { sd: MS(3) },
        Jitter::LogNormal { median: MS(4), sigma: 0.5 },
        gamma(MS(5), MS(3)),
        Jitter::Pareto { median: MS(2), shape: 4.0 },
        Jitter::Empirical(Empirical::new((0..1000).map(MS).collect()).unwrap()),
    ]
}

#[test]
fn uniform_jitter_spreads_evenly_over_its_width() {
    let delays = draw(&Jitter::Uniform { max: MS(10) }, 0.0);
    assert!(delays.iter().all(|d| (0.0..=10.0).contains(d)));
    for q in [0.1, 0.5, 0.9] {
        assert!((quantile(&delays, q) - 10.0 * q).abs() < 0.1);
    }
}

#[test]
fn normal_jitter_has_mean_zero_and_its_standard_deviation() {
    let delays = draw(&Jitter::Normal { sd: MS(2) }, 0.0);
    assert!(mean(&delays).abs() < 0.03);
    assert!((sd(&delays) - 2.0).abs() < 0.03);
}

#[test]
fn log_normal_jitter_has_its_median_and_its_tail() {
    let delays = draw(&Jitter::LogNormal { median: MS(4), sigma: 0.5 }, 0.0);
    assert!((quantile(&delays, 0.5) - 4.0).abs() < 0.05);
    // Φ(1) = 0.8413: one standard deviation of the logarithm above the median.
    assert!((quantile(&delays, 0.8413) - 4.0 * 0.5_f64.exp()).abs() < 0.1);
    assert!((mean(&delays) - 4.0 * 0.125_f64.exp()).abs() < 0.05, "exp(µ + σ²/2)");
}

#[test]
fn gamma_jitter_has_its_moments() {
    for (m, s) in [(5, 3), (2, 6), (40, 4)] {
        let delays = draw(&gamma(MS(m), MS(s)), 0.0);
        let (m, s) = (m as f64, s as f64);
        assert!((mean(&delays) - m).abs() < 0.03 * s, "mean {} of {m} ± {s}", mean(&delays));
        assert!((sd(&delays) / s - 1.0).abs() < 0.05, "sd {} of {m} ± {s}", sd(&delays));
        let skewness = delays.iter().map(|d| ((d - m) / s).powi(3)).sum::<f64>() / N as f64;
        // 2 / √shape. The third moment converges slowly.
        assert!((skewness - 2.0 * s / m).abs() < 0.1 * (1.0 + 2.0 * s / m).powi(2), "skewness {skewness} of {m} ± {s}");
    }
}

#[test]
fn gamma_jitter_as_wide_as_its_mean_is_exponential() {
    let jitter = gamma(MS(10), MS(10));
    for (score, share) in [(-1.0, 0.158_655), (0.0, 0.5), (1.0, 0.841_345), (2.0, 0.977_250), (4.03, 0.999_972_1)] {
        let expected = -(1.0_f64 - share).ln() * 10.0;
        let found = jitter.at(score).as_millis_f64();
        assert!((found / expected - 1.0).abs() < 2e-3, "{found} ms at {score}, not {expected}");
    }
}

#[test]
fn gamma_jitter_without_width_or_beyond_all_proportion_is_refused() {
    for (mean, sd) in [(0, 1), (1, 0), (-1, 1), (1000, 1), (1, 1000)] {
        assert!(Gamma::new(MS(mean), MS(sd)).is_none());
    }
}

#[test]
fn pareto_jitter_has_its_median_its_mean_and_its_tail() {
    let delays = draw(&Jitter::Pareto { median: MS(2), shape: 4.0 }, 0.0);
    let scale = 2.0 / (2.0_f64.powf(0.25) - 1.0);
    assert!((quantile(&delays, 0.5) - 2.0).abs() < 0.05);
    assert!((mean(&delays) - scale / 3.0).abs() < 0.1, "scale / (shape − 1)");
    // P(x > d) = (1 + d / scale)^(−shape).
    for d in [5.0, 10.0, 20.0] {
        let beyond = delays.iter().filter(|x| **x > d).count() as f64 / N as f64;
        let expected = (1.0 + d / scale).powi(-4);
        assert!((beyond / expected - 1.0).abs() < 0.1, "{beyond} beyond {d} ms, not {expected}");
    }
}

#[test]
fn empirical_jitter_gives_the_values_that_were_measured_and_each_as_often() {
    let jitter = Jitter::Empirical(Empirical::new([7, 1, 3, 3].map(MS).to_vec()).unwrap());
    let delays = draw(&jitter, 0.0);
    for (value, share) in [(1.0, 0.25), (3.0, 0.5), (7.0, 0.25)] {
        let found = delays.iter().filter(|d| **d == value).count() as f64 / N as f64;
        assert!((found - share).abs() < 0.01, "{value} ms: {found}");
    }
    assert_eq!(Empirical::new(Vec::new()), None);
}

#[test]
fn correlated_normal_jitter_forgets_as_an_autoregression_does() {
    let delays = draw(&Jitter::Normal { sd: MS(3) }, 0.8);
    for lag in 1..6 {
        assert!((autocorrelation(&delays, lag) - 0.8_f64.powi(lag as i32)).abs() < 0.03, "lag {lag}");
    }
}

#[test]
fn correlated_jitter_of_other_kinds_has_the_correlation_that_the_copula_gives_it() {
    let rho: f64 = 0.8;
    let uniform = autocorrelation(&draw(&Jitter::Uniform { max: MS(10) }, rho), 1);
    // Spearman's of a Gaussian copula (Pearson 1907).
    assert!((uniform - 6.0 / std::f64::consts::PI * (rho / 2.0).asin()).abs() < 0.02, "{uniform}");
    let log_normal = autocorrelation(&draw(&Jitter::LogNormal { median: MS(4), sigma: 0.5 }, rho), 1);
    assert!((log_normal - (0.25 * rho).exp_m1() / 0.25_f64.exp_m1()).abs() < 0.03, "{log_normal}");
}

#[test]
fn correlation_leaves_the_distribution_as_it_is() {
    for jitter in all_kinds() {
        let (free, bound) = (draw(&jitter, 0.0), draw(&jitter, 0.9));
        let width = quantile(&free, 0.9) - quantile(&free, 0.1);
        for q in [0.1, 0.5, 0.9] {
            let shift = quantile(&bound, q) - quantile(&free, q);
            assert!(shift.abs() < 0.06 * width, "{jitter:?}: quantile {q} is off by {shift} ms");
        }
    }
}

#[test]
fn absurd_settings_saturate_instead_of_overflowing() {
    let jitter = Jitter::LogNormal { median: Nanos(i64::MAX), sigma: 1e300 };
    assert_eq!(jitter.at(1.0), Nanos(i64::MAX));
}

proptest! {
    #[test]
    fn more_of_a_score_is_never_less_of_a_delay(a in -9.0..9.0_f64, b in -9.0..9.0_f64) {
        for jitter in all_kinds() {
            prop_assert!(jitter.at(a.min(b)) <= jitter.at(a.max(b)), "{:?}", jitter);
        }
    }
}
