//! JSON schemas of what jiho writes as JSON, generated from the types that write it.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

use super::json::ReportJson;
use super::jsonl::Line;
use super::run_json::RunJson;

/// The names of all schemas.
pub const NAMES: [&str; 3] = ["report", "run", "line"];

/// The schema of the file `NAME.json`, or of a line of a run as it goes on, as text; `None` if there is none of this name.
pub fn text(name: &str) -> Option<String> {
    let schema = match name {
        "report" => of::<ReportJson<'_>>(),
        "run" => of::<RunJson>(),
        "line" => of::<Line>(),
        _ => return None,
    };
    Some(format!("{:#}\n", schema.as_value()))
}

/// Of what is written: what is never left out is required.
fn of<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}
