//! Who served the room, from a run's tables alone, and `jiho explain`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use jiho::run::folder::Folder;
use jiho::run::observations;
use jiho_analysis::metrics::topology::Observations;

use crate::room::{Ran, run, simulated};
use crate::skip::skip;

/// A mixed audience behind a delayed tier and a forwarded stage, with losses; uncompressed and without luck in codecs.
const EXPERIMENT: &str = "name = \"room\"\n[run]\nduration = \"12s\"\nwarmup = \"1s\"\nseed = 3\n[signal.pilot]\n\
    [media]\ncodec.l16 = {}\n[stage.forward]\n[audience.tier]\ndelay_line = \"900ms\"\nthrough.mix = {}\n\
    [link.default]\ndelay = \"12ms\"\njitter.normal = \"2ms\"\nloss = \"1%\"\n\
    [[speaker]]\nname = \"ana\"\n[[speaker]]\nname = \"ben\"\n[[speaker]]\nname = \"chloe\"\n\
    [[listener]]\nname = \"lena\"\n[[listener]]\nname = \"mei\"\n";
/// What may be read, if it is there.
const TABLES: [&str; 6] = ["emissions.csv", "delays.csv", "breaks.csv", "events.csv", "packets.csv", "drops.csv"];
const FILES_OF_EXPERIMENTS: [&str; 2] = ["experiment.toml", "experiment.effective.toml"];

fn explain(folder: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_jiho")).arg("explain").arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The tables of a run and nothing else, in a folder of their own, as `changed`.
fn tables_alone(ran: &Ran, changed: impl Fn(&str) -> String) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for table in TABLES.into_iter().filter(|table| ran.dir.join(table).exists()) {
        let text = fs::read_to_string(ran.dir.join(table)).unwrap();
        fs::write(folder.path().join(table), changed(&text)).unwrap();
    }
    folder
}

/// The room, with packets dropped on purpose.
fn probed() -> String {
    format!("{EXPERIMENT}[drop_probe]\nincoming = 3\noutgoing = 3\n")
}

/// Rows of `topology.csv`, without the run's name.
fn topology(ran: &Ran) -> Vec<BTreeMap<String, String>> {
    let rows = csv::Reader::from_path(ran.dir.join("topology.csv")).unwrap().into_deserialize();
    rows.map(|row: Result<BTreeMap<String, String>, _>| {
        let mut row = row.unwrap();
        row.remove("run_id");
        row
    })
    .collect()
}

/// The hypotheses on both tiers whose verdict is one of these.
fn judged(ran: &Ran, verdicts: &[&str]) -> BTreeSet<String> {
    let rows = topology(ran).into_iter().filter(|row| verdicts.contains(&row["verdict"].as_str()));
    rows.map(|row| format!("{} {}", row["tier"], row["hypothesis"])).collect()
}

/// What `jiho explain` says of the room, without who heard what.
fn served(page: &str) -> &str {
    page.split_once("What kind of room it was").unwrap().1
}

#[test]
fn a_room_is_explained_from_its_tables_alone() {
    let ran = simulated(EXPERIMENT);
    let page = explain(&ran.dir);
    insta::assert_snapshot!(page);
    assert_eq!(explain(tables_alone(&ran, str::to_owned).path()), page);
    assert_eq!(topology(&ran).len(), 4 + 6);
    assert!(judged(&ran, &["named"]).contains("audience delayed_mix"));
    assert!(judged(&ran, &["ruled_out"]).contains("stage mix"));
}

#[test]
fn what_the_configuration_calls_things_changes_nothing() {
    let ran = simulated(&probed());
    let page = explain(&ran.dir);
    let alone = tables_alone(&ran, str::to_owned);
    assert!(alone.path().join("drops.csv").exists());
    assert_eq!(explain(alone.path()), page, "neither the experiment nor run.json is looked at");

    let lying = probed().replace("[stage.forward]", "[stage.mesh]").replace("through.mix", "through.forward");
    FILES_OF_EXPERIMENTS.iter().for_each(|file| fs::write(ran.dir.join(file), &lying).unwrap());
    assert_eq!(explain(&ran.dir), page, "an experiment that lies misleads nobody");
    FILES_OF_EXPERIMENTS.iter().for_each(|file| fs::remove_file(ran.dir.join(file)).unwrap());
    assert_eq!(explain(&ran.dir), page, "nor does anybody miss it");

    // People, streams and the run itself, in its tables.
    let shuffled = tables_alone(&ran, |text| {
        let mut text = text.to_owned();
        for (from, to) in [
            ("ana", "#1"),
            ("ben", "#2"),
            ("lena", "#3"),
            ("mei", "#4"),
            ("mix", "forward"),
            ("room-sim", "mesh"),
            ("relay", "edge"),
            ("#1", "mei"),
            ("#2", "ana"),
            ("#3", "mesh"),
            ("#4", "ben"),
        ] {
            text = text.replace(&format!(",{from},"), &format!(",{to},")).replace(from, to);
        }
        text
    });
    let other = explain(shuffled.path());
    assert!(other != page && served(&other) == served(&page), "{other}");

    // And in the experiment that was run.
    let mut renamed = probed();
    for (from, to) in [("ana", "mixer"), ("ben", "mesh"), ("chloe", "cascade"), ("lena", "forward"), ("mei", "delayed")]
    {
        renamed = renamed.replace(&format!("\"{from}\""), &format!("\"{to}\""));
    }
    assert_eq!(topology(&simulated(&renamed)), topology(&ran));
}

