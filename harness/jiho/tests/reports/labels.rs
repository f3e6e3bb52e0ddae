//! Labels lie where the sound is, in each recording and on the time line of all of them.

use std::fs;

use crate::folder::{ROOM, Run};

/// Start, end, text.
fn parsed(text: &str) -> Vec<(f64, f64, String)> {
    let label = |line: &str| {
        let parts: Vec<&str> = line.split('\t').collect();
        assert_eq!(parts.len(), 3, "{line:?}");
        (parts[0].parse().unwrap(), parts[1].parse().unwrap(), parts[2].to_owned())
    };
    text.lines().map(label).collect()
}

/// When beeps were sent, in seconds of the run.
fn sent_s(run: &Run, speaker: &str) -> Vec<f64> {
    let mut table = csv::Reader::from_path(run.path.join("emissions.csv")).unwrap();
    let rows: Vec<std::collections::BTreeMap<String, String>> = table.deserialize().map(Result::unwrap).collect();
    let own = rows.iter().filter(|row| row["speaker"] == speaker);
    own.map(|row| row["sent_ns"].parse::<f64>().unwrap() / 1e9).collect()
}

#[test]
fn a_beep_is_labelled_where_the_links_bring_it() {
    let run = Run::simulated(ROOM, &[]);
    let start_s = run.json("ear-lena.json")["start_ns"].as_f64().unwrap() / 1e9;
    let labels = parsed(&run.read("ear-lena.labels.txt"));
    // A frame, both links, and the jitter buffer; of lena's period there may be a sample in it.
    for (speaker, late_s) in [("ana", 0.020 + 0.030 + 0.040), ("ben", 0.020 + 0.076 + 0.040)] {
        let sent = sent_s(&run, speaker);
        assert!(sent.len() > 5);
        for (beep, sent_s) in sent.into_iter().enumerate() {
            let (at_s, end_s, _) = labels.iter().find(|(.., text)| *text == format!("{speaker} {beep}")).unwrap();
            let truth_s = sent_s + late_s - start_s;
            assert!((at_s - truth_s).abs() < 1e-3 && end_s == at_s, "{speaker} {beep}: {at_s}, not {truth_s}");
        }
    }
}

#[test]
fn all_recordings_lie_on_one_time_line() {
    let run = Run::simulated(ROOM, &[]);
    let together = parsed(&run.read("recordings.labels.txt"));
    let list = run.read("recordings.lof");
    assert_eq!(list.lines().count(), 4);
    let mut labels = 0;
    for line in list.lines() {
        // file "ear-lena.wav" offset 0.012000
        let [command, name, offset] = line.split('"').collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert_eq!(command, "file ");
        assert!(run.path.join(name).is_file());
        let offset_s: f64 = offset.strip_prefix(" offset ").unwrap().parse().unwrap();
        let ear = name.strip_prefix("ear-").unwrap().strip_suffix(".wav").unwrap();
        let start_ns = run.json(&format!("ear-{ear}.json"))["start_ns"].as_f64().unwrap();
        assert!((offset_s - start_ns / 1e9).abs() < 1e-6, "{line}");
        for (start_s, end_s, text) in parsed(&run.read(&format!("ear-{ear}.labels.txt"))) {
            labels += 1;
            let same = |other: &&(f64, f64, String)| {
                other.2 == format!("{ear}: {text}")
                    && (other.0 - start_s - offset_s).abs() < 2e-6
                    && (other.1 - end_s - offset_s).abs() < 2e-6
            };
            assert!(together.iter().any(|other| same(&other)), "{ear}: {text} at {start_s}");
        }
    }
    assert_eq!(together.len(), labels);
}

