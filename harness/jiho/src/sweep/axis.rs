//! What is varied, as people write it: `KEY=VALUES`.
//!
//! `VALUES` are separated by commas; each is a value as experiments have it, whose quotes may be left out, or a range
//! `FROM..TO step STEP` of numbers, durations or percentages, both ends included.

use jiho_analysis::units::Nanos;
use toml_edit::{Key, Value};

use crate::exit::UsageError;
use crate::experiment::{duration_text, parse_signed_duration};

/// A range of more values than this is a slip.
const MOST: usize = 10_000;
const GRAMMAR: &str = "write KEY=VALUE,VALUE… or KEY=FROM..TO step STEP, such as link.default.loss=0%..5% step 1%";

/// A key of an experiment with the values that it takes.
#[derive(Clone, Debug)]
pub struct Axis {
    /// As it was written.
    pub key: String,
    pub(super) path: Vec<String>,
    pub(super) settings: Vec<Setting>,
}

/// A value that a key takes.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    /// As tables show it.
    pub(super) text: String,
    pub(super) value: Value,
}

impl Axis {
    /// From `KEY=VALUES`.
    ///
    /// # Errors
    /// It is not written so, or a range makes no sense.
    pub fn parse(text: &str) -> Result<Self, UsageError> {
        let wrong = |why: &str| UsageError::say(format!("cannot vary `{text}`: {why}"));
        let (key, values) = text.split_once('=').ok_or_else(|| wrong(GRAMMAR))?;
        Self::of(key, values).map_err(|why| wrong(&why))
    }

    /// From a key and its values, apart.
    pub(super) fn of(key: &str, values: &str) -> Result<Self, String> {
        let mut settings = Vec::new();
        for item in items(values) {
            match item.split_once("..").filter(|_| !item.starts_with(['"', '\'', '[', '{'])) {
                Some((from, rest)) => settings.extend(range(from, rest)?),
                None => settings.push(Setting::of(item)?),
            }
        }
        Self::with(key, settings)
    }

    pub(super) fn with(key: &str, settings: Vec<Setting>) -> Result<Self, String> {
        let key = key.trim();
        let path = Key::parse(key).map_err(|_| format!("`{key}` is no key: write it as in link.default.delay"))?;
        if settings.is_empty() {
            return Err(format!("`{key}` has no values: {GRAMMAR}"));
        }
        let path = path.iter().map(|part| part.get().to_owned()).collect();
        Ok(Self { key: key.to_owned(), path, settings })
    }

    /// The values, as tables show them.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.settings.iter().map(|setting| setting.text.as_str())
    }
}

impl Setting {
    /// A value as TOML has it, or a text without its quotes.
    fn of(item: &str) -> Result<Self, String> {
        if item.is_empty() {
            return Err("a value is missing between commas".to_owned());
        }
        Ok(Self::from(item.parse::<Value>().unwrap_or_else(|_| Value::from(item))))
    }

    fn text(text: String) -> Self {
        Self { value: Value::from(text.as_str()), text }
    }
}

impl From<Value> for Setting {
    fn from(mut value: Value) -> Self {
        value.decor_mut().clear();
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Self { text, value }
    }
}

