//! What one key alone cannot tell: names that must be unique or must exist, times that must fit together.

mod events;
mod places;
mod singing;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiho_analysis::signal::{Code, Signal as Rhythm, Waveform};
use jiho_analysis::units::Nanos;
use toml::de::DeTable;

use super::error::{Problem, Spot};
use super::file::{File, ListenerEntry, SpeakerEntry};
use super::host::Host;
use super::link::Link;
use super::mend;
use super::parts::{Codec, Sealing, Sframe, Signal};
use super::place::Place;
use super::playout::Playout;
use super::text::{LONGEST, ample_text, duration_text};
use super::{Experiment, Listener, Speaker};

/// The link of everybody who names none; without loss or delay unless the file defines it.
pub(super) const DEFAULT_LINK: &str = "default";
/// The host of everybody who names none, if the file defines it.
const DEFAULT_HOST: &str = "default";
const LONGEST_NAME: usize = 32;
const MOST_REPETITIONS: u32 = 10_000;
/// More than this on one machine tells nothing that fewer would not.
const LARGEST_CROWD: u32 = 100_000;

/// Fills in what the file leaves out, and finds everything that is wrong. `origin` is where the file is: others that it
/// names are looked for beside it.
pub(super) fn check(
    text: &str,
    table: &DeTable<'_>,
    mut file: File,
    origin: &Path,
) -> Result<Experiment, Vec<Problem>> {
    let mut check = Check { text, problems: Vec::new() };
    let root = Place::root(table);
    let promoted = events::promoted(&file);
    let mut codes = check.codes(&file, &promoted, &root).into_iter();
    check.silent_codes(&file, &promoted, &root.key("listener"));
    let promoted: Vec<String> = promoted.into_iter().map(str::to_owned).collect();
    let events = check.events(&file, &root);
    check.promotion(&file, &root);
    check.names(&file, &root);
    check.crowds(&file.listener, &root.key("listener"));
    check.recordings(&file, &root);
    check.times(&file, &root);
    check.media(&file.media.codec, &root.key("media").key("codec"));
    check.playouts(&file, &root);
    check.seal(&file, &root);
    check.drop_probe(&mut file, &root);
    check.singing(&mut file, &root);

    let folder = origin.parent().unwrap_or(Path::new(""));
    let mut links = check.links(&mut file, folder, &root.key("link"));
    links.entry(DEFAULT_LINK.to_owned()).or_default();
    let mut hosts = std::mem::take(&mut file.host);
    check.hosts(&mut hosts, &file.run, folder, &root.key("host"));
    check.serving(&mut file, &links, &root);
    check.places(&file, &root);
    check.external(&file, &root);
    check.room(&file, &root);
    check.crowd_addresses(&file, &root);
    let speakers: Vec<Speaker> = file
        .speaker
        .into_iter()
        .zip(codes.by_ref())
        .enumerate()
        .map(|(n, (SpeakerEntry { name, link, host, playout, edge, place, media, sing, .. }, code))| Speaker {
            name,
            code,
            edge,
            link: check.link_name(link, &links, &root.key("speaker").index(n)),
            host: check.host_name(host, &hosts, &root.key("speaker").index(n)),
            place,
            media,
            sing,
            playout: playout.unwrap_or_else(|| file.playout.clone()),
        })
        .collect();
    let mut listeners: Vec<Listener> = file
        .listener
        .into_iter()
        .enumerate()
        .flat_map(|(n, entry)| {
            let names = entry.names();
            let ListenerEntry { link, host, keyless, playout, edge, place, media, .. } = entry;
            let link = check.link_name(link, &links, &root.key("listener").index(n));
            let host = check.host_name(host, &hosts, &root.key("listener").index(n));
            let playout = playout.unwrap_or_else(|| file.playout.clone());
            names.into_iter().map(move |name| Listener {
                name,
                code: None,
                edge: edge.clone(),
                link: link.clone(),
                host: host.clone(),
                keyless,
                place: place.clone(),
                media,
                playout: playout.clone(),
            })
        })
        .collect();
    for listener in listeners.iter_mut().filter(|listener| promoted.contains(&listener.name)) {
        listener.code = codes.next();
    }
    let experiment = Experiment {
        name: file.name.unwrap_or_else(|| name_from(origin)),
        run: file.run,
        signal: file.signal,
        media: file.media,
        stage: file.stage,
        audience: file.audience,
        relay: file.relay,
        room: file.room,
        promotion: file.promotion,
        chorus: file.chorus,
        sweep: file.sweep,
        links,
        places: file.place,
        geography: file.geography,
        hosts,
        speakers,
        listeners,
        events,
        drop_probe: file.drop_probe,
        gates: check.gates(std::mem::take(&mut file.gate), &root.key("gate")),
        baseline: file.baseline,
    };
    check.gates_have_figures(&experiment, &root.key("gate"));
    check.drain(&experiment, &root.key("run").key("drain"));
    check.problems.sort_by_key(|problem| problem.spot.as_ref().map(|spot| (spot.line, spot.column)));
    if check.problems.is_empty() { Ok(experiment) } else { Err(check.problems) }
}

