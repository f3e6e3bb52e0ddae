//! `[place.*]` and `[geography]`: where everybody is, and how long sound is under way between places.

use jiho_analysis::units::Nanos;
use serde::{Deserialize, Serialize};

use super::Experiment;

/// The mean radius of the earth (IUGG), in metres.
const EARTH_RADIUS_M: f64 = 6_371_008.8;
/// Two thirds of the speed of light in vacuum, in metres per second: light in glass fibre.
const SPEED_M_PER_S: f64 = 299_792_458.0 * 2.0 / 3.0;

/// `[place.*]`: somewhere on earth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// Latitude and longitude in degrees, north and east positive.
    pub at: [f64; 2],
}

impl Location {
    /// Along the surface, in metres: the haversine formula on a sphere (Sinnott 1984).
    pub fn distance_m(&self, other: &Self) -> f64 {
        let [[lat_a, lon_a], [lat_b, lon_b]] = [self.at, other.at].map(|at| at.map(f64::to_radians));
        let (north, east) = (((lat_b - lat_a) / 2.0).sin(), ((lon_b - lon_a) / 2.0).sin());
        let haversine = north * north + lat_a.cos() * lat_b.cos() * east * east;
        2.0 * EARTH_RADIUS_M * haversine.clamp(0.0, 1.0).sqrt().asin()
    }

    /// Whether it is on earth.
    pub(super) fn is_somewhere(&self) -> bool {
        let [latitude, longitude] = self.at;
        (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude)
    }
}

/// `[geography]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Geography {
    /// How much longer cables are than the way as the crow flies.
    pub path_stretch: f64,
}

impl Default for Geography {
    fn default() -> Self {
        Self { path_stretch: 1.5 }
    }
}

impl Geography {
    /// The crow's way to one that no cable takes.
    pub(super) const STRETCHES: std::ops::RangeInclusive<f64> = 1.0..=10.0;

    /// How long it takes from one place to another.
    pub fn way(&self, from: &Location, to: &Location) -> Nanos {
        Nanos::from_secs_f64(from.distance_m(to) * self.path_stretch / SPEED_M_PER_S)
    }
}

impl Experiment {
    /// How long it takes from each place to each, in the order of [`Experiment::places`].
    pub fn ways(&self) -> Vec<Vec<Nanos>> {
        let places = || self.places.values();
        places().map(|from| places().map(|to| self.geography.way(from, to)).collect()).collect()
    }

    /// The number of a place in [`Experiment::ways`].
    pub fn place_number(&self, name: Option<&String>) -> Option<usize> {
        self.places.keys().position(|place| Some(place) == name)
    }

    /// The longest that a packet is under way between the places that it passes.
    pub(super) fn longest_way(&self) -> Nanos {
        let longest = self.ways().into_iter().flatten().max().unwrap_or_default();
        // To the first relay, from relay to relay, and from the last one.
        Nanos(longest.0 * (self.edges().len() as i64 + 1).max(2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn great_circles_are_as_long_as_published() {
        // Sinnott's formula against the distances that airports publish, on another model of the earth: 0.5 %.
        let [haneda, heathrow, kennedy] =
            [[35.5533, 139.7811], [51.4775, -0.4614], [40.6398, -73.7789]].map(|at| Location { at });
        for (from, to, km) in [(heathrow, kennedy, 5555.0), (haneda, heathrow, 9620.0)] {
            let distance = from.distance_m(&to) / 1000.0;
            assert!((distance / km - 1.0).abs() < 0.005, "{distance} km where {km} were expected");
            assert_eq!(from.distance_m(&to), to.distance_m(&from));
        }
        let antipode = Location { at: [-35.5533, 139.7811 - 180.0] };
        assert!((haneda.distance_m(&antipode) / 20_015_115.0 - 1.0).abs() < 1e-6, "half the circumference");
    }

    #[test]
    fn light_in_a_fibre_takes_five_milliseconds_for_a_thousand_kilometres() {
        let straight = Geography { path_stretch: 1.0 };
        let degrees = 1_000_000.0 / EARTH_RADIUS_M * 180.0 / std::f64::consts::PI;
        let way = straight.way(&Location { at: [0.0, 0.0] }, &Location { at: [degrees, 0.0] });
        assert_eq!(way.0 / 1000, 5003);
    }
}
