//! Session descriptions (RFC 8866) with which ffmpeg, GStreamer or VLC can listen in a room.

use std::fmt::Write;
use std::net::SocketAddr;

use crate::codec::{CodecConfig, FRAME_SAMPLES, RATE};

/// Describes what a seat is sent, for the tool that will receive it at `receive`. `session` is a title; an empty one
/// becomes `jiho`, and control characters are left out, since each line means something.
///
/// RTCP comes on the same port (RFC 5761). The tool receives only.
pub fn describe(session: &str, receive: SocketAddr, codec: &CodecConfig) -> String {
    let session: String = session.chars().filter(|c| !c.is_control()).collect();
    let session = if session.is_empty() { "jiho" } else { &session };
    let (family, address, port) = (if receive.is_ipv4() { "IP4" } else { "IP6" }, receive.ip(), receive.port());
    let (payload_type, rtpmap) = (codec.payload_type(), codec.rtpmap());
    let frame_ms = RATE.span(FRAME_SAMPLES as i64).as_millis_f64();
    let mut sdp = format!(
        "v=0\r\n\
         o=- 0 0 IN {family} {address}\r\n\
         s={session}\r\n\
         c=IN {family} {address}\r\n\
         t=0 0\r\n\
         m=audio {port} RTP/AVP {payload_type}\r\n\
         a=rtpmap:{payload_type} {rtpmap}\r\n"
    );
    if let Some(parameters) = codec.fmtp() {
        // Writing to a string cannot fail.
        let _ = write!(sdp, "a=fmtp:{payload_type} {parameters}\r\n");
    }
    let _ = write!(sdp, "a=ptime:{frame_ms}\r\na=rtcp-mux\r\na=recvonly\r\n");
    sdp
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opus_seat_is_described_line_by_line() {
        let sdp = describe("lena", "192.0.2.7:6004".parse().unwrap(), &CodecConfig::default());
        let expected = [
            "v=0",
            "o=- 0 0 IN IP4 192.0.2.7",
            "s=lena",
            "c=IN IP4 192.0.2.7",
            "t=0 0",
            "m=audio 6004 RTP/AVP 111",
            "a=rtpmap:111 opus/48000/2",
            "a=fmtp:111 sprop-stereo=0;maxaveragebitrate=32000;cbr=1",
            "a=ptime:20",
            "a=rtcp-mux",
            "a=recvonly",
            "",
        ];
        assert_eq!(sdp, expected.join("\r\n"));
    }

    #[test]
    fn pcm_over_ipv6_is_described_too() {
        let sdp = describe("", "[2001:db8::1]:6004".parse().unwrap(), &CodecConfig::L16);
        assert!(sdp.contains("c=IN IP6 2001:db8::1\r\n"));
        assert!(sdp.contains("m=audio 6004 RTP/AVP 96\r\na=rtpmap:96 L16/48000/1\r\na=ptime"));
        assert!(sdp.contains("s=jiho\r\n"));
    }

    #[test]
    fn a_title_cannot_smuggle_in_lines() {
        let sdp = describe("a\r\nc=IN IP4 203.0.113.1", "192.0.2.7:6004".parse().unwrap(), &CodecConfig::L16);
        assert_eq!(sdp.lines().filter(|line| line.starts_with("c=")).count(), 1);
    }
}
