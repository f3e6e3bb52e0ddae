//! Watching a run takes no more memory the longer it goes on. Alone in its file: the allocator counts for all tests of a
//! program together.

#![allow(clippy::unwrap_used)]

use jiho::report::RunName;
use jiho::report::watch::{Lines, Matrix};
use jiho::run::watch::{Begun, Listener, News, Person};
use jiho_analysis::arrivals::Role;
use jiho_analysis::signal::{Code, Emission, Family, Waveform};
use jiho_analysis::units::{MediaTime, Nanos, Rate, RunTime, SampleClock};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const ANA: usize = 0;
const LENA: usize = 1;
const TILE_SECONDS: u32 = 10;

fn begun() -> Begun {
    let person = |name: &str, role, code| Person { name: name.to_owned(), role, code, clock_error: Nanos::ZERO };
    Begun {
        run: RunName::once("soak"),
        experiment: "soak".to_owned(),
        on: "sim",
        seed: 1,
        family: Family::Voiced,
        total: Nanos::from_secs(3600),
        participants: vec![person("ana", Role::Speaker, Code::new(0)), person("lena", Role::Listener, None)],
    }
}

/// When a beep of the tile sounds; each tile goes on as the one before.
fn within(beep: u32) -> Nanos {
    Nanos::from_millis(i64::from(beep) * 1000 + 100 + i64::from(beep * beep % 7) * 37)
}

/// The most bytes that were held at once while so many minutes were watched, of which the last beep of each tile is lost.
fn peak_bytes(minutes: u32) -> usize {
    let mut tile = vec![0.0; TILE_SECONDS as usize * 48_000];
    let waveform = Waveform::new(Family::Voiced, Code::new(0).unwrap());
    for beep in 0..TILE_SECONDS - 1 {
        waveform.add(-(within(beep) + Nanos::from_millis(70)).as_secs_f64(), Rate::OPUS, &mut tile);
    }
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let begun = begun();
    let (mut listener, mut matrix, mut lines) = (Listener::new(&begun), Matrix::new(&begun), Lines::new(&begun));
    let (mut heard, mut missed, mut said) = (0, 0, 0);
    let mut tell = |news: News| {
        heard += u32::from(matches!(news, News::Heard(_)));
        missed += u32::from(matches!(news, News::Missed { .. }));
        matrix.note(&news);
        said += lines.said(&news).lines().count();
    };
    listener.ear_opened(LENA, SampleClock::new(RunTime::START, Rate::OPUS));
    for second in 0..60 * minutes {
        let (tiles, beep) = (second / TILE_SECONDS, second % TILE_SECONDS);
        let begins = Nanos::from_secs((tiles * TILE_SECONDS).into());
        listener.sent(ANA, Emission { beep: second, at: RunTime::START + begins + within(beep) });
        for (n, period) in tile[beep as usize * 48_000..][..48_000].chunks(480).enumerate() {
            listener.sound(LENA, MediaTime(i64::from(second) * 48_000 + 480 * n as i64), period, &mut tell);
        }
        tell(News::Reached(RunTime::START + Nanos::from_secs(second.into())));
    }
    listener.finish(&mut tell);
    assert_eq!((heard, missed), (54 * minutes, 6 * minutes));
    assert!(said as u32 <= 20 * minutes, "{said} lines in {minutes} minutes");
    ALLOCATOR.peak_usage() - before
}

#[test]
fn an_hour_takes_no_more_memory_than_five_minutes() {
    let (short, long) = (peak_bytes(5), peak_bytes(60));
    assert!(long * 10 <= short * 11, "{short} bytes for five minutes, {long} for an hour");
}
