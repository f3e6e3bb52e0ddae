//! Who takes part: the engines of an experiment's participants, the same in every world.

use jiho_analysis::arrivals::Role;
use jiho_analysis::signal::Programme;
use jiho_analysis::units::{Nanos, RunTime};
use jiho_proto::card::SoundCard;
use jiho_proto::codec::{CodecConfig, CodecError, OpusApplication, OpusConfig};
use jiho_proto::endpoint::{Endpoint, EndpointConfig, MouthConfig};
use jiho_proto::playout::PlayoutPolicy;
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;
use std::net::SocketAddr;

use super::keeper::{Keep, Participant};
use crate::experiment::{Application, Codec, Experiment};

/// Everybody opens their ears and mouths within this time: sound cards do not start in step, and packets of different
/// speakers do not leave in step.
const PHASES: Nanos = Nanos::from_millis(20);

/// A participant before the room exists.
#[derive(Debug)]
pub(crate) struct Member {
    name: String,
    role: Role,
    playout: PlayoutPolicy,
    programme: Option<Programme>,
    ear: Keep,
    rng: Pcg32,
}

/// Speakers first, then listeners, in the experiment's order; with the names of their links in simulation.
pub(super) fn members(experiment: &Experiment) -> Vec<(Member, &str)> {
    let programmes = experiment.programmes(RunTime::START + experiment.run.warmup);
    let speakers =
        experiment.speakers.iter().zip(programmes).map(|(speaker, programme)| {
            (&speaker.name, Role::Speaker, &speaker.link, &speaker.playout, Some(programme))
        });
    let listeners = experiment
        .listeners
        .iter()
        .map(|listener| (&listener.name, Role::Listener, &listener.link, &listener.playout, None));
    (0u64..)
        .zip(speakers.chain(listeners))
        .map(|(index, (name, role, link, playout, programme))| {
            // Each has luck of its own: adding somebody does not change the others'.
            let luck = (u64::from(experiment.run.seed) << 32) + index;
            let member = Member::new(name, role, playout.into(), programme, luck);
            let recorded = experiment.run.records(name);
            let ear = if recorded { Keep::Recording } else { Keep::Detections(experiment.signal.family()) };
            (member.keeping(ear), link.as_str())
        })
        .collect()
}

impl Member {
    /// Somebody who speaks if there is a programme. `luck` decides what RTP wants random, and when ear and mouth open.
    pub(crate) fn new(name: &str, role: Role, playout: PlayoutPolicy, programme: Option<Programme>, luck: u64) -> Self {
        let rng = Pcg32::seed_from_u64(luck);
        Self { name: name.to_owned(), role, playout, programme, ear: Keep::Recording, rng }
    }

    /// For the keeper.
    pub(crate) fn participant(&self) -> Participant {
        Participant {
            name: self.name.clone(),
            role: self.role,
            programme: self.programme.as_ref().map(|p| (p.code(), p.emissions().to_vec())),
            speaks_later: self.role == Role::Listener,
            clock_error: Nanos::ZERO,
            ear: self.ear,
        }
    }

    /// The same, of whose ear something else is kept than the recording.
    fn keeping(self, ear: Keep) -> Self {
        Self { ear, ..self }
    }

    /// The engine that takes part from `media`.
    ///
    /// # Errors
    /// The codec cannot be set as the experiment wants it.
    pub(crate) fn engine(mut self, codec: CodecConfig, token: &str, media: SocketAddr) -> Result<Endpoint, CodecError> {
        let ear_phase = self.phase();
        let mouth = self.programme.take().map(|programme| MouthConfig {
            ssrc: self.rng.next_u32(),
            first_sequence: (self.rng.next_u32() >> 16) as u16,
            first_timestamp: self.rng.next_u32(),
            phase: self.phase(),
            mouth: Box::new(programme),
        });
        Endpoint::new(EndpointConfig {
            name: self.name,
            role: self.role,
            token: token.to_owned(),
            media,
            codec,
            playout: self.playout,
            subscribe: None,
            card: SoundCard::default(),
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
            dtx: opus.dtx,
            fec: opus.fec,
            expected_loss_percent: opus.expected_loss_percent,
        }),
    }
}
