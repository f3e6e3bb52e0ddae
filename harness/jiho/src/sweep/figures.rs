//! Which figures a sweep is about where nobody says: what its room has.

use jiho_analysis::signal::Family;

use crate::experiment::{Experiment, Occasion};
use crate::figures::Figure;

/// Delays of the tiers that there are, what was heard and concealed, and what its chorus or its promotions come to.
pub fn usual_figures(experiment: &Experiment) -> Vec<Figure> {
    let has_pilots = experiment.signal.family() == Family::Pilot;
    let sings = experiment.speakers.iter().any(|speaker| speaker.sing.is_some());
    let promotes = experiment.events.iter().any(|event| matches!(event.what, Occasion::Promote(_)));
    let named: [(bool, &[&str]); 5] = [
        (experiment.speakers.len() > 1, &["speaker_to_speaker.median"]),
        (!experiment.listeners.is_empty(), &["speaker_to_audience.median", "speaker_to_audience.p95"]),
        (true, &["heard_ratio", "concealed_ratio"]),
        (sings, &["chorus.spread.median", "chorus.tempo.median"]),
        (promotes && has_pilots, &["promotion.silence.median", "promotion.lost.median"]),
    ];
    let names = named.iter().filter(|(has, _)| *has).flat_map(|(_, names)| *names);
    names.filter_map(|name| name.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_room_is_asked_for_what_it_has() {
        let figures = |text: &str| {
            let figures = usual_figures(&Experiment::parse(text, Path::new("room.toml")).unwrap());
            figures.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        let lena = "[[speaker]]\nname = \"ana\"\n[[listener]]\nname = \"lena\"\n";
        let audience = "speaker_to_audience.median speaker_to_audience.p95 heard_ratio concealed_ratio";
        assert_eq!(figures(lena), audience);
        let promoted = format!("[signal.pilot]\n{lena}[[event]]\nat = \"5s\"\npromote = \"lena\"\n");
        assert_eq!(figures(&promoted), format!("{audience} promotion.silence.median promotion.lost.median"));
        let chorus = "[[speaker]]\nname = \"ana\"\nsing.grid = {}\n[[speaker]]\nname = \"ben\"\nsing.grid = {}\n";
        let stage = "speaker_to_speaker.median heard_ratio concealed_ratio";
        assert_eq!(figures(chorus), format!("{stage} chorus.spread.median chorus.tempo.median"));
    }
}
