//! Integers of variable length ("Voice data", section "Variable length integer encoding").

/// Appends a number. What is negative as an `i64` is inverted bit by bit, and marked.
pub(super) fn emit(value: u64, buffer: &mut Vec<u8>) {
    let value = match !value {
        inverted @ 0..=3 => return buffer.push(0xfc | inverted as u8),
        inverted if value > i64::MAX as u64 => {
            buffer.push(0xf8);
            inverted
        }
        _ => value,
    };
    let bytes = value.to_be_bytes();
    let (prefix, len) = match value {
        0..0x80 => (0x00, 1),
        0x80..0x4000 => (0x80, 2),
        0x4000..0x20_0000 => (0xc0, 3),
        0x20_0000..0x1000_0000 => (0xe0, 4),
        0x1000_0000..0x1_0000_0000 => {
            buffer.push(0xf0);
            (0, 4)
        }
        _ => {
            buffer.push(0xf4);
            (0, 8)
        }
    };
    let start = buffer.len();
    buffer.extend_from_slice(&bytes[bytes.len() - len..]);
    buffer[start] |= prefix;
}

/// Takes a number from the front; `None`: it is cut off, or marked as negative more than once.
pub(super) fn parse(bytes: &[u8]) -> Option<(u64, &[u8])> {
    match bytes.split_first()? {
        (first @ 0xfc.., rest) => Some((!u64::from(first & 0x03), rest)),
        // Only once: however many marks there are, this takes no stack.
        (0xf8..=0xfb, rest) => match rest.first()? {
            0xf8.. => None,
            _ => parse_positive(rest).map(|(value, rest)| (!value, rest)),
        },
        _ => parse_positive(bytes),
    }
}

fn parse_positive(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let (high, more) = match first {
        0x00..=0x7f => (first, 0),
        0x80..=0xbf => (first & 0x3f, 1),
        0xc0..=0xdf => (first & 0x1f, 2),
        0xe0..=0xef => (first & 0x0f, 3),
        0xf0..=0xf3 => (0, 4),
        0xf4..=0xf7 => (0, 8),
        0xf8.. => return None,
    };
    let (low, rest) = rest.split_at_checked(more)?;
    Some((low.iter().fold(u64::from(high), |value, &byte| value << 8 | u64::from(byte)), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By hand from the table "varint prefixes".
    #[test]
    fn numbers_are_as_long_as_the_table_says() {
        let table: [(u64, &[u8]); 14] = [
            (0, &[0x00]),
            (0x7f, &[0x7f]),
            (0x80, &[0x80, 0x80]),
            (0x3fff, &[0xbf, 0xff]),
            (0x4000, &[0xc0, 0x40, 0x00]),
            (0x1f_ffff, &[0xdf, 0xff, 0xff]),
            (0x20_0000, &[0xe0, 0x20, 0x00, 0x00]),
            (0x0fff_ffff, &[0xef, 0xff, 0xff, 0xff]),
            (0x1000_0000, &[0xf0, 0x10, 0x00, 0x00, 0x00]),
            (0xffff_ffff, &[0xf0, 0xff, 0xff, 0xff, 0xff]),
            (0x1_0000_0000, &[0xf4, 0, 0, 0, 1, 0, 0, 0, 0]),
            (-1i64 as u64, &[0xfc]),
            (-4i64 as u64, &[0xff]),
            (-5i64 as u64, &[0xf8, 0x04]),
        ];
        for (value, bytes) in table {
            let mut emitted = Vec::new();
            emit(value, &mut emitted);
            assert_eq!(emitted, bytes, "{value:#x}");
            assert_eq!(parse(bytes), Some((value, &[][..])), "{value:#x}");
        }
    }

    #[test]
    fn a_number_marked_as_negative_again_and_again_is_refused() {
        assert_eq!(parse(&[0xf8; 100_000]), None);
        assert_eq!(parse(&[0xf8, 0xfc]), None);
        assert_eq!(parse(&[0xf8]), None);
    }

    proptest! {
        #[test]
        fn what_is_emitted_is_parsed_back(value: u64, bits in 0u32..64, rest in prop::collection::vec(any::<u8>(), 0..4)) {
            for value in [value >> bits, !(value >> bits)] {
                let mut bytes = Vec::new();
                emit(value, &mut bytes);
                for len in 0..bytes.len() {
                    prop_assert_eq!(parse(&bytes[..len]), None);
                }
                bytes.extend_from_slice(&rest);
                prop_assert_eq!(parse(&bytes), Some((value, &rest[..])));
            }
        }
    }
}
