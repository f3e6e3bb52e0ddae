//! Recordings, compressed so that they fit into the page: Opus in Ogg (RFC 7845).

use anyhow::Context;
use jiho_proto::codec::{CodecConfig, Encoder, FRAME_SAMPLES, OpusApplication, OpusConfig, RATE, library_version};
use ogg::writing::{PacketWriteEndInfo, PacketWriter};

/// Good enough to hear what went wrong.
pub(super) const BITRATE_BPS: u32 = 24_000;
/// A second of sound.
const PACKETS_PER_PAGE: u64 = 50;
/// There is one stream in each file.
const SERIAL: u32 = 1;

/// How many bytes so many samples will be.
pub(super) fn bytes(samples: u64) -> u64 {
    samples * u64::from(BITRATE_BPS) / 8 / u64::from(RATE.0) * 105 / 100 + 1000
}

/// A file of what was recorded, 48 kHz and mono.
pub(super) fn ogg_opus(samples: &[f32]) -> anyhow::Result<Vec<u8>> {
    let config = CodecConfig::Opus(OpusConfig {
        bitrate_bps: BITRATE_BPS,
        application: OpusApplication::Audio,
        ..OpusConfig::default()
    });
    let mut encoder = Encoder::new(&config)?;
    let pre_skip = u16::try_from(encoder.lookahead()?).context("the encoder looks too far ahead")?;
    let mut file = Vec::new();
    let mut writer = PacketWriter::new(&mut file);
    writer.write_packet(head(pre_skip), SERIAL, PacketWriteEndInfo::EndPage, 0)?;
    writer.write_packet(tags(), SERIAL, PacketWriteEndInfo::EndPage, 0)?;
    // What the encoder still holds back at the end comes out with this much more.
    let total = samples.len() + usize::from(pre_skip);
    let packets = total.div_ceil(FRAME_SAMPLES).max(1);
    let (mut frame, mut payload) = (Vec::new(), Vec::new());
    for packet in 0..packets {
        let from = (packet * FRAME_SAMPLES).min(samples.len());
        frame.clear();
        frame.extend_from_slice(&samples[from..samples.len().min(from + FRAME_SAMPLES)]);
        frame.resize(FRAME_SAMPLES, 0.0);
        encoder.encode(&frame, &mut payload)?;
        let (end, at) = match packet + 1 {
            last if last == packets => (PacketWriteEndInfo::EndStream, total),
            n if (n as u64).is_multiple_of(PACKETS_PER_PAGE) => (PacketWriteEndInfo::EndPage, n * FRAME_SAMPLES),
            n => (PacketWriteEndInfo::NormalPacket, n * FRAME_SAMPLES),
        };
        writer.write_packet(payload.clone(), SERIAL, end, at as u64)?;
    }
    drop(writer);
    Ok(file)
}

/// The identification header (RFC 7845, section 5.1).
fn head(pre_skip: u16) -> Vec<u8> {
    let mut head = b"OpusHead\x01\x01".to_vec();
    head.extend(pre_skip.to_le_bytes());
    head.extend(RATE.0.to_le_bytes());
    // No gain, channels in the usual order.
    head.extend([0, 0, 0]);
    head
}

/// The comment header (RFC 7845, section 5.2): the encoder, and no comments.
fn tags() -> Vec<u8> {
    let vendor = library_version().as_bytes();
    let mut tags = b"OpusTags".to_vec();
    tags.extend((vendor.len() as u32).to_le_bytes());
    tags.extend(vendor);
    tags.extend(0u32.to_le_bytes());
    tags
}
