//! `report.html`, as a browser that knows nothing of us shows it: it complains of nothing, nothing is fetched, and the
//! numbers on the page are those of the tables.
// Helpers of tests are tests, and say what they skip.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

#[path = "support/skip.rs"]
mod skip;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use base64::Engine;
use jiho::report::html;
use jiho::report::tables::Tables;
use scraper::{ElementRef, Html, Selector};
use skip::skip;
use tempfile::TempDir;

type Row = BTreeMap<String, String>;

/// A page as a browser made it, script included.
struct Shown {
    page: Html,
    complaints: Vec<String>,
    /// What is wrong with the page as it was written.
    errors: Vec<String>,
}

/// `None` where there is no browser.
fn browser() -> Option<&'static str> {
    let browsers = ["chromium", "chromium-browser", "google-chrome"];
    let found = browsers.into_iter().find(|browser| {
        let asked = Command::new(browser).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    });
    if found.is_none() {
        skip("missing: chromium (scripts/setup --tests installs it)");
    }
    found
}

fn show(browser: &str, page: &Path) -> Shown {
    let profile = TempDir::new().unwrap();
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
        ])
        .args(["--no-first-run", "--enable-logging=stderr", "--v=0", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let complaints = said.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
    let written = Html::parse_document(&fs::read_to_string(page).unwrap());
    let errors = written.errors.iter().map(ToString::to_string).collect();
    Shown { page: Html::parse_document(&String::from_utf8(output.stdout).unwrap()), complaints, errors }
}

/// Runs an experiment in simulation; gives its folder.
fn run(experiment: &str) -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("experiment.toml"), experiment).unwrap();
    let output = jiho(dir.path(), &["run", "experiment.toml", "--on", "sim", "--out", "run"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some_and(|code| code != 1 && code != 2), "{error}");
    let folder = dir.path().join("run");
    (dir, folder)
}

fn jiho(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jiho")).args(arguments).current_dir(dir).output().unwrap()
}

fn rows(table: &Path) -> Vec<Row> {
    csv::Reader::from_path(table).unwrap().deserialize().map(Result::unwrap).collect()
}

fn select<'p>(page: &'p Html, selector: &str) -> Vec<ElementRef<'p>> {
    page.select(&Selector::parse(selector).unwrap()).collect()
}

fn text(element: ElementRef<'_>) -> String {
    element.text().collect::<String>().trim().to_owned()
}

/// A table's rows by the headings of its columns.
fn table(page: &Html, caption: &str) -> Vec<Row> {
    let tables = select(page, "table");
    let is_it = |table: &&ElementRef<'_>| {
        table.select(&Selector::parse("caption").unwrap()).next().is_some_and(|own| text(own).starts_with(caption))
    };
    let found = tables.iter().find(is_it).unwrap_or_else(|| panic!("no table {caption:?}"));
    let heads: Vec<String> = found.select(&Selector::parse("thead th").unwrap()).map(text).collect();
    let cells = Selector::parse("th, td").unwrap();
    let row = |row: ElementRef<'_>| heads.iter().cloned().zip(row.select(&cells).map(text)).collect();
    found.select(&Selector::parse("tbody tr").unwrap()).map(row).collect()
}

