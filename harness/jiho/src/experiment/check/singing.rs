//! Whether those who sing can: who hears whom, and on whose beat nobody waits for himself.

use std::collections::{BTreeMap, BTreeSet};

use jiho_analysis::metrics::chorus::Thresholds;
use jiho_analysis::signal::{Family, Signal as Rhythm};
use jiho_analysis::units::Nanos;

use super::Check;
use crate::experiment::file::File;
use crate::experiment::mend;
use crate::experiment::place::Place;
use crate::experiment::sing::{Sing, TogetherPart};
use crate::experiment::text::duration_text;

impl Check<'_> {
    /// Finds what is wrong, and fills in with whom somebody sings.
    pub(super) fn singing(&mut self, file: &mut File, root: &Place<'_>) {
        if file.speaker.iter().any(|speaker| speaker.sing.is_some()) {
            file.chorus.get_or_insert_default();
        }
        let Some(chorus) = &file.chorus else { return };
        self.thresholds(&Thresholds::from(chorus), &root.key("chorus"));
        let names: Vec<String> = file.speaker.iter().map(|speaker| speaker.name.clone()).collect();
        let rhythm = Rhythm::from(&file.signal);
        if rhythm.family != Family::Pilot && (!rhythm.family.is_coded() || !rhythm.together) {
            let message = "a chorus needs codes that sound together".to_owned();
            self.problem(&root.key("signal"), message, "give [signal.voiced], with together = true");
        }
        let mut leaders: BTreeMap<String, String> = BTreeMap::new();
        for (n, speaker) in file.speaker.iter_mut().enumerate() {
            let Some(sing) = &mut speaker.sing else { continue };
            let own = speaker.name.clone();
            let place = root.key("speaker").index(n).key("sing");
            if rhythm.family == Family::Pilot {
                let message = "a pilot sounds on and on: nobody can sing it".to_owned();
                self.problem(&place, message, "give [signal.voiced]");
            }
            let half = Nanos(rhythm.period.0 / 2);
            let place = place.key(sing.name());
            if sing.advance().abs() > half {
                let message = format!("{} is more than half a beat", duration_text(sing.advance()));
                self.problem(&place.key("advance"), message, &format!("at most {}", duration_text(half)));
            }
            match sing {
                Sing::Grid(_) => {}
                Sing::Follow(part) => {
                    self.heeds(&own, &part.leader, &names, &place.key("leader"));
                    leaders.insert(own, part.leader.clone());
                }
                Sing::Together(part) => {
                    let others = names.iter().filter(|name| **name != own).cloned();
                    let with = part.with.get_or_insert_with(|| others.collect());
                    for (k, name) in with.iter().enumerate() {
                        self.heeds(&own, name, &names, &place.key("with").index(k));
                    }
                    if with.iter().collect::<BTreeSet<_>>().len() < with.len() || with.is_empty() {
                        let message = "nobody sings with nobody, or with one singer twice".to_owned();
                        self.problem(
                            &place.key("with"),
                            message,
                            "name each once, or leave `with` out: everybody else",
                        );
                    }
                    let most = 1.0 / with.len().max(1) as f64;
                    let correction = *part.correction.get_or_insert(TogetherPart::best_correction(with.len()));
                    if !(0.0..=most + 1e-9).contains(&correction) {
                        let message = format!("a correction of {correction} towards {} others", with.len());
                        let mend = format!("0 to {most:.3}: more than 1 in sum would overshoot");
                        self.problem(&place.key("correction"), message, &mend);
                    }
                }
            }
        }
        for (n, name) in names.iter().enumerate().filter(|(_, name)| waits_for_itself(name, &leaders)) {
            let place = root.key("speaker").index(n).key("sing").key("follow").key("leader");
            let message = format!("`{name}` follows itself, through others: nobody would begin");
            self.problem(&place, message, "let one of them sing on the grid, or give them sing.together = {}");
        }
    }

    fn heeds(&mut self, own: &str, name: &str, names: &[String], place: &Place<'_>) {
        let known: Vec<&str> = names.iter().map(String::as_str).filter(|other| *other != own).collect();
        if name == own {
            self.problem(place, format!("`{name}` cannot sing on its own beat"), "name another speaker");
        } else if !known.contains(&name) {
            let mend = match mend::nearest(name, &known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("name another speaker: {}", mend::list(&known)),
            };
            self.problem(place, format!("there is no speaker named `{name}`"), &mend);
        }
    }

    fn thresholds(&mut self, thresholds: &Thresholds, place: &Place<'_>) {
        let Thresholds { natural, ensemble, ensemble_limit, steady, conversation } = *thresholds;
        let all = [natural, ensemble, ensemble_limit, steady, conversation];
        let keys = ["natural", "ensemble", "ensemble_limit", "steady", "conversation"];
        for (pair, key) in all.windows(2).zip(&keys[1..]) {
            if pair[1] < pair[0] {
                let message = format!("{} is less than the threshold before it", duration_text(pair[1]));
                self.problem(&place.key(key), message, &format!("they rise in this order: {}", keys.join(", ")));
            }
        }
    }
}

fn waits_for_itself(name: &str, leaders: &BTreeMap<String, String>) -> bool {
    let mut at = name;
    // Longer than the room has people, it goes round without ever coming to this one.
    for _ in 0..leaders.len() {
        match leaders.get(at) {
            // Who names itself has been told so.
            Some(leader) if leader == name => return at != name,
            Some(leader) => at = leader,
            None => return false,
        }
    }
    false
}
