//! What stage, audience and relay have to be for each other.

use std::collections::{BTreeMap, BTreeSet};

use jiho_analysis::units::Nanos;

use super::check::Check;
use super::file::File;
use super::link::Link;
use super::mend;
use super::place::Place;
use super::serving::{Architecture, Edge, Mix, Through, Timing};
use super::text::duration_text;

/// A segment has to fit into the jitter buffers of those who get it at once.
const LONGEST_SEGMENT: Nanos = Nanos::from_secs(10);
/// A longer delay line would hold back more than its memory is meant for.
const LONGEST_DELAY: Nanos = Nanos::from_secs(600);
/// A longer one could not be told from a silence.
const LONGEST_DEADLINE: Nanos = Nanos::from_millis(100);

impl Check<'_> {
    /// Finds what is wrong, and fills in whose edge each edge is, and at which everybody is.
    pub(super) fn serving(&mut self, file: &mut File, links: &BTreeMap<String, Link>, root: &Place<'_>) {
        self.link_name(file.relay.link.clone(), links, &root.key("relay"));
        for (name, architecture) in [("stage", &mut file.stage), ("audience", &mut file.audience)] {
            let place = root.key(name);
            match architecture {
                Architecture::Mesh {} | Architecture::Forward {} => {}
                Architecture::Mix(mix) => self.mix(mix, &place.key("mix")),
                Architecture::Tier(tier) => {
                    let place = place.key("tier");
                    match (tier.delay_line, &tier.segments) {
                        (Some(delay), None) => self.at_most(delay, LONGEST_DELAY, &place.key("delay_line")),
                        (None, Some(segments)) => {
                            self.at_most(segments.length, LONGEST_SEGMENT, &place.key("segments").key("length"));
                        }
                        _ => self.problem(
                            &place,
                            "a tier is delayed by a delay line or by segments, one of the two".to_owned(),
                            "give it delay_line = \"5s\", or segments = { length = \"2s\" }",
                        ),
                    }
                    if let Through::Mix(mix) = &tier.through {
                        self.mix(mix, &place.key("through").key("mix"));
                    }
                }
                Architecture::Cascade(cascade) => self.cascade(&mut cascade.edges, links, &place.key("cascade")),
            }
        }
        self.together(file, root);
        self.seats(file, root);
    }

    fn mix(&mut self, mix: &Mix, place: &Place<'_>) {
        if let Timing::Arrival(arrival) = &mix.timing {
            self.at_most(arrival.deadline, LONGEST_DEADLINE, &place.key("timing").key("arrival").key("deadline"));
        }
    }

    fn at_most(&mut self, span: Nanos, most: Nanos, place: &Place<'_>) {
        if span <= Nanos::ZERO || span > most {
            let message = format!("{} is not possible here", duration_text(span));
            self.problem(place, message, &format!("more than nothing, and at most {}", duration_text(most)));
        }
    }

    fn cascade(&mut self, edges: &mut [Edge], links: &BTreeMap<String, Link>, place: &Place<'_>) {
        let mut above: Vec<String> = Vec::new();
        for (n, edge) in edges.iter_mut().enumerate() {
            let place = place.key("edges").index(n);
            self.name(&edge.name, &place.key("name"));
            if above.contains(&edge.name) {
                let message = format!("the name `{}` is taken by an edge above", edge.name);
                self.problem(&place.key("name"), message, "give each edge another name");
            }
            self.link_name(edge.link.clone(), links, &place);
            match (&edge.of, above.first()) {
                (Some(_), None) => {
                    let message = "the first edge is nobody's edge".to_owned();
                    self.problem(&place.key("of"), message, "leave `of` out of the first, and give it to the others");
                }
                (Some(of), Some(_)) if !above.contains(of) => {
                    let message = format!("there is no edge `{of}` above");
                    let mend = format!("each edge comes after the one that it is of; above are {}", listed(&above));
                    self.problem(&place.key("of"), message, &mend);
                }
                (None, first) => edge.of = first.cloned(),
                _ => {}
            }
            above.push(edge.name.clone());
        }
    }

    /// What cannot go together.
    fn together(&mut self, file: &File, root: &Place<'_>) {
        let [stage, audience] = [&file.stage, &file.audience];
        let audience_place = root.key("audience").key("cascade");
        let cascades = [stage, audience].map(|architecture| matches!(architecture, Architecture::Cascade(_)));
        if !cascades.contains(&true) {
            return;
        }
        if !stage.edges().is_empty() && !audience.edges().is_empty() {
            let message = "the edges are the stage's already".to_owned();
            self.problem(&audience_place.key("edges"), message, "leave them out: [audience.cascade] alone");
        }
        if stage.edges().is_empty() && audience.edges().is_empty() {
            let place = if cascades[0] { root.key("stage").key("cascade") } else { audience_place };
            let message = "a cascade without edges".to_owned();
            self.problem(&place, message, "give it edges = [{ name = \"tokyo\" }, { name = \"osaka\" }]");
        }
        for (name, architecture) in [("stage", stage), ("audience", audience)] {
            if matches!(architecture, Architecture::Mesh {}) {
                let message = "a mesh does not pass relays, so it cannot be part of a cascade".to_owned();
                self.problem(&root.key(name), message, "choose another architecture for one of stage and audience");
            }
        }
    }

    /// Everybody is at an edge that there is; speakers at several only if the stage is a cascade.
    fn seats(&mut self, file: &mut File, root: &Place<'_>) {
        let edges = [file.stage.edges(), file.audience.edges()].concat();
        let names: BTreeSet<&str> = edges.iter().map(|edge| edge.name.as_str()).collect();
        let first = edges.first().map(|edge| edge.name.clone());
        let on_stage = matches!(file.stage, Architecture::Cascade(_));
        let speakers = file.speaker.iter_mut().map(|speaker| (true, &mut speaker.edge)).enumerate();
        let listeners = file.listener.iter_mut().map(|listener| (false, &mut listener.edge)).enumerate();
        for (n, (speaks, edge)) in speakers.chain(listeners) {
            let place = root.key(if speaks { "speaker" } else { "listener" }).index(n).key("edge");
            match edge {
                None => edge.clone_from(&first),
                Some(given) if !names.contains(given.as_str()) => {
                    let known: Vec<&str> = names.iter().copied().collect();
                    let mend = match (mend::nearest(given, &known), known.is_empty()) {
                        (Some(near), _) => format!("did you mean `{near}`?"),
                        (None, false) => format!("edges are {}", mend::list(&known)),
                        (None, true) => "edges are those of [stage.cascade] or [audience.cascade]".to_owned(),
                    };
                    self.problem(&place, format!("there is no edge `{given}`"), &mend);
                }
                Some(given) if speaks && !on_stage && first.as_ref() != Some(given) => {
                    let message = "the stage is at the first edge alone".to_owned();
                    self.problem(&place, message, "make the stage a cascade: [stage.cascade] with the edges");
                }
                Some(_) => {}
            }
        }
    }
}

fn listed(names: &[String]) -> String {
    mend::list(&names.iter().map(String::as_str).collect::<Vec<_>>())
}
