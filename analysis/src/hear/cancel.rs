//! Speakers who sound at once: what each code adds to the others' correlations is known, and is taken out.
//!
//! Two codes' cross-correlation is 15 dB and more below a peak, and not zero: it would shift a peak by up to 15 µs and
//! draw ghosts of codes that do not sound at all.

use std::collections::BTreeMap;
use std::ops::Range;

use super::bank::Bank;
use super::heard::Heard;
use super::peak;
use super::scan::{self, Candidate, ECHO_SCORE, LEAST_SCORE, MARGIN, MIDDLE, Rival, Scanner};
use super::stream::Stream;

/// Each pass leaves about a sixth of the error before it.
const PASSES: usize = 3;
/// However well the others explain the sound, this part of its energy is held to be unexplained: codecs bend a
/// signal, and what they leave of one speaker must not be taken for a faint other one.
const LEAST_REST: f64 = 0.03;
/// So many make a crowd, in which others may be drowned out.
const CROWD: usize = 4;
/// Who was drowned out is believed if the peak exceeds the next one so many times.
const STANDS_OUT: f64 = 1.5;
/// A rival so much lower than its peak needs no closer look.
const CLEAR_RATIO: f64 = 3.0;
/// Those who sound on and on are told apart in groups of no more than so many templates' length, so that what has to
/// be kept does not grow.
const LONGEST_GROUP: i64 = 8;

/// The same for all ears that listen for the same codes.
pub(super) struct Cancellation {
    /// At the decimated rate.
    template_len: i64,
    /// By code that sounds: what it adds to each code's correlation, at lags from −`template_len` on.
    cross: BTreeMap<usize, Vec<Vec<f32>>>,
}

impl Cancellation {
    pub(super) fn new(template_len: usize) -> Self {
        Self { template_len: template_len as i64, cross: BTreeMap::new() }
    }

    /// Takes those of an ear's candidates out of `pending` that no later one can overlap, and gives them refined, in
    /// order of time; all are there whose lag is below `scanned`.
    pub(super) fn resolve(
        &mut self,
        pending: &mut Vec<(usize, Candidate)>,
        scanned: i64,
        scanners: &[Scanner],
        stream: &Stream,
        bank: &mut Bank,
    ) -> Vec<(usize, Heard)> {
        pending.sort_by_key(|(code, candidate)| (candidate.index, *code));
        let mut resolved = Vec::new();
        let mut start = 0;
        while start < pending.len() {
            let length = self.group_length(&pending[start..]);
            let group = &pending[start..start + length];
            let is_last = start + length == pending.len();
            if is_last && group[length - 1].1.index.saturating_add(self.template_len) >= scanned {
                break;
            }
            resolved.extend(self.resolve_group(group, scanners, stream, bank));
            start += length;
        }
        pending.drain(..start);
        resolved
    }

    /// How many of the candidates, which are in order of time, overlap.
    fn group_length(&self, pending: &[(usize, Candidate)]) -> usize {
        let index = |n: usize| pending[n].1.index;
        let ends = |n: &usize| {
            index(*n) - index(*n - 1) > self.template_len || index(*n) - index(0) > LONGEST_GROUP * self.template_len
        };
        (1..pending.len()).find(ends).unwrap_or(pending.len())
    }

