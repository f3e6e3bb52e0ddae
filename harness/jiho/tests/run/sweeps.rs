//! `jiho sweep`: what is varied moves what is measured, by what it must.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Uncompressed, so that figures are exact.
const FILE: &str = "name = \"swept\"\n[run]\nduration = \"8s\"\n[media]\ncodec.l16 = {}\n[link.default]\ndelay = \"10ms\"\n\
    [playout]\nfixed = \"60ms\"\n[[speaker]]\nname = \"ana\"\n[[listener]]\nname = \"lena\"\n";

struct Swept {
    output: Output,
    dir: PathBuf,
    folder: TempDir,
}

/// A row of sweep.csv, by column.
type Row = std::collections::BTreeMap<String, String>;

impl Swept {
    fn text(&self) -> String {
        format!("{}{}", String::from_utf8_lossy(&self.output.stdout), String::from_utf8_lossy(&self.output.stderr))
    }

    fn csv(&self) -> String {
        fs::read_to_string(self.dir.join("sweep.csv")).unwrap_or_else(|_| panic!("no sweep.csv: {}", self.text()))
    }

    fn rows(&self, figure: &str) -> Vec<Row> {
        let csv = self.csv();
        let rows = csv::Reader::from_reader(csv.as_bytes()).into_deserialize::<Row>().map(Result::unwrap);
        rows.filter(|row| row["figure"] == figure).collect()
    }

    fn values(&self, figure: &str) -> Vec<f64> {
        self.rows(figure).iter().map(|row| row["value"].parse().unwrap()).collect()
    }
}

fn command(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jiho"));
    command.arg("sweep").arg(folder.join("swept.toml")).arg("--out").arg(folder.join("sweep"));
    command.args(arguments).output().unwrap()
}

fn sweep(file: &str, arguments: &[&str]) -> Swept {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("swept.toml"), file).unwrap();
    let output = command(folder.path(), arguments);
    Swept { output, dir: folder.path().join("sweep"), folder }
}

#[test]
fn a_links_delay_moves_what_is_measured_by_exactly_as_much_on_both_ways() {
    let swept = sweep(FILE, &["--vary", "link.default.delay=0ms..40ms step 10ms"]);
    assert_eq!(swept.output.status.code(), Some(0), "{}", swept.text());
    let medians = swept.values("speaker_to_audience.median");
    for (n, median) in medians.iter().enumerate() {
        let moved = median - medians[0];
        assert!((moved - 20.0 * n as f64).abs() < 0.001, "{moved} ms for {n} × 10 ms there and back: {medians:?}");
    }
    assert_eq!(medians.len(), 5);
}

#[test]
fn loss_takes_the_share_of_concealed_frames_along() {
    let file = FILE.replace("8s", "40s");
    let swept = sweep(&file, &["--vary", "link.default.loss=0%..20% step 10%", "--figures", "concealed_ratio"]);
    let shares = swept.values("concealed_ratio");
    for (share, loss) in shares.iter().zip([0.0, 0.1, 0.2f64]) {
        // A packet takes two lossy ways; 2000 of them leave a standard deviation of 1 % at most.
        let truth = 1.0 - (1.0 - loss).powi(2);
        assert!((share - truth).abs() < 0.04, "{share} in place of {truth}: {shares:?}");
    }
    assert_eq!((shares.len(), shares[0]), (3, 0.0));
}

