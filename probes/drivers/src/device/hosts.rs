//! The sound systems that devices belong to.

/// One sound system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostInfo {
    /// As devices' ids begin: `alsa`, `pulseaudio`.
    pub name: String,
    /// What it lacks, and how to mend that; `None`: it can be used now.
    pub lacks: Option<String>,
}

/// Those of this system, whether they can be used or not.
pub fn hosts() -> Vec<HostInfo> {
    let mut hosts = built();
    for (name, built, mend) in OPTIONAL {
        if !built {
            hosts.push(HostInfo { name: (*name).to_owned(), lacks: Some((*mend).to_owned()) });
        }
    }
    hosts
}

#[cfg(feature = "device")]
fn built() -> Vec<HostInfo> {
    let running = cpal::available_hosts();
    let lacks = |id: &cpal::HostId| {
        (!running.contains(id)).then(|| "its sound server does not run or cannot be reached".to_owned())
    };
    cpal::ALL_HOSTS.iter().map(|id| HostInfo { name: id.name().to_lowercase(), lacks: lacks(id) }).collect()
}

#[cfg(not(feature = "device"))]
fn built() -> Vec<HostInfo> {
    Vec::new()
}

#[cfg(target_os = "linux")]
const OPTIONAL: &[(&str, bool, &str)] = &[
    ("alsa", cfg!(feature = "device"), "not built in: rebuild with `--features device` (needs libasound2-dev)"),
    (
        "pulseaudio",
        cfg!(feature = "pulseaudio"),
        "not built in: rebuild with `--features pulseaudio` (needs nothing more)",
    ),
    ("jack", cfg!(feature = "jack"), "not built in: rebuild with `--features jack` (needs libjack-jackd2-dev)"),
    (
        "pipewire",
        cfg!(feature = "pipewire"),
        "not built in: rebuild with `--features pipewire` (needs libpipewire-0.3-dev, libspa-0.2-dev and libclang-dev); \
         until then its PulseAudio side does",
    ),
];
#[cfg(not(target_os = "linux"))]
const OPTIONAL: &[(&str, bool, &str)] =
    &[("sound devices", cfg!(feature = "device"), "not built in: rebuild with `--features device`")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_is_named_once_and_what_is_not_built_says_how() {
        let hosts = hosts();
        let mut names: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), hosts.len(), "{hosts:?}");
        for host in hosts.iter().filter_map(|host| host.lacks.as_ref()) {
            assert!(host.contains("rebuild with") || host.contains("server"), "{host}");
        }
    }
}
