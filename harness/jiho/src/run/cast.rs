//! Who takes part: the engines of an experiment's participants, the same in every world.

use std::collections::BTreeMap;

use jiho_analysis::arrivals::Role;
use jiho_analysis::signal::{Code, Programme, Signal as Rhythm};
use jiho_analysis::units::{Nanos, RunTime};
use jiho_proto::card::SoundCard;
use jiho_proto::clock::{LocalClock, LocalMouth, LocalRecords};
use jiho_proto::codec::{CodecConfig, OpusApplication, OpusConfig};
use jiho_proto::control::Action;
use jiho_proto::drop_probe::DropProbe;
use jiho_proto::endpoint::{Endpoint, EndpointConfig, EndpointError, MouthConfig};
use jiho_proto::link::{Jitter, Link};
use jiho_proto::playout::PlayoutPolicy;
use jiho_proto::records::Records;
use jiho_proto::seal::{Passphrase, Seal};
use jiho_proto::singer::{Singer, SingerConfig, Way};
use jiho_proto::speaker::Mouth;
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;
use std::net::SocketAddr;

use super::keeper::{Keep, Participant};
use crate::experiment::{Application, Codec, Event, Experiment, Host, Occasion, Sealing, Sframe, Sing};

/// Everybody opens their ears and mouths within this time: sound cards do not start in step, and packets of different
/// speakers do not leave in step.
const PHASES: Nanos = Nanos::from_millis(20);
/// Tells the luck of a host's clock from that of its participant's link …
const CLOCK: u64 = 3;
/// … and a singer's from both.
const SINGER: u64 = 4;

/// A participant before the room exists.
#[derive(Debug)]
pub(crate) struct Member {
    name: String,
    role: Role,
    playout: PlayoutPolicy,
    programme: Option<Programme>,
    /// In a chorus: how it sings its programme.
    singer: Option<SingerConfig>,
    pub(crate) seal: Option<Seal>,
    /// What its mouth says in place of its programme: the programme sounds elsewhere.
    sound: Option<Box<dyn Mouth>>,
    ear: Keep,
    rng: Pcg32,
    place: Place,
    drop_probe: Option<DropProbe>,
    /// When it comes, if not at the beginning.
    pub(super) comes: Option<RunTime>,
    /// When it goes, if not at the end.
    pub(super) goes: Option<RunTime>,
}

/// Where a participant sits. The default is a machine without faults in the network's core.
#[derive(Debug, Default)]
struct Place {
    link: Link,
    card: SoundCard,
    /// How long the card takes to start.
    card_start: Nanos,
    /// `None`: the run's reference clock.
    clock: Option<LocalClock>,
    wake_up: Option<Jitter>,
}

impl Place {
    fn new(experiment: &Experiment, link: Link, host: Option<&Host>, index: u64) -> Self {
        let beeps = RunTime::START + experiment.run.warmup;
        let Some(host) = host else { return Self { link, ..Self::default() } };
        let end = RunTime::START + experiment.run.total();
        let clock = || host.clock.model(beeps, end, &[experiment.run.seed.into(), index, CLOCK]);
        Self {
            link,
            card: host.card.model(),
            card_start: host.card.start,
            clock: (!host.clock.is_exact()).then(clock),
            wake_up: host.wake_up.as_ref().and_then(|jitter| jitter.model()),
        }
    }
}

