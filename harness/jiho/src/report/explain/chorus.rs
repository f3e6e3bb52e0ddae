//! How far apart a chorus was, for those on stage and for those in the audience.

use std::path::Path;

use jiho_analysis::arrivals::Role;
use jiho_analysis::stats;
use serde::{Deserialize, Serialize};

use super::{read, spoken};

/// The columns of `chorus.csv` that are spoken of.
#[derive(Debug, Serialize, Deserialize)]
struct BeatRow {
    role: Role,
    voices: usize,
    spread_ns: Option<i64>,
}

pub(super) fn paragraphs(path: &Path) -> anyhow::Result<Vec<String>> {
    let rows: Vec<BeatRow> = read(path)?;
    let spread = |role| {
        let of_role = rows.iter().filter(|row| row.role == role && row.voices >= 2);
        stats::median(&of_role.filter_map(|row| Some(row.spread_ns? as f64 / 1e6)).collect::<Vec<_>>())
    };
    let (stage, audience) = (spread(Role::Speaker), spread(Role::Listener));
    let mut said = Vec::new();
    if let Some(ms) = stage {
        said.push(format!("- On stage, from the first voice of a beat to the last: {} (median).", spoken(ms)));
    }
    if let Some(ms) = audience {
        said.push(format!("- In the audience: {}.", spoken(ms)));
    }
    if !said.is_empty() {
        said.push(
            "That the audience hears voices together says nothing about mixing: whoever sings on what is heard is \
             aligned for others by that. What differs from one kind of room to another is how far apart it is on stage, \
             and how much the tempo drags."
                .to_owned(),
        );
    }
    Ok(said)
}
