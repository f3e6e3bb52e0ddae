//! What an architecture has made of the packets that it was given, before it is sent or held back.

use std::ops::Range;

use jiho_analysis::units::RunTime;

/// Packets in order, in one buffer that is used again and again.
#[derive(Debug, Default)]
pub(crate) struct Made {
    bytes: Vec<u8>,
    packets: Vec<MadePacket>,
}

#[derive(Debug)]
struct MadePacket {
    ssrc: u32,
    /// When the last packet came that it was made from.
    received: RunTime,
    bytes: Range<usize>,
}

impl Made {
    /// Adds the packet of a stream that `emit` appends, if it appends anything.
    pub(crate) fn packet(&mut self, ssrc: u32, received: RunTime, emit: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        emit(&mut self.bytes);
        let bytes = start..self.bytes.len();
        if !bytes.is_empty() {
            self.packets.push(MadePacket { ssrc, received, bytes });
        }
    }

    /// All packets: stream, instant, bytes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, RunTime, &[u8])> {
        self.packets.iter().map(|packet| (packet.ssrc, packet.received, &self.bytes[packet.bytes.clone()]))
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.packets.clear();
    }
}