#[test]
fn a_grid_has_a_row_per_point_repetition_and_figure_and_a_folder_per_run() {
    let arguments = ["--vary", "stage=forward,mix", "--vary", "speaker.ana.playout.fixed=20ms,40ms", "--repeat", "2"];
    let swept = sweep(&FILE.replace("8s", "3s"), &[&arguments[..], &["--figures", "heard_ratio,delay.p95"]].concat());
    let rows = swept.rows("heard_ratio");
    let places: Vec<String> = rows
        .iter()
        .map(|row| format!("{} {} {}", row["stage"], row["speaker.ana.playout.fixed"], row["rep"]))
        .collect();
    let wanted = ["forward 20ms 1", "forward 20ms 2", "forward 40ms 1", "forward 40ms 2"];
    assert_eq!(places[..4], wanted);
    assert_eq!((rows.len(), swept.rows("delay.p95").len()), (8, 8));
    let header = "stage,speaker.ana.playout.fixed,point,rep,figure,unit,value,samples";
    assert_eq!(swept.csv().lines().next(), Some(header));
    let folder = swept.dir.join("points/003-stage=mix-fixed=20ms");
    let given = fs::read_to_string(folder.join("rep-2/experiment.toml")).unwrap();
    let given: toml::Table = given.parse().unwrap();
    assert!(given["stage"].get("mix").is_some() && given["stage"].get("forward").is_none(), "{given}");
    assert_eq!(given["speaker"][0]["playout"]["fixed"].as_str(), Some("20ms"), "{given}");
    let page = fs::read_to_string(swept.dir.join("sweep.html")).unwrap();
    // Two figures at two settings of the second key.
    assert_eq!((page.matches("<svg").count(), page.matches("<tr>").count()), (4, 1 + 4));
    assert!(!page.contains("http://") && !page.contains("https://"));
}

#[test]
fn a_sweep_that_was_cut_short_goes_on_where_it_was() {
    let arguments = ["--vary", "link.default.delay=0ms,10ms,20ms", "--figures", "delay", "--discard-runs"];
    let swept = sweep(&FILE.replace("8s", "3s"), &arguments);
    let whole = swept.csv();
    assert!(swept.dir.join("points").read_dir().unwrap().next().is_none(), "runs are discarded");
    let resume = |arguments: &[&str]| command(swept.folder.path(), &[arguments, &["--resume"]].concat());
    // The last row has been cut in the middle.
    fs::write(swept.dir.join("sweep.csv"), &whole[..whole.len() - 9]).unwrap();
    let again = resume(&arguments);
    assert_eq!(again.status.code(), Some(0), "{again:?}");
    assert_eq!(swept.csv(), whole);
    let other = resume(&["--vary", "link.default.delay=0ms,10ms,30ms", "--figures", "delay"]);
    assert_eq!(other.status.code(), Some(2), "{other:?}");
    let anew = command(swept.folder.path(), &arguments);
    assert!(String::from_utf8_lossy(&anew.stderr).contains("is there already"), "{anew:?}");
}

#[test]
fn what_the_file_says_is_swept_and_means_nothing_to_a_run() {
    let file = format!(
        "{}[sweep]\nzip = true\nfigures = [\"delay.median\"]\n[sweep.vary]\nlink.default.delay = [\"0ms\", \"20ms\"]\n\
         run.seed = \"1..2 step 1\"\n",
        FILE.replace("8s", "3s")
    );
    let swept = sweep(&file, &["--discard-runs"]);
    let medians = swept.values("delay.median");
    assert_eq!(medians.len(), 2, "{}", swept.text());
    // Another seed has other instants: what is heard between samples is known to some microseconds.
    assert!((medians[1] - medians[0] - 40.0).abs() < 0.01, "{medians:?}");
    assert_eq!(crate::room::simulated(&file).code, Some(0));
}

#[test]
fn mistakes_are_told_before_anything_runs() {
    for (vary, says) in [
        ("link.default.dely=1ms", "unknown key `dely`"),
        ("link.default.delay=1ms,2", "bare number"),
        ("stage=forward,mixx", "mixx"),
        ("speaker.zoe.link=a", "there is no speaker `zoe`: there is ana"),
        ("link.default.delay", "write KEY=VALUE"),
    ] {
        let swept = sweep(FILE, &["--vary", vary]);
        assert_eq!(swept.output.status.code(), Some(2), "{vary}: {}", swept.text());
        assert!(swept.text().contains(says), "{vary}: {}", swept.text());
        assert!(!swept.dir.exists());
    }
    let figure = sweep(FILE, &["--vary", "run.seed=1,2", "--figures", "heard_ration"]);
    assert!(figure.text().contains("did you mean heard_ratio?"), "{}", figure.text());
    assert!(sweep(FILE, &[]).text().contains("nothing is varied"));
}