/// Complete, silent and self-contained.
fn assert_sound(shown: &Shown) {
    assert_eq!((&shown.complaints, &shown.errors), (&Vec::new(), &Vec::new()));
    for element in select(&shown.page, "[src], [href], [data], [action], link, iframe, object, embed") {
        let at =
            ["src", "href", "data", "action"].into_iter().find_map(|name| element.value().attr(name)).unwrap_or("");
        let own = at.starts_with('#') || at.starts_with("./ear-") || at.starts_with("data:audio/ogg;base64,");
        assert!(own, "{} leads to {at:.100}", element.value().name());
    }
    let levels: Vec<usize> =
        select(&shown.page, "h1, h2, h3, h4").iter().map(|h| h.value().name()[1..].parse().unwrap()).collect();
    assert!(levels[0] == 1 && levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
    for picture in select(&shown.page, "figure svg[role=img]") {
        let labels = picture.value().attr("aria-labelledby").unwrap();
        for id in labels.split(' ') {
            assert_eq!(select(&shown.page, &format!("[id='{id}']")).len(), 1, "{id}");
        }
    }
    let figures = select(&shown.page, "figure").len();
    assert!(select(&shown.page, "figure > details table").len() >= figures, "each figure is a table too");
    for head in select(&shown.page, "table th") {
        assert!(matches!(head.value().attr("scope"), Some("col" | "row")), "{}", head.html());
    }
    assert!(
        select(&shown.page, "table").iter().all(|t| t.select(&Selector::parse("caption").unwrap()).next().is_some())
    );
    assert!(!select(&shown.page, "input.find").is_empty(), "the script has run to its end");
}

/// Every figure of every pair, and the heat map.
fn assert_pairs(shown: &Shown, folder: &Path) {
    let pairs = rows(&folder.join("pairs.csv"));
    let listed = table(&shown.page, "Pairs: delays in ms");
    assert_eq!(listed.len(), pairs.len());
    let columns = [
        ("speaker", "speaker"),
        ("ear", "recorder"),
        ("tier", "relation"),
        ("expected", "expected"),
        ("heard", "heard"),
        ("min", "min_ms"),
        ("p05", "p05_ms"),
        ("median", "median_ms"),
        ("low", "median_low_ms"),
        ("high", "median_high_ms"),
        ("p95", "p95_ms"),
        ("p99", "p99_ms"),
        ("max", "max_ms"),
        ("IQR", "iqr_ms"),
        ("steps", "steps"),
        ("network", "network_median_ms"),
        ("buffer", "buffer_median_ms"),
    ];
    for (listed, pair) in listed.iter().zip(&pairs) {
        for (shown, column) in columns {
            assert!(same(&listed[shown], &pair[column]), "{column}: {} and {}", listed[shown], pair[column]);
        }
    }
}

/// The same number, however it is written, or the same text.
fn same(one: &str, other: &str) -> bool {
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

fn assert_heat_map(shown: &Shown, folder: &Path) {
    let pairs = rows(&folder.join("pairs.csv"));
    let cells = select(&shown.page, "table.heat td[data-median-ms]");
    assert_eq!(cells.len(), pairs.iter().filter(|pair| !pair["median_ms"].is_empty()).count());
    for cell in cells {
        let attr = |name: &str| cell.value().attr(name).unwrap().to_owned();
        let is_it = |pair: &&Row| {
            (&pair["speaker"], &pair["recorder"]) == (&attr("data-speaker"), &attr("data-ear"))
                && same(&pair["median_ms"], &attr("data-median-ms"))
        };
        let pair = pairs.iter().find(is_it).unwrap_or_else(|| panic!("no pair is {}", cell.html()));
        let median: f64 = pair["median_ms"].parse().unwrap();
        assert!(text(cell).starts_with(&format!("{median:.2}")), "{}", cell.html());
        assert!(text(cell).contains(&format!("{}/{}", pair["heard"], pair["expected"])), "{}", cell.html());
    }
}

/// What was heard, as it is drawn over time, is what `delays.csv` has.
fn assert_delays(shown: &Shown, folder: &Path) {
    let delays = rows(&folder.join("delays.csv"));
    let mut ears: Vec<&String> = delays.iter().map(|row| &row["recorder"]).collect();
    ears.dedup();
    let mut compared = 0;
    for ear in ears {
        let heard = |row: &&Row| row["recorder"] == *ear && ["heard", "weak"].contains(&row["status"].as_str());
        let mut truth: Vec<i64> = delays.iter().filter(heard).map(|row| row["delay_ns"].parse().unwrap()).collect();
        let tables = select(&shown.page, "section#time table");
        let of_ear = tables.iter().filter(|t| {
            text(t.select(&Selector::parse("caption").unwrap()).next().unwrap()) == format!("What {ear} heard")
        });
        let cells = Selector::parse("tbody td:last-child").unwrap();
        let mut drawn: Vec<i64> = of_ear
            .flat_map(|table| {
                table.select(&cells).map(|cell| (text(cell).parse::<f64>().unwrap() * 1e6).round() as i64)
            })
            .collect();
        truth.sort_unstable();
        drawn.sort_unstable();
        compared += drawn.len();
        assert_eq!(drawn, truth, "at {ear}");
    }
    assert!(compared > 0);
}

/// What stands beside the curves of distributions, by whole numbers: nanoseconds, and shares in hundredths.
fn assert_quantiles(shown: &Shown, folder: &Path) {
    let mut delays: BTreeMap<(String, String), Vec<i64>> = BTreeMap::new();
    for row in rows(&folder.join("delays.csv")) {
        let heard = ["heard", "weak"].contains(&row["status"].as_str());
        let pair = (row["recorder"].clone(), row["speaker"].clone());
        delays.entry(pair).or_default().extend(heard.then(|| row["delay_ns"].parse::<i64>().unwrap()));
    }
    for ((ear, speaker), mut ns) in delays {
        ns.sort_unstable();
        let listed = table(&shown.page, &format!("Delays at {ear} in ms"));
        let listed = listed.iter().find(|row| row["speaker"] == speaker).unwrap();
        assert_eq!(listed["heard"], ns.len().to_string());
        let shares =
            [("least", 0), ("5 %", 5), ("25 %", 25), ("median", 50), ("75 %", 75), ("95 %", 95), ("greatest", 100)];
        for (head, hundredths) in shares {
            // Type 7 of Hyndman and Fan: the first value is at 0, the last at 1, between them lines.
            let (below, rest) = ((ns.len() - 1) * hundredths / 100, ((ns.len() - 1) * hundredths % 100) as i64);
            let above = (below + 1).min(ns.len() - 1);
            let truth = (ns[below] * (100 - rest) + ns[above] * rest) as f64 / 1e8;
            let shown: f64 = listed[head].parse().unwrap();
            assert!((shown - truth).abs() <= 0.000_501, "{speaker} at {ear}, {head}: {shown} in place of {truth}");
        }
    }
}

const BEEPS: &str = "name = \"beeps\"\n[run]\nduration = \"12s\"\n[link.default]\ndelay = \"20ms\"\nloss = \"3%\"\n\
     jitter.normal = \"5ms\"\n[[speaker]]\nname = \"ana\"\n[[speaker]]\nname = \"ben\"\n[[listener]]\nname = \"lena\"\n";

const PROMOTION: &str = "name = \"promotion\"\n[run]\nduration = \"9s\"\ndrain = \"1s\"\n[signal.pilot]\n[stage.forward]\n\
     [promotion.webrtc_dtls12]\n[link.default]\ndelay = \"20ms\"\n[[speaker]]\nname = \"ana\"\n[[speaker]]\nname = \"ben\"\n\
     [[listener]]\nname = \"lena\"\n[[event]]\nat = \"3s\"\npromote = \"lena\"\n";

#[test]
fn a_page_of_beeps_shows_its_tables_numbers_and_plays_its_recordings() {
    let Some(browser) = browser() else { return };
    let (_dir, folder) = run(BEEPS);
    let shown = show(browser, &folder.join("report.html"));
    assert_sound(&shown);
    assert_pairs(&shown, &folder);
    assert_heat_map(&shown, &folder);
    assert_delays(&shown, &folder);
    assert_quantiles(&shown, &folder);

    let topology = rows(&folder.join("topology.csv"));
    let listed: Vec<Row> = ["stage", "audience"]
        .iter()
        .flat_map(|tier| table(&shown.page, &format!("Who may have served the {tier}")))
        .collect();
    assert_eq!(listed.len(), topology.len());
    for (listed, row) in listed.iter().zip(&topology) {
        assert!(same(&listed["log odds"], &row["log_odds"]), "{listed:?}");
    }

    let players = select(&shown.page, "audio");
    assert_eq!(players.len(), 3, "everybody's ear");
    let arrivals = rows(&folder.join("arrivals.csv"));
    for ear in ["ana", "ben", "lena"] {
        let is_beep = |row: &&Row| row["recorder"] == ear && ["beep", "echo"].contains(&row["kind"].as_str());
        let truth = arrivals.iter().filter(is_beep).count();
        assert_eq!(table(&shown.page, &format!("Found in what {ear} heard")).len(), truth);
    }
}

#[test]
fn what_the_page_plays_is_what_the_ear_recorded() {
    if Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).status().is_err() {
        return skip("missing: ffmpeg (scripts/setup --tests installs it)");
    }
    let (dir, folder) = run(BEEPS);
    let page = Html::parse_document(&fs::read_to_string(folder.join("report.html")).unwrap());
    let player = select(&page, "audio[aria-label='What lena heard']")[0];
    let sound = player.value().attr("src").unwrap().strip_prefix("data:audio/ogg;base64,").unwrap();
    fs::write(dir.path().join("heard.opus"), base64::engine::general_purpose::STANDARD.decode(sound).unwrap()).unwrap();
    let ffmpeg = ["-v", "error", "-xerror", "-i", "heard.opus", "heard.wav"];
    assert!(Command::new("ffmpeg").args(ffmpeg).current_dir(dir.path()).status().unwrap().success());
    // Without its sidecar it begins when the decoded one does.
    fs::copy(folder.join("ear-lena.wav"), dir.path().join("recorded.wav")).unwrap();
    let samples = |name: &str| hound::WavReader::open(dir.path().join(name)).unwrap().duration();
    assert_eq!(samples("heard.wav"), samples("recorded.wav"));
    let output = jiho(dir.path(), &["analyze", "heard.wav", "--against", "recorded.wav", "--format", "json"]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let all = found["differences"].as_array().unwrap();
    let differences: Vec<_> = all.iter().filter(|difference| difference["from"] != difference["to"]).collect();
    assert_eq!(differences.len(), 2, "of each speaker: {all:#?}");
    for difference in differences {
        assert!(difference["median_ms"].as_f64().unwrap().abs() < 0.1, "{difference:#}");
    }
}

#[test]
fn a_page_of_a_promotion_shows_the_steps_that_the_silence_is_made_of() {
    let Some(browser) = browser() else { return };
    let (_dir, folder) = run(PROMOTION);
    let shown = show(browser, &folder.join("report.html"));
    assert_sound(&shown);
    assert_pairs(&shown, &folder);
    let stack = rows(&folder.join("stack.csv"));
    let bars: Vec<String> = select(&shown.page, "section#promotion rect.bar")
        .iter()
        .map(|bar| bar.value().attr("data-length-ns").unwrap().to_owned())
        .collect();
    assert!(bars.len() > 4, "{bars:?}");
    let is_stack = |own: &[Row]| {
        let lengths: Vec<&String> = own.iter().map(|row| &row["length_ns"]).collect();
        bars.windows(lengths.len()).any(|part| part.iter().eq(lengths.iter().copied()))
    };
    let stacks = stack.chunk_by(|a, b| ["side", "endpoint", "speaker"].iter().all(|column| a[*column] == b[*column]));
    assert!(stacks.filter(|own| is_stack(own)).count() >= 2, "{bars:?}");
    assert_eq!(table(&shown.page, "What changes of roles did").len(), rows(&folder.join("gaps.csv")).len());
    assert_eq!(select(&shown.page, "section#promotion polygon.wave").len(), 2, "what both ears recorded");
}

#[test]
fn a_page_of_a_chorus_shows_its_voices() {
    let Some(browser) = browser() else { return };
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/experiments/chorus-follow.toml");
    let (_dir, folder) = run(&fs::read_to_string(fixtures).unwrap());
    let shown = show(browser, &folder.join("report.html"));
    assert_sound(&shown);
    assert_pairs(&shown, &folder);
    let pairs = rows(&folder.join("asynchrony.csv"));
    let listed = table(&shown.page, "How much later one voice is");
    assert_eq!(listed.len(), pairs.len());
    for (listed, pair) in listed.iter().zip(&pairs) {
        assert!(same(&listed["other is later by"], &pair["median_ms"]), "{listed:?}");
        assert!(same(&listed["by delays alone"], &pair["predicted_ms"]), "{listed:?}");
    }
    let beats = rows(&folder.join("chorus.csv"));
    assert_eq!(table(&shown.page, "Beats").len(), beats.len());
    // A dot for each voice in a beat of several, and none beyond the axis in this room.
    let voices: usize =
        beats.iter().map(|row| row["voices"].parse::<usize>().unwrap()).filter(|voices| *voices > 1).sum();
    assert_eq!(select(&shown.page, "section#chorus circle.voice").len(), voices);
    assert!(fs::read_to_string(folder.join("chorus.svg")).unwrap().matches("class=\"voice\"").count() == voices);
}

#[test]
fn the_page_says_of_doubtful_pairs_what_the_exit_code_says() {
    let faint = format!("{BEEPS}link = \"bad\"\n[link.bad]\nloss = \"75%\"\n");
    let silent = BEEPS.replace("3%", "100%");
    for (experiment, code, class) in [(BEEPS, 0, "pass"), (&faint, 3, "inconclusive"), (&silent, 4, "fail")] {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("faint.toml"), experiment).unwrap();
        let output = jiho(dir.path(), &["run", "faint.toml", "--on", "sim", "--out", "run"]);
        assert_eq!(output.status.code(), Some(code), "{experiment}");
        let page = Html::parse_document(&fs::read_to_string(dir.path().join("run/report.html")).unwrap());
        let verdict = select(&page, "section#verdict p.verdict")[0];
        assert_eq!(verdict.value().attr("class"), Some(&*format!("verdict {class}")), "{experiment}");
        for pair in rows(&dir.path().join("run/pairs.csv")) {
            let [expected, heard] = ["expected", "heard"].map(|count| pair[count].parse::<usize>().unwrap());
            let named = format!("{} at {} ({heard} of {expected})", pair["speaker"], pair["recorder"]);
            assert_eq!(text(verdict).contains(&named), heard * 2 < expected || heard < 5, "{}", text(verdict));
        }
    }
}

/// Speakers of a crowd, and whoever tries to get into the page by a name.
const STAGE: [&str; 6] = ["ana", "ben", "<img src=x onerror=alert(1)>", "dora \"d\" & co", "emil", "finn"];
const EARS: usize = 1000;
const BEEPS_OF_CROWD: usize = 20;

/// Delays of a thousand ears, in ns: nothing of ours measured them.
fn delay_ns(speaker: usize, ear: usize, beep: usize) -> i64 {
    80_000_000 + 1_000_000 * speaker as i64 + 100_000 * ear as i64 + 10_000 * ((beep * 7) % 20) as i64
}

fn crowd(folder: &Path) {
    let mut emissions = "run_id,rep,speaker,beep,code,planned_ns,sent_ns,sent_error_ns,media_time\n".to_owned();
    let mut delays = "run_id,rep,speaker,recorder,relation,beep,status,reason,delay_ns,low_ns,high_ns\n".to_owned();
    let mut pairs =
        "run_id,rep,speaker,recorder,relation,expected,heard,heard_ratio,min_ms,p05_ms,median_ms,p95_ms,p99_ms,\
        max_ms,iqr_ms,median_low_ms,median_high_ms,drift_ppm,steps,weak,ambiguous,network_median_ms,buffer_median_ms\n"
            .to_owned();
    for (n, speaker) in STAGE.iter().enumerate() {
        let speaker = format!("\"{}\"", speaker.replace('"', "\"\""));
        for beep in 0..BEEPS_OF_CROWD {
            let at = 1_000_000_000 * (beep + 1);
            writeln!(emissions, "crowd,1,{speaker},{beep},{n},{at},{at},0,0").unwrap();
        }
        for ear in 0..EARS {
            for beep in 0..BEEPS_OF_CROWD {
                let delay = delay_ns(n, ear, beep);
                writeln!(delays, "crowd,1,{speaker},ear-{ear},audience,{beep},heard,,{delay},{delay},{delay}").unwrap();
            }
            let median = (delay_ns(n, ear, 0) as f64 + 95_000.0) / 1e6;
            writeln!(pairs, "crowd,1,{speaker},ear-{ear},audience,20,20,1,,,{median},,,,,,,,0,0,0,,").unwrap();
        }
    }
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("emissions.csv"), emissions).unwrap();
    fs::write(folder.join("delays.csv"), delays).unwrap();
    fs::write(folder.join("pairs.csv"), pairs).unwrap();
}

