//! The schema keeps its promise: nothing published is removed or renamed.

use serde_json::Value;

use crate::world::{expect, world};

/// Where `value` breaks `schema`: the keywords that [`story::json::schema`] uses, no others.
pub fn breaks(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Some(types) = schema.get("type") {
        let one = [types.clone()];
        let types = types.as_array().map_or(&one[..], Vec::as_slice);
        if !types
            .iter()
            .any(|name| is_of(name.as_str().unwrap(), value))
        {
            wrong.push(format!("{at}: {value} is not of type {types:?}"));
        }
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array)
        && !words.contains(value)
    {
        wrong.push(format!("{at}: {value} is none of {words:?}"));
    }
    if schema.get("const").is_some_and(|only| only != value) {
        wrong.push(format!("{at}: {value} is another constant"));
    }
    if let Some(fields) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten() {
            if !fields.contains_key(name.as_str().unwrap()) {
                wrong.push(format!("{at}: {name} is missing"));
            }
        }
        for (name, field) in fields {
            match schema["properties"].get(name) {
                Some(schema) => wrong.extend(breaks(schema, field, &format!("{at}/{name}"))),
                None => wrong.push(format!("{at}: {name} is not in the schema")),
            }
        }
    }
    for (i, item) in value.as_array().into_iter().flatten().enumerate() {
        wrong.extend(breaks(&schema["items"], item, &format!("{at}/{i}")));
    }
    wrong
}

fn is_of(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other} is no type of JSON"),
    }
}

/// What `now` lacks of what was `published`: fields, and values they may have.
pub fn lost(published: &Value, now: &Value, at: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let list = |value: &Value, name: &str| -> Vec<Value> {
        match &value[name] {
            Value::Array(list) => list.clone(),
            Value::Null => vec![],
            one => vec![one.clone()],
        }
    };
    for keyword in ["required", "enum"] {
        let now = list(now, keyword);
        let gone = list(published, keyword)
            .into_iter()
            .filter(|v| !now.contains(v));
        wrong.extend(gone.map(|v| format!("{at}: {v} is no longer in {keyword}")));
    }
    let types = list(published, "type");
    let wider = list(now, "type").into_iter().filter(|v| !types.contains(v));
    wrong.extend(wider.map(|v| format!("{at}: may now be {v}")));
    for (name, field) in published["properties"].as_object().into_iter().flatten() {
        match now["properties"].get(name) {
            Some(now) => wrong.extend(lost(field, now, &format!("{at}/{name}"))),
            None => wrong.push(format!("{at}: {name} is gone")),
        }
    }
    if published.get("items").is_some() {
        wrong.extend(lost(
            &published["items"],
            &now["items"],
            &format!("{at}/items"),
        ));
    }
    wrong
}

fn published() -> Value {
    serde_json::from_str(include_str!("schema.json")).unwrap()
}

#[test]
fn the_schema_is_published_word_for_word() {
    let text = serde_json::to_string_pretty(&story::json::schema()).unwrap();
    expect("schema.json", &format!("{text}\n"));
}

#[test]
fn no_published_field_is_removed_or_renamed() {
    let gone = lost(&published(), &story::json::schema(), "");
    assert_eq!(gone, Vec::<String>::new());
}

#[test]
fn what_is_rendered_fits_the_schema() {
    let text = story::json::render(&world().story());
    let document = serde_json::from_str(&text).unwrap();
    let wrong = breaks(&story::json::schema(), &document, "");
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_document_with_a_renamed_field_breaks_the_schema() {
    let text = story::json::render(&world().story()).replace("\"verdict\"", "\"result\"");
    let document = serde_json::from_str(&text).unwrap();
    let wrong = breaks(&story::json::schema(), &document, "");
    assert_eq!(wrong.len(), 2, "{wrong:?}");
}

#[test]
fn every_example_in_the_docs_fits_the_schema() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = vec![root.join("README.md"), root.join("ARCHITECTURE.md")];
    let docs = std::fs::read_dir(root.join("docs")).into_iter().flatten();
    files.extend(docs.map(|entry| entry.unwrap().path()));
    let schema = story::json::schema();
    for file in files
        .iter()
        .filter(|f| f.extension().is_some_and(|e| e == "md"))
    {
        let Ok(text) = std::fs::read_to_string(file) else {
            continue;
        };
        let blocks = text.split("```json").skip(1);
        for block in blocks.filter_map(|b| b.split("```").next()) {
            let example: Value = serde_json::from_str(block)
                .unwrap_or_else(|e| panic!("{}: {e} in {block}", file.display()));
            if example.get("format").is_some() {
                assert_eq!(breaks(&schema, &example, ""), Vec::<String>::new());
            }
        }
    }
}
