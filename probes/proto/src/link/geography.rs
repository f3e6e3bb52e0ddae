//! Where engines sit, and how long a datagram is under way from one place to another.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use jiho_analysis::units::Nanos;

/// What lies between the links of two engines. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Geography {
    /// By place and place: one way.
    ways: Vec<Vec<Nanos>>,
    /// Where each address is.
    settled: BTreeMap<SocketAddr, usize>,
}

impl Geography {
    /// Places, numbered as in `ways`: the time that it takes from each to each.
    pub fn new(ways: Vec<Vec<Nanos>>) -> Self {
        Self { ways, settled: BTreeMap::new() }
    }

    /// Puts the engine at an address into a place.
    pub fn settle(&mut self, address: SocketAddr, place: usize) {
        self.settled.insert(address, place);
    }

    /// The time from one engine to another: nothing, unless both have a place.
    pub fn between(&self, from: SocketAddr, to: SocketAddr) -> Nanos {
        let way = || self.ways.get(*self.settled.get(&from)?)?.get(*self.settled.get(&to)?).copied();
        way().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_no_place_is_nowhere_far() {
        let [near, far] = [Nanos::from_millis(1), Nanos::from_millis(90)];
        let mut geography = Geography::new(vec![vec![near, far], vec![far, near]]);
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        geography.settle(at(1), 0);
        geography.settle(at(2), 1);
        assert_eq!(geography.between(at(1), at(2)), far);
        assert_eq!(geography.between(at(2), at(2)), near);
        assert_eq!(geography.between(at(1), at(3)), Nanos::ZERO);
    }
}