/// Speakers first, then listeners, in the experiment's order.
pub(super) fn members(experiment: &Experiment) -> Vec<Member> {
    let mut programmes = experiment.programmes(RunTime::START + experiment.run.warmup).into_iter();
    let speakers: Vec<_> = experiment
        .speakers
        .iter()
        .zip(programmes.by_ref())
        .map(|(who, programme)| (&who.name, Role::Speaker, &who.link, &who.host, &who.playout, Some(programme), false))
        .collect();
    let listeners = experiment.listeners.iter().map(|who| {
        // Somebody who will be promoted has something to say.
        let programme = who.code.and_then(|_| programmes.next());
        (&who.name, Role::Listener, &who.link, &who.host, &who.playout, programme, who.keyless)
    });
    // Once for all participants: measured delays and tables of quantiles are shared.
    let beeps = RunTime::START + experiment.run.warmup;
    let links: BTreeMap<&str, Link> =
        experiment.links.iter().map(|(name, link)| (name.as_str(), link.model(beeps))).collect();
    let event = |wanted: &dyn Fn(&Occasion) -> bool| experiment.events.iter().find(|event| wanted(&event.what));
    let at = |event: &Event| beeps + event.at;
    (0u64..)
        .zip(speakers.into_iter().chain(listeners))
        .map(|(index, (name, role, link, host, playout, programme, keyless))| {
            // Each has luck of its own: adding somebody does not change the others'.
            let luck = (u64::from(experiment.run.seed) << 32) + index;
            let mut member = Member::new(name, role, playout.into(), programme, luck);
            member.comes = event(&|what| matches!(what, Occasion::Join(who) if who == name)).map(at);
            member.goes = event(&|what| matches!(what, Occasion::Leave(who) if who == name)).map(at);
            let recorded = experiment.run.records(name);
            let ear = if recorded { Keep::Recording } else { Keep::Detections(experiment.signal.family()) };
            let link = links.get(link.as_str()).cloned().unwrap_or_default();
            let host = host.as_ref().and_then(|host| experiment.hosts.get(host));
            let seal = experiment.media.seal.as_ref().map(|sealing| seal(sealing, keyless));
            let drop_probe = drop_probe(experiment, name, member.programme.is_some());
            let sing = experiment.speakers.get(index as usize).and_then(|speaker| speaker.sing.as_ref());
            let luck = vec![experiment.run.seed.into(), index, SINGER];
            member.singer = sing.zip(member.programme.clone()).map(|(sing, song)| singer(experiment, sing, song, luck));
            Member { place: Place::new(experiment, link, host, index), seal, ear, drop_probe, ..member }
        })
        .collect()
}

/// What somebody drops on purpose.
fn drop_probe(experiment: &Experiment, name: &str, speaks: bool) -> Option<DropProbe> {
    let probe = experiment.drop_probe.as_ref()?;
    let participants = probe.participants.as_ref()?;
    let index = participants.iter().position(|participant| participant == name)?;
    Some(probe.part(index, participants.len(), speaks, RunTime::START + experiment.run.warmup))
}

/// How somebody sings a song.
fn singer(experiment: &Experiment, sing: &Sing, song: Programme, luck: Vec<u64>) -> SingerConfig {
    let code = |name: &String| -> Option<Code> {
        experiment.speakers.iter().find(|speaker| speaker.name == *name).map(|speaker| speaker.code)
    };
    let way = match sing {
        Sing::Grid(_) => Way::Grid,
        // Whom nobody knows nobody hears: checked experiments name speakers only.
        Sing::Follow(part) => code(&part.leader).map_or(Way::Grid, |leader| Way::Follow { leader }),
        Sing::Together(part) => {
            let with = part.with.iter().flatten().filter_map(code);
            Way::Together { correction: with.map(|code| (code, part.correction.unwrap_or_default())).collect() }
        }
    };
    let Rhythm { family, period, .. } = Rhythm::from(&experiment.signal);
    let sound = song.after_mark();
    SingerConfig {
        song,
        family,
        period,
        until: RunTime::START + experiment.run.warmup + experiment.run.duration - sound,
        way,
        advance: sing.advance(),
        motor_noise: sing.motor_noise(),
        luck,
    }
}

/// What the moderator commands, and when.
pub(super) fn agenda(experiment: &Experiment) -> Vec<(RunTime, Action)> {
    let begin = RunTime::START + experiment.run.warmup;
    experiment.events.iter().filter_map(|event| Some((begin + event.at, event.what.action()?))).collect()
}

impl Member {
    /// Somebody who speaks if there is a programme. `luck` decides what RTP wants random, and when ear and mouth open.
    pub(crate) fn new(name: &str, role: Role, playout: PlayoutPolicy, programme: Option<Programme>, luck: u64) -> Self {
        let (name, rng) = (name.to_owned(), Pcg32::seed_from_u64(luck));
        let (singer, sound, seal, ear, place, drop_probe) = (None, None, None, Keep::Recording, Place::default(), None);
        Self {
            name,
            role,
            playout,
            programme,
            singer,
            sound,
            seal,
            ear,
            rng,
            place,
            drop_probe,
            comes: None,
            goes: None,
        }
    }

