//! A chorus as a picture: for each ear, when each voice began each beat, against the first voice of that beat.

use std::fmt::Write;

use jiho_analysis::arrivals::Role;
use jiho_analysis::metrics::chorus::Thresholds;

use crate::run::chorus::{Chorus, ChorusHeard};
use crate::run::measure::Findings;
use crate::svg::{self, escaped};

const LABELS: f64 = 150.0;
const AXIS: f64 = 640.0;
const ROW: f64 = 18.0;
const TITLE: f64 = 26.0;
const TOP: f64 = 70.0;
/// The line below the axis.
const LEGEND: f64 = 18.0;
/// More ears than this would be no picture.
const CROWD: usize = 24;
/// The axis is no shorter than this, in ms, and no longer than the other: a beat apart is nothing to look at.
const REACH_MS: [f64; 2] = [50.0, 1000.0];

const STYLE: &str = "
  .threshold { stroke: #d1242f; stroke-dasharray: 4 3; } .voice { fill: #1f6feb; fill-opacity: 0.45; }
  .foretold { stroke: #1d2330; stroke-width: 1.5; }
  @media (prefers-color-scheme: dark) {
    .threshold { stroke: #ff7b72; } .voice { fill: #6cb2ff; } .foretold { stroke: #e6e9ef; }
  }";

/// Draws it.
pub fn svg(findings: &Findings, chorus: &Chorus) -> String {
    let ears: Vec<_> = findings.recorders.iter().zip(&chorus.ears).take(CROWD).collect();
    let voices = findings.speakers.len() as f64;
    let (width, height) = (LABELS + AXIS + 30.0, TOP + (TITLE + ROW * voices) * ears.len() as f64 + 40.0 + LEGEND);
    let reach = reach_ms(&ears);
    let mut svg = svg::page("jiho chorus", width, height, STYLE);
    // Writing to a string cannot fail.
    let _ = writeln!(
        svg,
        "<text x=\"10\" y=\"20\" font-size=\"15\" font-weight=\"600\">How much later than the first voice of a beat each one \
         began, in ms</text>\n<text x=\"10\" y=\"38\" class=\"faint\">a dot for each beat, as each ear heard it, the singer's \
         own voice included; upright stroke: by the delays alone</text>"
    );
    thresholds(&mut svg, &chorus.thresholds, reach, height - 30.0 - LEGEND);
    let mut top = TOP;
    for (recorder, ear) in ears {
        let tier = if recorder.role == Role::Speaker { "stage" } else { "audience" };
        let _ = writeln!(
            svg,
            "<text x=\"10\" y=\"{:.1}\" font-weight=\"600\">at {} ({tier})</text>",
            top + 17.0,
            escaped(&recorder.name)
        );
        for (voice, speaker) in findings.speakers.iter().enumerate() {
            let y = top + TITLE + ROW * (voice as f64 + 0.5);
            let _ = writeln!(
                svg,
                "<text x=\"24\" y=\"{:.1}\">{}</text><line class=\"grid\" x1=\"{LABELS}\" x2=\"{:.1}\" y1=\"{y:.1}\" \
                 y2=\"{y:.1}\"/>",
                y + 4.0,
                escaped(&speaker.name),
                LABELS + AXIS
            );
            for late_ms in lateness(ear, voice).filter(|ms| *ms <= reach) {
                let _ =
                    writeln!(svg, "<circle class=\"voice\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"3\"/>", x(late_ms, reach));
            }
            if let Some(ms) = foretold(ear, voice, findings.speakers.len()).filter(|ms| *ms <= reach) {
                let x = x(ms, reach);
                let _ = writeln!(
                    svg,
                    "<line class=\"foretold\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>",
                    y - 7.0,
                    y + 7.0
                );
            }
        }
        top += TITLE + ROW * voices;
    }
    let _ = writeln!(
        svg,
        "<text x=\"{LABELS}\" y=\"{:.1}\" class=\"faint\" font-size=\"10\">broken lines: up to such a delay one way ensembles \
         hold time, at most hold it, hold a steady tempo, and people talk</text>\n</svg>",
        height - 10.0
    );
    svg
}

fn x(ms: f64, reach: f64) -> f64 {
    LABELS + AXIS * ms / reach
}

/// Of a voice at an ear, beat by beat, in ms.
fn lateness(ear: &ChorusHeard, voice: usize) -> impl Iterator<Item = f64> + '_ {
    let late = move |beat: &jiho_analysis::metrics::chorus::Beat| Some(beat.onsets[voice]? - beat.first()?.1);
    ear.beats.iter().filter(|beat| beat.voices() > 1).filter_map(late).map(|late| late.as_millis_f64())
}

/// By the delays alone, against the first voice by the delays alone.
fn foretold(ear: &ChorusHeard, voice: usize, voices: usize) -> Option<f64> {
    let against = |other: usize| {
        let pair = |a, b| ear.pairs.iter().find(|pair| (pair.heard.voice, pair.heard.other) == (a, b))?.predicted_ms;
        if other == voice { Some(0.0) } else { pair(other, voice).or_else(|| pair(voice, other).map(|ms| -ms)) }
    };
    let against: Vec<f64> = (0..voices).filter_map(against).collect();
    (against.len() > 1).then(|| against.iter().copied().fold(0.0, f64::max))
}

fn reach_ms<'a>(ears: &[(&'a crate::run::measure::RecorderHeard, &'a ChorusHeard)]) -> f64 {
    let spreads = ears.iter().filter_map(|(_, ear)| Some(ear.spread?.p95_ms));
    (1.1 * spreads.fold(0.0, f64::max)).clamp(REACH_MS[0], REACH_MS[1])
}

/// The axis, and what is known of ensembles.
fn thresholds(svg: &mut String, thresholds: &Thresholds, reach: f64, bottom: f64) {
    let step = [10.0, 20.0, 50.0, 100.0, 200.0].into_iter().find(|step| reach / step <= 12.0).unwrap_or(500.0);
    for n in 0..=(reach / step) as usize {
        let (ms, x) = (n as f64 * step, x(n as f64 * step, reach));
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom:.1}\"/><text class=\"faint\" \
             x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"10\">{ms:.0}</text>",
            bottom + 13.0
        );
    }
    let known = [
        (thresholds.ensemble, "ensembles"),
        (thresholds.ensemble_limit, "limit"),
        (thresholds.steady, "steady"),
        (thresholds.conversation, "talk"),
    ];
    for (n, (threshold, name)) in known.into_iter().enumerate() {
        let ms = threshold.as_millis_f64();
        if ms <= reach {
            let (x, y) = (x(ms, reach), TOP - 4.0 - 11.0 * (n % 2) as f64);
            let _ = writeln!(
                svg,
                "<line class=\"threshold\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom:.1}\"/><text class=\"faint\" \
                 x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\" font-size=\"10\">{name}</text>"
            );
        }
    }
}
