//! A relay's packets, noted by a relay in a process of its own.

use std::path::Path;

use jiho_analysis::units::{MediaTime, Nanos, RunTime};
use jiho_proto::event::{Event, RelayedPacket};
use jiho_proto::records::{KeepError, Records};

use crate::report::RunName;
use crate::report::relay::RelayRow;
use crate::report::table::{Table, TableError};

/// How often rows are handed to the system.
const FLUSH: Nanos = Nanos::from_millis(500);

/// Writes a row for each packet, with times since 1970: a relay of its own belongs to no run.
pub(super) struct RelayCsv {
    table: Table<RelayRow>,
    since_1970: Nanos,
    flushed: RunTime,
}

impl RelayCsv {
    pub(super) fn create(path: &Path, started_unix_ns: i64) -> Result<Self, TableError> {
        let table = Table::create(path)?;
        Ok(Self { table, since_1970: Nanos(started_unix_ns), flushed: RunTime::START })
    }

    fn note(&mut self, at: RunTime, packet: &RelayedPacket) -> Result<(), TableError> {
        let mut row = RelayRow::of(&RunName::once("relay"), "relay", "", packet);
        row.shift(self.since_1970);
        self.table.row(&row)?;
        if at - self.flushed >= FLUSH {
            self.flushed = at;
            self.table.flush()?;
        }
        Ok(())
    }
}

impl Records for RelayCsv {
    fn ear(&mut self, _: MediaTime, _: &[f32]) -> Result<(), KeepError> {
        Ok(())
    }

    fn event(&mut self, at: RunTime, event: Event) -> Result<(), KeepError> {
        match event {
            Event::Relayed(packet) => self.note(at, &packet).map_err(KeepError::from),
            _ => Ok(()),
        }
    }
}
