use proptest::prelude::*;

use super::*;

/// Key and nonce of the test vectors in draft-krovetz-ocb-00.
const COUNTING: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

fn sides(nonce: u8) -> (Crypt, Crypt) {
    let keys = Keys { key: COUNTING, client_nonce: [nonce; 16], server_nonce: [0xaa; 16] };
    (Crypt::client(&keys), Crypt::server(&keys))
}

fn sealed(crypt: &mut Crypt, plain: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::new();
    crypt.encrypt(plain, &mut datagram);
    datagram
}

fn opened(crypt: &mut Crypt, datagram: &[u8]) -> Result<Vec<u8>, CryptError> {
    let mut plain = Vec::new();
    crypt.decrypt(datagram, &mut plain).map(|()| plain)
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// draft-krovetz-ocb-00, test vectors; also what Mumble's own tests hold its encryption against.
#[test]
fn the_published_vectors_come_out() {
    let keys = Keys { key: COUNTING, client_nonce: COUNTING, server_nonce: COUNTING };
    let crypt = Crypt::client(&keys);
    let mut out = Vec::new();
    assert_eq!(crypt.seal(&COUNTING, &[], &mut out).to_vec(), hex("bf3108130773ad5ec70ec69e7875a7b0"));
    assert!(out.is_empty());

    let plain: Vec<u8> = (0..40).collect();
    assert_eq!(crypt.seal(&COUNTING, &plain, &mut out).to_vec(), hex("9db0cdf880f73e3e10d4eb3217766688"));
    assert_eq!(
        out,
        hex("f75d6bc8b4dc8d66b836a2b08b32a6369f1cd3c5228d79fd6c267f5f6aa7b231c7dfb9d59951ae9c"),
        "the ciphertext"
    );
    let mut back = Vec::new();
    assert_eq!(crypt.open(&COUNTING, &out, &mut back).unwrap().to_vec(), hex("9db0cdf880f73e3e10d4eb3217766688"));
    assert_eq!(back, plain);
}

#[test]
fn any_length_comes_back_and_is_four_bytes_longer_under_way() {
    let (mut here, mut there) = sides(0x55);
    for len in 0..130 {
        let plain: Vec<u8> = (0..len).map(|n| n ^ 0x5a).collect();
        let datagram = sealed(&mut here, &plain);
        assert_eq!(datagram.len(), plain.len() + OVERHEAD_BYTES);
        assert_eq!(opened(&mut there, &datagram), Ok(plain));
    }
    assert_eq!(there.counts(), Counts { good: 130, late: 0, lost: 0 });
}

#[test]
fn whatever_bit_is_changed_the_datagram_is_refused() {
    let (mut here, mut there) = sides(0x55);
    let mut datagram = sealed(&mut here, b"the quick brown fox jumps");
    for bit in 0..datagram.len() * 8 {
        datagram[bit / 8] ^= 1 << (bit % 8);
        assert!(opened(&mut there, &datagram).is_err(), "bit {bit}");
        datagram[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(opened(&mut there, &datagram).is_ok());
}

#[test]
fn a_short_datagram_is_refused() {
    let (_, mut there) = sides(0x55);
    for len in 0..OVERHEAD_BYTES {
        assert_eq!(opened(&mut there, &vec![0; len]), Err(CryptError::Short(len)));
    }
}

#[test]
fn packets_in_reverse_are_taken_up_to_30_back_and_none_twice() {
    let (mut here, mut there) = sides(0x55);
    let sent: Vec<Vec<u8>> = (0..127).map(|_| sealed(&mut here, b"abcdefghi")).collect();
    for (back, datagram) in sent.iter().rev().enumerate() {
        let result = opened(&mut there, datagram);
        assert_eq!(result.is_ok(), back < 30, "{back} back: {result:?}");
        assert!(opened(&mut there, datagram).is_err());
    }
    // 126 were missing when the last one came; 29 of them came late.
    assert_eq!(there.counts(), Counts { good: 30, late: 29, lost: 97 });
}

#[test]
fn a_replay_is_refused_however_often_the_byte_has_wrapped() {
    let (mut here, mut there) = sides(0xff);
    let sent: Vec<Vec<u8>> = (0..600).map(|_| sealed(&mut here, b"abcdefghi")).collect();
    assert!(sent.iter().all(|datagram| opened(&mut there, datagram).is_ok()));
    assert!(sent.iter().all(|datagram| opened(&mut there, datagram).is_err()));
    assert_eq!(there.own_nonce(), [0xaa; 16], "nothing was sent from there");
    assert_eq!(there.newest, here.own);
}

#[test]
fn after_more_loss_than_a_byte_counts_only_a_new_nonce_helps() {
    let (mut here, mut there) = sides(0xf0);
    for _ in 0..300 {
        sealed(&mut here, b"lost");
    }
    assert!(opened(&mut there, &sealed(&mut here, b"strange")).is_err());
    there.resync(here.own_nonce());
    assert_eq!(opened(&mut there, &sealed(&mut here, b"heard")), Ok(b"heard".to_vec()));
}

#[test]
fn what_a_forger_needs_is_neither_sent_nor_taken() {
    let (mut here, mut there) = sides(0x55);
    // A block of zeros, but for the length in its last byte, before the last block.
    let mut silence = [0; 32];
    silence[15] = 128;
    let heard = opened(&mut there, &sealed(&mut here, &silence)).unwrap();
    assert_eq!(heard[0], 1, "one bit differs");
    assert_eq!(heard[1..], silence[1..]);

    // The forgery itself ("Cryptanalysis of OCB2", section 4.1): of two blocks, the first of them the length of a block
    // in bits, as they would be sent without the counter-measure, the first ciphertext with that length added.
    let nonce = [7; 16];
    let length = 128;
    let offset = double(here.forward(u128::from_be_bytes(nonce)));
    let first = offset ^ here.forward(offset ^ length);
    let datagram = (first ^ length).to_be_bytes();
    assert_eq!(there.open(&nonce, &datagram, &mut Vec::new()), None);
}

#[test]
fn no_block_but_the_one_before_the_last_is_changed() {
    let (mut here, mut there) = sides(0x55);
    for plain in [&[0; 16][..], &[0; 5], &[&[0; 32][..], &[1; 17]].concat()] {
        assert_eq!(opened(&mut there, &sealed(&mut here, plain)).unwrap(), plain);
    }
}

#[test]
fn keys_are_not_printed() {
    let keys = Keys { key: [77; 16], client_nonce: [77; 16], server_nonce: [77; 16] };
    assert!(!format!("{keys:?} {:?}", Crypt::client(&keys)).contains("77"));
}

proptest! {
    #[test]
    fn what_is_lost_and_what_comes_late_is_counted_and_the_rest_comes_back(
        nonce: u8, fates in prop::collection::vec((any::<bool>(), 0usize..12), 1..400),
    ) {
        let (mut here, mut there) = sides(nonce);
        let sent: Vec<(usize, Vec<u8>)> =
            fates.iter().enumerate().map(|(n, _)| (n, sealed(&mut here, &n.to_be_bytes()))).collect();
        // No later than 12 places, lost at random, but never the last: what is lost at the end nobody can know.
        let mut arriving: Vec<(usize, usize)> =
            fates.iter().enumerate().filter(|(_, (lost, _))| !lost).map(|(n, (_, late))| (n + late, n)).collect();
        arriving.sort();
        let mut newest = None;
        let mut late = 0;
        for (_, n) in &arriving {
            prop_assert_eq!(opened(&mut there, &sent[*n].1), Ok(n.to_be_bytes().to_vec()));
            late += u32::from(newest.is_some_and(|newest| newest > *n));
            newest = newest.max(Some(*n));
        }
        let good = arriving.len() as u32;
        let reached = newest.map_or(0, |newest| newest as u32 + 1);
        prop_assert_eq!(there.counts(), Counts { good, late, lost: reached - good });
    }

    #[test]
    fn no_bytes_make_it_panic(datagram in prop::collection::vec(any::<u8>(), 0..100)) {
        let (_, mut there) = sides(0x55);
        // Three bytes of tag let one in 16 million through.
        let _ = opened(&mut there, &datagram);
    }
}