#[test]
fn breaks_gaps_and_changes_lie_where_their_tables_say_by_a_card_that_counts_too_fast() {
    let run = Run::older();
    // It began 100 ms into the run, and counts a hundredth too many samples.
    let sidecar = run.read("ear-lena.json").replace("\"start_ns\": 19203442", "\"start_ns\": 100000000");
    run.write("ear-lena.json", &sidecar.replace("\"rate\": 48000", "\"rate\": 48000, \"rate_skew_ppb\": 10000000"));
    run.write(
        "breaks.csv",
        "run_id,rep,recorder,speaker,code,kind,last_before_ns,first_after_ns,silence_ns,lost_ns,step_ns,closure_ns,\
         edge_error_ns,lag_before_ns,lag_after_ns,delay_before_ns,delay_after_ns,steps,slope_percent,filled_db\n\
         r,1,lena,ana,0,skip,600000000,800000000,200000000,0,0,0,0,0,0,,,1,,\n\
         r,1,ben,ana,0,skip,600000000,800000000,200000000,0,0,0,0,0,0,,,1,,\n",
    );
    run.write(
        "gaps.csv",
        "run_id,rep,event,endpoint,from_role,to_role,side,commanded_ns,last_before_ns,first_after_ns,silence_ns,lost_ns,\
         repeated_ns,first_audio_ns,steady_ns,resolution_ns,kind,change,subject,speaker,far_end,delay_before_ns,\
         delay_after_ns,steps_sum_ns,unexplained_ns\n\
         r,1,promote,lena,listener,speaker,ear,1000000000,1100000000,1600000000,500000000,0,0,,,0,silent_gap,1,lena,ana,\
         active,,,,\n",
    );
    run.write(
        "events.csv",
        "run_id,rep,at_ns,node,event,subject,change,step,detail\n\
         r,1,1000000000,moderator,promote,lena,,asked,\nr,1,1700000000,relay,promote,lena,1,done,\n\
         r,1,1750000000,moderator,promote,lena,1,done,\nr,1,50000000,ben,join,ben,,asked,\n",
    );
    run.report(&[]);
    let labels = parsed(&run.read("ear-lena.labels.txt"));
    let at = |text: &str| labels.iter().find(|label| label.2 == text).map(|(start_s, end_s, _)| (*start_s, *end_s));
    let near = |found: Option<(f64, f64)>, start_s: f64, end_s: f64| {
        let (found_start_s, found_end_s) = found.unwrap();
        assert!((found_start_s - start_s).abs() < 2e-6 && (found_end_s - end_s).abs() < 2e-6, "{found:?}");
    };
    near(at("break of ana: skip"), 0.505, 0.707);
    near(at("promote lena: silent_gap of ana"), 1.01, 1.515);
    near(at("promote lena: asked for"), 0.909, 0.909);
    near(at("promote lena: done"), 1.616, 1.616);
    // Another's break is none of lena's, and what was before the recording is not in it.
    assert_eq!(labels.iter().filter(|label| label.2.starts_with("break")).count(), 1);
    assert_eq!(at("join ben: asked for"), None);
}

#[test]
fn echoes_and_strangers_are_called_so() {
    let run = Run::older();
    run.write(
        "arrivals.csv",
        "run_id,rep,recorder,role,speaker,beep,arrival_ns,arrival_sample,score,snr_db,second_peak_db,rank,code,kind\n\
         r,1,lena,listener,ana,0,0,24000,1,40,-20,1,0,beep\nr,1,lena,listener,ana,0,0,36000,1,40,-20,2,0,echo\n\
         r,1,lena,listener,,,0,48000.5,1,40,-20,0,9,stranger\nr,1,lena,listener,,,0,60000,0.1,4,-1,0,3,unsupported\n",
    );
    run.report(&[]);
    assert_eq!(
        run.read("ear-lena.labels.txt"),
        "0.500000\t0.500000\tana 0\n0.750000\t0.750000\techo of ana 0\n1.000010\t1.000010\tstranger of code 9\n\
         1.250000\t1.250000\tunsupported of code 3\n"
    );
}

#[test]
fn elsewhere_the_list_of_files_has_whole_paths_and_the_runs_folder_stays_as_it_is() {
    let run = Run::older();
    let files = || fs::read_dir(&run.path).unwrap().count();
    let before = files();
    let out = tempfile::tempdir().unwrap();
    run.report(&["--out", out.path().to_str().unwrap()]);
    assert_eq!(files(), before);
    let list = fs::read_to_string(out.path().join("recordings.lof")).unwrap();
    let path = list.split('"').nth(1).unwrap();
    assert!(path.starts_with('/') && fs::metadata(path).unwrap().is_file(), "{list}");
    assert!(out.path().join("ear-lena.labels.txt").is_file());
}
