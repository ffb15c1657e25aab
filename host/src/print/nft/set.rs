//! Sets and maps: their elements, and what they are declared as.

use std::fmt::Write as _;

use crate::nft::{Data, DataKind, Element, Key, KeyRange, Set, Type};

use super::Scope;
use super::registers::Value;
use super::rule::line;
use super::statement::{duration, verdict};

/// A set that belongs to one rule, written where the rule looks into it; `parts` are the
/// fields that it is looked up by.
pub(super) fn inline(set: &Set, parts: &[Value], scope: Scope<'_>) -> String {
    if set.unread {
        return format!("[{}]", set.name);
    }
    let field = |at: usize, range: &KeyRange| match parts.get(at) {
        Some(part) => {
            let straight = KeyRange {
                first: part.straight(&range.first).into(),
                last: part.straight(&range.last).into(),
            };
            part.of.range_text(&straight, scope.links)
        }
        None => "[key]".to_owned(),
    };
    let texts: Vec<_> = sorted(set)
        .into_iter()
        .map(|each| element(each, set, &field, scope))
        .collect();
    format!("{{ {} }}", texts.join(", "))
}

/// A set or map of a table, as a block.
pub(super) fn declared(set: &Set, scope: Scope<'_>) -> String {
    let word = match set.data {
        DataKind::None => "set",
        DataKind::Verdict | DataKind::Value(_) | DataKind::Object => "map",
    };
    let mut text = format!("\t{word} {} {{\n\t\ttype {}\n", set.name, types(set, scope));
    let mut say = |line: String| {
        let _ = writeln!(text, "\t\t{line}");
    };
    options(set, &mut say);
    let statements = line(&set.options.exprs, scope);
    if !statements.is_empty() {
        say(statements);
    }
    if let Some(comment) = &set.options.comment {
        say(format!("comment \"{comment}\""));
    }
    if set.unread {
        say("[elements that were not read]".to_owned());
    }
    let is_turned = set.is_turned();
    let field = |at: usize, range: &KeyRange| {
        let mut range = range.clone();
        if is_turned {
            range.first.reverse();
            range.last.reverse();
        }
        let of = set.key.get(at).copied();
        of.map_or_else(
            || "[key]".to_owned(),
            |of| of.range_text(&range, scope.links),
        )
    };
    let texts: Vec<_> = sorted(set)
        .into_iter()
        .map(|each| element(each, set, &field, scope))
        .collect();
    if !texts.is_empty() {
        say(format!("elements = {{ {} }}", texts.join(",\n\t\t\t     ")));
    }
    text + "\t}\n"
}

/// What the keys, and the values of a map, are.
fn types(set: &Set, scope: Scope<'_>) -> String {
    let list = |types: &[Type]| {
        let name = |of: &Type| of.name().unwrap_or("[a type without a name]");
        types.iter().map(name).collect::<Vec<_>>().join(" . ")
    };
    let keys = list(&set.key);
    let has_ranges = set
        .elements
        .iter()
        .any(|e| matches!(e.data, Some(Data::Range(..))));
    match set.data {
        DataKind::None => keys,
        DataKind::Verdict => format!("{keys} : verdict"),
        DataKind::Value(_) if has_ranges => format!("{keys} : interval {}", list(&set.values)),
        DataKind::Value(_) => format!("{keys} : {}", list(&set.values)),
        DataKind::Object => format!("{keys} : {}", object(set, scope)),
    }
}

/// The kind of the objects that a map gives, by one of them.
fn object(set: &Set, scope: Scope<'_>) -> &'static str {
    let given = set.elements.iter().find_map(|element| match &element.data {
        Some(Data::Object(name)) => Some(&**name),
        Some(Data::Value(_) | Data::Range(..) | Data::Verdict(_)) | None => None,
    });
    let objects = scope.table.map_or(&[][..], |table| &table.objects);
    let found = objects.iter().find(|object| Some(&*object.name) == given);
    match found.map(|object| object.kind) {
        Some(1) => "counter",
        Some(2) => "quota",
        Some(4) => "limit",
        _ => "[objects]",
    }
}

fn options(set: &Set, say: &mut impl FnMut(String)) {
    let options = &set.options;
    if options.saves_memory {
        say("policy memory".to_owned());
    }
    if let Some(size) = options.size {
        say(format!("size {size}"));
    }
    let flags: Vec<_> = [
        (options.constant, "constant"),
        (set.dynamic, "dynamic"),
        (set.interval, "interval"),
        (options.expires, "timeout"),
    ]
    .iter()
    .filter(|(is, _)| *is)
    .map(|(_, word)| *word)
    .collect();
    if !flags.is_empty() {
        say(format!("flags {}", flags.join(",")));
    }
    if options.merges {
        say("auto-merge".to_owned());
    }
    if let Some(timeout) = options.timeout {
        say(format!("timeout {}", duration(timeout)));
    }
    if let Some(sweep) = options.sweep {
        say(format!("gc-interval {}", duration(u64::from(sweep))));
    }
}

/// Elements by key; the one for the rest is last.
fn sorted(set: &Set) -> Vec<&Element> {
    let mut elements: Vec<&Element> = set.elements.iter().collect();
    elements.sort_by(|a, b| a.key.cmp(&b.key));
    elements
}

fn element(
    element: &Element,
    set: &Set,
    field: &impl Fn(usize, &KeyRange) -> String,
    scope: Scope<'_>,
) -> String {
    let mut text = match &element.key {
        Key::Fields(fields) => {
            let texts = fields
                .iter()
                .enumerate()
                .map(|(at, range)| field(at, range));
            texts.collect::<Vec<_>>().join(" . ")
        }
        Key::CatchAll => "*".to_owned(),
    };
    let statements = line(&element.exprs, scope);
    if !statements.is_empty() {
        let _ = write!(text, " {statements}");
    }
    if let Some(timeout) = element.timeout {
        let _ = write!(text, " timeout {}", duration(timeout));
    }
    if let Some(comment) = &element.comment {
        let _ = write!(text, " comment \"{comment}\"");
    }
    match &element.data {
        None => {}
        Some(Data::Verdict(given)) => {
            let _ = write!(text, " : {}", verdict(given));
        }
        Some(Data::Object(name)) => {
            let _ = write!(text, " : \"{name}\"");
        }
        Some(Data::Value(bytes)) => {
            let _ = write!(text, " : {}", value(set, bytes, bytes, scope));
        }
        Some(Data::Range(first, last)) => {
            let _ = write!(text, " : {}", value(set, first, last, scope));
        }
    }
    text
}

/// The value of an element, from its lowest to its highest.
fn value(set: &Set, first: &[u8], last: &[u8], scope: Scope<'_>) -> String {
    let mut at = 0;
    let texts: Option<Vec<String>> = set
        .values
        .iter()
        .map(|of| {
            let place = at..at + of.len() as usize;
            at = place.end.next_multiple_of(4);
            let range = KeyRange {
                first: first.get(place.clone())?.into(),
                last: last.get(place)?.into(),
            };
            Some(of.range_text(&range, scope.links))
        })
        .collect();
    match texts {
        Some(texts) if !texts.is_empty() => texts.join(" . "),
        _ => "[value]".to_owned(),
    }
}
