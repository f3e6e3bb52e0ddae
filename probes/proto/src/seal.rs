//! End-to-end encryption: what speakers say is sealed by SFrame (RFC 9605) between encoder and packet, and opened
//! between packet and decoder. Relays pass on what they cannot read; RTP headers and their extensions stay readable.
//!
//! Each stream of each speaker has a key of its own, which everybody who knows the room's passphrase can derive:
//!
//! * the room's secret is HKDF-Extract (RFC 5869, SHA-256) of the passphrase, with the salt `jiho room`;
//! * a stream's base key, 32 bytes, is HKDF-Expand of it for `jiho stream`, the SSRC (big-endian) and the speaker's name;
//! * the key identifier on the wire (KID), 16 bits, is HKDF-Expand of it for `jiho sender` and the speaker's name;
//! * from the base key and the KID follow key and salt as RFC 9605, section 4.4.2, has it, for AES-GCM with keys of 128
//!   bits and tags of 128 bits (section 4.5, cipher suite 4).
//!
//! The counter (CTR) counts a stream's packets. A seal costs the tag's 16 bytes and a header of 3 to 11.
//!
//! HKDF does not make a weak passphrase strong. And where streams are the same from run to run, as those of an experiment
//! with a seed are, the same keys seal the same counters again: this is for measuring what encryption does to a room, with
//! test secrets, not for secrets.

use std::fmt;

use hkdf::Hkdf;
use sframe::CipherSuite;
use sframe::error::SframeError;
use sframe::frame::{EncryptedFrameView, MediaFrameView, MonotonicCounter};
use sframe::key::{DecryptionKey, EncryptionKey};
use sha2::Sha256;

/// The cipher, as RFC 9605, section 8.1, names it.
pub const CIPHER_SUITE_NAME: &str = "AES_128_GCM_SHA256_128";
const CIPHER_SUITE: CipherSuite = CipherSuite::AesGcm128Sha256;

/// What an endpoint has to do with encryption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seal {
    /// Seals what it says, and opens what it hears.
    Keyed(Passphrase),
    /// Is in a sealed room without the key: can open nothing.
    Keyless,
}

impl Seal {
    pub(crate) fn passphrase(&self) -> Option<&Passphrase> {
        match self {
            Self::Keyed(passphrase) => Some(passphrase),
            Self::Keyless => None,
        }
    }
}

/// What stands between a stream's packets and its decoder.
#[derive(Debug)]
pub(crate) enum Lock {
    /// Nothing: its payloads are not sealed.
    Open,
    /// Its key.
    Keyed(Opener),
    /// A key that we do not have.
    Shut,
}

impl Lock {
    /// What is in a payload, opened into `opened` if it is sealed; `None` if it cannot be opened.
    pub(crate) fn open<'a>(&self, payload: &'a [u8], opened: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        match self {
            Self::Open => Some(payload),
            Self::Keyed(opener) => opener.open(payload, opened).ok().map(|()| opened.as_slice()),
            Self::Shut => None,
        }
    }
}

/// What everybody who may hear a room knows.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(String);

