//! `ip -j`: links, addresses, routes and routing rules.
//!
//! Objects are read key by key, since the presence of a key alone (`"not": null`) means
//! something, and since one that is odd must not cost the others.

mod addresses;
mod links;
mod routes;
mod rules;

#[cfg(test)]
mod tests;

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::problem::{Input, Problems};

pub use addresses::ip_addresses;
pub use links::ip_links;
pub use routes::ip_routes;
pub use rules::ip_rules;

/// One object that `ip` printed.
#[derive(Debug)]
struct Object(Map<String, Value>);

impl Object {
    fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Value::as_str)
    }

    /// A number, which `ip` may print as one, in hexadecimal, or in quotes.
    fn number<T: TryFrom<u64>>(&self, key: &str) -> Option<T> {
        let number = match self.0.get(key)? {
            Value::String(text) => match text.strip_prefix("0x") {
                Some(hex) => u64::from_str_radix(hex, 16).ok()?,
                None => text.parse().ok()?,
            },
            value => value.as_u64()?,
        };
        T::try_from(number).ok()
    }

    /// A number that must be one where it is given.
    fn optional<T: TryFrom<u64>>(&self, key: &str) -> Result<Option<T>, String> {
        if !self.has(key) {
            return Ok(None);
        }
        let wrong = || format!("`{key}` is no number that fits");
        self.number(key).map(Some).ok_or_else(wrong)
    }

    /// A list of objects.
    fn list(&self, key: &str) -> Vec<Object> {
        let list = self.0.get(key).and_then(Value::as_array);
        let objects = list.into_iter().flatten().filter_map(Value::as_object);
        objects.map(|object| Object(object.clone())).collect()
    }

    /// Whether a list of texts has this one.
    fn flag(&self, key: &str, flag: &str) -> bool {
        let list = self.0.get(key).and_then(Value::as_array);
        list.is_some_and(|list| list.iter().any(|entry| entry.as_str() == Some(flag)))
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(&self.0).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

/// The objects of all lists in the input, one list behind the other. Where the text stops
/// being JSON the objects before are kept.
fn objects(input: Input<'_>, problems: &mut Problems<'_>) -> Vec<Object> {
    let mut values = Vec::new();
    let mut text = serde_json::Deserializer::from_slice(input.text);
    while text.end().is_err() {
        if let Err(error) = Values(&mut values).deserialize(&mut text) {
            let what = format!("text is no list as `ip -j` prints it, or was cut: {error}");
            problems.add(error.line(), "", what);
            break;
        }
    }
    let mut objects = Vec::new();
    for value in values {
        match value {
            // Some versions print an empty object for what a filter took out.
            Value::Object(map) if map.is_empty() => {}
            Value::Object(map) => objects.push(Object(map)),
            other => problems.add(0, &other.to_string(), "entry of the list is no object"),
        }
    }
    objects
}

/// Collects the entries of a list, so that those before an error are not lost.
struct Values<'a>(&'a mut Vec<Value>);

impl<'de> DeserializeSeed<'de> for Values<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Values<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(value) = list.next_element()? {
            self.0.push(value);
        }
        Ok(())
    }
}

/// The number of a routing table. A name from `/etc/iproute2/rt_tables`, which is not at
/// hand, gets a number of its own: the same one wherever the name stands.
fn table_number(name: &str) -> u32 {
    match name {
        "local" => 255,
        "main" => 254,
        "default" => 253,
        _ => name.parse().unwrap_or_else(|_| {
            let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
                (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
            });
            hash | 1 << 31
        }),
    }
}

/// A type of service by number or by the names that iproute2 ships.
fn tos(object: &Object) -> Result<u8, String> {
    let key = if object.has("tos") { "tos" } else { "dsfield" };
    match object.text(key) {
        Some("lowdelay") => Ok(0x10),
        Some("throughput") => Ok(8),
        Some("reliability") => Ok(4),
        _ => object.optional(key).map(Option::unwrap_or_default),
    }
}
