//! How right this host's wall clock is, by the word of who disciplines it.

use std::process::Command;

use jiho_analysis::units::Nanos;

/// What is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostClock {
    /// At most so much is it off, if anybody says.
    pub(super) error: Option<Nanos>,
    /// By whom, or why not.
    pub(super) source: String,
}

impl HostClock {
    /// Asks chrony, then systemd.
    pub(super) fn ask() -> Self {
        let chrony = said("chronyc", &["-c", "tracking"]).map(|said| chrony(&said));
        let systemd = || said("timedatectl", &["timesync-status"]).map(|said| timesyncd(&said));
        chrony.or_else(systemd).unwrap_or_else(|| Self {
            error: None,
            source: "neither chrony nor systemd-timesyncd runs here".to_owned(),
        })
    }

    /// For people.
    pub(super) fn described(&self) -> String {
        match self.error {
            Some(error) => {
                format!("this host's clock is right to {:.1} ms at worst ({})", error.as_millis_f64(), self.source)
            }
            None => format!(
                "nobody says how right this host's clock is ({}): only differences at one ear can be trusted; to compare \
                 hosts, install chrony",
                self.source
            ),
        }
    }
}

/// Standard output of a command that succeeded.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).env("LC_ALL", "C").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The reference of a chronyd that serves its own clock.
const LOCAL: &str = "7F7F0101";

/// Of a line of `chronyc -c tracking`. The bound is |offset| + root dispersion + root delay / 2 (chronyc(1), `tracking`).
fn chrony(line: &str) -> HostClock {
    let fields: Vec<&str> = line.trim().split(',').collect();
    let seconds = |n: usize| fields.get(n).and_then(|field| field.parse::<f64>().ok());
    let unknown = |why: &str| HostClock { error: None, source: format!("chrony: {why}") };
    match (fields.first(), fields.last()) {
        (_, Some(&"Not synchronised")) | (Some(&"00000000"), _) => return unknown("not synchronised yet"),
        (Some(&LOCAL), _) => return unknown("its reference is this clock itself"),
        _ => {}
    }
    let (Some(offset), Some(delay), Some(dispersion)) = (seconds(4), seconds(10), seconds(11)) else {
        return unknown("it answers in an unknown way");
    };
    let name = fields.get(1).filter(|name| !name.is_empty()).or(fields.first()).copied().unwrap_or_default();
    let stratum = fields.get(2).copied().unwrap_or_default();
    HostClock {
        error: Some(Nanos::from_secs_f64(offset.abs() + dispersion + delay / 2.0)),
        source: format!("chrony: from {name}, stratum {stratum}"),
    }
}

/// Of `timedatectl timesync-status`: the root distance (RFC 5905, A.5.5.2), and the offset.
fn timesyncd(text: &str) -> HostClock {
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':').map(|value| value.trim().to_owned()))
    };
    let time = |name: &str| field(name).and_then(|value| span(value.split(" (").next()?));
    match (time("Root distance"), time("Offset")) {
        (Some(distance), Some(offset)) => HostClock {
            error: Some(distance + offset.abs()),
            source: format!("systemd-timesyncd: from {}", field("Server").unwrap_or_else(|| "its server".to_owned())),
        },
        _ => HostClock { error: None, source: "systemd-timesyncd: not synchronised yet".to_owned() },
    }
}

/// Of a time span as systemd writes it, such as `-1.5ms` or `1min 2.5s`.
fn span(text: &str) -> Option<Nanos> {
    let (sign, text) = match text.trim_start_matches('+').strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.trim_start_matches('+')),
    };
    let part = |part: &str| {
        let digits = part.find(|letter: char| letter.is_alphabetic() || letter == 'µ')?;
        let unit = match &part[digits..] {
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "min" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        Some(unit * part[..digits].parse::<f64>().ok()?)
    };
    let parts: Option<Vec<f64>> = text.split_whitespace().map(part).collect();
    parts.filter(|parts| !parts.is_empty()).map(|parts| Nanos::from_secs_f64(sign * parts.iter().sum::<f64>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chrony_bounds_the_clock_by_offset_dispersion_and_half_the_delay() {
        let tracking = "C0248F82,ntp.example,2,1796086856.452834592,-0.000250000,0.000012000,0.000030000,-12.3,0.001,0.02,\
                        0.012000000,0.001500000,64.2,Normal\n";
        let clock = chrony(tracking);
        assert_eq!(clock.error, Some(Nanos::from_micros(7750)));
        assert_eq!(
            clock.described(),
            "this host's clock is right to 7.8 ms at worst (chrony: from ntp.example, stratum 2)"
        );
    }

    #[test]
    fn a_clock_that_nobody_disciplines_has_no_bound() {
        // As chronyd 4.3 says it with `local stratum 5` and no server.
        let local = "7F7F0101,,5,1796086856.452834592,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000,0.000000000,\
                     0.000000000,0.0,Normal";
        let unset = "00000000,,0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,1.000000000,1.000000000,0.0,Not synchronised";
        for line in [local, unset, "", "garbage,that,is,none"] {
            let clock = chrony(line);
            assert!(clock.error.is_none() && clock.described().contains("only differences at one ear"), "{clock:?}");
        }
        assert_eq!(timesyncd("       Server: n/a\nPoll interval: 0\n").error, None);
    }

    #[test]
    fn systemd_bounds_the_clock_by_root_distance_and_offset() {
        let status = "       Server: 192.0.2.1 (ntp.example)\nPoll interval: 34min 8s (min: 32s; max 34min 8s)\n\
                      Root distance: 15.456ms (max: 5s)\n       Offset: -1.5ms\n        Delay: 20ms\n";
        let clock = timesyncd(status);
        assert_eq!(clock.error, Some(Nanos::from_micros(16_956)));
        assert_eq!(clock.source, "systemd-timesyncd: from 192.0.2.1 (ntp.example)");
    }

    #[test]
    fn spans_are_read_as_systemd_writes_them() {
        assert_eq!(span("1min 2.5s"), Some(Nanos::from_millis(62_500)));
        assert_eq!(span("+305us"), Some(Nanos::from_micros(305)));
        assert_eq!((span("soon"), span("")), (None, None));
    }
}
