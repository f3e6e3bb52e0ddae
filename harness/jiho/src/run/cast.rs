//! Who takes part: the engines of an experiment's participants, the same in every world.

use jiho_analysis::arrivals::Role;
use jiho_analysis::signal::Programme;
use jiho_analysis::units::{Nanos, RunTime};
use jiho_proto::codec::{CodecConfig, CodecError, OpusApplication, OpusConfig};
use jiho_proto::endpoint::{Endpoint, EndpointConfig, MouthConfig};
use jiho_proto::playout::PlayoutPolicy;
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;
use std::net::SocketAddr;

use super::keeper::Participant;
use crate::experiment::{Application, Codec, Experiment, Playout};

/// Everybody opens their ears and mouths within this time: sound cards do not start in step, and packets of different
/// speakers do not leave in step.
const PHASES: Nanos = Nanos::from_millis(20);

/// A participant before the room exists.
#[derive(Debug)]
pub(super) struct Member {
    /// For the keeper.
    pub(super) participant: Participant,
    /// The name of the link in simulation.
    pub(super) link: String,
    playout: PlayoutPolicy,
    programme: Option<Programme>,
    rng: Pcg32,
}

/// Speakers first, then listeners, in the experiment's order.
pub(super) fn members(experiment: &Experiment) -> Vec<Member> {
    let programmes = experiment.programmes(RunTime::START + experiment.run.warmup);
    let speakers = experiment.speakers.iter().zip(programmes).map(|(speaker, programme)| {
        let kept = Some((speaker.code, programme.emissions().to_vec()));
        (&speaker.name, Role::Speaker, &speaker.link, &speaker.playout, kept, Some(programme))
    });
    let listeners = experiment
        .listeners
        .iter()
        .map(|listener| (&listener.name, Role::Listener, &listener.link, &listener.playout, None, None));
    (0u64..)
        .zip(speakers.chain(listeners))
        .map(|(index, (name, role, link, playout, kept, programme))| Member {
            participant: Participant { name: name.clone(), role, programme: kept },
            link: link.clone(),
            playout: policy(playout),
            programme,
            // Each has luck of its own: adding somebody does not change the others'.
            rng: Pcg32::seed_from_u64((u64::from(experiment.run.seed) << 32) + index),
        })
        .collect()
}

impl Member {
    /// The engine that takes part from `media`.
    ///
    /// # Errors
    /// The codec cannot be set as the experiment wants it.
    pub(super) fn engine(mut self, codec: CodecConfig, token: &str, media: SocketAddr) -> Result<Endpoint, CodecError> {
        let ear_phase = self.phase();
        let mouth = self.programme.take().map(|programme| MouthConfig {
            ssrc: self.rng.next_u32(),
            first_sequence: (self.rng.next_u32() >> 16) as u16,
            first_timestamp: self.rng.next_u32(),
            phase: self.phase(),
            mouth: Box::new(programme),
        });
        Endpoint::new(EndpointConfig {
            name: self.participant.name,
            role: self.participant.role,
            token: token.to_owned(),
            media,
            codec,
            playout: self.playout,
            subscribe: None,
            ear_phase,
            mouth,
        })
    }

    fn phase(&mut self) -> Nanos {
        Nanos(((u128::from(self.rng.next_u64()) * PHASES.0 as u128) >> 64) as i64)
    }
}

/// What every endpoint sends and receives.
pub fn codec(codec: &Codec) -> CodecConfig {
    match codec {
        Codec::L16 {} => CodecConfig::L16,
        Codec::Opus(opus) => CodecConfig::Opus(OpusConfig {
            bitrate_bps: opus.bitrate_bps,
            application: match opus.application {
                Application::Voip => OpusApplication::Voip,
                Application::Audio => OpusApplication::Audio,
                Application::LowDelay => OpusApplication::LowDelay,
            },
        }),
    }
}

fn policy(playout: &Playout) -> PlayoutPolicy {
    match playout {
        Playout::Fixed(delay) => PlayoutPolicy::Fixed { delay: *delay },
    }
}
