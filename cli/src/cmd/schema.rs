//! `berth schema`: the JSON Schema of what `berth why --json` prints.

use crate::out;

/// Prints the schema.
pub(crate) fn run() -> anyhow::Result<u8> {
    out::print(&format!("{:#}\n", story::json::schema()))?;
    Ok(0)
}
