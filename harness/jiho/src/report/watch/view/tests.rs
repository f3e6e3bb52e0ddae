use indicatif::{InMemoryTerm, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiho_analysis::roles::{Change, Step};
use jiho_analysis::signal::{Code, Family};
use jiho_analysis::units::RunTime;

use super::*;
use crate::report::RunName;
use crate::report::watch::Lines;
use crate::run::watch::{Begun, Heard, News, Person};

fn begun(listeners: usize) -> Begun {
    let person = |name: String, role, code| Person { name, role, code, clock_error: Nanos::ZERO };
    let speakers = [("ana", 0), ("ben", 1)];
    let speakers = speakers.map(|(name, code)| person(name.to_owned(), Role::Speaker, Code::new(code)));
    let listeners = (1..=listeners).map(|n| person(format!("near-{n}"), Role::Listener, None));
    Begun {
        run: RunName::once("room"),
        experiment: "room".to_owned(),
        on: "loopback",
        seed: 1,
        family: Family::Voiced,
        total: Nanos::from_secs(60),
        participants: speakers.into_iter().chain(listeners).collect(),
    }
}

/// Ten seconds: one ear misses a beep, another one's delay grows.
fn news(listeners: usize) -> Vec<News> {
    let second = |n: u32| RunTime::START + Nanos::from_secs(n.into());
    let mut news = vec![News::Joined { at: RunTime(200_000_000), name: "near-1".to_owned() }];
    for beep in 0..10 {
        news.push(News::Reached(second(beep)));
        for (speaker, ear) in [(0, 1), (1, 0)].into_iter().chain((2..2 + listeners).map(|ear| (0, ear))) {
            let delay =
                Nanos::from_micros(60_000 + 10 * ear as i64 + if ear == 3 { 2_000 * i64::from(beep) } else { 0 });
            let (at, due) = (second(beep) + delay, second(beep) + delay);
            news.push(match (ear, beep) {
                (2, 4) => News::Missed { speaker, ear, beep, due },
                _ => News::Heard(Heard { speaker, ear, beep, at, delay, score: 0.95 }),
            });
            if (ear, beep) == (2, 5) {
                news.push(News::Gap { speaker, ear, from: second(3) + delay, to: at });
            }
        }
    }
    news.push(News::Step {
        at: second(9),
        node: "moderator".to_owned(),
        change: Change::Mute,
        subject: "ben".to_owned(),
        step: Step::Asked,
        detail: String::new(),
    });
    news.push(News::Reached(second(10)));
    news
}

fn matrix(listeners: usize) -> Matrix {
    let mut matrix = Matrix::new(&begun(listeners));
    news(listeners).iter().for_each(|news| matrix.note(news));
    matrix
}

#[test]
fn each_pair_has_its_line_with_its_last_beeps_and_what_happened_stands_below() {
    insta::assert_snapshot!(view(&matrix(2), 24, 100));
}

#[test]
fn a_crowd_is_summed_up_by_speaker() {
    insta::assert_snapshot!(view(&matrix(500), 24, 100));
}

#[test]
fn nothing_is_drawn_beyond_the_terminal() {
    for (rows, columns) in [(4, 20), (10, 40), (24, 80)] {
        for listeners in [0, 2, 30] {
            let drawn = view(&matrix(listeners), rows, columns);
            assert!(drawn.lines().count() <= rows, "{rows} rows:\n{drawn}");
            assert!(drawn.lines().all(|line| measure_text_width(line) <= columns), "{columns} columns:\n{drawn}");
        }
    }
}

#[test]
fn what_is_drawn_takes_the_place_of_what_was_drawn_before_and_goes_away_at_the_end() {
    let terminal = InMemoryTerm::new(24, 100);
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::term_like(Box::new(terminal.clone())));
    bar.set_style(ProgressStyle::with_template("{msg}").unwrap());
    let mut matrix = Matrix::new(&begun(2));
    for news in news(2) {
        matrix.note(&news);
        bar.set_message(view(&matrix, 23, 100));
        bar.force_draw();
    }
    let shown = terminal.contents();
    assert_eq!(shown.matches("room on loopback").count(), 1, "{shown}");
    let trimmed = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    assert_eq!(trimmed(&shown), trimmed(&view(&matrix, 23, 100)));
    bar.finish_and_clear();
    assert_eq!(terminal.contents(), "");
}

#[test]
fn where_there_is_no_terminal_lines_sum_up_what_was_heard() {
    let mut lines = Lines::new(&begun(2));
    let mut said: String = news(2).iter().map(|news| lines.said(news)).collect();
    said.push_str(&lines.said(&News::Ended { left_out: 3 }));
    insta::assert_snapshot!(said);
}

#[test]
fn a_crowd_and_many_happenings_make_no_more_lines() {
    let mut lines = Lines::new(&begun(500));
    let gaps = (0..1000).map(|_| News::Gap { speaker: 0, ear: 1, from: RunTime(0), to: RunTime(1_000_000) });
    let said: String = gaps.chain(news(500)).map(|news| lines.said(&news)).collect();
    assert!(said.lines().count() < 30, "{said}");
    assert!(said.contains("and 981 happenings more") && said.contains("502 pairs: "), "{said}");
}
