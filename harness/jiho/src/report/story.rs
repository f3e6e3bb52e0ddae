//! The story of a voice room: what a chorus was like in it, what it was to be called up to the stage, what kind of room it
//! was by its sound, and what would have been different in rooms of other kinds.

use jiho_analysis::arrivals::Role;
use jiho_analysis::metrics::topology::Hypothesis;
use jiho_analysis::metrics::{Gap, Relation, Side, tier};
use jiho_analysis::stats;
use jiho_analysis::units::Nanos;

use super::explain::{self, section};
use super::{changes, prose};
use crate::run::Outcome;

/// A room of which two runs are told.
#[derive(Debug)]
pub struct Room {
    /// What it is called in the table.
    pub name: &'static str,
    /// The run in which its speakers sang together.
    pub chorus: Outcome,
    /// The run in which somebody was called up to the stage, while everybody played a pilot.
    pub promotion: Outcome,
}

/// Tells of a room, says in `truth` who served it, and sets the others beside it. All figures are in the tables of the
/// runs' folders.
///
/// # Errors
/// A table cannot be read.
pub fn story(room: &Room, truth: &str, others: &[Room]) -> anyhow::Result<String> {
    let mut steps = changes::longest_silence(&room.promotion.findings);
    if !steps.is_empty() {
        steps.insert(0, '\n');
    }
    let mut served = explain::served(&room.promotion.architecture);
    served.push(truth.to_owned());
    let rooms: Vec<&Room> = std::iter::once(room).chain(others).collect();
    Ok([
        section("They sing together", &explain::chorus(&room.chorus.folder)?),
        section("Somebody is called up to the stage", &explain::changes(&room.promotion.folder)?) + &steps,
        section("What kind of room it is, by its sound alone", &served),
        format!("What would have been different\n\n{}\n{}", table(&rooms), lessons(&rooms)),
    ]
    .join("\n"))
}

/// A figure of a room, as a row of the table has it.
type Row = (&'static str, fn(&Room) -> Option<String>);

const ROWS: [Row; 10] = [
    ("first voice to last on stage", |room| Some(ms(spread_ms(room, Role::Speaker)?))),
    ("first voice to last in the audience", |room| Some(ms(spread_ms(room, Role::Listener)?))),
    ("beats a minute, of a song of 100", |room| Some(format!("{:.1}", bpm_heard(room)?))),
    ("mouth to ear on stage", |room| Some(ms(delay_ms(room, Relation::Stage)?))),
    ("… of which on the network", |room| Some(ms(network_ms(room)?))),
    ("mouth to ear in the audience", |room| Some(ms(delay_ms(room, Relation::Audience)?))),
    ("silence for who is called up", |room| Some(ms(longest_ms(room, |gap| gap.silence)?))),
    ("… and what is never heard there", |room| Some(ms(longest_ms(room, |gap| gap.lost)?))),
    ("the stage, by its sound", |room| served(room, Relation::Stage)),
    ("the audience, by its sound", |room| served(room, Relation::Audience)),
];

fn table(rooms: &[&Room]) -> String {
    let line = |what: &str, cells: Vec<String>| {
        let cells: String = cells.iter().map(|cell| format!("{cell:<20}")).collect();
        format!("  {what:<38}{}\n", cells.trim_end())
    };
    let mut text = line("medians", rooms.iter().map(|room| room.name.to_owned()).collect());
    for (what, figure) in ROWS {
        text += &line(what, rooms.iter().map(|room| figure(room).unwrap_or_else(|| "–".to_owned())).collect());
    }
    text
}

/// What the table teaches.
fn lessons(rooms: &[&Room]) -> String {
    let all = |figure: &dyn Fn(&Room) -> Option<f64>| between(rooms.iter().filter_map(|room| figure(room)));
    let mut said = vec![format!(
        "The audience hears the voices {} apart, and the stage {}, whoever serves them: that a chorus is together in the \
         audience says nothing of a mixer.",
        all(&|room| spread_ms(room, Role::Listener)),
        all(&|room| spread_ms(room, Role::Speaker)),
    )];
    if let Some((network, whole)) = rooms.iter().find_map(|room| network_ms(room).zip(delay_ms(room, Relation::Stage)))
    {
        said.push(format!(
            "Of the {} on stage {} are network. Frames, codec and jitter buffers take the rest, and no architecture spares \
             them.",
            ms(whole),
            ms(network)
        ));
    }
    said.push(format!(
        "The silence is {} long in any of them, because its steps are the same; what is never heard is more where the \
         audience was behind the stage: {}.",
        all(&|room| longest_ms(room, |gap| gap.silence)),
        all(&|room| longest_ms(room, |gap| gap.lost)),
    ));
    said.iter().map(|sentence| prose::wrapped(sentence)).collect()
}

fn between(values: impl Iterator<Item = f64>) -> String {
    let values = stats::sorted(&values.collect::<Vec<_>>());
    match (values.first(), values.last()) {
        (Some(low), Some(high)) if low.round() < high.round() => format!("{low:.0} to {}", ms(*high)),
        (Some(low), _) => ms(*low),
        _ => "–".to_owned(),
    }
}

fn ms(value: f64) -> String {
    format!("{value:.0} ms")
}

/// Of a tier's ears the one in the middle.
fn spread_ms(room: &Room, role: Role) -> Option<f64> {
    let findings = &room.chorus.findings;
    let ears = findings.recorders.iter().zip(&findings.chorus.as_ref()?.ears);
    let spreads = ears.filter(|(recorder, _)| recorder.role == role).filter_map(|(_, ear)| ear.spread);
    stats::median(&spreads.map(|spread| spread.median_ms).collect::<Vec<_>>())
}

fn bpm_heard(room: &Room) -> Option<f64> {
    let ears = room.chorus.findings.chorus.as_ref()?.ears.iter();
    stats::median(&ears.filter_map(|ear| ear.tempo.steady_bpm).collect::<Vec<_>>())
}

fn delay_ms(room: &Room, relation: Relation) -> Option<f64> {
    let pairs = room.chorus.findings.pairs().filter(|(_, _, pair)| pair.relation == relation);
    tier(pairs.map(|(_, _, pair)| &pair.delays)).median_ms
}

fn network_ms(room: &Room) -> Option<f64> {
    let pairs = room.chorus.findings.pairs().filter(|(_, _, pair)| pair.relation == Relation::Stage);
    let medians = pairs.filter_map(|(_, _, pair)| pair.path_median_ms(|path| path.network));
    stats::median(&medians.collect::<Vec<_>>())
}

/// The longest that whoever was called up met with.
fn longest_ms(room: &Room, part: fn(&Gap) -> Option<Nanos>) -> Option<f64> {
    let gaps = room.promotion.findings.changes.gaps.iter().filter(|(gap, _)| gap.side == Side::Ear);
    gaps.filter_map(|(gap, _)| Some(part(gap)?.as_millis_f64())).reduce(f64::max)
}

/// What the tier may have been served by, in a few words.
fn served(room: &Room, relation: Relation) -> Option<String> {
    let finding = room.promotion.architecture.iter().find(|finding| finding.tier == relation)?;
    let names: Vec<&str> = finding.credible.iter().copied().map(in_short).collect();
    Some(names.join(" or "))
}

fn in_short(hypothesis: Hypothesis) -> &'static str {
    match hypothesis {
        Hypothesis::Mesh => "mesh",
        Hypothesis::Forward => "forward",
        Hypothesis::Mix => "mix",
        Hypothesis::Cascade => "cascade",
        Hypothesis::DelayedForward => "delayed forward",
        Hypothesis::DelayedMix => "delayed mix",
    }
}
