//! Where everybody is: places that there are, and one for everybody or for nobody.

use super::Check;
use crate::experiment::file::File;
use crate::experiment::geography::Geography;
use crate::experiment::mend;
use crate::experiment::place::Place;

impl Check<'_> {
    /// Finds places that are not on earth or not there, and who has none although others have.
    pub(super) fn places(&mut self, file: &File, root: &Place<'_>) {
        for (name, location) in &file.place {
            if !location.is_somewhere() {
                let message = format!("{:?} is not on earth", location.at);
                let mend = "latitude and longitude in degrees, as in at = [35.68, 139.69]";
                self.problem(&root.key("place").key(name).key("at"), message, mend);
            }
        }
        let (stretch, stretches) = (file.geography.path_stretch, Geography::STRETCHES);
        if !stretches.contains(&stretch) {
            let message = format!("no path is {stretch} times as long as the way as the crow flies");
            let mend = format!("{} to {}", stretches.start(), stretches.end());
            self.problem(&root.key("geography").key("path_stretch"), message, &mend);
        }
        let seats = seats(file, root);
        let known: Vec<&str> = file.place.keys().map(String::as_str).collect();
        for (name, place) in seats.iter().filter_map(|seat| Some((seat.given?, &seat.place))) {
            if !known.contains(&name.as_str()) {
                let mend = match mend::nearest(name, &known) {
                    Some(near) => format!("did you mean `{near}`? If not, add [place.{name}]"),
                    None if known.is_empty() => format!("add [place.{name}]"),
                    None => format!("add [place.{name}], or use one of: {}", mend::list(&known)),
                };
                self.problem(&place.key("place"), format!("missing place `{name}`"), &mend);
            }
        }
        if seats.iter().any(|seat| seat.given.is_some()) {
            for Seat { who, place, .. } in seats.iter().filter(|seat| seat.given.is_none()) {
                let message = format!("{who} has no place, though others have");
                self.problem(place, message, "give everybody and every relay a `place`, or nobody");
            }
        }
    }
}

/// Whoever can have a place.
struct Seat<'f> {
    who: String,
    given: Option<&'f String>,
    place: Place<'f>,
}

/// All participants, and all relays.
fn seats<'f>(file: &'f File, root: &Place<'f>) -> Vec<Seat<'f>> {
    let speakers = file.speaker.iter().enumerate().map(|(n, speaker)| Seat {
        who: format!("`{}`", speaker.name),
        given: speaker.place.as_ref(),
        place: root.key("speaker").index(n),
    });
    let listeners = file.listener.iter().enumerate().map(|(n, listener)| Seat {
        who: format!("`{}`", listener.name),
        given: listener.place.as_ref(),
        place: root.key("listener").index(n),
    });
    let mut seats: Vec<Seat<'_>> = speakers.chain(listeners).collect();
    for (name, architecture) in [("stage", &file.stage), ("audience", &file.audience)] {
        seats.extend(architecture.edges().iter().enumerate().map(|(n, edge)| Seat {
            who: format!("the edge `{}`", edge.name),
            given: edge.place.as_ref(),
            place: root.key(name).key("cascade").key("edges").index(n),
        }));
    }
    if [&file.stage, &file.audience].iter().all(|architecture| architecture.edges().is_empty()) {
        let (given, place) = (file.relay.place.as_ref(), root.key("relay"));
        seats.push(Seat { who: "the relay".to_owned(), given, place });
    }
    seats
}
