//! A speaker or a listener in a process of its own: takes part through a relay, and keeps what it heard.

use std::net::SocketAddr;
use std::path::PathBuf;

use jiho_analysis::arrivals::Role;
use jiho_analysis::signal::{Code, Signal};
use jiho_analysis::units::{Nanos, RunTime};
use jiho_proto::codec::CodecConfig;
use jiho_proto::event::Event;
use jiho_proto::playout::PlayoutPolicy;
use jiho_proto::seal::{Passphrase, Seal};

use super::guest::{Guest, GuestError, Way};
use super::record::Record;
pub use super::record::Stayed;
use super::{beats, interrupt, say};
use crate::exit::UsageError;
use crate::experiment::DropProbe;
use crate::report::seal::Sealed;
use crate::run::cast::Member;
use crate::run::interrupt::Interrupt;
use crate::run::keeper::{Keeper, Kept};

/// Who takes part, and where.
#[derive(Clone, Debug)]
pub struct Part {
    /// The relay's control address, as `host:port`.
    pub relay: String,
    /// The room's secret.
    pub token: String,
    /// The name in the room.
    pub name: String,
    /// Where our media comes from; `None`: the system chooses.
    pub media: Option<SocketAddr>,
    /// The room's codec.
    pub codec: CodecConfig,
    /// In a room that is sealed end to end: the key.
    pub seal: Option<Passphrase>,
    /// How the jitter buffer delays what it plays.
    pub playout: PlayoutPolicy,
    /// What a speaker plays; a listener plays nothing.
    pub plays: Option<(Signal, Code)>,
    /// Which of its own packets it drops on purpose, if any.
    pub drop_probe: Option<DropProbe>,
    /// It may do so in a room that is not on this host.
    pub leave_to_drop: bool,
    /// From its start to its end.
    pub duration: Nanos,
    /// The folder to make.
    pub out: PathBuf,
}

/// Takes part until the time is over or Ctrl-C.
///
/// # Errors
/// The relay cannot be reached, does not let us in, or goes away; or sound cannot be kept. What was recorded stays.
pub fn take(part: &Part) -> anyhow::Result<Stayed> {
    crate::run::block_on(take_async(part))
}

async fn take_async(part: &Part) -> anyhow::Result<Stayed> {
    let interrupt = interrupt();
    let way = Way::to(&part.relay, part.media, &interrupt).await?;
    if part.drop_probe.is_some() && !part.leave_to_drop && !way.is_here() {
        let text = format!(
            "the room at {} is not on this host, and dropped packets are holes in what others hear: ask whose room it \
             is, and give --leave-to-drop",
            part.relay
        );
        return Err(UsageError::say(text).into());
    }
    let family = part.plays.map(|(signal, _)| signal.family);
    let mut record = Record::begin(&part.out, &part.name, "room", Some(part.codec), family)?;
    let end = RunTime::START + part.duration;
    let started_unix_ns = record.clock.started_unix_ns();
    let programme = part.plays.map(|(signal, code)| beats::programme(&signal, code, started_unix_ns, end)).transpose();
    let programme = match programme {
        Ok(programme) => programme,
        Err(error) => return Err(discarded(record, error.into())),
    };
    let role = if programme.is_some() { Role::Speaker } else { Role::Listener };
    let beeps = programme.as_ref().map(|programme| programme.emissions().to_vec()).unwrap_or_default();
    let speaks = role == Role::Speaker;
    let dropping = part.drop_probe.as_ref().map(|probe| probe.part(0, 1, speaks, RunTime::START));
    let member = Member::new(&part.name, role, part.playout, programme, u64::from(record.run.seed));
    let mut member = member.dropping(dropping);
    member.seal = part.seal.clone().map(Seal::Keyed);
    let keeper = Keeper::start(&record.folder, record.run.name(), started_unix_ns, vec![member.participant()])?;
    let engine = member.engine(part.codec, &part.token, way.media())?;
    let mut guest = way.enter(&part.name, Box::new(engine), record.clock, keeper.records(0))?;
    let stayed = stay(&mut guest, part, end, &interrupt).await;
    let (joined, lasted) = (guest.joined(), record.clock.now());
    let report = guest.leave().await?;
    let kept = keeper.finish();
    if !joined && let Err(error) = stayed {
        return Err(discarded(record, error.into()));
    }
    // The cause before its consequences: a full disk ends the engine, an engine that ended gives up its seat.
    let threads = [report];
    let played = threads[0].outcome.as_ref().err().map(|error| anyhow::anyhow!("{error}"));
    let (kept, unkept) = kept.map_or_else(|error| (Kept::default(), Some(error)), |kept| (kept, None));
    record.run.seal = part.seal.is_some().then(|| Sealed::sframe(kept.seals, kept.unopened.clone()));
    let failure = unkept.or(played).or(stayed.err().map(anyhow::Error::from));
    let folder = record.finish(&threads, &kept, failure.as_ref().map(ToString::to_string))?;
    if let Some(error) = failure {
        return Err(error.context(format!("ended early; what was recorded is in {}", folder.path().display())));
    }
    let missed: usize = kept.late.iter().map(|late| late.beeps).sum();
    let beeps = beeps.iter().filter(|beep| beep.at <= lasted).count().saturating_sub(missed);
    Ok(Stayed { folder, lasted: lasted.since_start(), beeps })
}

async fn stay(guest: &mut Guest, part: &Part, end: RunTime, interrupt: &Interrupt) -> Result<(), GuestError> {
    let told = |event: &Event| match event {
        Event::Joined => say(&format!("{} is in the room and records in {}", part.name, part.out.display())),
        Event::Talker { name, .. } => say(&format!("{} hears {name}", part.name)),
        _ => {}
    };
    guest.stay(end, interrupt, told).await
}

/// Who never was in the room leaves no folder behind that would be in the way of the next attempt.
fn discarded(record: Record, error: anyhow::Error) -> anyhow::Error {
    match record.folder.discard() {
        Ok(()) => error,
        Err(other) => error.context(format!("{other:#}")),
    }
}
