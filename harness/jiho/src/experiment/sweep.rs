//! What `jiho sweep` varies, as an experiment's file says it.

use serde::{Deserialize, Serialize};

/// `[sweep]`: keys, values, and what is looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepPart {
    /// Vary all keys in step, in place of all combinations.
    #[serde(default)]
    pub zip: bool,
    /// Names of figures; none: what the experiment has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub figures: Vec<String>,
    /// By key, lists of values, or texts as on the command line.
    #[serde(default)]
    pub vary: toml::Table,
}
