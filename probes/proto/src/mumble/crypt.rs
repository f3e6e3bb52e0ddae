//! How voice packets are encrypted: OCB2 with AES-128, a nonce that counts, and a tag cut to three bytes ("Voice data",
//! section "Encryption").
//!
//! OCB2 is the mode of Rogaway, "Efficient Instantiations of Tweakable Blockciphers and Refinements to Modes OCB and
//! PMAC" (ASIACRYPT 2004), section 8. A datagram is the nonce's lowest byte, three bytes of the tag, and what was
//! encrypted; the rest of the nonce both sides know. It counts packets, lowest byte first.
//!
//! OCB2 is broken: Inoue, Iwata, Minematsu and Poettering, "Cryptanalysis of OCB2" (CRYPTO 2019), show how to forge
//! packets. Since version 1.3 both sides of Mumble avoid what their section 9 says that forgers need, and so does this.
//! It guards against nobody who is in earnest; it is here because servers speak nothing else.

use std::fmt;

use aes::Aes128;
use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};

/// The length of keys, nonces and blocks.
pub const KEY_BYTES: usize = 16;
/// By how much a datagram is longer than what is encrypted in it.
pub const OVERHEAD_BYTES: usize = 1 + TAG_BYTES;

const TAG_BYTES: usize = 3;
const BLOCK_BYTES: usize = 16;
/// A packet is taken if fewer than so many sent after it have come: one byte of nonce does not say how late it is.
const MAX_LATENESS: i8 = 30;

/// What the server gives a client to encrypt with ("Establishing a connection", section "Crypto setup").
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// The key for both directions.
    pub key: [u8; KEY_BYTES],
    /// Where the nonces of the client's packets begin.
    pub client_nonce: [u8; KEY_BYTES],
    /// Where the nonces of the server's packets begin.
    pub server_nonce: [u8; KEY_BYTES],
}

impl fmt::Debug for Keys {
    /// Keeps the key to itself: what is printed for debugging ends in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// Why a datagram was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CryptError {
    /// There is no room for nonce and tag.
    #[error("an encrypted datagram of {0} bytes, where {OVERHEAD_BYTES} are the least")]
    Short(usize),
    /// It has come before.
    #[error("an encrypted datagram came twice")]
    Duplicate,
    /// It is so late that it may be from the nonce's round before.
    #[error("an encrypted datagram came too late")]
    Late,
    /// Key or nonce are not those that it was encrypted with, or it was changed on its way.
    #[error("an encrypted datagram that is not authentic; if none is, both sides have to agree on nonces anew")]
    NotAuthentic,
}

/// What has become of the other side's packets, as it can be told from their nonces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets that were taken.
    pub good: u32,
    /// Those of them that came after one which was sent later.
    pub late: u32,
    /// Packets that have not come, or not yet.
    pub lost: u32,
}

/// One side's state of the encrypted channel.
pub struct Crypt {
    cipher: Aes128,
    /// The nonce of the packet that we sent last.
    own: u128,
    /// The highest nonce that was taken.
    newest: u128,
    /// Which nonces were taken: bit n is for `newest` − n.
    taken: u32,
    counts: Counts,
}

