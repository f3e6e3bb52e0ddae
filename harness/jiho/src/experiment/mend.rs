//! From what the TOML parser and serde say to what the writer of a file needs to know.

/// A message, and how to mend what it speaks of.
pub(super) type Advice = (String, Option<String>);

/// Of a file that is not TOML.
pub(super) fn syntax(message: &str) -> Advice {
    (format!("not valid TOML: {message}"), None)
}

/// Of a file that is TOML and not an experiment, by serde's message.
pub(super) fn content(message: &str) -> Advice {
    for (what, name) in [("unknown field `", "unknown key"), ("unknown variant `", "unknown choice")] {
        if let Some((given, expected)) = message.strip_prefix(what).and_then(|rest| rest.split_once('`')) {
            return (format!("{name} `{given}`"), Some(instead_of(given, &quoted(expected))));
        }
    }
    if let Some(key) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return (format!("the key `{key}` is missing"), Some("add it to this table".to_owned()));
    }
    if let Some(what) = message.strip_suffix("expected u32") {
        return (format!("{what}expected a whole number from 0 to {}", u32::MAX), None);
    }
    if let Some((problem, mend)) = message.rsplit_once(": ")
        && !problem.starts_with("invalid")
    {
        return (problem.to_owned(), Some(mend.to_owned()));
    }
    (message.to_owned(), None)
}

/// What could have been meant, by likeness to what there is.
fn instead_of(given: &str, possible: &[&str]) -> String {
    match (nearest(given, possible), possible) {
        (Some(name), _) => format!("did you mean `{name}`?"),
        (None, []) => "nothing can be given here".to_owned(),
        (None, several) => format!("what can be given here: {}", list(several)),
    }
}

/// The one of the possible names that a slip of the finger could have made into the given one.
pub(super) fn nearest<'p>(given: &str, possible: &[&'p str]) -> Option<&'p str> {
    let distances = possible.iter().map(|name| (strsim::damerau_levenshtein(given, name), *name));
    let (_, name) = distances.filter(|(distance, name)| *distance <= (name.chars().count() / 3).max(1)).min()?;
    Some(name)
}

/// Each in backticks.
pub(super) fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Whatever stands in backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let (message, mend) = content("unknown field `durration`, expected one of `warmup`, `duration`, `seed`");
        assert_eq!((message.as_str(), mend.as_deref()), ("unknown key `durration`", Some("did you mean `duration`?")));
    }

    #[test]
    fn what_the_file_says_is_not_taken_for_advice() {
        let (message, mend) = content("`a: b` lacks a unit: expected a duration");
        assert_eq!((message.as_str(), mend.as_deref()), ("`a: b` lacks a unit", Some("expected a duration")));
        let (_, mend) = content("invalid type: string \"a: b\", expected a table");
        assert_eq!(mend, None);
    }

    #[test]
    fn something_else_altogether_gets_the_list() {
        let (_, mend) = content("unknown field `colour`, expected `warmup` or `seed`");
        assert_eq!(mend.as_deref(), Some("what can be given here: `warmup`, `seed`"));
    }
}
