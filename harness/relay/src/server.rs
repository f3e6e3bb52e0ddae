//! What serves the stage, or the audience, or both where they are served alike: it takes every packet of every stream,
//! and sends what its architecture makes of them.

use jiho_analysis::arrivals::Role;

use crate::forward::Forward;
use crate::outbox::Outbox;
use crate::room::Room;
use crate::serving::Serving;
use crate::streams::Streams;

/// One architecture at work for the seats of some roles.
#[derive(Debug)]
pub(crate) struct Server {
    roles: Vec<Role>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Nothing passes the relay.
    Mesh,
    Forward(Forward),
}

impl Server {
    /// Serves the seats of these roles.
    pub(crate) fn new(roles: Vec<Role>, serving: Serving) -> Self {
        let kind = match serving {
            Serving::Mesh => Kind::Mesh,
            Serving::Forward => Kind::Forward(Forward::default()),
        };
        Self { roles, kind }
    }

    /// To be called when somebody has come or gone, or a stream has begun or ended.
    pub(crate) fn reroute(&mut self, room: &Room, streams: &Streams) {
        match &mut self.kind {
            Kind::Mesh => {}
            Kind::Forward(forward) => forward.reroute(room, streams, &self.roles),
        }
    }

    /// Takes a packet of a stream and gives the number of datagrams that it sends.
    pub(crate) fn packet(&mut self, ssrc: u32, data: &[u8], outbox: &mut Outbox) -> usize {
        match &mut self.kind {
            Kind::Mesh => 0,
            Kind::Forward(forward) => {
                let destinations = forward.destinations(ssrc);
                outbox.send(data, destinations);
                destinations.len()
            }
        }
    }
}
