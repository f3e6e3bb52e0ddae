//! What end-to-end encryption cost in bytes, and who could not open what: `seal` in `run.json`, and the sentences on it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// End-to-end encryption in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sealed {
    /// How: `sframe` (RFC 9605).
    pub scheme: String,
    /// The cipher suite, as RFC 9605, section 8.1, names it.
    pub cipher_suite: String,
    /// What it added to packets.
    #[serde(flatten)]
    pub seals: Seals,
    /// Who received packets that could not be opened.
    pub unopened: Vec<Unopened>,
}

/// What encryption added to the packets of a run, as they left the mouths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Seals {
    /// How many were sealed.
    pub packets: u64,
    /// All of their bytes, as UDP payloads.
    pub bytes: u64,
    /// How many of these the seals are.
    pub seal_bytes: u64,
    /// The smallest seal.
    pub least_seal_bytes: usize,
    /// The largest.
    pub most_seal_bytes: usize,
}

/// Somebody who could not open what came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unopened {
    /// Who.
    pub name: String,
    /// Packets that could not be opened, with no key or with another.
    pub packets: u64,
    /// Of so many that came.
    pub received: u64,
    /// By the experiment it has no key.
    pub keyless: bool,
}

impl Seals {
    /// Takes a packet that was sent.
    pub fn note(&mut self, size_bytes: usize, seal_bytes: usize) {
        if seal_bytes == 0 {
            return;
        }
        let first = self.packets == 0;
        self.packets += 1;
        self.bytes += size_bytes as u64;
        self.seal_bytes += seal_bytes as u64;
        self.least_seal_bytes = if first { seal_bytes } else { self.least_seal_bytes.min(seal_bytes) };
        self.most_seal_bytes = self.most_seal_bytes.max(seal_bytes);
    }
}

impl Sealed {
    /// What SFrame did.
    pub fn sframe(seals: Seals, unopened: Vec<Unopened>) -> Self {
        let cipher_suite = jiho_proto::seal::CIPHER_SUITE_NAME.to_owned();
        Self { scheme: "sframe".to_owned(), cipher_suite, seals, unopened }
    }

    /// One sentence each.
    pub fn remarks(&self) -> impl Iterator<Item = String> + '_ {
        let Seals { packets, bytes, seal_bytes, least_seal_bytes, most_seal_bytes } = self.seals;
        let cost = (packets > 0).then(|| {
            format!(
                "Sealed end to end ({}): {least_seal_bytes} to {most_seal_bytes} bytes more in a packet, {:.2} on average, {:.1} % of \
                 what was sent. The relay has no key.",
                self.cipher_suite,
                seal_bytes as f64 / packets as f64,
                100.0 * seal_bytes as f64 / bytes as f64,
            )
        });
        cost.into_iter().chain(self.unopened.iter().map(Unopened::remark))
    }
}

impl Unopened {
    fn remark(&self) -> String {
        let Self { name, packets, received, keyless } = self;
        let why = if *keyless { "has no key" } else { "has no key, or another, for some of what came" };
        if packets == received {
            format!("{name} {why}: it could open none of {received} packets, and heard nothing.")
        } else {
            format!("{name} {why}: it could not open {packets} of {received} packets.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_seals_cost_and_who_heard_nothing_is_said() {
        let mut seals = Seals::default();
        for (size, seal) in [(111, 19), (113, 21), (92, 0)] {
            seals.note(size, seal);
        }
        let unopened =
            |name: &str, packets, keyless| Unopened { name: name.to_owned(), packets, received: 50, keyless };
        let sealed = Sealed {
            scheme: "sframe".to_owned(),
            cipher_suite: "AES".to_owned(),
            seals,
            unopened: vec![unopened("omar", 50, true), unopened("lena", 1, false)],
        };
        let remarks: Vec<String> = sealed.remarks().collect();
        assert!(remarks[0].contains("19 to 21 bytes more in a packet, 20.00 on average, 17.9 %"), "{remarks:?}");
        assert_eq!(remarks[1], "omar has no key: it could open none of 50 packets, and heard nothing.");
        assert!(
            remarks[2].starts_with("lena has no key, or another,") && remarks[2].contains("1 of 50"),
            "{remarks:?}"
        );
    }
}
