//! Random rooms are held, and leave behind what was heard in them alone.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use jiho::random_rooms::{Purpose, Wish, draw, hold};
use jiho::run::World;

/// Rooms of few people: what is held here is held in debug builds as well.
const MOST_PEOPLE: usize = 5;

#[test]
fn a_room_leaves_what_was_heard_and_dropped_in_it_without_its_experiment() {
    let wish = Wish { drop_probe: true, lossless: true, ..Wish::default() };
    let small = Purpose::Calibrate.seeds(500).map(|seed| draw(seed, wish));
    let mut rooms = small.filter(|room| room.speakers + room.listeners <= MOST_PEOPLE);
    let room = rooms.next().unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let folder = hold(&room, World::Sim, &temporary.path().join("room")).unwrap();
    assert!(!folder.experiment_given().exists() && !folder.experiment_effective().exists());
    let rows = |path| csv::Reader::from_path(path).unwrap().into_records().map(Result::unwrap).collect::<Vec<_>>();
    let drops = rows(folder.drops());
    let directions: BTreeSet<&str> = drops.iter().map(|row| &row[3]).collect();
    assert_eq!(directions, BTreeSet::from(["in", "out"]));
    let breaks = rows(folder.breaks());
    assert!(breaks.len() >= drops.len() / 2, "{} holes of {} drops", breaks.len(), drops.len());
    assert_eq!(folder.sidecars().unwrap().len(), room.speakers + room.listeners);
}

#[test]
fn rooms_that_are_learned_from_are_never_reported_on() {
    let [learned, reported] = [Purpose::Calibrate, Purpose::Report].map(|purpose| purpose.seeds(u32::MAX));
    assert!(learned.end <= reported.start && learned.start < learned.end && reported.start < reported.end);
}
