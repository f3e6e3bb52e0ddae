//! Whose sound, at whose ear.

use std::fmt;

/// Pairs of a speaker and an ear: of all, of one of them, or a single one.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pairs {
    /// `None`: anybody.
    pub speaker: Option<String>,
    /// `None`: anybody's.
    pub ear: Option<String>,
}

impl Pairs {
    /// Whether a pair is among them.
    pub fn hold(&self, speaker: &str, ear: &str) -> bool {
        let is = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
        is(&self.speaker, speaker) && is(&self.ear, ear)
    }

    /// From what stands between the brackets: `ana -> lena`, `ana -> *`, `* -> lena`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (speaker, ear) = text.split_once("->")?;
        let name = |text: &str| match text.trim() {
            "" => None,
            "*" => Some(None),
            name => Some(Some(name.to_owned())),
        };
        Some(Self { speaker: name(speaker)?, ear: name(ear)? })
    }
}

impl fmt::Display for Pairs {
    /// Nothing, if it is all of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::default() {
            return Ok(());
        }
        let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "*".to_owned());
        write!(f, "[{} -> {}]", name(&self.speaker), name(&self.ear))
    }
}
