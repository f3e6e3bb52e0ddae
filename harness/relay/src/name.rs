//! What a name in the room may look like: it becomes part of file names, table rows and reports.

/// The longest name, in bytes.
pub const MAX_NAME_BYTES: usize = 48;

/// Whom mixes are announced as.
pub const MIX: &str = "mix";

/// Why a name cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// There is none.
    #[error("a name is needed")]
    Empty,
    /// Longer than [`MAX_NAME_BYTES`].
    #[error("a name of {0} bytes is longer than the {MAX_NAME_BYTES} allowed")]
    TooLong(usize),
    /// A character that could mean something to a file system, a shell or a spreadsheet.
    #[error("a name cannot have {0:?} in it: use letters, digits, '-', '_' and '.'")]
    Character(char),
    /// The name by which mixes are announced.
    #[error("{0:?} is what a relay calls its mixes: take another name")]
    Reserved(&'static str),
    /// The first character is neither a letter nor a digit.
    #[error("a name begins with a letter or a digit, not with {0:?}")]
    Beginning(char),
}

/// Errors unless `name` can be used in a room: letters and digits of any script, `-`, `_` and `.`, the first of them
/// a letter or a digit, [`MAX_NAME_BYTES`] at most.
pub fn check_name(name: &str) -> Result<(), NameError> {
    let first = name.chars().next().ok_or(NameError::Empty)?;
    if name.len() > MAX_NAME_BYTES {
        return Err(NameError::TooLong(name.len()));
    }
    if let Some(odd) = name.chars().find(|c| !c.is_alphanumeric() && !matches!(c, '-' | '_' | '.')) {
        return Err(NameError::Character(odd));
    }
    if !first.is_alphanumeric() {
        return Err(NameError::Beginning(first));
    }
    if name == MIX {
        return Err(NameError::Reserved(MIX));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_people_have_are_usable() {
        for name in ["ana", "Zoë", "花子", "singer-2", "a.b_c", "7"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn names_that_could_leave_their_folder_or_cell_are_not() {
        for name in ["a/b", "a\\b", "a b", "a,b", "a\n", "a\0", "\"a\"", "a:b", "=a", "@a"] {
            assert!(matches!(check_name(name), Err(NameError::Character(_))), "{name:?}");
        }
        for name in ["..", ".a", "-a", "_a"] {
            assert!(matches!(check_name(name), Err(NameError::Beginning(_))), "{name:?}");
        }
        assert_eq!(check_name("mix"), Err(NameError::Reserved("mix")));
        assert_eq!(check_name(""), Err(NameError::Empty));
        assert_eq!(check_name(&"a".repeat(MAX_NAME_BYTES)), Ok(()));
        assert_eq!(check_name(&"a".repeat(MAX_NAME_BYTES + 1)), Err(NameError::TooLong(MAX_NAME_BYTES + 1)));
    }
}
