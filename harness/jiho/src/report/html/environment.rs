//! Where a run came from, and the command that makes it again.

use jiho_proto::codec::CodecConfig;
use maud::{Markup, html};

use super::word;
use crate::report::run_json::RunJson;
use crate::report::tables::Tables;

pub(super) fn environment(tables: &Tables) -> Markup {
    let name = tables.name();
    let mut facts = vec![("run", name.run_id.clone()), ("repetition", name.rep.to_string())];
    if let Some(run) = &tables.run {
        facts.extend([
            ("experiment", run.experiment.clone()),
            ("in", world(run).to_owned()),
            ("seed", run.seed.to_string()),
            ("jiho", run.jiho_version.clone()),
            ("Opus library", run.opus_version.clone()),
        ]);
        facts.extend(run.codec.map(|codec| ("codec", codec_name(&codec))));
        facts.extend(run.family.map(|family| ("time signal", family.name().to_owned())));
        if let Some(host) = &run.host {
            facts.extend([("system", host.system.clone()), ("packets' clock", stamps(host).to_owned())]);
            facts.extend(host.kernel.clone().map(|kernel| ("kernel", kernel)));
            facts.extend(host.cpus.map(|cpus| ("processors", cpus.to_string())));
            let began = jiff::Timestamp::from_nanosecond(host.started_unix_ns.into());
            facts.extend(began.ok().map(|began| ("began", began.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())));
            facts.push(("waits for the disk", host.stalls.to_string()));
        }
    }
    html! {
        dl.facts { @for (what, value) in facts { div { dt { (what) } dd { (value) } } } }
        @if let Ok(text) = std::fs::read_to_string(tables.folder().experiment_effective()) {
            details { summary { "The experiment, with everything filled in" } pre tabindex="0" { code { (text) } } }
        }
    }
}

pub(super) fn reproduce(tables: &Tables) -> Markup {
    let command = command(tables);
    html! {
        p { (command.0) }
        pre tabindex="0" { code id="command" { (command.1) } }
    }
}

/// What it does, and how it is typed in the run's folder.
fn command(tables: &Tables) -> (&'static str, String) {
    let experiment = tables.folder().experiment_given();
    match &tables.run {
        Some(run) if run.on == "sim" && experiment.is_file() => (
            "In this folder; the same version makes the same bytes:",
            format!("jiho run experiment.toml --on sim --seed {}", run.seed),
        ),
        Some(run) if experiment.is_file() => (
            "In this folder; another run of the same experiment, on whatever machine that is:",
            format!("jiho run experiment.toml --seed {}", run.seed),
        ),
        _ => ("It was one process of a room. Its recordings are measured again by:", "jiho analyze .".to_owned()),
    }
}

fn world(run: &RunJson) -> &'static str {
    match run.on.as_str() {
        "sim" => "simulation, virtual time",
        "loopback" => "real time, over this machine's loopback",
        "device" => "real time, with sound devices",
        _ => "real time, one process of a room",
    }
}

fn codec_name(codec: &CodecConfig) -> String {
    match codec {
        CodecConfig::L16 => "linear PCM, 16 bits".to_owned(),
        CodecConfig::Opus(opus) => {
            let extras = [(opus.dtx, ", DTX"), (opus.fec, ", FEC")].map(|(on, name)| if on { name } else { "" });
            format!(
                "Opus, {} kb/s, {}{}",
                f64::from(opus.bitrate_bps) / 1000.0,
                word(&opus.application),
                extras.concat()
            )
        }
    }
}

fn stamps(host: &crate::report::run_json::Host) -> &'static str {
    if host.threads.iter().all(|thread| thread.stamps == "kernel") { "the kernel's" } else { "partly jiho's own" }
}
