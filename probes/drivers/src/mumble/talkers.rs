//! An engine's control link, where there is no relay to say who talks: the roster does.

use std::collections::BTreeMap;

use jiho_proto::control::{Message, Talker};
use jiho_proto::engine::PeerId;
use tokio::sync::watch;

use super::Roster;
use crate::control::{ControlInput, ControlLink, Wires};
use crate::udp::Waker;

/// Tells the engine of everybody but ourselves, as they come, and of the connection's end.
pub(super) fn link(ourselves: u32, roster: watch::Receiver<Roster>, waker: Waker) -> ControlLink {
    let (link, wires) = ControlLink::new(waker);
    tokio::spawn(run(ourselves, roster, wires));
    link
}

async fn run(ourselves: u32, mut roster: watch::Receiver<Roster>, mut wires: Wires) {
    let mut told: BTreeMap<u32, String> = BTreeMap::new();
    loop {
        let (news, ended) = {
            let roster = roster.borrow_and_update();
            let unknown = |(session, name): &(u32, &String)| *session != ourselves && told.get(session) != Some(*name);
            let names = roster.users.iter().map(|(session, user)| (*session, &user.name));
            let news: Vec<(u32, String)> =
                names.filter(unknown).map(|(session, name)| (session, name.clone())).collect();
            (news, roster.ended.clone())
        };
        for (ssrc, name) in news {
            told.insert(ssrc, name.clone());
            let message = Message::Talker(Talker { name, ssrc });
            wires.inputs.give(ControlInput::Message { peer: PeerId::RELAY, message }).await;
        }
        if let Some(reason) = ended {
            return wires.inputs.give(ControlInput::Closed { peer: PeerId::RELAY, reason }).await;
        }
        tokio::select! {
            changed = roster.changed() => if changed.is_err() {
                return;
            },
            // What the engine says to a relay nobody needs to hear; when it can say no more it has ended.
            said = wires.outputs.recv() => if said.is_none() {
                return;
            },
        }
    }
}
