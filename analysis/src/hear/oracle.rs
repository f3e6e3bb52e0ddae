//! The definition, word for word: slow, and what the fast path is held against.

/// The normalised cross-correlation of `samples` with `template` at every lag at which the template fits:
/// `Σ x[k+n]·t[n] / (‖x[k..k+N]‖·‖t‖)`, −1 to 1; 0 where there is silence. O(samples × template).
pub fn normalised_correlation(samples: &[f32], template: &[f32]) -> Vec<f64> {
    let energy = |values: &[f32]| values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>();
    let template_energy = energy(template);
    samples
        .windows(template.len())
        .map(|window| {
            let product: f64 = window.iter().zip(template).map(|(&x, &t)| f64::from(x) * f64::from(t)).sum();
            let scale = (energy(window) * template_energy).sqrt();
            if scale > 0.0 { product / scale } else { 0.0 }
        })
        .collect()
}
