//! Probes of ours as WebRTC clients: no browser, no sound device, the jitter buffer that we know.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Context;
use jiho_drivers::webrtc::{Connections, WebRtcError};

use super::webrtc::Clients;
use super::{PATIENCE, Party, Probe, RoomError, TICK};

/// Everybody's probes.
#[derive(Debug, Default)]
pub(super) struct Probes {
    all: BTreeMap<String, Connections>,
}

impl Probes {
    fn of(&self, who: &str) -> Result<&Connections, RoomError> {
        Ok(self.all.get(who).with_context(|| format!("{who} has no probe"))?)
    }
}

fn refused(who: &str, doing: &str, error: &WebRtcError) -> RoomError {
    RoomError::Refused { what: format!("{who}'s probe"), doing: doing.to_owned(), reason: error.to_string() }
}

impl Clients for Probes {
    fn start(&mut self, parties: &[Party]) -> Result<(), RoomError> {
        self.all.extend(parties.iter().map(|who| (who.name.clone(), Connections::new(who.media))));
        Ok(())
    }

    fn offer(&mut self, who: &str, connection: &str, sends: bool, hears: usize) -> Result<String, RoomError> {
        let offer = self.of(who)?.offer(connection, sends, hears);
        offer.map_err(|error| refused(who, "making an offer", &error))
    }

    fn answer(&mut self, who: &str, connection: &str, offer: &str, sends: bool) -> Result<String, RoomError> {
        let answer = self.of(who)?.answer(connection, offer, sends);
        answer.map_err(|error| refused(who, "answering an offer", &error))
    }

    fn accept(&mut self, who: &str, connection: &str, answer: &str) -> Result<(), RoomError> {
        let accepted = self.of(who)?.accept(connection, answer);
        accepted.map_err(|error| refused(who, "taking an answer", &error))
    }

    fn connected(&mut self, who: &str, connection: &str) -> Result<(), RoomError> {
        let doing = "connecting";
        let until = Instant::now() + PATIENCE;
        loop {
            let connected = self.of(who)?.is_connected(connection);
            if connected.map_err(|error| refused(who, doing, &error))? {
                return Ok(());
            }
            if Instant::now() > until {
                let what = format!("the other side of {who}'s connection");
                return Err(RoomError::Silent { what, doing: doing.to_owned(), within: PATIENCE });
            }
            std::thread::sleep(TICK / 10);
        }
    }

    fn close(&mut self, who: &str, connection: &str) -> Result<(), RoomError> {
        self.of(who)?.close(connection);
        Ok(())
    }

    fn close_all(&mut self, who: &str) -> Result<(), RoomError> {
        self.of(who)?.close_all();
        Ok(())
    }

    fn mute(&mut self, who: &str, _: bool) -> Result<(), RoomError> {
        let why = "probes of ours cannot be muted: take client \"browser\"";
        Err(anyhow::anyhow!("{who}: {why}").into())
    }

    fn probe(&mut self, who: &Party) -> Option<Probe> {
        self.all.get(&who.name).cloned().map(Probe::Webrtc)
    }

    fn check(&mut self) -> Result<(), RoomError> {
        Ok(())
    }

    fn stats(&mut self) -> Vec<(String, String)> {
        Vec::new()
    }

    fn version(&self) -> (String, String) {
        ("probe".to_owned(), format!("jiho {}, by str0m", env!("CARGO_PKG_VERSION")))
    }
}