    /// Somebody who drops some of its own packets on purpose.
    pub(crate) fn dropping(self, drop_probe: Option<DropProbe>) -> Self {
        Self { drop_probe, ..self }
    }

    /// For the keeper.
    pub(crate) fn participant(&self) -> Participant {
        Participant {
            name: self.name.clone(),
            role: self.role,
            programme: self.programme.as_ref().map(|p| (p.code(), p.emissions().to_vec())),
            told: self.singer.is_some(),
            speaks_later: self.role == Role::Listener || self.comes.is_some(),
            keyless: self.seal == Some(Seal::Keyless),
            clock_error: self.place.clock.as_ref().map_or(Nanos::ZERO, LocalClock::bound),
            ear: self.ear,
        }
    }

    /// What it has to say.
    pub(super) fn voice(&self) -> Option<Programme> {
        self.programme.clone()
    }

    /// Somebody whose mouth says what `sound` brings: the voice sounds elsewhere.
    pub(super) fn through(mut self, sound: Option<Box<dyn Mouth>>) -> Self {
        self.sound = sound;
        self
    }

    /// What its records are kept by: its host's own clock.
    pub(crate) fn by_own_clock(&self, records: Box<dyn Records>) -> Box<dyn Records> {
        match &self.place.clock {
            Some(clock) => Box::new(LocalRecords::new(clock.clone(), records)),
            None => records,
        }
    }

    /// Its way to the network and back.
    pub(super) fn link(&self) -> &Link {
        &self.place.link
    }

    /// How late its host wakes up for what is due, if at all, in simulation.
    pub(super) fn wake_up(&self) -> Option<&Jitter> {
        self.place.wake_up.as_ref()
    }

    /// The engine that takes part from `media`.
    ///
    /// # Errors
    /// The codec cannot be set as the experiment wants it, or there is no key to speak with.
    pub(crate) fn engine(
        mut self,
        codec: CodecConfig,
        token: &str,
        media: SocketAddr,
    ) -> Result<Endpoint, EndpointError> {
        let Place { card_start, ref clock, .. } = self.place;
        let clock = clock.clone();
        let (singer, sound) = (self.singer.take(), self.sound.take());
        let ear_phase = self.phase() + card_start;
        let mouth = self.programme.take().map(|programme| MouthConfig {
            ssrc: self.rng.next_u32(),
            first_sequence: (self.rng.next_u32() >> 16) as u16,
            first_timestamp: self.rng.next_u32(),
            phase: self.phase() + card_start,
            mouth: match (sound, singer) {
                (Some(sound), _) => sound,
                // It counts by its card, and what it hears it hears by the same: its host's clock is not asked.
                (None, Some(singer)) => Box::new(Singer::new(singer)),
                (None, None) => mouth(programme, clock),
            },
        });
        Endpoint::new(EndpointConfig {
            name: self.name,
            role: self.role,
            token: token.to_owned(),
            media,
            codec,
            playout: self.playout,
            subscribe: None,
            seal: self.seal,
            card: self.place.card,
            ear_phase,
            mouth,
            drop_probe: self.drop_probe,
        })
    }

    fn phase(&mut self) -> Nanos {
        Nanos(((u128::from(self.rng.next_u64()) * PHASES.0 as u128) >> 64) as i64)
    }
}

/// Plays a programme when the clock says that it is time; `None`: the run's reference clock.
fn mouth(programme: Programme, clock: Option<LocalClock>) -> Box<dyn Mouth> {
    match clock {
        Some(clock) => Box::new(LocalMouth::new(clock, Box::new(programme))),
        None => Box::new(programme),
    }
}

fn seal(sealing: &Sealing, keyless: bool) -> Seal {
    let Sealing::Sframe(Sframe { passphrase }) = sealing;
    if keyless { Seal::Keyless } else { Seal::Keyed(Passphrase::new(passphrase)) }
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
