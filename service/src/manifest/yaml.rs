//! A tree out of YAML, of which JSON is a part.
//!
//! Built from the parser's events, below serde: `serde_saphyr` takes some 45 KB of stack for
//! each level in a debug build, and knows one wrong item of a list only as the end of the list.
//! Here depth costs no stack, and what aliases stand for is bounded, so a few lines cannot
//! become a million values.

use std::collections::{BTreeMap, BTreeSet};

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use super::split::Document;
use super::tree::{Tree, Value};

/// The deepest nesting read; the schemas of custom resources go to about 40.
const MAX_DEPTH: usize = 200;

/// Values that anchors and aliases of one document may copy.
const MAX_COPIED: usize = 100_000;

/// Why a document is no tree.
#[derive(Debug)]
pub(super) struct SyntaxError {
    /// Line of the file, from 1.
    pub(super) line: usize,
    /// What is wrong there.
    pub(super) why: String,
}

/// Reads a document.
pub(super) fn parse(document: &Document<'_>) -> Result<Tree, SyntaxError> {
    let lines_before = document.lines_before;
    let scanned = |error: ScanError| SyntaxError {
        line: lines_before + error.marker().line().max(1),
        why: error.info(),
    };
    let mut builder = Builder::default();
    // Comments that are asked for are bounded in number.
    let options = serde_saphyr::granit_parser::options! { emit_comments: false };
    for event in Parser::new_from_str_with_options(document.text, options) {
        let (event, span) = event.map_err(scanned)?;
        let line = lines_before + span.start.line().max(1);
        builder.take(event, line)?;
    }
    Ok(builder.root.unwrap_or(Tree {
        line: lines_before + 1,
        value: Value::Null,
    }))
}

/// A tree half built.
#[derive(Default)]
struct Builder {
    /// Lists and maps that have begun, outermost first.
    open: Vec<Open>,
    anchors: BTreeMap<usize, Tree>,
    copied: usize,
    root: Option<Tree>,
}

/// A list or map that has begun.
struct Open {
    line: usize,
    anchor: usize,
    inside: Inside,
}

enum Inside {
    List(Vec<Tree>),
    Map(Fields),
}

/// The fields of a map so far.
#[derive(Default)]
struct Fields {
    /// The name whose value comes next.
    name: Option<String>,
    names: BTreeSet<String>,
    written: Vec<(String, Tree)>,
    /// Maps of `<<`, which fill in the fields that are not written.
    merged: Vec<Tree>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), SyntaxError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(&text, style, tag.as_deref());
                self.put(Tree { line, value }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => {
                self.begin(line, anchor, Inside::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, _) => {
                self.begin(line, anchor, Inside::Map(Fields::default()))
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => self.alias(line, anchor),
            // Where documents begin and end, and what was not asked for.
            _ => Ok(()),
        }
    }

    fn begin(&mut self, line: usize, anchor: usize, inside: Inside) -> Result<(), SyntaxError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(line));
        }
        self.open.push(Open {
            line,
            anchor,
            inside,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), SyntaxError> {
        let Some(Open {
            line,
            anchor,
            inside,
        }) = self.open.pop()
        else {
            return Ok(());
        };
        let value = match inside {
            Inside::List(items) => Value::List(items),
            Inside::Map(fields) => Value::Map(fields.merge()),
        };
        self.put(Tree { line, value }, anchor)
    }

    fn alias(&mut self, line: usize, anchor: usize) -> Result<(), SyntaxError> {
        let Some(tree) = self.anchors.get(&anchor).cloned() else {
            let why = "an alias inside what it stands for".to_owned();
            return Err(SyntaxError { line, why });
        };
        if self.open.len() + tree.size().depth > MAX_DEPTH {
            return Err(too_deep(line));
        }
        self.count(&tree, line)?;
        self.put(tree, 0)
    }

    fn count(&mut self, copy: &Tree, line: usize) -> Result<(), SyntaxError> {
        self.copied = self.copied.saturating_add(copy.size().count);
        if self.copied > MAX_COPIED {
            let why = format!("aliases stand for more than {MAX_COPIED} values");
            return Err(SyntaxError { line, why });
        }
        Ok(())
    }

    fn put(&mut self, tree: Tree, anchor: usize) -> Result<(), SyntaxError> {
        if anchor != 0 {
            self.count(&tree, tree.line)?;
            self.anchors.insert(anchor, tree.clone());
        }
        match self.open.last_mut().map(|open| &mut open.inside) {
            None => self.root = Some(tree),
            Some(Inside::List(items)) => items.push(tree),
            Some(Inside::Map(fields)) => fields.put(tree)?,
        }
        Ok(())
    }
}