/// What stands between commas, unless these are within quotes or brackets.
fn items(text: &str) -> Vec<&str> {
    let (mut items, mut from, mut depth, mut quote) = (Vec::new(), 0, 0i32, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), _) => quote = (c != open).then_some(open),
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth -= 1,
            (None, ',') if depth <= 0 => {
                items.push(text[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    items.push(text[from..].trim());
    items
}

/// All values from the one end to the other, in so many steps as fit.
fn range(from: &str, rest: &str) -> Result<Vec<Setting>, String> {
    let (to, step) = rest
        .split_once("step")
        .ok_or_else(|| format!("the range {}..{} has no step: write FROM..TO step STEP", from.trim(), rest.trim()))?;
    let [from, to, step] = [from, to, step].map(str::trim);
    let parts = [from, to, step];
    if parts.iter().all(|part| part.ends_with('%')) {
        let numbers = parts.map(|part| part.trim_end_matches('%').trim());
        return Ok(decimals(numbers)?.into_iter().map(|number| Setting::text(format!("{number}%"))).collect());
    }
    if let [Ok(from), Ok(to), Ok(step)] = parts.map(parse_signed_duration) {
        let steps = steps((to - from).0 as f64, step.0 as f64)?;
        let step = if to < from { -step } else { step };
        let at = |n: usize| Nanos(from.0 + step.0 * n as i64);
        return Ok((0..=steps).map(|n| Setting::text(duration_text(at(n)))).collect());
    }
    let whole = parts.iter().all(|part| part.parse::<i64>().is_ok());
    Ok(decimals(parts)?
        .into_iter()
        .map(|number| Setting::from(if whole { Value::from(number as i64) } else { Value::from(number) }))
        .collect())
}

fn decimals(parts: [&str; 3]) -> Result<Vec<f64>, String> {
    let number = |part: &str| part.parse::<f64>().ok().filter(|number| number.is_finite());
    let [Some(from), Some(to), Some(step)] = parts.map(number) else {
        let [from, to, step] = parts;
        return Err(format!(
            "{from}..{to} step {step} is no range: give three numbers, three durations or three percentages"
        ));
    };
    let steps = steps(to - from, step)?;
    let step = if to < from { -step } else { step };
    // To a billionth, so that sums are written as people would.
    Ok((0..=steps).map(|n| ((from + step * n as f64) * 1e9).round() / 1e9).collect())
}

fn steps(span: f64, step: f64) -> Result<usize, String> {
    if step <= 0.0 {
        return Err("a range's step has to be greater than nothing".to_owned());
    }
    let steps = (span.abs() / step + 1e-9).floor();
    if steps < MOST as f64 { Ok(steps as usize) } else { Err(format!("a range of more than {MOST} values")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(text: &str) -> String {
        Axis::parse(text).map_or_else(|error| error.to_string(), |axis| axis.values().collect::<Vec<_>>().join(" | "))
    }

    #[test]
    fn lists_and_ranges_are_read_as_people_write_them() {
        for (text, says) in [
            ("media.codec.opus.bitrate_bps=16000,32000", "16000 | 32000"),
            ("link.default.loss=0%..5% step 1%", "0% | 1% | 2% | 3% | 4% | 5%"),
            ("link.default.loss=0%..0.3% step 0.1%", "0% | 0.1% | 0.2% | 0.3%"),
            ("link.default.delay=0ms..1s step 400ms", "0s | 400ms | 800ms"),
            ("link.default.delay=5ms, 20ms..40ms step 10ms", "5ms | 20ms | 30ms | 40ms"),
            ("host.a.clock.offset=-2ms..2ms step 2ms", "-2ms | 0s | 2ms"),
            ("host.a.clock.drift_ppm=10..-10 step 10", "10 | 0 | -10"),
            ("x=0..1 step 0.25", "0.0 | 0.25 | 0.5 | 0.75 | 1.0"),
            ("stage=forward,mix", "forward | mix"),
            ("x={ a = 1, b = \"c,d\" },[1, 2]", "{ a = 1, b = \"c,d\" } | [1, 2]"),
            ("x=\"0..1\",true", "0..1 | true"),
        ] {
            assert_eq!(values(text), says, "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_mend() {
        for (text, says) in [
            ("link.default.loss", "write KEY=VALUE"),
            ("link..loss=1%", "is no key"),
            ("link.default.loss=", "a value is missing"),
            ("link.default.loss=1%,,2%", "a value is missing"),
            ("link.default.loss=0%..5%", "has no step"),
            ("link.default.loss=0%..5% step 0%", "greater than nothing"),
            ("link.default.loss=0%..5% step 1ms", "three percentages"),
            ("x=0..1 step 1e-9", "more than 10000 values"),
        ] {
            assert!(values(text).contains(says), "{text}: {}", values(text));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,30}(=\\PC{0,30})?") {
            let _ = Axis::parse(&text);
        }

        #[test]
        fn a_range_holds_its_ends_and_is_even(from in -1000i64..1000, steps in 0i64..50, step in 1i64..100) {
            let to = from + steps * step;
            let axis = Axis::parse(&format!("x={from}..{to} step {step}")).unwrap();
            let numbers: Vec<i64> = axis.values().map(|value| value.parse().unwrap()).collect();
            prop_assert_eq!(numbers, (0..=steps).map(|n| from + n * step).collect::<Vec<_>>());
        }
    }
}