#[test]
fn clocks_of_hosts_change_nothing_that_is_said_of_servers() {
    let cascade = "[stage.cascade]\nedges = [{ name = \"tokyo\" }, { name = \"osaka\", link = \"trunk\" }]\n\
                   [audience.forward]\n[link.trunk]\ndelay = \"60ms\"\nloss = \"2%\"\n";
    for serving in [
        "[stage.mesh]\n[audience.mix]\n",
        "[stage.forward]\n[audience.tier]\ndelay_line = \"900ms\"\nthrough.mix = {}\n",
        "[stage.mix]\n[audience.tier]\ndelay_line = \"900ms\"\n",
        cascade,
    ] {
        let held = |clocks: [(&str, i32); 5]| {
            let mut text = format!(
                "name = \"clocks\"\n[run]\nwarmup = \"6s\"\nduration = \"12s\"\ndrain = \"8s\"\n[signal.pilot]\n\
                 [media]\ncodec.l16 = {{}}\n{serving}[drop_probe]\nincoming = 3\noutgoing = 3\n[link.default]\ndelay = \"12ms\"\n\
                 jitter.normal = \"2ms\"\nloss = \"1%\"\n"
            );
            for (n, (offset, drift_ppm)) in clocks.into_iter().enumerate() {
                let name = ["ana", "ben", "chloe", "lena", "mei"][n];
                let part = if n < 3 { "speaker" } else { "listener" };
                let edge = if serving == cascade { ["tokyo", "osaka"][n % 2] } else { "" };
                let edge = if edge.is_empty() { String::new() } else { format!("edge = \"{edge}\"\n") };
                text += &format!(
                    "[host.{name}]\nclock = {{ offset = \"{offset}\", drift_ppm = {drift_ppm} }}\n\
                     [[{part}]]\nname = \"{name}\"\nhost = \"{name}\"\n{edge}"
                );
            }
            simulated(&text)
        };
        let right = held([("0s", 0); 5]);
        let wrong = held([("5s", 100), ("-5s", -100), ("2.7s", -60), ("-3.1s", 80), ("4.4s", -100)]);
        for said in [&["named"][..], &["named", "open"]] {
            assert_eq!(judged(&right, said), judged(&wrong, said), "{serving}");
        }
        // What is passed on by several servers sounds like what is passed on by one.
        assert!(serving == cascade || !judged(&right, &["named"]).is_empty(), "{serving}: {:?}", topology(&right));
    }
}

/// Drops in order, whoever told of them first.
fn in_order(mut observations: Observations) -> Observations {
    observations.drops.sort_by(|a, b| (a.at, &a.client).cmp(&(b.at, &b.client)));
    observations
}

#[test]
fn what_clients_noted_in_folders_of_their_own_is_put_on_one_time_line() {
    let ran = simulated(
        &probed()
            .replace("codec.l16 = {}", "codec.l16 = {}\nseal.sframe = { passphrase = \"test\" }")
            .replace("[audience.tier]\ndelay_line = \"900ms\"\nthrough.mix = {}", "[audience.forward]"),
    );
    let whole = in_order(observations::read(&[Folder::open(&ran.dir).unwrap()]).unwrap());
    assert!(whole.drops.len() > 10 && whole.greetings.len() == 5 && whole.sealed.len() == 3, "{whole:?}");

    // Everybody's rows by themselves, counted from when each one's process began; the first one measured.
    let temporary = tempfile::tempdir().unwrap();
    let run_json = ran.run_json();
    let names = ["ana", "ben", "chloe", "lena", "mei"];
    let folders = names.map(|name| {
        let began_ns = 1_234_567_890 * names.iter().position(|other| *other == name).unwrap() as i64;
        let folder = Folder::create(&temporary.path().join(name)).unwrap();
        let mut run_json = run_json.clone();
        run_json["host"] = serde_json::json!({
            "started_unix_ns": 1_700_000_000_000_000_000 + began_ns, "system": "", "threads": [], "cpus": 1, "stalls": 0
        });
        fs::write(folder.run_json(), run_json.to_string()).unwrap();
        for (table, owner) in [
            ("emissions.csv", "speaker"),
            ("events.csv", "node"),
            ("packets.csv", "endpoint"),
            ("drops.csv", "participant"),
        ] {
            let mut rows = csv::Reader::from_path(ran.dir.join(table)).unwrap();
            let header = rows.headers().unwrap().clone();
            let mut own = csv::Writer::from_path(folder.path().join(table)).unwrap();
            own.write_record(&header).unwrap();
            for row in rows.records().map(Result::unwrap) {
                let owners = &row[header.iter().position(|column| column == owner).unwrap()];
                // What the relay noted has to be somewhere.
                if owners == name || (owners == "relay" && name == "ana") {
                    let cells = header.iter().zip(&row).map(|(column, cell)| match cell.parse::<i64>() {
                        Ok(ns) if ["sent_ns", "planned_ns", "at_ns", "played_ns"].contains(&column) => {
                            (ns - began_ns).to_string()
                        }
                        _ => cell.to_owned(),
                    });
                    own.write_record(cells).unwrap();
                }
            }
            own.flush().unwrap();
        }
        folder
    });
    for table in ["delays.csv", "breaks.csv"] {
        fs::copy(ran.dir.join(table), folders[0].path().join(table)).unwrap();
    }
    assert_eq!(in_order(observations::read(&folders).unwrap()), whole);
}

