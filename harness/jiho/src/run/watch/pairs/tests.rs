use jiho_analysis::arrivals::Role;
use jiho_analysis::signal::Family;
use jiho_analysis::units::Rate;

use super::super::Person;
use super::*;
use crate::report::RunName;

const ANA: usize = 0;
const LENA: usize = 1;

fn begun() -> Begun {
    let person = |name: &str, role, code| Person { name: name.to_owned(), role, code, clock_error: Nanos::ZERO };
    Begun {
        run: RunName::once("pairs"),
        experiment: "pairs".to_owned(),
        on: "sim",
        seed: 1,
        family: Family::Voiced,
        total: Nanos::from_secs(60),
        participants: vec![person("ana", Role::Speaker, Code::new(0)), person("lena", Role::Listener, None)],
    }
}

/// A beep every second, not quite in step.
fn beep(beep: u32) -> Emission {
    let unrest = Nanos::from_micros(i64::from(beep * 7919 % 307) * 977);
    Emission { beep, at: RunTime::START + Nanos::from_secs(i64::from(beep) + 1) + unrest }
}

fn time() -> EarTime {
    EarTime { ear: LENA, clock: SampleClock::new(RunTime::START, Rate::OPUS) }
}

fn detection(at: RunTime) -> Detection {
    Detection {
        code: Code::new(0).unwrap(),
        position: time().clock.position(at),
        score: 0.9,
        peak_ratio: 5.0,
        rival_samples: 50.0,
        snr_db: 30.0,
        position_sd: 0.01,
        inverted: false,
        splice: None,
    }
}

/// What is told of beeps that come so much later, those without a delay never; and again as an echo.
fn told(delays_ms: &[Option<i64>]) -> Vec<News> {
    let mut pairs = Pairs::new(&begun());
    pairs.open(LENA, RunTime::START);
    let mut told = Vec::new();
    let mut coming: Vec<Detection> = Vec::new();
    for (number, delay_ms) in (0..).zip(delays_ms) {
        let Some(delay_ms) = delay_ms else { continue };
        let at = beep(number).at + Nanos::from_millis(*delay_ms);
        let echo = Detection { score: 0.5, peak_ratio: 0.6, ..detection(at + Nanos::from_millis(120)) };
        coming.extend([detection(at), echo]);
    }
    coming.sort_by(|a, b| a.position.total_cmp(&b.position));
    let mut coming = coming.into_iter().peekable();
    let end = delays_ms.len() as u32;
    // Sound is sent before it is heard, even where clocks show something else.
    pairs.sent(ANA, beep(0));
    for number in 0..end + 20 {
        if number + 1 < end {
            pairs.sent(ANA, beep(number + 1));
        }
        let settled = f64::from(number + 2) * 48_000.0;
        let found: Vec<Detection> =
            std::iter::from_fn(|| coming.next_if(|detection| detection.position < settled)).collect();
        pairs.beeps(&time(), &found, settled, &mut |news| told.push(news));
    }
    pairs.end(&time(), time().clock.time_at(f64::from(end + 21) * 48_000.0), &mut |news| told.push(news));
    told
}

fn heard_ms(told: &[News]) -> Vec<(u32, i64)> {
    let heard = told.iter().filter_map(|news| match news {
        News::Heard(heard) => Some((heard.beep, heard.delay.as_millis_f64().round() as i64)),
        _ => None,
    });
    heard.collect()
}

fn missed(told: &[News]) -> Vec<u32> {
    told.iter().filter_map(|news| if let News::Missed { beep, .. } = news { Some(*beep) } else { None }).collect()
}

#[test]
fn every_beep_is_heard_once_whatever_the_delay_and_echoes_are_nothing() {
    for delay_ms in [-300, 0, 66, 950, 4_000, 15_000] {
        let told = told(&[Some(delay_ms); 20]);
        let truth: Vec<(u32, i64)> = (0..20).map(|beep| (beep, delay_ms)).collect();
        assert_eq!(heard_ms(&told), truth, "{delay_ms} ms");
        assert_eq!(told.len(), 20, "{delay_ms} ms: {told:?}");
    }
}

#[test]
fn a_lost_beep_is_missed_and_the_next_one_ends_a_gap() {
    let mut delays = [Some(80); 20];
    delays[7] = None;
    delays[8] = None;
    let told = told(&delays);
    assert_eq!(missed(&told), [7, 8]);
    assert_eq!(heard_ms(&told).len(), 18);
    let gap =
        told.iter().find_map(|news| if let News::Gap { from, to, .. } = news { Some((*from, *to)) } else { None });
    let at = |number| beep(number).at + Nanos::from_millis(80);
    let (from, to) = gap.unwrap();
    assert!((from - at(6)).abs() < Nanos(1000) && (to - at(9)).abs() < Nanos(1000), "{from:?} {to:?}");
}

#[test]
fn a_pair_goes_over_to_another_delay_and_nothing_is_missed_for_good() {
    for (before, after) in [(80, 240), (80, 20), (100, 3_000), (3_000, 100)] {
        let delays: Vec<_> = (0..30).map(|beep| Some(if beep < 12 { before } else { after })).collect();
        let told = told(&delays);
        let mut heard = heard_ms(&told);
        heard.sort_unstable();
        let truth: Vec<(u32, i64)> = (0..30).map(|beep| (beep, if beep < 12 { before } else { after })).collect();
        assert_eq!(heard, truth, "{before} to {after} ms");
    }
}

#[test]
fn who_hears_nothing_misses_all_and_what_was_sent_before_an_ear_opened_is_not_missed() {
    assert_eq!(missed(&told(&[None; 5])), [0, 1, 2, 3, 4]);
    let mut pairs = Pairs::new(&begun());
    (0..10).for_each(|number| pairs.sent(ANA, beep(number)));
    pairs.open(LENA, beep(6).at);
    let mut told = Vec::new();
    pairs.end(&time(), RunTime::START + Nanos::from_secs(60), &mut |news| told.push(news));
    assert_eq!(missed(&told), [6, 7, 8, 9]);
}
