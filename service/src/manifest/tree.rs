//! A document as a tree that knows its lines.
//!
//! The detour over a tree lets one wrong item of a list be told by line and field while the
//! other items are read.

/// A value and where it is.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    /// Line of the file, from 1.
    pub(super) line: usize,
    /// The value.
    pub(super) value: Value,
}

/// A value as YAML and JSON have it.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Nothing. Kubernetes takes a field of nothing for an absent one.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// Any other number, as written.
    Float(String),
    /// Text.
    Text(String),
    /// Values in order.
    List(Vec<Tree>),
    /// Values by name, in the order written.
    Map(Vec<(String, Tree)>),
}

/// One step from a value to a value inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The field of a map.
    Key(String),
    /// The item of a list, from 0.
    Index(usize),
}

/// How large a tree is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    /// Values in it, itself included.
    pub(super) count: usize,
    /// Values from it to the deepest one, both included.
    pub(super) depth: usize,
}

impl Tree {
    /// The field of that name, if this is a map that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Value::Map(fields) = &self.value else {
            return None;
        };
        let mut named = fields.iter().filter(|(name, _)| name == key);
        named.next().map(|(_, value)| value)
    }

    /// The text in the field of that name.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match self.get(key).map(|field| &field.value) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The line of the value at `place`, or of the last value on the way there.
    pub(super) fn line_of(&self, place: &[Place]) -> usize {
        let Some((step, rest)) = place.split_first() else {
            return self.line;
        };
        let inside = match (step, &self.value) {
            (Place::Key(key), _) => self.get(key),
            (Place::Index(index), Value::List(items)) => items.get(*index),
            (Place::Index(_), _) => None,
        };
        inside.map_or(self.line, |value| value.line_of(rest))
    }

    /// The text here; numbers and truth values count as they would be printed.
    pub(super) fn word(&self) -> Option<String> {
        match &self.value {
            Value::Text(text) | Value::Float(text) => Some(text.clone()),
            Value::Bool(value) => Some(value.to_string()),
            Value::Int(value) => Some(value.to_string()),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// How many values are here, and how deep the deepest is.
    pub(super) fn size(&self) -> Size {
        let mut whole = Size { count: 1, depth: 1 };
        let mut add = |inside: &Self| {
            let size = inside.size();
            whole.count += size.count;
            whole.depth = whole.depth.max(size.depth + 1);
        };
        match &self.value {
            Value::List(items) => items.iter().for_each(add),
            Value::Map(fields) => fields.iter().for_each(|(_, value)| add(value)),
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) => {}
        }
        whole
    }
}
