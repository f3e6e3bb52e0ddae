//! How participants come into a room over loopback: by signalling to a relay of ours or of somebody else's, or without
//! any.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use jiho_analysis::units::{MediaTime, RunTime};
use jiho_proto::event::Event;
use jiho_proto::records::{KeepError, Records};

use crate::exit::UsageError;
use crate::experiment::{Experiment, External, PlainRtp};

/// By which way somebody comes in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Door<'e> {
    /// At a relay's control address.
    Control(&'e str),
    /// Nobody is asked: media goes where it was said beforehand.
    Plain(&'e PlainRtp),
}

impl<'e> Door<'e> {
    /// Somebody else's.
    pub(super) fn of(external: &'e External) -> Self {
        match (&external.rtp, &external.control) {
            (Some(rtp), _) => Self::Plain(rtp),
            (None, control) => Self::Control(control.as_deref().unwrap_or_default()),
        }
    }

    /// Where media comes from that is to go there: any free port, on the address that the relay is reached from.
    ///
    /// # Errors
    /// The relay's name is unknown; or it is not on this host, and `experiment` would drop packets there.
    pub(super) async fn own_address(self, experiment: &Experiment) -> anyhow::Result<SocketAddr> {
        let relay = match self {
            Self::Plain(rtp) => rtp.send_to.ip(),
            Self::Control(control) => address(control).await?,
        };
        if !relay.is_loopback() && experiment.drop_probe.is_some() {
            let text = "the relay is not on this host, and dropped packets are holes in what others hear: leave out \
                        [drop_probe]";
            return Err(UsageError::say(text).into());
        }
        let own = match relay {
            relay if relay.is_loopback() => relay,
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        Ok(SocketAddr::new(own, 0))
    }
}

/// Of a name with several addresses one of version 4, if there is one.
async fn address(control: &str) -> anyhow::Result<IpAddr> {
    let unknown = || format!("relay {control}: no such address; it is written host:port, such as 127.0.0.1:4000");
    let addresses: Vec<IpAddr> =
        tokio::net::lookup_host(control).await.with_context(unknown)?.map(|address| address.ip()).collect();
    addresses.iter().find(|ip| ip.is_ipv4()).or(addresses.first()).copied().with_context(unknown)
}

/// Records that tell whether the relay has answered: it let its engine in, or did not.
pub(super) struct Answered {
    records: Box<dyn Records>,
    answered: Arc<AtomicBool>,
}

impl Answered {
    pub(super) fn new(records: Box<dyn Records>) -> (Self, Arc<AtomicBool>) {
        let answered = Arc::default();
        (Self { records, answered: Arc::clone(&answered) }, answered)
    }
}

impl Records for Answered {
    fn ear(&mut self, first: MediaTime, samples: &[f32]) -> Result<(), KeepError> {
        self.records.ear(first, samples)
    }

    fn event(&mut self, at: RunTime, event: Event) -> Result<(), KeepError> {
        if matches!(event, Event::Joined | Event::Failed { .. }) {
            self.answered.store(true, Ordering::Relaxed);
        }
        self.records.event(at, event)
    }
}