    /// Codes that sound at once. The clearest is believed first; what is left of the next one without it is judged, and
    /// so on: a code that does not sound is but a shadow of those that do, and fades with them.
    fn resolve_group(
        &mut self,
        group: &[(usize, Candidate)],
        scanners: &[Scanner],
        stream: &Stream,
        bank: &mut Bank,
    ) -> Vec<(usize, Heard)> {
        let mut group = group.to_vec();
        let mut order: Vec<usize> = (0..group.len()).collect();
        let clearness = |(_, candidate): &(usize, Candidate)| f64::from(candidate.value).powi(2) / candidate.energy;
        order.sort_by(|&a, &b| clearness(&group[b]).total_cmp(&clearness(&group[a])));
        let mut believed: Vec<Believed> = Vec::new();
        for place in order {
            let (code, candidate) = group[place];
            if self.is_shadow(code, &candidate, &believed, scanners) {
                continue;
            }
            let heard = self.without_others(code, &candidate, &believed, scanners);
            if heard.peak_ratio() >= 1.0 || heard.value.powi(2) >= ECHO_SCORE.powi(2) * heard.energy {
                self.learn(code, bank);
                believed.push(Believed { place, code, heard });
            }
        }
        self.settle(&mut believed, &group, scanners);
        if believed.len() >= CROWD {
            for (code, candidate) in self.look_again(&group, &believed, scanners, stream) {
                self.learn(code, bank);
                let heard = self.without_others(code, &candidate, &believed, scanners);
                believed.push(Believed { place: group.len(), code, heard });
                group.push((code, candidate));
            }
            self.settle(&mut believed, &group, scanners);
        }
        for n in 0..believed.len() {
            let Believed { place, code, heard } = believed[n];
            // What a codec made of one code throws faint shadows of others: outside of crowds they have to stand out as
            // they are, for what is left without it has shadows only.
            let is_faint = heard.value.powi(2) < ECHO_SCORE.powi(2) * heard.energy && believed.len() < CROWD;
            let is_clear = heard.peak_ratio() >= CLEAR_RATIO;
            if !is_clear && !is_faint && believed.iter().any(|other| other.code != code) {
                believed[n].heard.rival = self.rival(code, group[place].1.index, &believed, &scanners[code]);
            }
        }
        believed.sort_by_key(|believed| (group[believed.place].1.index, believed.code));
        believed.into_iter().map(|believed| (believed.code, believed.heard)).collect()
    }

    /// Refines all once more, each without the others as they are now known.
    fn settle(&self, believed: &mut [Believed], group: &[(usize, Candidate)], scanners: &[Scanner]) {
        for _ in 0..PASSES {
            for n in 0..believed.len() {
                let Believed { place, code, .. } = believed[n];
                if believed.iter().any(|other| other.code != code) {
                    let rival = believed[n].heard.rival;
                    believed[n].heard = self.without_others(code, &group[place].1, believed, scanners);
                    believed[n].heard.rival = rival;
                }
            }
        }
    }

    /// Finds those whom the crowd drowned out: the highest peak of each other code in what is left without the crowd,
    /// if it stands out there.
    fn look_again(
        &self,
        group: &[(usize, Candidate)],
        believed: &[Believed],
        scanners: &[Scanner],
        stream: &Stream,
    ) -> Vec<(usize, Candidate)> {
        let (Some((_, first)), Some((_, last))) = (group.first(), group.last()) else { return Vec::new() };
        let unheard = scanners.iter().enumerate().filter(|(code, _)| believed.iter().all(|other| other.code != *code));
        let found = unheard.filter_map(|(code, scanner)| {
            let lags = scanner.rival_lags(first.index)[0].start.max(0)..scanner.rival_lags(last.index)[1].end;
            let none = Rival { height: 0.0, lags: 0 };
            let index = self.highest_without_others(lags, 0, code, believed, scanner, none).lags;
            let energy = stream.energy(index, self.template_len);
            let mut candidate = Candidate { index, value: scanner.values()[index], energy, rival: none };
            let heard = self.without_others(code, &candidate, believed, scanners);
            candidate.rival = self.rival(code, index, believed, scanner);
            let ratio = heard.value.abs() / f64::from(candidate.rival.height).max(f64::MIN_POSITIVE);
            let stands_out = ratio >= STANDS_OUT && heard.value.powi(2) >= LEAST_SCORE.powi(2) * heard.energy;
            stands_out.then_some((code, candidate))
        });
        found.collect()
    }

    /// A quick look at the peak's middle, without the others: most candidates are shadows, and fade to far less.
    fn is_shadow(&self, code: usize, candidate: &Candidate, believed: &[Believed], scanners: &[Scanner]) -> bool {
        let around = candidate.index - MIDDLE as i64..candidate.index + MIDDLE as i64 + 1;
        let mut middle = [0.0; 2 * MIDDLE + 1];
        middle.copy_from_slice(scanners[code].values().slice(around.clone()));
        let rest = candidate.energy - self.take_all_out(&mut middle, around.start, code, believed);
        let height = f64::from(middle.iter().fold(0.0f32, |highest, value| highest.max(value.abs())));
        height < 0.8 * f64::from(candidate.rival.height)
            && height < 0.8 * ECHO_SCORE * rest.max(LEAST_REST * candidate.energy).sqrt()
    }