#[test]
fn a_page_of_a_thousand_listeners_sums_up_and_stays_small() {
    let Some(browser) = browser() else { return };
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("crowd");
    crowd(&folder);
    let page = html::page(&Tables::open(&folder).unwrap()).unwrap();
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    let pictures: usize = select(&Html::parse_document(&page), "svg").iter().map(|svg| svg.html().len()).sum();
    assert!(pictures < 300_000, "{pictures} bytes of pictures");
    fs::write(folder.join("report.html"), page).unwrap();

    let shown = show(browser, &folder.join("report.html"));
    assert_sound(&shown);
    assert_pairs(&shown, &folder);
    let heat = select(&shown.page, "table.heat td[data-ear]");
    let named: Vec<&str> = heat.iter().map(|cell| cell.value().attr("data-ear").unwrap()).collect();
    assert_eq!(named, ["ear-0", "ear-999"].repeat(STAGE.len()), "least and greatest, speaker by speaker");
    assert_eq!(select(&shown.page, "img").len(), 0, "a name is a name");
}

#[test]
fn pages_that_load_or_throw_are_found_out() {
    let Some(browser) = browser() else { return };
    let (_dir, folder) = run(BEEPS);
    let page = fs::read_to_string(folder.join("report.html")).unwrap();
    for harm in ["<script>nobody.knows()</script>", "<img src=\"http://127.0.0.1:9/x.png\">"] {
        let harmed = folder.join("harmed.html");
        fs::write(&harmed, page.replace("</body>", &format!("{harm}</body>"))).unwrap();
        assert_eq!(show(browser, &harmed).complaints.len(), 1, "{harm}");
    }
}