/// The jitter buffer is long: a machine that is busy with other tests is late.
fn in_real_time(serving: &str, edges: bool) -> Ran {
    let mut text = format!(
        "name = \"real\"\n[run]\nduration = \"10s\"\ndrain = \"2s\"\n[signal.pilot]\n{serving}\
         [playout]\nfixed = \"200ms\"\n[link.default]\ndelay = \"10ms\"\n\
         [drop_probe]\nparticipants = [\"ana\", \"ben\", \"lena\"]\nincoming = 4\noutgoing = 6\n"
    );
    for (n, name) in ["ana", "ben", "chloe", "lena", "mei"].into_iter().enumerate() {
        let part = if n < 3 { "speaker" } else { "listener" };
        let edge = if edges { format!("edge = \"{}\"\n", ["tokyo", "osaka"][n % 2]) } else { String::new() };
        text += &format!("[[{part}]]\nname = \"{name}\"\n{edge}");
    }
    run(&text, &["--on", "loopback"])
}

/// Whether the machine let packets come after their time: what it loses or delays is no room's fault.
fn stood_still(ran: &Ran) -> bool {
    ran.packets().iter().any(|packet| packet.action.as_deref() == Some("late"))
}

#[test]
fn on_loopback_nothing_is_named_that_a_room_is_not_and_mesh_and_mixer_are() {
    let cascade = "[stage.cascade]\nedges = [{ name = \"tokyo\" }, { name = \"osaka\" }]\n[audience.forward]\n";
    let rooms = [
        ("[stage.mesh]\n[audience.forward]\n", ["stage mesh", "audience forward"]),
        ("[stage.forward]\n[audience.mix]\n", ["stage forward", "audience mix"]),
        ("[stage.mix]\n[audience.mix]\n", ["stage mix", "audience mix"]),
        (cascade, ["stage cascade", "audience cascade"]),
    ];
    for _ in 0..3 {
        let held: Vec<Ran> = thread::scope(|scope| {
            let rooms = rooms.map(|(serving, _)| scope.spawn(move || in_real_time(serving, serving == cascade)));
            rooms.into_iter().map(|room| room.join().unwrap()).collect()
        });
        for (ran, (serving, truth)) in held.iter().zip(rooms) {
            assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
            let truth = BTreeSet::from(truth.map(str::to_owned));
            assert!(judged(ran, &["named"]).is_subset(&truth), "{serving}: {:?}", topology(ran));
            assert!(judged(ran, &["ruled_out"]).is_disjoint(&truth), "{serving}: {:?}", topology(ran));
        }
        let [mesh, _, mix, _] = &held[..] else { unreachable!("four rooms") };
        let [mesh_named, mix_named] = [(mesh, "stage mesh"), (mix, "stage mix")].map(|(ran, truth)| {
            let named = judged(ran, &["named"]).contains(truth);
            assert!(named || stood_still(ran), "{:?}", topology(ran));
            named
        });
        if mesh_named && mix_named {
            return;
        }
    }
    skip("this machine stood still in each of three runs");
}

#[test]
fn a_folder_without_delays_says_what_makes_them() {
    let ran = simulated(EXPERIMENT);
    let folder = tables_alone(&ran, str::to_owned);
    fs::remove_file(folder.path().join("delays.csv")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_jiho")).arg("explain").arg(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("jiho analyze"));
}

#[test]
fn who_was_called_up_reads_what_the_silence_was_made_of() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/experiments/clubhouse.toml");
    let ran = run(&fs::read_to_string(fixture).unwrap(), &["--on", "sim"]);
    let page = explain(&ran.dir);
    let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("lena was called up to the stage. For lena the room fell silent for 1.48 s."), "{page}");
    assert!(words.contains("1.05 s for the sound device to restart"), "{page}");
}
