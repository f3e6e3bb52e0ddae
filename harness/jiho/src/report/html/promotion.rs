//! Changes of roles on a time line: what the ear recorded before, the silence, what it recorded after, and under it the
//! steps that took the time.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiho_analysis::metrics::{GapKind, Side};
use jiho_analysis::roles::Change;
use jiho_analysis::units::RunTime;
use jiho_drivers::sidecar::Sidecar;
use maud::{Markup, html};

use super::marks::done;
use super::parts::{Figure, Picture, Sheet, list, ns_as_ms, ns_as_s};
use super::plot::{LEFT, RIGHT, WIDTH, series_class};
use super::waveform::Waveform;
use super::word;
use crate::report::changes::label;
use crate::report::explain;
use crate::report::gaps::GapRow;
use crate::report::stack::StackRow;
use crate::report::tables::Tables;
use crate::svg::{Scale, px};

const TOP: f64 = 34.0;
const WAVE: f64 = 36.0;
const ROW: f64 = 18.0;
const COLUMNS: usize = 800;
/// So much of the time before and after is shown, as a share of the silence.
const AROUND: f64 = 0.35;
/// More changes than this have no time line of their own.
const MOST: usize = 12;

pub(super) fn section(tables: &Tables) -> anyhow::Result<Markup> {
    let gaps = tables.gaps()?;
    if gaps.is_empty() {
        return Ok(html! {});
    }
    let recordings = tables.recordings()?;
    let mut changes: BTreeMap<(i64, &str, Option<u32>), Vec<&GapRow>> = BTreeMap::new();
    for gap in gaps.iter().filter(|gap| gap.event != Change::Leave) {
        changes.entry((gap.commanded_ns, &gap.subject, gap.change)).or_default().push(gap);
    }
    let lines: Vec<&GapRow> = changes
        .values()
        .flat_map(|gaps| {
            [Side::Ear, Side::Mouth].map(|side| {
                let of_side = gaps.iter().copied().filter(move |gap| gap.side == side && length_ns(gap) > 0);
                of_side.max_by_key(|gap| length_ns(gap))
            })
        })
        .flatten()
        .collect();
    let left = lines.len().saturating_sub(MOST);
    let lines = lines.iter().take(MOST).enumerate();
    Ok(html! {
        (list(&explain::changes(tables.folder())?))
        @for (number, gap) in lines { (figure(number, gap, &stack_of(gap, tables.stack()?), &recordings).html()) }
        @if left > 0 { p { (left) " more time lines are left out; the table below has all changes." } }
        details { summary { "All changes, at every ear" } (all(gaps)) }
    })
}

/// How long nothing was heard: of what begins, since the command.
fn length_ns(gap: &GapRow) -> i64 {
    let heard = if gap.kind == GapKind::Begins { gap.first_audio_ns } else { gap.silence_ns };
    heard.unwrap_or_default()
}

fn stack_of<'s>(gap: &GapRow, stack: &'s [StackRow]) -> Vec<&'s StackRow> {
    let is_of = |row: &&StackRow| {
        (row.change, row.event, row.side) == (gap.change, gap.event, gap.side)
            && (&row.subject, &row.endpoint, &row.speaker) == (&gap.subject, &gap.endpoint, &gap.speaker)
    };
    stack.iter().filter(is_of).collect()
}

