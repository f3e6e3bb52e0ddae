//! Change points of histories beside those of another implementation, apache/otava (`scripts/make-histories`).
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests are tests

use std::collections::BTreeMap;

use jiho_analysis::stats::{Sought, change_points};

/// A history's figures, and by index the p-values of the changes that otava finds.
#[derive(Default)]
struct History {
    values: Vec<f64>,
    otava: BTreeMap<usize, f64>,
    /// The same, if every point is judged anew when another one is left out.
    rejudged: BTreeMap<usize, f64>,
}

fn histories() -> BTreeMap<String, History> {
    let mut histories: BTreeMap<String, History> = BTreeMap::new();
    for line in include_str!("../../fixtures/history/histories.csv").lines().skip(1) {
        let [name, run, value, otava, rejudged] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let history = histories.entry(name.to_owned()).or_default();
        let at = history.values.len();
        assert_eq!(run.parse(), Ok(at));
        history.otava.extend(otava.parse().map(|p| (at, p)));
        history.rejudged.extend(rejudged.parse().map(|p| (at, p)));
        history.values.push(value.parse().unwrap());
    }
    histories
}

#[test]
fn otava_finds_the_same_change_points_with_the_same_probabilities() {
    let histories = histories();
    let (mut points, mut same) = (0, 0);
    for (name, history) in &histories {
        let found = change_points(&history.values, Sought::default());
        let places: Vec<usize> = found.iter().map(|point| point.at).collect();
        assert_eq!(places, history.rejudged.keys().copied().collect::<Vec<_>>(), "{name}");
        for (point, rejudged) in found.iter().zip(history.rejudged.values()) {
            let close = (point.p_value - rejudged).abs() <= 1e-6 * rejudged.max(1e-9);
            assert!(close, "{name}: {point:?}, otava {rejudged}");
        }
        points += places.len();
        same += usize::from(places.iter().eq(history.otava.keys()));
    }
    assert!(histories.len() == 60 && points > 60, "{points} points in {} histories", histories.len());
    // Where it does not judge a point anew whose side has grown, it may keep or leave out another.
    assert!(same >= 56, "{same} of 60");
}

/// otava's published data, by series, and the changes that it finds in each with a setting.
#[test]
fn in_otavas_published_data_its_own_points_are_found() {
    let mut series: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for line in include_str!("../../fixtures/history/otava-examples.csv").lines().skip(1) {
        let [name, run, value] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let values = series.entry(name).or_default();
        assert_eq!(run.parse(), Ok(values.len()));
        values.push(value.parse().unwrap());
    }
    let mut different = Vec::new();
    for line in include_str!("../../fixtures/history/otava-examples.points.csv").lines().skip(1) {
        let [name, window, most_p, least_change, theirs] = line.split(',').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let [most_p, least_change] = [most_p, least_change].map(|text| text.parse().unwrap());
        let sought = Sought { window: window.parse().unwrap(), most_p, least_change };
        let ours = change_points(&series[name], sought);
        let ours = ours.iter().map(|point| point.at.to_string()).collect::<Vec<_>>().join(" ");
        if ours != theirs {
            different.push(format!("{line}: ours are {ours}"));
        }
    }
    assert_eq!(different, [""; 0], "otava's points, and ours");
}