impl Fields {
    /// Takes a name or the value of the name before.
    fn put(&mut self, tree: Tree) -> Result<(), SyntaxError> {
        let line = tree.line;
        let Some(name) = self.name.take() else {
            let named = tree.word().ok_or("the name of a field is not a word");
            let name = named.map_err(|why| SyntaxError {
                line,
                why: why.to_owned(),
            })?;
            if !self.names.insert(name.clone()) {
                let why = format!("`{name}` is there twice");
                return Err(SyntaxError { line, why });
            }
            self.name = Some(name);
            return Ok(());
        };
        match (name.as_str(), tree.value) {
            // Half of what kubectl prints, and nothing in it is of use.
            ("managedFields", _) => {}
            ("<<", Value::List(maps)) => self.merged.extend(maps),
            ("<<", value) => self.merged.push(Tree { line, value }),
            (_, value) => self.written.push((name, Tree { line, value })),
        }
        Ok(())
    }

    /// What is written, and of what is merged the fields that are not.
    fn merge(mut self) -> Vec<(String, Tree)> {
        for tree in self.merged {
            let Value::Map(fields) = tree.value else {
                continue;
            };
            for (name, value) in fields {
                if self.names.insert(name.clone()) {
                    self.written.push((name, value));
                }
            }
        }
        self.written
    }
}

fn too_deep(line: usize) -> SyntaxError {
    let why = format!("nested deeper than {MAX_DEPTH}");
    SyntaxError { line, why }
}

/// The value of a scalar: text where it is quoted, else what it looks like.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let is_plain = match tag {
        Some(tag) if tag.is_yaml_core_schema() => !tag.is_yaml_core_schema_tag("str"),
        Some(_) | None => style == ScalarStyle::Plain,
    };
    if is_plain {
        plain(text)
    } else {
        Value::Text(text.to_owned())
    }
}

/// What an unquoted word is in YAML 1.2; `yes` and `007` stay text until a field wants them.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    if let Some(number) = whole(text) {
        return Value::Int(number);
    }
    let looks = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    if text.chars().all(looks) && text.parse::<f64>().is_ok() && !has_leading_zero(text) {
        return Value::Float(text.to_owned());
    }
    Value::Text(text.to_owned())
}

fn whole(text: &str) -> Option<i128> {
    if let Some(digits) = text.strip_prefix("0x") {
        return i128::from_str_radix(digits, 16).ok();
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return i128::from_str_radix(digits, 8).ok();
    }
    text.parse().ok().filter(|_| !has_leading_zero(text))
}

fn has_leading_zero(number: &str) -> bool {
    let digits = number.trim_start_matches(['+', '-']);
    digits.starts_with('0') && digits[1..].starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> Tree {
        let document = Document {
            lines_before: 0,
            text,
        };
        parse(&document).unwrap()
    }

    fn why(text: &str) -> String {
        let document = Document {
            lines_before: 10,
            text,
        };
        let error = parse(&document).unwrap_err();
        format!("{}: {}", error.line, error.why)
    }

    #[test]
    fn unquoted_words_are_what_they_look_like() {
        let shown = |text: &str| format!("{:?}", tree(text).value);
        assert_eq!(shown("~"), "Null");
        assert_eq!(shown("True"), "Bool(true)");
        assert_eq!(shown("0x1f"), "Int(31)");
        assert_eq!(shown("-5"), "Int(-5)");
        assert_eq!(shown("1.10"), "Float(\"1.10\")");
        for word in [
            "'5'",
            "!!str 5",
            "yes",
            "007",
            "1_000",
            "10.0.0.1",
            "2026-11-24",
            "1e",
        ] {
            assert!(shown(word).starts_with("Text"), "{word}");
        }
    }

    #[test]
    fn what_is_written_wins_over_what_is_merged() {
        let tree = tree("base: &base {a: 1, b: 2}\nown: {<<: *base, b: 3}\n");
        let own = tree.get("own").unwrap();
        let field = |name| own.get(name).and_then(Tree::word);
        assert_eq!(
            (field("a"), field("b")),
            (Some("1".into()), Some("3".into()))
        );
    }

    #[test]
    fn a_syntax_error_has_its_line_in_the_file() {
        assert_eq!(why("a: 1\nb: 2\na: 3\n"), "13: `a` is there twice");
        assert_eq!(why("[a]: 1\n"), "11: the name of a field is not a word");
        assert_eq!(
            why("a: &a [*a]\n"),
            "11: an alias inside what it stands for"
        );
    }
}
