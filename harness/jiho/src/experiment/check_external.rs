//! What a room that somebody else serves can be.

use jiho_analysis::units::Nanos;

use super::check::Check;
use super::external::{External, Ready};
use super::file::{EventEntry, File};
use super::place::Place;
use super::text::duration_text;
use super::{Experiment, RelayPart};

/// Nobody waits longer for a relay.
const LONGEST_PATIENCE: Nanos = Nanos::from_secs(600);

/// What an external relay cannot be told, with why: the keys, the message and the mend.
type Conflict = (&'static [&'static str], &'static str, &'static str);

impl Check<'_> {
    pub(super) fn external(&mut self, file: &File, root: &Place<'_>) {
        let Some(external) = &file.relay.external else { return self.own_addresses(file, root) };
        let place = root.key("relay").key("external");
        let theirs = Theirs {
            link: file.relay.link.is_some(),
            cost: file.relay.cost_per_packet != Nanos::ZERO,
            csv: file.run.relay_csv,
            places: !file.place.is_empty(),
            edges: [&file.stage, &file.audience].iter().any(|architecture| !architecture.edges().is_empty()),
        };
        for (keys, message, mend) in theirs.conflicts() {
            let at = keys.iter().fold(root.clone(), |place, key| place.key(key));
            self.problem(&at, message.to_owned(), mend);
        }
        match (&external.control, &external.rtp) {
            (Some(control), None) if !control.contains(':') => {
                self.problem(&place.key("control"), format!("`{control}` has no port"), "write it as host:port");
            }
            (Some(_), None) => {}
            (None, Some(_)) => self.plain_rtp(external, &file.event, root, &place),
            (None, None) => self.problem(
                &place,
                "nobody knows where the relay is".to_owned(),
                "give it control = \"127.0.0.1:4000\", or rtp = { send_to = \"127.0.0.1:5004\" } without signalling",
            ),
            (Some(_), Some(_)) => self.problem(
                &place.key("rtp"),
                "whoever joins by signalling is told where media goes".to_owned(),
                "give one of `control` and `rtp`",
            ),
        }
        match &external.ready {
            Some(Ready::Http(address)) if Ready::http_parts(address).is_none() => self.problem(
                &place.key("ready").key("http"),
                format!("`{address}` is no address to ask"),
                "write it as \"http://127.0.0.1:8080/health\"",
            ),
            Some(Ready::Line(_)) if external.start.is_none() => self.problem(
                &place.key("ready").key("line"),
                "nobody sees what a relay writes that was started elsewhere".to_owned(),
                "give `start`, the command that starts it, or ready.tcp or ready.http",
            ),
            _ => {}
        }
        for (key, span) in [("patience", external.patience), ("stop", external.stop)] {
            if span > LONGEST_PATIENCE {
                let message = format!("nobody waits for {}", duration_text(span));
                self.problem(&place.key(key), message, &format!("at most {}", duration_text(LONGEST_PATIENCE)));
            }
        }
    }

    /// Without signalling nobody is told a role, nor whom they hear.
    fn plain_rtp(&mut self, external: &External, events: &[EventEntry], root: &Place<'_>, place: &Place<'_>) {
        if external.token.is_some() {
            let message = "plain RTP has no token".to_owned();
            self.problem(&place.key("token"), message, "leave it out");
        }
        if external.start.is_some() && external.ready.is_none() {
            let message = "nobody knows when the relay is ready".to_owned();
            self.problem(place, message, "give ready.line = \"…\", ready.tcp = \"…\" or ready.http = \"…\"");
        }
        for (n, event) in events.iter().enumerate() {
            let EventEntry { promote, demote, mute, unmute, .. } = event;
            if [promote, demote, mute, unmute].iter().any(|name| name.is_some()) {
                let message = "without signalling nobody can be told of a change of role".to_owned();
                let mend = "only join and leave, or a relay with `control`";
                self.problem(&root.key("event").index(n), message, mend);
            }
        }
    }

    /// Where participants' media comes from is fixed only if a relay has to know it.
    fn own_addresses(&mut self, file: &File, root: &Place<'_>) {
        let speakers = file.speaker.iter().map(|speaker| speaker.media).enumerate();
        let listeners = file.listener.iter().map(|listener| listener.media).enumerate();
        let given = speakers.map(|(n, media)| ("speaker", n, media)).chain(listeners.map(|(n, m)| ("listener", n, m)));
        for (part, n, _) in given.filter(|(.., media)| media.is_some()) {
            let message = "in a room of jiho's own everybody has any free port".to_owned();
            let mend = "leave `media` out, or give [relay.external]";
            self.problem(&root.key(part).index(n).key("media"), message, mend);
        }
    }

    /// Nobody shares an address.
    pub(super) fn crowd_addresses(&mut self, file: &File, root: &Place<'_>) {
        for (n, _) in file.listener.iter().enumerate().filter(|(_, l)| l.count.is_some() && l.media.is_some()) {
            let message = "several cannot have one address".to_owned();
            self.problem(&root.key("listener").index(n).key("media"), message, "name each of them, without `count`");
        }
    }
}

/// What was said of a relay that only ours does.
struct Theirs {
    link: bool,
    cost: bool,
    csv: bool,
    places: bool,
    edges: bool,
}

impl Theirs {
    fn conflicts(&self) -> impl Iterator<Item = Conflict> {
        let whose = "what an external relay is like is not ours to say";
        let conflicts: [(bool, Conflict); 5] = [
            (self.link, (&["relay", "link"], whose, "leave it out; participants can have links")),
            (self.cost, (&["relay", "cost_per_packet"], whose, "leave it out")),
            (self.csv, (&["run", "relay_csv"], "an external relay's packets are not seen", "leave it out")),
            (self.places, (&["place"], "nobody knows where an external relay is", "leave places out")),
            (self.edges, (&["stage"], "everybody joins one external relay", "leave out the edges of a cascade")),
        ];
        conflicts.into_iter().filter_map(|(given, conflict)| given.then_some(conflict))
    }
}

impl Experiment {
    /// The same experiment in a room that somebody else serves at a control address; it runs there already, or is started
    /// by a command.
    ///
    /// # Errors
    /// What the experiment says of the relay cannot be had there; in words.
    pub fn served_at(mut self, control: &str, start: Option<&String>, ready: Option<&Ready>) -> Result<Self, String> {
        if !control.contains(':') {
            return Err(format!("`{control}` has no port: write it as host:port"));
        }
        let theirs = Theirs {
            link: self.relay.link.is_some(),
            cost: self.relay.cost_per_packet != Nanos::ZERO,
            csv: self.run.relay_csv,
            places: !self.places.is_empty(),
            edges: !self.edges().is_empty(),
        };
        if let Some((keys, message, mend)) = theirs.conflicts().next() {
            return Err(format!("{}: {message}: {mend}", keys.join(".")));
        }
        let given = self.relay.external.take().unwrap_or_default();
        let (start, ready) = (start.cloned(), ready.cloned());
        let external = External { control: Some(control.to_owned()), start, ready, rtp: None, ..given };
        self.relay = RelayPart { external: Some(external), ..self.relay };
        Ok(self)
    }
}
