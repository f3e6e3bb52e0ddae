//! How things are said in plain text: lists, spans of time, paragraphs in lines.

/// Lines are no longer than this.
const WIDEST: usize = 100;
const INDENT: &str = "  ";

/// A paragraph in lines; what it begins with as a list's item goes on under its text.
pub(super) fn wrapped(paragraph: &str) -> String {
    let hang = if paragraph.starts_with("- ") { "  " } else { "" };
    let mut text = String::new();
    let mut line = INDENT.to_owned();
    for word in paragraph.split(' ') {
        let empty = line.trim().is_empty();
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDEST {
            text.push_str(&line);
            text.push('\n');
            line = format!("{INDENT}{hang}{word}");
            continue;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
    }
    text + &line + "\n"
}

/// `ana`, `ana and ben`, `ana, ben and chloe`.
pub(super) fn listed<S: AsRef<str>>(names: &[S]) -> String {
    match names {
        [] => "nobody".to_owned(),
        [one] => one.as_ref().to_owned(),
        [most @ .., last] => {
            let most: Vec<&str> = most.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", most.join(", "), last.as_ref())
        }
    }
}

/// A delay as people speak of it.
pub(super) fn spoken(ms: f64) -> String {
    match ms.abs() {
        long if long >= 9_950.0 => format!("{:.1} s", ms / 1000.0),
        long if long >= 950.0 => format!("{:.2} s", ms / 1000.0),
        _ => format!("{ms:.0} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_wrapped_and_items_hang() {
        let text = wrapped(&format!("- {}", "many words ".repeat(20).trim()));
        assert!(text.lines().all(|line| line.chars().count() <= WIDEST), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with("    m") || line.starts_with("    w")), "{text}");
        assert_eq!(text.split_whitespace().filter(|word| *word == "many").count(), 20);
    }

    #[test]
    fn names_are_listed_as_people_do() {
        let names = ["ana", "ben", "chloe"];
        assert_eq!([listed(&names[..0]), listed(&names[..1])], ["nobody", "ana"]);
        assert_eq!([listed(&names[..2]), listed(&names)], ["ana and ben", "ana, ben and chloe"]);
    }
}