fn figure(number: usize, gap: &GapRow, stack: &[&StackRow], recordings: &[(PathBuf, Sidecar)]) -> Figure {
    let silent_from =
        if gap.kind == GapKind::Begins { gap.commanded_ns } else { gap.last_before_ns.unwrap_or(gap.commanded_ns) };
    let silent_to = gap.first_after_ns.unwrap_or(silent_from + length_ns(gap));
    let steps = stack.iter().flat_map(|row| [row.from_ns, row.to_ns]);
    let from = steps.clone().chain([silent_from, gap.commanded_ns]).min().unwrap_or(silent_from);
    let to = steps.chain([silent_to]).max().unwrap_or(silent_to);
    let around = (AROUND * (to - from) as f64).max(0.2e9) as i64;
    let (from, to) = (from - around, to + around);
    let x = Scale::new((from as f64 / 1e9, to as f64 / 1e9), (LEFT, WIDTH - RIGHT));
    let at = |ns: i64| x.at(ns as f64 / 1e9);
    let recording = recordings.iter().find(|(_, sidecar)| sidecar.recorder == gap.endpoint);
    let wave = recording.and_then(|(wav, sidecar)| {
        let position = |ns| sidecar.clock().position(RunTime(ns)) as i64;
        Waveform::read(wav, (position(from), position(to)), COLUMNS)
    });
    let middle = TOP + WAVE;
    let stack_top = middle + WAVE + 14.0;
    let bottom = stack_top + ROW * stack.len() as f64;
    let content = html! {
        rect.silence x=(px(at(silent_from))) y=(px(TOP)) width=(px((at(silent_to) - at(silent_from)).max(1.0)))
            height=(px(bottom - TOP)) {}
        @if let Some(wave) = &wave { (wave.draw(&x, middle, WAVE)) }
        @else { text.tick x=(px(LEFT)) y=(px(middle)) { "this ear was not recorded" } }
        text.tick x=(px(f64::midpoint(at(silent_from), at(silent_to)))) y=(px(TOP - 4.0)) text-anchor="middle" {
            (format!("{:.0} ms", length_ns(gap) as f64 / 1e6))
        }
        line.event x1=(px(at(gap.commanded_ns))) x2=(px(at(gap.commanded_ns))) y1=(px(TOP - 14.0)) y2=(px(bottom)) {}
        text.tick x=(px(at(gap.commanded_ns))) y=(px(TOP - 18.0)) text-anchor="middle" { "asked for" }
        @for (n, row) in stack.iter().enumerate() {
            @let y = stack_top + ROW * n as f64;
            @let (start, end) = (at(row.from_ns), at(row.to_ns));
            rect class=(format!("bar {}", series_class(0))) x=(px(start)) y=(px(y)) width=(px((end - start).max(1.5))) height="13"
                data-length-ns=(row.length_ns) {}
            @let (place, anchor) = if end < WIDTH * 0.58 { (end + 6.0, "start") } else { (start - 6.0, "end") };
            text.step x=(px(place)) y=(px(y + 10.5)) text-anchor=(anchor) {
                (format!("{:.1} ms  {}", row.length_ns as f64 / 1e6, label(row.step, &row.node, &row.detail)))
            }
        }
        @for value in x.ticks(10) {
            line.grid x1=(px(x.at(value))) x2=(px(x.at(value))) y1=(px(bottom + 2.0)) y2=(px(bottom + 7.0)) {}
            text.tick x=(px(x.at(value))) y=(px(bottom + 20.0)) text-anchor="middle" { (x.label(value)) }
        }
        text.tick x=(px(WIDTH - RIGHT)) y=(px(bottom + 33.0)) text-anchor="end" { "time of the run in s" }
    };
    let title = format!(
        "{} {}: {} at {}'s ear",
        gap.subject,
        done(gap.event),
        if gap.side == Side::Ear { gap.speaker.as_str() } else { "first heard" },
        gap.endpoint
    );
    let rows = stack.iter().map(|row| {
        let names = vec![row.order.to_string(), word(&row.step), row.node.clone(), row.detail.clone()];
        [names, vec![ns_as_s(row.from_ns), ns_as_s(row.to_ns), ns_as_ms(row.length_ns)]].concat()
    });
    let heads = ["order", "step", "by the stamp of", "detail", "from (s)", "to (s)", "length (ms)"];
    let caption = format!("Steps of {:.3} ms", length_ns(gap) as f64 / 1e6);
    Figure {
        id: format!("change-{number}"),
        title,
        says: said(gap),
        picture: Picture { width: WIDTH, height: bottom + 38.0, content },
        table: Sheet { caption, heads: &heads, names: 2, rows: rows.collect() }.html(),
    }
}

fn said(gap: &GapRow) -> String {
    let explained = match (gap.steps_sum_ns, gap.unexplained_ns) {
        (Some(sum), Some(left)) => {
            format!(" The steps take {:.0} ms together; {:+.0} ms are left.", sum as f64 / 1e6, left as f64 / 1e6)
        }
        _ => String::new(),
    };
    let what = match gap.kind {
        GapKind::Begins => "from the command to the first sound",
        _ => "between the last sound of the old path and the first of the new one",
    };
    format!("Waveform at {}; shaded: {:.0} ms {what}.{explained}", gap.endpoint, length_ns(gap) as f64 / 1e6)
}

fn all(gaps: &[GapRow]) -> Markup {
    let ms = |ns: Option<i64>| ns.map(ns_as_ms).unwrap_or_default();
    let row = |gap: &GapRow| {
        let names =
            vec![gap.subject.clone(), word(&gap.event), gap.speaker.clone(), gap.endpoint.clone(), word(&gap.kind)];
        let figures = [
            gap.silence_ns,
            gap.lost_ns,
            gap.repeated_ns,
            gap.first_audio_ns,
            gap.steady_ns,
            gap.delay_before_ns,
            gap.delay_after_ns,
            gap.steps_sum_ns,
            gap.unexplained_ns,
        ];
        [names, vec![ns_as_s(gap.commanded_ns)], figures.into_iter().map(ms).collect()].concat()
    };
    let heads = [
        "subject",
        "change",
        "speaker",
        "ear",
        "kind",
        "asked for at (s)",
        "silence",
        "lost",
        "repeated",
        "first audio",
        "steady",
        "delay before",
        "delay after",
        "steps together",
        "unexplained",
    ];
    let caption = "What changes of roles did to sound, in ms".to_owned();
    Sheet { caption, heads: &heads, names: 4, rows: gaps.iter().map(row).collect() }.searchable()
}
