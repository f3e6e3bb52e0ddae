//! What a person reads at the end of a run, and what a program does.

use std::process::Command;

use crate::room::run;

/// Uncompressed, so that the figures do not depend on the codec's version.
const EXPERIMENT: &str = "name = \"terminal\"\n[run]\nduration = \"10s\"\n[media]\ncodec.l16 = {}\n\
    [link.default]\ndelay = \"15ms\"\n[link.far]\ndelay = \"60ms\"\n[link.broken]\ndown.loss = \"100%\"\n\
    [[speaker]]\nname = \"ana\"\n[[speaker]]\nname = \"ben\"\nlink = \"far\"\n\
    [[listener]]\nname = \"lena\"\n[[listener]]\nname = \"mei\"\nlink = \"broken\"\n\
    [[listener]]\nname = \"omar\"\nplayout.fixed = \"100ms\"\n";

#[test]
fn the_report_gives_the_matrix_and_says_in_words_what_it_means() {
    let ran = run(EXPERIMENT, &["--on", "sim"]);
    let report = ran.stdout.replace(ran.dir.to_str().unwrap(), "DIR");
    insta::assert_snapshot!(report);
    assert_eq!(ran.code, Some(3), "one listener heard nothing");
}

#[test]
fn as_json_a_run_has_the_rows_of_its_tables() {
    let text = "name = 'json'\n[run]\nduration = '8s'\n[signal.voiced]\nperiod = '600ms'\nspread = '120ms'\n\
                [[speaker]]\nname = 'ana'\nsing.grid = {}\n[[speaker]]\nname = 'ben'\nsing.follow.leader = 'ana'\n\
                [[listener]]\nname = 'lena'\n";
    let ran = run(text, &["--on", "sim", "--format", "json"]);
    let again = Command::new(env!("CARGO_BIN_EXE_jiho")).args(["analyze", "--format", "json"]).arg(&ran.dir).output();
    for said in [ran.stdout.as_bytes(), &again.unwrap().stdout] {
        let said: serde_json::Value = serde_json::from_slice(said).unwrap();
        let chorus = &said["chorus"];
        for (table, rows) in [
            ("pairs.csv", &said["pairs"]),
            ("chorus.csv", &chorus["beats"]),
            ("asynchrony.csv", &chorus["asynchrony"]),
            ("cure.csv", &chorus["cure"]),
            ("holds.csv", &chorus["holds"]),
            ("topology.csv", &said["architecture"]),
        ] {
            let mut table = csv::Reader::from_path(ran.dir.join(table)).unwrap();
            let columns = table.headers().unwrap().clone();
            let cells: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
            let rows = rows.as_array().unwrap();
            assert!(!rows.is_empty() && rows.len() == cells.len(), "{said}");
            for (row, cells) in rows.iter().zip(&cells) {
                assert_eq!(row.as_object().unwrap().len(), columns.len());
                for (column, cell) in columns.iter().zip(cells) {
                    let same = match &row[column] {
                        serde_json::Value::Null => cell.is_empty(),
                        serde_json::Value::Number(number) => cell.parse::<f64>().ok() == number.as_f64(),
                        serde_json::Value::String(text) => cell == text,
                        other => panic!("{other}"),
                    };
                    assert!(same, "{column}: {cell:?} in {row}");
                }
            }
        }
    }
}