#[test]
fn two_runs_are_compared_on_a_page_and_in_text() {
    let Some(browser) = browser() else { return };
    // Long enough for blocks of time signals.
    let longer = BEEPS.replace("12s", "40s");
    let (dir, first) = run(&longer);
    let slower = longer.replace("delay = \"20ms\"", "delay = \"23ms\"").replace("lena", "omar");
    let (_other, second) = run(&slower);
    let [first, second] = [first, second].map(|path| path.to_str().unwrap().to_owned());
    let output = jiho(dir.path(), &["compare", &first, &second, "--html", "difference.html"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("Heard in A only: ana at lena, ben at lena."), "{said}");
    assert!(said.contains("Heard in B only: ana at omar, ben at omar."), "{said}");
    let shown = show(browser, &dir.path().join("difference.html"));
    assert_sound(&shown);
    let listed = table(&shown.page, "Differences, stage");
    // Both ways of a packet are 3 ms longer; jitter buffers wait for the packets' jitter, which is the same.
    assert_eq!(listed.len(), 3, "the tier, and two pairs");
    for row in listed {
        let shift: f64 = row["shift (ms)"].parse().unwrap();
        let (low, high) = row["95 % interval (ms)"].split_once(" to ").unwrap();
        let [low, high] = [low, high].map(|end| end.parse::<f64>().unwrap());
        assert!(low <= 6.0 && 6.0 <= high && (shift - 6.0).abs() < 1.0, "{row:?}");
        assert!(said.contains(&row["95 % interval (ms)"]), "the text has the same");
    }
}