pub(super) struct Check<'t> {
    pub(super) text: &'t str,
    pub(super) problems: Vec<Problem>,
}

impl Check<'_> {
    pub(super) fn problem(&mut self, place: &Place<'_>, message: String, mend: &str) {
        let spot = place.span().map(|span| Spot::new(self.text, span));
        self.problems.push(Problem { message, mend: Some(mend.to_owned()), spot });
    }

    /// The codes asked for, and the lowest free ones for those who ask for none: speakers first, then the listeners who
    /// are promoted.
    fn codes(&mut self, file: &File, promoted: &[&str], root: &Place<'_>) -> Vec<Code> {
        let most = usize::from(Code::COUNT);
        let speakers = file.speaker.iter().enumerate().map(|(n, speaker)| (speaker.code, root.key("speaker").index(n)));
        let listeners = file.listener.iter().enumerate().flat_map(|(n, entry)| {
            let speaking = entry.names().into_iter().filter(|name| promoted.contains(&name.as_str()));
            speaking.map(move |_| (entry.code, root.key("listener").index(n)))
        });
        let all: Vec<(Option<u32>, Place<'_>)> = speakers.chain(listeners).collect();
        if file.speaker.is_empty() {
            let mend = "add one: [[speaker]] with name = \"ana\"";
            self.problem(&root.key("speaker"), "there is no speaker".to_owned(), mend);
        }
        if let Some((_, place)) = all.get(most) {
            let message = format!("there are {} speakers, and only {most} codes to tell them apart", all.len());
            self.problem(place, message, &format!("leave out all but {most}"));
            return Vec::new();
        }
        let mut free: BTreeSet<Code> = Code::all().collect();
        let mut asked = Vec::new();
        for (given, place) in all {
            let place = place.key("code");
            let code = given.map(|number| u8::try_from(number).ok().and_then(Code::new));
            match code {
                Some(None) => {
                    let message = format!("there is no code {}", given.unwrap_or_default());
                    self.problem(&place, message, &format!("codes go from 0 to {}", most - 1));
                }
                Some(Some(code)) if !free.remove(&code) => {
                    let message = format!("code {code} is another speaker's");
                    self.problem(&place, message, "give each speaker another code, or leave `code` out everywhere");
                }
                _ => {}
            }
            asked.push(code.flatten());
        }
        let mut free = free.into_iter();
        asked.into_iter().filter_map(|code| code.or_else(|| free.next())).collect()
    }

    fn names(&mut self, file: &File, root: &Place<'_>) {
        if let Some(name) = &file.name {
            self.name(name, &root.key("name"));
        }
        let speakers = file.speaker.iter().map(|speaker| vec![speaker.name.clone()]).enumerate();
        let listeners = file.listener.iter().map(ListenerEntry::names).enumerate();
        let places = speakers
            .map(|(n, names)| (names, root.key("speaker").index(n)))
            .chain(listeners.map(|(n, names)| (names, root.key("listener").index(n))));
        let mut taken = BTreeSet::new();
        for (names, place) in places {
            let place = place.key("name");
            let Some(longest) = names.last() else { continue };
            self.name(longest, &place);
            if let Some(name) = names.iter().find(|name| !taken.insert((*name).clone())) {
                let message = format!("the name `{name}` is taken by somebody above");
                self.problem(&place, message, "give each speaker and each listener another name");
            }
        }
        if taken.len() == 1 && file.speaker.len() == 1 {
            self.problem(
                &root.key("speaker").index(0),
                "there is nobody to hear the only speaker".to_owned(),
                "add one: [[listener]] with name = \"lena\"",
            );
        }
    }

    fn crowds(&mut self, listeners: &[ListenerEntry], place: &Place<'_>) {
        for (n, entry) in listeners.iter().enumerate() {
            if let Some(count) = entry.count.filter(|count| !(1..=LARGEST_CROWD).contains(count)) {
                let message = format!("there cannot be {count} of `{}`", entry.name);
                self.problem(&place.index(n).key("count"), message, &format!("1 to {LARGEST_CROWD}, or no `count`"));
            }
        }
    }

    /// Who is recorded takes part, and whoever is not can be heard as it plays.
    fn recordings(&mut self, file: &File, root: &Place<'_>) {
        let Some(recordings) = &file.run.recordings else { return };
        let place = root.key("run").key("recordings");
        let names = participants(file);
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        for (n, name) in recordings.iter().enumerate() {
            self.known_name(name, &known, &place.index(n));
        }
        if matches!(file.signal, Signal::Pilot(_)) && !known.iter().all(|name| file.run.records(name)) {
            let message = "a pilot can be tracked in recordings only".to_owned();
            self.problem(&place, message, "leave `recordings` out, so that everybody is recorded");
        }
    }

    pub(super) fn name(&mut self, name: &str, place: &Place<'_>) {
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(fits_a_name) {
            let message = format!("`{name}` cannot be a name, because files are named by it");
            let mend = format!("names have 1 to {LONGEST_NAME} characters out of letters a-z and A-Z, digits, - and _");
            self.problem(place, message, &mend);
        } else if name == jiho_relay::MIX {
            self.problem(place, format!("`{name}` is what a relay calls its mixes"), "give another name");
        }
    }

    fn times(&mut self, file: &File, root: &Place<'_>) {
        if file.run.warmup < super::Run::SHORTEST_WARMUP {
            let mend = format!("at least {}", duration_text(super::Run::SHORTEST_WARMUP));
            let message = "too little warm-up for everybody to join before the first beep".to_owned();
            self.problem(&root.key("run").key("warmup"), message, &mend);
        }
        if file.run.total() > LONGEST {
            let total = duration_text(file.run.total());
            let message = format!("a run of {total} is longer than its recordings can be: a WAV file ends at 4 GiB");
            self.problem(&root.key("run").key("duration"), message, "at most 12h with `warmup` and `drain`");
        }
        if !(1..=MOST_REPETITIONS).contains(&file.run.repeat) {
            let message = format!("a run cannot be repeated {} times", file.run.repeat);
            self.problem(&root.key("run").key("repeat"), message, &format!("1 to {MOST_REPETITIONS}"));
        }
        let rhythm = Rhythm::from(&file.signal);
        let period = if rhythm.family.is_coded() { "period" } else { "cycle" };
        let place = root.key("signal").key(rhythm.family.name()).key(period);
        let sound = sound(&rhythm);
        if rhythm.period < sound {
            let message = format!("beeps of {} do not fit into {}", duration_text(sound), duration_text(rhythm.period));
            let mend = format!("at least {}: the signal's length and its spread", duration_text(sound));
            self.problem(&place, message, &mend);
        }
        let turns = if rhythm.family.is_coded() { 1 } else { file.speaker.len().max(1) };
        let needed = sound.0.saturating_add(rhythm.period.0.saturating_mul(turns as i64 - 1));
        if file.run.duration < Nanos(needed) {
            let message = format!("no time for one beep of each speaker in {}", duration_text(file.run.duration));
            let mend = format!("at least {}", duration_text(Nanos(needed)));
            self.problem(&root.key("run").key("duration"), message, &mend);
        }
    }

    fn media(&mut self, codec: &Codec, place: &Place<'_>) {
        let Codec::Opus(opus) = codec else { return };
        if opus.expected_loss_percent > 100 {
            let message = format!("of 100 packets {} cannot be lost", opus.expected_loss_percent);
            self.problem(&place.key("opus").key("expected_loss_percent"), message, "0 to 100");
        }
        if !(6_000..=510_000).contains(&opus.bitrate_bps) {
            let message = format!("Opus has no bit rate of {} bit/s", opus.bitrate_bps);
            self.problem(&place.key("opus").key("bitrate_bps"), message, "6000 to 510000");
        }
    }

    fn seal(&mut self, file: &File, root: &Place<'_>) {
        match &file.media.seal {
            Some(Sealing::Sframe(Sframe { passphrase })) if passphrase.is_empty() => {
                let place = root.key("media").key("seal").key("sframe").key("passphrase");
                self.problem(&place, "an empty passphrase keeps nothing secret".to_owned(), "give any text");
            }
            Some(_) => {
                for (name, architecture) in [("stage", &file.stage), ("audience", &file.audience)] {
                    if let Some(key) = architecture.mixes_by() {
                        let message =
                            "a relay cannot mix what is sealed end to end: it has no key to decode it".to_owned();
                        let place = key.iter().fold(root.key(name), |place, key| place.key(key));
                        self.problem(&place, message, "forward it, or leave out `seal` in [media]");
                    }
                }
                self.keyless_speakers(file, &root.key("listener"));
            }
            None => {
                for n in (0..file.listener.len()).filter(|n| file.listener[*n].keyless) {
                    let message = "nothing is sealed in this room: everybody hears, with or without a key".to_owned();
                    let place = root.key("listener").index(n).key("keyless");
                    self.problem(
                        &place,
                        message,
                        "leave it out, or add seal.sframe = { passphrase = \"…\" } to [media]",
                    );
                }
            }
        }
    }

    /// What is said in a sealed room has to be sealed: nobody without the key can be promoted.
    fn keyless_speakers(&mut self, file: &File, place: &Place<'_>) {
        let promoted = events::promoted(file);
        for (n, listener) in file.listener.iter().enumerate().filter(|(_, listener)| listener.keyless) {
            if let Some(name) = listener.names().into_iter().find(|name| promoted.contains(&name.as_str())) {
                let message = format!("`{name}` is promoted, and has no key to seal what it says then");
                let mend = format!("leave `keyless` out, or promote = \"{name}\" in [[event]]");
                self.problem(&place.index(n).key("keyless"), message, &mend);
            }
        }
    }

    /// Whoever drops packets takes part, and is done before the beeps are over.
    fn drop_probe(&mut self, file: &mut File, root: &Place<'_>) {
        let names = participants(file);
        let Some(probe) = &mut file.drop_probe else { return };
        let place = root.key("drop_probe");
        if let Some((key, message, mend)) = probe.wrong() {
            return self.problem(&place.key(key), message, &mend);
        }
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        for (n, name) in probe.participants.iter().flatten().enumerate() {
            self.known_name(name, &known, &place.key("participants").index(n));
        }
        let participants = probe.participants.get_or_insert(names).len();
        let ends = probe.ends(participants);
        if ends > file.run.duration {
            let message = format!(
                "{} participants who drop {} packets each, one every {}, take until {}",
                participants,
                probe.incoming + probe.outgoing,
                duration_text(probe.interval),
                ample_text(ends)
            );
            let mend = format!("let them drop fewer, name fewer, or give `duration` in [run] {}", ample_text(ends));
            self.problem(&place, message, &mend);
        }
    }

    fn known_name(&mut self, name: &str, known: &[&str], place: &Place<'_>) {
        if known.contains(&name) {
            return;
        }
        let mend = match mend::nearest(name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name speakers and listeners of this experiment".to_owned(),
        };
        self.problem(place, format!("nobody is named `{name}`"), &mend);
    }

    fn playouts(&mut self, file: &File, root: &Place<'_>) {
        self.playout(&file.playout, root);
        let speakers = file.speaker.iter().map(|speaker| &speaker.playout).enumerate();
        let listeners = file.listener.iter().map(|listener| &listener.playout).enumerate();
        for (part, n, playout) in
            speakers.map(|(n, p)| ("speaker", n, p)).chain(listeners.map(|(n, p)| ("listener", n, p)))
        {
            if let Some(playout) = playout {
                self.playout(playout, &root.key(part).index(n));
            }
        }
    }

    fn playout(&mut self, playout: &Playout, owner: &Place<'_>) {
        if let Some(([policy, key], message, mend)) = playout.wrong() {
            self.problem(&owner.key("playout").key(policy).key(key), message, &mend);
        }
    }

    pub(super) fn link_name(
        &mut self,
        name: Option<String>,
        links: &BTreeMap<String, Link>,
        place: &Place<'_>,
    ) -> String {
        let Some(name) = name else { return DEFAULT_LINK.to_owned() };
        if !links.contains_key(&name) {
            let known: Vec<&str> = links.keys().map(String::as_str).collect();
            let mend = match mend::nearest(&name, &known) {
                Some(near) => format!("did you mean `{near}`? If not, add [link.{name}]"),
                None => format!("add [link.{name}], or use one of: {}", mend::list(&known)),
            };
            self.problem(&place.key("link"), format!("missing link `{name}`"), &mend);
        }
        name
    }

    fn host_name(&mut self, name: Option<String>, hosts: &BTreeMap<String, Host>, place: &Place<'_>) -> Option<String> {
        let Some(name) = name else { return hosts.contains_key(DEFAULT_HOST).then(|| DEFAULT_HOST.to_owned()) };
        if !hosts.contains_key(&name) {
            let known: Vec<&str> = hosts.keys().map(String::as_str).collect();
            let mend = match (mend::nearest(&name, &known), known.is_empty()) {
                (Some(near), _) => format!("did you mean `{near}`? If not, add [host.{name}]"),
                (None, true) => format!("add [host.{name}]"),
                (None, false) => format!("add [host.{name}], or use one of: {}", mend::list(&known)),
            };
            self.problem(&place.key("host"), format!("missing host `{name}`"), &mend);
        }
        Some(name)
    }

    /// Listening must go on until the last beep has been heard everywhere.
    fn drain(&mut self, experiment: &Experiment, place: &Place<'_>) {
        let hearers = experiment
            .speakers
            .iter()
            .map(|s| (&s.name, &s.link, &s.playout, &experiment.stage))
            .chain(experiment.listeners.iter().map(|l| (&l.name, &l.link, &l.playout, &experiment.audience)));
        let longest_way = hearers
            .flat_map(|hearer| experiment.speakers.iter().map(move |speaker| (speaker, hearer)))
            .filter(|(speaker, (name, ..))| speaker.name != **name)
            .filter_map(|(speaker, (_, link, playout, serving))| {
                let up = experiment.links.get(&speaker.link)?.up.longest();
                let down = experiment.links.get(link)?.down.longest();
                Some(
                    up + experiment.longest_passage()
                        + experiment.longest_way()
                        + serving.longest_hold()
                        + down
                        + playout.longest(),
                )
            })
            .max();
        if let Some(way) = longest_way.filter(|way| experiment.run.drain < *way) {
            let way = ample_text(way);
            let message = format!("listening ends before the last beep is heard, up to {way} late");
            self.problem(place, message, &format!("give `drain` in [run] at least {way}"));
        }
    }
}

/// The names of all, speakers first.
fn participants(file: &File) -> Vec<String> {
    let speakers = file.speaker.iter().map(|speaker| speaker.name.clone());
    speakers.chain(file.listener.iter().flat_map(ListenerEntry::names)).collect()
}

/// How long a beep may take of its period.
fn sound(rhythm: &Rhythm) -> Nanos {
    // All codes of a family sound equally long.
    let beep = Code::new(0).map(|code| Waveform::new(rhythm.family, code));
    beep.map_or(Nanos::ZERO, |beep| beep.before_mark() + beep.after_mark()) + rhythm.spread
}

fn fits_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

/// A name for an experiment that has none, out of its file's.
fn name_from(origin: &Path) -> String {
    let stem = origin.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
    let name: String = stem.chars().take(LONGEST_NAME).map(|c| if fits_a_name(c) { c } else { '-' }).collect();
    if name.is_empty() { "experiment".to_owned() } else { name }
}
