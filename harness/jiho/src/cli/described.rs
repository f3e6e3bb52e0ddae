//! Links, hosts, the drop probe and somebody else's relay in a line each.

use std::fmt::Display;

use jiho_analysis::units::Nanos;

use crate::experiment::{
    Bottleneck, BurstLoss, Client, Direction, DropProbe, External, Host, Jitter, Loss, Ready, Room, duration_text,
};

/// What a direction does to packets.
pub(super) fn direction(direction: &Direction) -> String {
    let mut said = vec![format!("delay {}", duration_text(direction.delay)), jitter(direction), loss(&direction.loss)];
    if direction.duplication.fraction() > 0.0 {
        said.push(format!("{} doubled", direction.duplication));
    }
    if direction.reorder {
        said.push("reordering".to_owned());
    }
    if let Some(Bottleneck { bytes_per_second, queue, queue_bytes }) = direction.bottleneck {
        let queue = queue.map(duration_text).or(queue_bytes.map(|bytes| format!("{bytes} bytes"))).unwrap_or_default();
        said.push(format!("bottleneck of {bytes_per_second} bytes/s with a queue of {queue}"));
    }
    said.extend(
        direction.outage.iter().map(|o| format!("outage at {} for {}", duration_text(o.at), duration_text(o.lasts))),
    );
    let route = |to: Nanos, at: Nanos| format!("delay {} from {} on", duration_text(to), duration_text(at));
    said.extend(direction.route_change.iter().map(|change| route(change.delay, change.at)));
    said.join(", ")
}

/// Who drops what on purpose.
pub(super) fn drop_probe(probe: &DropProbe) -> String {
    let DropProbe { incoming, outgoing, interval, from, participants, .. } = probe;
    let [interval, from] = [interval, from].map(|span| duration_text(*span));
    let names = participants.iter().flatten().map(String::as_str).collect::<Vec<_>>().join(", ");
    format!("{names}: {incoming} packets in and, of speakers, {outgoing} out, one every {interval} from {from} on")
}

/// A room that somebody else wrote.
pub(super) fn room(room: &Room) -> String {
    let clients = match room.client() {
        Some(Client::Browser) => ", in browsers",
        Some(Client::Probe) => ", by probes",
        Some(Client::Rtp) => ", by probes with plain RTP",
        None => "",
    };
    format!("{}{clients}: not jiho's, whatever is said of stage and audience", room.name())
}

/// Whose relay it is, and how it is started.
pub(super) fn external(external: &External) -> String {
    let External { control, start, patience, rtp, .. } = external;
    let place = match (control, rtp) {
        (_, Some(rtp)) => format!("plain RTP to {}", rtp.send_to),
        (control, None) => format!("at {}", control.as_deref().unwrap_or_default()),
    };
    let started = start.as_ref().map(|command| format!(", started by `{command}`")).unwrap_or_default();
    let ready = external.sign().map(|sign| match sign {
        Ready::Line(words) => format!("it writes {words:?}"),
        Ready::Tcp(address) => format!("somebody listens at {address}"),
        Ready::Http(address) => format!("{address} is answered"),
    });
    let ready = ready.map(|sign| format!(", ready when {sign}, within {}", duration_text(*patience)));
    format!("somebody else's, {place}{started}{}", ready.unwrap_or_default())
}

fn jitter(direction: &Direction) -> String {
    let text = match &direction.jitter {
        Some(Jitter::Normal(Nanos::ZERO) | Jitter::Uniform(Nanos::ZERO)) | None => return "no jitter".to_owned(),
        Some(jitter) => self::distribution(jitter),
    };
    if direction.jitter_correlation.fraction() > 0.0 {
        format!("jitter {text}, {} correlated", direction.jitter_correlation)
    } else {
        format!("jitter {text}")
    }
}

fn distribution(jitter: &Jitter) -> String {
    match jitter {
        Jitter::Normal(deviation) => format!("normal {}", duration_text(*deviation)),
        Jitter::Uniform(most) => format!("uniform up to {}", duration_text(*most)),
        Jitter::LogNormal { median, sigma } => format!("log-normal, median {}, sigma {sigma}", duration_text(*median)),
        Jitter::Gamma { mean, sd } => format!("gamma, mean {}, sd {}", duration_text(*mean), duration_text(*sd)),
        Jitter::Pareto { median, shape } => format!("Pareto, median {}, shape {shape}", duration_text(*median)),
        Jitter::Empirical(empirical) => format!("of {} measured values", empirical.delays.len()),
    }
}

fn loss(loss: &Loss) -> String {
    match loss {
        Loss::Each(share) => format!("loss {share}"),
        Loss::Bursts(BurstLoss::Gilbert { bad_to_good, .. }) => {
            let share = loss.model().share() * 100.0;
            let length = 1.0 / bad_to_good.fraction();
            format!("loss {share:.2}%, in bad stretches of {length:.1} packets on average")
        }
    }
}

/// What is wrong with a machine.
pub(super) fn host(host: &Host) -> String {
    let mut said = Vec::new();
    let mut say = |is_so: bool, what: &dyn Display| said.extend(is_so.then(|| what.to_string()));
    let (clock, card) = (&host.clock, &host.card);
    say(clock.offset != Nanos::ZERO, &format_args!("clock off by {}", duration_text(clock.offset)));
    say(clock.drift_ppm != 0.0, &format_args!("clock drifts by {} ppm", clock.drift_ppm));
    say(clock.walk != Nanos::ZERO, &format_args!("clock wanders by {} in a second", duration_text(clock.walk)));
    for step in &clock.step {
        say(true, &format_args!("clock set by {} at {}", duration_text(step.by), duration_text(step.at)));
    }
    say(card.ppm != 0.0, &format_args!("card counts {} ppm too fast", card.ppm));
    say(true, &format_args!("card takes {} at once", duration_text(card.period)));
    say(card.start != Nanos::ZERO, &format_args!("card starts after {}", duration_text(card.start)));
    if let Some(wake_up) = &host.wake_up {
        say(true, &format_args!("wakes up late: {} (in simulation)", distribution(wake_up)));
    }
    said.join(", ")
}
