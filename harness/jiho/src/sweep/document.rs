//! A key of an experiment's document, set to a value; what else is written there stays as it is.

use toml_edit::{DocumentMut, InlineTable, Item, Table, TableLike, Value};

/// Tables of which one key is chosen: choosing another one takes the first away, and a bare word chooses by its name.
const CHOICES: [&str; 13] = [
    "signal",
    "stage",
    "audience",
    "through",
    "timing",
    "playout",
    "promotion",
    "jitter",
    "wake_up",
    "codec",
    "seal",
    "sing",
    LOSS,
];
/// Of these, the one whose words are values.
const LOSS: &str = "loss";

/// Sets the key at a path. Entries of lists are named by their `name`, or by their number from 1.
pub(super) fn set(document: &mut DocumentMut, path: &[String], value: &Value) -> Result<(), String> {
    in_table(document.as_table_mut(), path, value)
}

/// Takes a key away, if it is there.
pub(super) fn remove(document: &mut DocumentMut, key: &str) {
    document.remove(key);
}

fn in_table(table: &mut dyn TableLike, path: &[String], value: &Value) -> Result<(), String> {
    let [key, rest @ ..] = path else { return Ok(()) };
    if rest.is_empty() {
        table.insert(key, Item::Value(chosen(key, value)));
        return Ok(());
    }
    let is_choice = CHOICES.contains(&key.as_str());
    if table.get(key).is_none_or(|item| is_choice && item.as_table_like().is_none()) {
        let mut new = Table::new();
        new.set_implicit(true);
        table.insert(key, Item::Table(new));
    }
    let Some(item) = table.get_mut(key) else { return Ok(()) };
    if let (true, Some(choices)) = (is_choice, item.as_table_like_mut()) {
        let others: Vec<String> =
            choices.iter().map(|(other, _)| other.to_owned()).filter(|other| *other != rest[0]).collect();
        others.iter().for_each(|other| drop(choices.remove(other)));
    }
    in_item(key, item, rest, value)
}

fn in_item(name: &str, item: &mut Item, path: &[String], value: &Value) -> Result<(), String> {
    match item {
        Item::ArrayOfTables(entries) => {
            in_entry(name, entries.iter_mut().map(|entry| entry as &mut dyn TableLike).collect(), path, value)
        }
        Item::Value(Value::Array(entries)) => {
            let tables = entries.iter_mut().filter_map(Value::as_inline_table_mut);
            in_entry(name, tables.map(|entry| entry as &mut dyn TableLike).collect(), path, value)
        }
        _ => match item.as_table_like_mut() {
            Some(table) => in_table(table, path, value),
            None => Err(format!("`{name}` is one value, and has no key `{}`", path[0])),
        },
    }
}

fn in_entry(name: &str, mut entries: Vec<&mut dyn TableLike>, path: &[String], value: &Value) -> Result<(), String> {
    let (wanted, rest) = (&path[0], &path[1..]);
    if rest.is_empty() {
        return Err(format!("`{name}.{wanted}` is a whole entry: name one of its keys"));
    }
    let names: Vec<String> = entries
        .iter()
        .map(|entry| entry.get("name").and_then(Item::as_str).map(str::to_owned))
        .zip(1..)
        .map(|(name, number): (Option<String>, usize)| name.unwrap_or_else(|| number.to_string()))
        .collect();
    let number = wanted.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    let found = names.iter().position(|name| name == wanted).or(number).and_then(|at| entries.get_mut(at));
    match found {
        Some(entry) => in_table(*entry, rest, value),
        None => Err(format!("there is no {name} `{wanted}`: there is {}", names.join(", "))),
    }
}

/// A bare word chooses a table by its name.
fn chosen(key: &str, value: &Value) -> Value {
    match value.as_str() {
        Some(word) if CHOICES.contains(&key) && key != LOSS => {
            let mut table = InlineTable::new();
            table.insert(word, Value::InlineTable(InlineTable::new()));
            Value::InlineTable(table)
        }
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# a room\n[media]\ncodec.opus = { bitrate_bps = 32000 }\n[stage.forward]\n[playout]\nadaptive = {}\n\
        [link.default]\ndelay = \"15ms\"   # one way\nloss = \"1%\"\n\
        [[speaker]]\nname = \"ana\"\nplayout.fixed = \"60ms\"\n[[speaker]]\nname = \"ben\"\n[[event]]\nat = \"1s\"\n";

    fn with(path: &str, value: &str) -> Result<toml::Table, String> {
        let mut document: DocumentMut = FILE.parse().unwrap();
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        let value = value.parse().unwrap_or_else(|_| Value::from(value));
        set(&mut document, &path, &value)?;
        Ok(document.to_string().parse().unwrap())
    }

    #[test]
    fn keys_are_set_wherever_they_are_and_nothing_else_changes() {
        for (path, value, wanted) in [
            ("link.default.delay", "20ms", "delay = \"15ms\"   # one way -> delay = \"20ms\""),
            ("media.codec.opus.bitrate_bps", "16000", "32000 -> 16000"),
            ("speaker.ana.playout.fixed", "20ms", "60ms -> 20ms"),
            ("speaker.2.playout.fixed", "20ms", "name = \"ben\" -> name = \"ben\"\nplayout.fixed = \"20ms\""),
            ("event.1.at", "2s", "at = \"1s\" -> at = \"2s\""),
            ("link.default.up.delay", "1ms", "loss = \"1%\" -> loss = \"1%\"\nup.delay = \"1ms\""),
            ("link.far.delay", "1ms", "# a room -> link.far.delay = \"1ms\""),
            ("link.default.loss.gilbert.in_bad", "5%", "loss = \"1%\" -> loss.gilbert.in_bad = \"5%\""),
            ("stage", "mix", "[stage.forward] -> [stage.mix]"),
            ("playout.fixed", "20ms", "adaptive = {} -> fixed = \"20ms\""),
            ("media.codec", "l16", "codec.opus = { bitrate_bps = 32000 } -> codec.l16 = {}"),
        ] {
            let (old, new) = wanted.split_once(" -> ").unwrap();
            assert!(FILE.contains(old), "{old}");
            let wanted: toml::Table = FILE.replacen(old, new, 1).parse().unwrap();
            assert_eq!(with(path, value).unwrap(), wanted, "{path}");
        }
    }

    #[test]
    fn what_is_not_there_is_refused_by_name() {
        let refused = |path: &str| with(path, "1ms").unwrap_err();
        assert_eq!(refused("speaker.zoe.link"), "there is no speaker `zoe`: there is ana, ben");
        assert_eq!(refused("speaker.ana"), "`speaker.ana` is a whole entry: name one of its keys");
        assert_eq!(refused("link.default.delay.mean"), "`delay` is one value, and has no key `mean`");
    }
}