/// Why something was not sealed or opened.
#[derive(Debug, thiserror::Error)]
#[error("SFrame: {0}")]
pub struct SealError(#[from] SframeError);

impl Passphrase {
    /// Any text; a stream is opened by whoever has the same.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// What seals a speaker's stream. There must be one of it only: a counter used twice with a key gives both packets
    /// away (RFC 9605, section 9.1).
    ///
    /// # Errors
    /// The keys cannot be derived.
    pub fn sealer(&self, name: &str, ssrc: u32) -> Result<Sealer, SealError> {
        let StreamKey { key_id, base_key } = self.stream_key(name, ssrc);
        let key = EncryptionKey::derive_from(CIPHER_SUITE, key_id, base_key)?;
        Ok(Sealer { key, counter: MonotonicCounter::default() })
    }

    /// What opens a speaker's stream.
    ///
    /// # Errors
    /// The keys cannot be derived.
    pub fn opener(&self, name: &str, ssrc: u32) -> Result<Opener, SealError> {
        let StreamKey { key_id, base_key } = self.stream_key(name, ssrc);
        Ok(Opener { key: DecryptionKey::derive_from(CIPHER_SUITE, key_id, base_key)? })
    }

    /// What a speaker's stream is sealed with, for software other than ours.
    pub fn stream_key(&self, name: &str, ssrc: u32) -> StreamKey {
        let key_id = u16::from_be_bytes(self.expand(&[b"jiho sender", name.as_bytes()]));
        let base_key = self.expand(&[b"jiho stream", &ssrc.to_be_bytes(), name.as_bytes()]);
        StreamKey { key_id: key_id.into(), base_key }
    }

    fn expand<const N: usize>(&self, info: &[&[u8]]) -> [u8; N] {
        let mut key = [0; N];
        // Fails for more than 255 hashes only (RFC 5869, section 2.3).
        let expanded = Hkdf::<Sha256>::new(Some(b"jiho room"), self.0.as_bytes()).expand_multi_info(info, &mut key);
        debug_assert!(expanded.is_ok());
        key
    }
}

/// What seals and opens one stream, as RFC 9605, section 4.4.1, has it.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamKey {
    /// The key identifier on the wire (KID).
    pub key_id: u64,
    /// The base key.
    pub base_key: [u8; 32],
}

/// `KID 4711, base key 0a1b…`, all of the key in hexadecimal digits.
impl fmt::Display for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KID {}, base key ", self.key_id)?;
        self.base_key.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Like a passphrase, not for logs.
impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamKey({})", self.key_id)
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// Seals the payloads of one stream.
pub struct Sealer {
    key: EncryptionKey,
    counter: MonotonicCounter,
}

impl Sealer {
    /// Replaces `sealed` with a payload, sealed.
    ///
    /// # Errors
    /// All counters are used up.
    pub fn seal(&mut self, payload: &[u8], sealed: &mut Vec<u8>) -> Result<(), SealError> {
        MediaFrameView::try_new(&mut self.counter, payload)?.encrypt_into(&self.key, sealed)?;
        Ok(())
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({})", self.key.key_id())
    }
}

/// Opens the payloads of one stream.
pub struct Opener {
    key: DecryptionKey,
}

