//! Which machines' figures may be compared: those of one host class.

use crate::report::run_json::RunJson;

/// The host class of every simulation: its figures are the same on any machine.
pub const SIMULATION: &str = "simulation";

/// Processor, how many of them may be used, operating system and architecture, as in
/// `AMD EPYC 7B13, 2 cpus, linux x86_64`.
pub fn of(run: &RunJson) -> String {
    match &run.host {
        Some(host) => {
            let cpus = host.cpus.map_or("unknown number of".to_owned(), |cpus| cpus.to_string());
            format!("{}, {cpus} cpus, {}", host.cpu.as_deref().unwrap_or("unknown processor"), host.system)
        }
        None => SIMULATION.to_owned(),
    }
}
