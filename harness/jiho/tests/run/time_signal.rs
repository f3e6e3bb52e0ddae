//! The literal time signal: what it can say, and that it says how little that is.

use crate::room::{Ran, run};
use crate::truth::{OPUS_LOOKAHEAD_NS, Ways};

fn experiment(family: &str, codec: &str, link: &str) -> String {
    format!(
        "name = \"time-signal\"\n[run]\nduration = \"61s\"\n[signal.{family}]\ncycle = \"10s\"\n[media]\n{codec}\n\
         [link.default]\ndelay = \"20ms\"\n{link}\n\
         [[speaker]]\nname = \"ana\"\n[[speaker]]\nname = \"ben\"\n[[listener]]\nname = \"lena\"\n"
    )
}

const L16: &str = "codec.l16 = {}";
const OPUS: &str = "codec.opus = { bitrate_bps = 32000, application = \"voip\" }";

/// Three marks of each speaker at the other one and at the listener, each within the interval that is stated.
fn assert_each_within_its_interval(ran: &Ran, codec_ns: i64) {
    let ways = Ways::of(ran);
    let emissions = ran.emissions();
    let delays = ran.delays();
    assert_eq!(delays.len(), 3 * 4, "nobody is taken to hear an own mark, or to be heard in another's turn");
    for row in &delays {
        assert_eq!((row.status.as_str(), row.reason.as_deref()), ("ambiguous", Some("second_peak")), "{row:?}");
        let sent = emissions.iter().find(|e| (&e.speaker, e.beep) == (&row.speaker, row.beep)).unwrap();
        let (least, greatest) = ways.of_beep(&row.speaker, &row.recorder, sent.sent_ns).delay_ns.unwrap();
        assert_eq!(least, greatest);
        let truth = least + codec_ns;
        assert!(row.low_ns.unwrap() <= truth && truth <= row.high_ns.unwrap(), "not {truth} ns: {row:?}");
    }
    let arrivals = ran.arrivals();
    assert_eq!(arrivals.len(), delays.len(), "side lobes of a tone are no arrivals");
    assert!(arrivals.iter().all(|arrival| arrival.rank == 1));
}

#[test]
fn time_signals_of_tones_are_heard_in_turn_and_called_ambiguous() {
    for (family, codec, codec_ns) in
        [("jiho", L16, 0), ("jiho", OPUS, OPUS_LOOKAHEAD_NS), ("bbc", L16, 0), ("bbc", OPUS, OPUS_LOOKAHEAD_NS)]
    {
        let ran = run(&experiment(family, codec, ""), &["--on", "sim"]);
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        assert_each_within_its_interval(&ran, codec_ns);
        for words in ["0/3, 3 ambiguous", "none of them for sure", "This time signal is for people", "[signal.voiced]"]
        {
            assert!(ran.stdout.contains(words), "{words:?} is not in\n{}", ran.stdout);
        }
        assert!(!ran.stdout.contains("hear themselves"), "{}", ran.stdout);
    }
}

#[test]
fn time_signals_of_tones_stay_within_their_intervals_when_packets_are_lost() {
    let ran = run(&experiment("jiho", OPUS, "loss = \"1%\"\njitter.normal = \"2ms\""), &["--on", "sim"]);
    assert_each_within_its_interval(&ran, OPUS_LOOKAHEAD_NS);
}

/// The mark of a person's time signal, and of every code's: what a person hears as three beeps and a mark tells the delay of
/// each speaker, though all sound at once and a second apart.
#[test]
fn the_cadence_of_the_time_signal_with_coded_voices_gives_the_delay() {
    let room = experiment("voiced", L16, "loss = \"2%\"").replace("cycle = \"10s\"", "cadence = \"jiho\"");
    let ran = run(&room, &["--on", "sim"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let ways = Ways::of(&ran);
    let emissions = ran.emissions();
    assert_eq!(emissions.len(), 2 * (1 + 6 * 4), "one at the start, and four in each ten seconds");
    let heard: Vec<_> = ran.delays().into_iter().filter(|row| row.status == "heard").collect();
    assert!(heard.len() > 90, "{} of 100", heard.len());
    for row in &heard {
        let sent = emissions.iter().find(|e| (&e.speaker, e.beep) == (&row.speaker, row.beep)).unwrap();
        let (least, greatest) = ways.of_beep(&row.speaker, &row.recorder, sent.sent_ns).delay_ns.unwrap();
        let delay = row.delay_ns.unwrap();
        assert!((least - 1_000_000..=greatest + 1_000_000).contains(&delay), "not {least} to {greatest} ns: {row:?}");
    }
}