impl fmt::Debug for Crypt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crypt").field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl Crypt {
    /// The client's side.
    pub fn client(keys: &Keys) -> Self {
        Self::new(&keys.key, keys.client_nonce, keys.server_nonce)
    }

    /// The server's side.
    pub fn server(keys: &Keys) -> Self {
        Self::new(&keys.key, keys.server_nonce, keys.client_nonce)
    }

    fn new(key: &[u8; KEY_BYTES], own: [u8; KEY_BYTES], theirs: [u8; KEY_BYTES]) -> Self {
        let cipher = Aes128::new(&Array::from(*key));
        let mut crypt = Self { cipher, own: u128::from_le_bytes(own), newest: 0, taken: 0, counts: Counts::default() };
        crypt.resync(theirs);
        crypt
    }

    /// The nonce of the packet that was sent last: what the other side needs to [`resync`](Self::resync).
    pub fn own_nonce(&self) -> [u8; KEY_BYTES] {
        self.own.to_le_bytes()
    }

    /// What has become of the other side's packets.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Goes on from the nonce of the packet that the other side has sent last. What was sent until then is not taken.
    pub fn resync(&mut self, theirs: [u8; KEY_BYTES]) {
        self.newest = u128::from_le_bytes(theirs);
        self.taken = u32::MAX;
    }

    /// Appends a datagram to a buffer. The counter-measure against forgeries changes the lowest bit of a byte where what
    /// is encrypted has a block of zeros before its last one: in Opus that is silence, and stays silence.
    pub fn encrypt(&mut self, plain: &[u8], datagram: &mut Vec<u8>) {
        self.own = self.own.wrapping_add(1);
        let nonce = self.own.to_le_bytes();
        let start = datagram.len();
        datagram.extend_from_slice(&[nonce[0], 0, 0, 0]);
        let tag = self.seal(&nonce, plain, datagram);
        if let Some(place) = datagram.get_mut(start + 1..start + OVERHEAD_BYTES) {
            place.copy_from_slice(&tag[..TAG_BYTES]);
        }
    }

    /// Replaces `plain` with what a datagram holds.
    ///
    /// # Errors
    /// It is not taken; `plain` is then of no use, and nothing else has changed.
    pub fn decrypt(&mut self, datagram: &[u8], plain: &mut Vec<u8>) -> Result<(), CryptError> {
        let (&[low, t0, t1, t2], body) =
            datagram.split_first_chunk::<OVERHEAD_BYTES>().ok_or(CryptError::Short(datagram.len()))?;
        // Of all nonces with this lowest byte the nearest to the newest is meant.
        let ahead = low.wrapping_sub(self.newest as u8).cast_signed();
        if ahead <= -MAX_LATENESS {
            return Err(CryptError::Late);
        }
        if ahead <= 0 && self.taken >> ahead.unsigned_abs() & 1 == 1 {
            return Err(CryptError::Duplicate);
        }
        let nonce = self.newest.wrapping_add_signed(ahead.into());
        plain.clear();
        let tag = self.open(&nonce.to_le_bytes(), body, plain).ok_or(CryptError::NotAuthentic)?;
        if tag[..TAG_BYTES] != [t0, t1, t2] {
            return Err(CryptError::NotAuthentic);
        }
        self.note(nonce, ahead);
        Ok(())
    }

    fn note(&mut self, nonce: u128, ahead: i8) {
        self.counts.good = self.counts.good.wrapping_add(1);
        let distance = u32::from(ahead.unsigned_abs());
        if ahead > 0 {
            self.newest = nonce;
            self.taken = self.taken.checked_shl(distance).unwrap_or(0) | 1;
            self.counts.lost = self.counts.lost.wrapping_add(distance - 1);
        } else {
            self.taken |= 1 << distance;
            self.counts.late = self.counts.late.wrapping_add(1);
            self.counts.lost = self.counts.lost.saturating_sub(1);
        }
    }

    /// Appends the ciphertext of `plain`; gives its tag.
    fn seal(&self, nonce: &[u8; BLOCK_BYTES], plain: &[u8], out: &mut Vec<u8>) -> [u8; BLOCK_BYTES] {
        let (blocks, last) = split(plain);
        let mut offset = self.forward(u128::from_be_bytes(*nonce));
        let mut checksum = 0;
        for (n, block) in blocks.iter().enumerate() {
            let mut block = u128::from_be_bytes(*block);
            if n + 1 == blocks.len() && block >> 8 == 0 {
                block ^= 1 << 120;
            }
            offset = double(offset);
            out.extend_from_slice(&(offset ^ self.forward(offset ^ block)).to_be_bytes());
            checksum ^= block;
        }
        offset = double(offset);
        let pad = self.forward(offset ^ bits(last));
        // Beyond its end the last block is filled with the pad.
        let block = front(last) | pad & beyond(last.len());
        out.extend_from_slice(&(block ^ pad).to_be_bytes()[..last.len()]);
        self.forward(offset ^ double(offset) ^ checksum ^ block).to_be_bytes()
    }

    /// Appends the plaintext of `sealed`; gives the tag that it should have, or `None` if it looks like a forgery.
    fn open(&self, nonce: &[u8; BLOCK_BYTES], sealed: &[u8], out: &mut Vec<u8>) -> Option<[u8; BLOCK_BYTES]> {
        let (blocks, last) = split(sealed);
        let mut offset = self.forward(u128::from_be_bytes(*nonce));
        let mut checksum = 0;
        for block in blocks {
            offset = double(offset);
            let block = offset ^ self.backward(offset ^ u128::from_be_bytes(*block));
            out.extend_from_slice(&block.to_be_bytes());
            checksum ^= block;
        }
        offset = double(offset);
        let pad = self.forward(offset ^ bits(last));
        let block = front(last) ^ pad;
        out.extend_from_slice(&block.to_be_bytes()[..last.len()]);
        // A forger's last block is the offset, but for a length in its last byte ("Cryptanalysis of OCB2", section 9).
        if (block ^ offset) >> 8 == 0 {
            return None;
        }
        Some(self.forward(offset ^ double(offset) ^ checksum ^ block).to_be_bytes())
    }

    fn forward(&self, block: u128) -> u128 {
        let mut block = Array::from(block.to_be_bytes());
        self.cipher.encrypt_block(&mut block);
        u128::from_be_bytes(block.into())
    }

    fn backward(&self, block: u128) -> u128 {
        let mut block = Array::from(block.to_be_bytes());
        self.cipher.decrypt_block(&mut block);
        u128::from_be_bytes(block.into())
    }
}

/// All blocks but the last, and the last one, which may be shorter, and is empty if there is nothing at all.
fn split(bytes: &[u8]) -> (&[[u8; BLOCK_BYTES]], &[u8]) {
    let (blocks, last) = bytes.as_chunks();
    match blocks.split_last() {
        Some((full, rest)) if last.is_empty() => (rest, full),
        _ => (blocks, last),
    }
}

/// Multiplied by x in the field of 2¹²⁸ elements, whose polynomial is x¹²⁸ + x⁷ + x² + x + 1.
fn double(block: u128) -> u128 {
    block << 1 ^ if block >> 127 == 1 { 0x87 } else { 0 }
}

/// The length in bits, as a block.
fn bits(last: &[u8]) -> u128 {
    last.len() as u128 * 8
}

/// The bytes at the front of a block of zeros.
fn front(last: &[u8]) -> u128 {
    let mut block = [0; BLOCK_BYTES];
    block.iter_mut().zip(last).for_each(|(place, byte)| *place = *byte);
    u128::from_be_bytes(block)
}

/// Ones where a block goes beyond `len` bytes.
fn beyond(len: usize) -> u128 {
    u128::MAX.checked_shr(len as u32 * 8).unwrap_or(0)
}

#[cfg(test)]
mod tests;
