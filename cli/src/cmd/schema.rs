//! `berth schema`: the JSON Schema of what a command prints with `--json`.

use story::json;

use crate::args::{Answers, SchemaArgs};
use crate::out;

/// Prints the schema.
pub(crate) fn run(args: &SchemaArgs) -> anyhow::Result<u8> {
    let schema = match args.of {
        Answers::Why => json::schema(),
        Answers::Scan => json::scan_schema(),
        Answers::Diff => json::changes_schema(),
        Answers::Page => json::ports_schema(),
    };
    out::print(&format!("{schema:#}\n"))?;
    Ok(0)
}
