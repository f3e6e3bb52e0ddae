//! A comment on a pull request may have 65 536 characters, and a collector of metrics no more than it can serve.

use std::fmt::Write;

use crate::folder::Run;

#[test]
fn a_thousand_listeners_fill_no_comment() {
    let run = Run::older();
    let (pairs, delays) = (run.read("pairs.csv"), run.read("delays.csv"));
    let head = |table: &str| table.lines().next().unwrap().to_owned() + "\n";
    let (mut crowd, mut beeps) = (head(&pairs), head(&delays));
    let row = pairs.lines().nth(1).unwrap();
    for ear in 0..1000 {
        for speaker in 0..6 {
            let (speaker, ear) = (format!("speaker_{speaker}"), format!("*listener*_{ear:060}"));
            let named = |row: &str| row.replace(",ana,lena,", &format!(",{speaker},{ear},"));
            // The thousandth hears nobody.
            let row = match ear.ends_with("999") {
                true => format!("r,1,{speaker},{ear},audience,3,0,0.0,,,,,,,,,,,0"),
                false => named(row),
            };
            writeln!(crowd, "{row}").unwrap();
            writeln!(beeps, "{}", named(delays.lines().nth(1).unwrap())).unwrap();
        }
    }
    run.write("pairs.csv", &crowd);
    run.write("delays.csv", &beeps);
    run.report(&[]);
    let text = run.read("summary.md");
    assert!(text.len() < 8_000, "{} characters", text.len());
    assert!(text.starts_with("## older: inconclusive\n"), "{text}");
    assert!(text.contains("| 5994 of 6000 | 17982 of 18000 |"), "{text}");
    assert!(text.contains("… and 5992 more pairs."), "{text}");
    let worst = text.lines().find(|line| line.starts_with("| speaker")).unwrap();
    assert!(worst.contains("\\*listener\\*\\_") && worst.contains("999 |"), "{worst}");
    let metrics = run.read("metrics.prom");
    assert!(metrics.len() < 4_000 && metrics.contains("speaker_to_audience.p95"), "{metrics}");
    assert!(run.read("bencher.json").len() < 2_000);
}