    fn without_others(&self, code: usize, candidate: &Candidate, believed: &[Believed], scanners: &[Scanner]) -> Heard {
        let around = candidate.index - MARGIN as i64..candidate.index + MARGIN as i64 + 1;
        let mut values = [0.0; 2 * MARGIN + 1];
        values.copy_from_slice(scanners[code].values().slice(around.clone()));
        let rest = candidate.energy - self.take_all_out(&mut values, around.start, code, believed);
        Heard::of(candidate, &values, rest.max(LEAST_REST * candidate.energy))
    }

    /// The highest other peak near one of `code` at lag `index`, without the other codes.
    fn rival(&self, code: usize, index: i64, believed: &[Believed], scanner: &Scanner) -> Rival {
        let none = Rival { height: 0.0, lags: 0 };
        scanner
            .rival_lags(index)
            .into_iter()
            .fold(none, |best, lags| self.highest_without_others(lags, index, code, believed, scanner, best))
    }

    /// The highest peak of `code` at some lags, counted from `origin`, without the other codes, if it exceeds `best`.
    /// Neighbours are weighed by distance to tell what the others add between samples: right to a tenth, which is 25 dB
    /// below them.
    fn highest_without_others(
        &self,
        lags: Range<i64>,
        origin: i64,
        code: usize,
        believed: &[Believed],
        scanner: &Scanner,
        best: Rival,
    ) -> Rival {
        let first = lags.start - 1;
        let mut values = scanner.values().slice(first..lags.end + 1).to_vec();
        for Believed { code: other, heard, .. } in believed.iter().filter(|other| other.code != code) {
            if let Some(cross) = self.cross.get(other) {
                let taps = |fraction| [1.0 - fraction as f32, fraction as f32];
                self.take_out(&mut values, first, &cross[code], heard, taps);
            }
        }
        scan::highest_peak(&values, lags.start - origin, best)
    }

    /// Takes all other codes out of the correlation of `code` from lag `first` on; returns the energy that they had
    /// under the template in the middle of it.
    fn take_all_out(&self, values: &mut [f32], first: i64, code: usize, believed: &[Believed]) -> f64 {
        let middle = first + (values.len() / 2) as i64;
        let others = believed.iter().filter(|other| other.code != code);
        let explained = others.map(|Believed { code: other, heard, .. }| {
            let overlap = 1.0 - (heard.position - middle as f64).abs() / self.template_len as f64;
            if let Some(cross) = self.cross.get(other) {
                self.take_out(values, first, &cross[code], heard, |fraction| *peak::coarse_taps(fraction));
            }
            heard.value.powi(2) * overlap.max(0.0)
        });
        explained.sum()
    }

    /// Takes one other code out, whose `cross` is interpolated by the weights that `taps` gives for a fraction.
    fn take_out<const TAPS: usize>(
        &self,
        values: &mut [f32],
        first: i64,
        cross: &[f32],
        heard: &Heard,
        taps: impl Fn(f64) -> [f32; TAPS],
    ) {
        // Where in `cross` the first of `values` lies.
        let offset = first as f64 - heard.position + self.template_len as f64;
        for (tap, weight) in (offset.floor() as i64 + 1 - TAPS as i64 / 2..).zip(taps(offset - offset.floor())) {
            let weight = weight * heard.value as f32;
            let skipped = usize::try_from(-tap).unwrap_or(0).min(values.len());
            let cross = usize::try_from(tap).map_or(cross, |tap| &cross[tap.min(cross.len())..]);
            for (value, cross) in values[skipped..].iter_mut().zip(cross) {
                *value -= weight * cross;
            }
        }
    }

    /// Correlates a code with all: what they hear of it alone.
    fn learn(&mut self, code: usize, bank: &mut Bank) {
        let templates = bank.templates();
        let learn = || (0..templates).map(|template| bank.cross(template, code).collect()).collect();
        self.cross.entry(code).or_insert_with(learn);
    }
}

/// A candidate that is believed to be a code that sounds.
#[derive(Clone, Copy)]
struct Believed {
    /// In the group.
    place: usize,
    code: usize,
    heard: Heard,
}
