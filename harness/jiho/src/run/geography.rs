//! Where the engines of an experiment are, once they have addresses.

use std::net::SocketAddr;

use jiho_proto::link::Geography;

use super::relays;
use crate::experiment::Experiment;

/// Puts relays, in the order of [`relays::stations`], and participants, speakers first, into their places.
pub(super) fn settled(experiment: &Experiment, relays: &[SocketAddr], participants: &[SocketAddr]) -> Geography {
    let mut geography = Geography::new(experiment.ways());
    let stations = relays::stations(experiment).into_iter().map(|station| station.place);
    let speakers = experiment.speakers.iter().map(|speaker| speaker.place.as_ref());
    let all = speakers.chain(experiment.listeners.iter().map(|listener| listener.place.as_ref()));
    for (address, place) in relays.iter().zip(stations).chain(participants.iter().zip(all)) {
        if let Some(place) = experiment.place_number(place) {
            geography.settle(*address, place);
        }
    }
    geography
}