impl Opener {
    /// Replaces `payload` with what was sealed.
    ///
    /// # Errors
    /// It was sealed with another key, is not sealed, or was changed on its way; `payload` is then of no use.
    pub fn open(&self, sealed: &[u8], payload: &mut Vec<u8>) -> Result<(), SealError> {
        EncryptedFrameView::try_new(sealed)?.decrypt_into(&self.key, payload)?;
        Ok(())
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opener({})", self.key.key_id())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sframe::header::SframeHeader;

    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits = hex.as_bytes().chunks(2);
        digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    #[test]
    fn a_streams_key_as_it_is_told_opens_what_the_stream_is_sealed_with() {
        let passphrase = Passphrase::new("secret");
        let mut sealed = Vec::new();
        passphrase.sealer("ana", 7).unwrap().seal(b"hello", &mut sealed).unwrap();
        let told = passphrase.stream_key("ana", 7).to_string();
        let (key_id, base_key) = told.strip_prefix("KID ").unwrap().split_once(", base key ").unwrap();
        let key = DecryptionKey::derive_from(CIPHER_SUITE, key_id.parse::<u64>().unwrap(), bytes(base_key)).unwrap();
        let mut opened = Vec::new();
        EncryptedFrameView::try_new(&sealed).unwrap().decrypt_into(&key, &mut opened).unwrap();
        assert_eq!(opened, b"hello");
    }

    /// RFC 9605, appendix C.3, the first case for this cipher suite: base key, KID, CTR, metadata, plaintext and
    /// ciphertext as printed there.
    #[test]
    fn a_frame_is_sealed_to_the_bytes_that_the_rfc_prints() {
        let base_key = bytes("000102030405060708090a0b0c0d0e0f");
        let (kid, ctr) = (0x123u64, 0x4567);
        let metadata = bytes("4945544620534672616d65205747");
        let plain = bytes("64726166742d696574662d736672616d652d656e63");
        let printed = bytes("9901234567b7412c2513a1b66dbb48841bbaf17f598751176ad847681a69c6d0b091c07018ce4adb34eb");
        let key = EncryptionKey::derive_from(CIPHER_SUITE, kid, &base_key).unwrap();
        let mut counter = MonotonicCounter::with_start_value(ctr, u64::MAX);
        let frame = MediaFrameView::try_with_meta_data(&mut counter, &plain, &metadata).unwrap();
        let mut sealed = Vec::new();
        frame.encrypt_into(&key, &mut sealed).unwrap();
        // The library puts the metadata before what RFC 9605 calls the SFrame ciphertext.
        assert_eq!(sealed[metadata.len()..], printed);
        let key = DecryptionKey::derive_from(CIPHER_SUITE, kid, &base_key).unwrap();
        let opened = EncryptedFrameView::try_with_meta_data(&printed, &metadata).unwrap().decrypt(&key).unwrap();
        assert_eq!(opened.payload(), plain);
    }

    /// RFC 9605, appendix C.1: some of the header's lines.
    #[test]
    fn headers_are_as_short_as_the_rfc_prints() {
        for (kid, ctr, printed) in [
            (0u64, 0u64, "00"),
            (0, 1, "01"),
            (0, 255, "08ff"),
            (0, 256, "090100"),
            (0, 65_536, "0a010000"),
            (1, 0, "10"),
            (255, 0, "80ff"),
            (255, 255, "88ffff"),
            (256, 256, "9901000100"),
            (65_535, 0, "90ffff"),
        ] {
            let mut header = vec![0; 20];
            let written = SframeHeader::new(kid, ctr);
            written.serialize(&mut header).unwrap();
            assert_eq!(header[..written.len()], bytes(printed), "KID {kid}, CTR {ctr}");
        }
    }

    fn room() -> Passphrase {
        Passphrase::new("test secret")
    }

    #[test]
    fn every_packet_of_a_stream_is_sealed_otherwise() {
        let (mut sealer, opener) = (room().sealer("ana", 7).unwrap(), room().opener("ana", 7).unwrap());
        let (mut sealed, mut opened, mut seen) = (Vec::new(), Vec::new(), std::collections::BTreeSet::new());
        for _ in 0..1000 {
            sealer.seal(&[42; 80], &mut sealed).unwrap();
            assert!((99..=101).contains(&sealed.len()), "80 bytes, a tag of 16, a header of 3 to 5: {}", sealed.len());
            opener.open(&sealed, &mut opened).unwrap();
            assert_eq!(opened, [42; 80]);
            assert!(seen.insert(sealed.clone()));
        }
    }

    #[test]
    fn a_stream_is_opened_with_its_own_key_only() {
        let mut sealed = Vec::new();
        room().sealer("ana", 7).unwrap().seal(b"hello", &mut sealed).unwrap();
        let mut opened = Vec::new();
        room().opener("ana", 7).unwrap().open(&sealed, &mut opened).unwrap();
        assert_eq!(opened, b"hello");
        for (passphrase, name, ssrc) in [("another", "ana", 7), ("test secret", "ben", 7), ("test secret", "ana", 8)] {
            let opener = Passphrase::new(passphrase).opener(name, ssrc).unwrap();
            assert!(opener.open(&sealed, &mut opened).is_err(), "{passphrase} {name} {ssrc}");
        }
        assert!(!format!("{:?}", room()).contains("test secret"));
    }

    proptest! {
        #[test]
        fn any_change_is_noticed_and_nothing_makes_it_panic(
            payload in prop::collection::vec(any::<u8>(), 0..200),
            at in any::<prop::sample::Index>(), flip in 1..=255u8, other in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let (mut sealer, opener) = (room().sealer("ana", 7).unwrap(), room().opener("ana", 7).unwrap());
            let (mut sealed, mut opened) = (Vec::new(), Vec::new());
            sealer.seal(&payload, &mut sealed).unwrap();
            opener.open(&sealed, &mut opened).unwrap();
            prop_assert_eq!(&opened, &payload);
            let at = at.index(sealed.len());
            sealed[at] ^= flip;
            prop_assert!(opener.open(&sealed, &mut opened).is_err());
            prop_assert!(opener.open(&other, &mut opened).is_err());
        }
    }
}
