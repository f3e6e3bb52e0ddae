//! Codes on the command line.

use std::collections::BTreeSet;

use jiho_analysis::signal::Code;

/// The codes to look for.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Codes(pub(in crate::cli) Vec<Code>);

impl std::str::FromStr for Codes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self(Code::all().collect()));
        }
        let mut codes = BTreeSet::new();
        for part in text.split(',') {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let (from, to) = (code(from)?, code(to)?);
            codes.extend(Code::all().filter(|code| (from..=to).contains(code)));
            if from > to {
                return Err(format!("`{part}` runs backwards"));
            }
        }
        Ok(Self(codes.into_iter().collect()))
    }
}

fn code(text: &str) -> Result<Code, String> {
    let number = text.trim().parse().ok().and_then(Code::new);
    number.ok_or_else(|| {
        format!("`{text}` is no code: expected numbers from 0 to {}, such as 0,1 or 0-7", Code::COUNT - 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_lists_and_ranges() {
        let numbers = |text: &str| text.parse::<Codes>().map(|c| c.0.iter().map(|c| c.number()).collect::<Vec<_>>());
        assert_eq!(numbers("3,0-2").unwrap(), [0, 1, 2, 3]);
        assert_eq!(numbers("all").unwrap().len(), 64);
        for wrong in ["", "64", "a", "5-2", "1,,2"] {
            assert!(numbers(wrong).is_err(), "{wrong}");
        }
    }
}
