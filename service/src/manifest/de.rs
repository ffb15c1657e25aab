//! Objects out of trees, with the line and the field of what does not fit.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};

use super::tree::{Place, Tree, Value};

/// What does not fit, and where.
#[derive(Debug)]
pub(super) struct Error {
    /// The sentence.
    pub(super) why: String,
    /// The line of the innermost value it was found in.
    line: Option<usize>,
    /// The way there, innermost first.
    place: Vec<Place>,
}

impl Error {
    /// The line in the file; that of `tree` if none is known.
    pub(super) fn line_in(&self, tree: &Tree) -> usize {
        self.line.unwrap_or(tree.line)
    }

    /// The field, as in `spec.ports[0].nodePort`.
    pub(super) fn field(&self) -> String {
        let outermost_first: Vec<_> = self.place.iter().rev().cloned().collect();
        field(&outermost_first)
    }

    fn within(mut self, place: Place) -> Self {
        self.place.push(place);
        self
    }

    fn at(mut self, line: usize) -> Self {
        self.line.get_or_insert(line);
        self
    }
}

/// A place, outermost first, as people write it: `spec.ports[0].nodePort`.
pub(super) fn field(place: &[Place]) -> String {
    let mut field = String::new();
    for step in place {
        match step {
            Place::Key(key) if field.is_empty() => field.push_str(key),
            Place::Key(key) => {
                field.push('.');
                field.push_str(key);
            }
            Place::Index(index) => {
                field.push('[');
                field.push_str(&index.to_string());
                field.push(']');
            }
        }
    }
    field
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(why: T) -> Self {
        Self {
            why: why.to_string(),
            line: None,
            place: Vec::new(),
        }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("{} is not {expected}", Shown(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(found: &str, expected: &'static [&'static str]) -> Self {
        let expected = expected.join("`, `");
        Self::custom(format_args!("`{found}` is not one of `{expected}`"))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format_args!("`{field}` is missing"))
    }
}

/// A value in the words of people who write YAML.
struct Shown<'a>(Unexpected<'a>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unexpected::Bool(value) => write!(f, "`{value}`"),
            Unexpected::Unsigned(value) => write!(f, "{value}"),
            Unexpected::Signed(value) => write!(f, "{value}"),
            Unexpected::Str(value) => write!(f, "the text `{value}`"),
            Unexpected::Unit => f.write_str("nothing"),
            Unexpected::Seq => f.write_str("a list"),
            Unexpected::Map => f.write_str("a map"),
            other => write!(f, "{other}"),
        }
    }
}

impl Tree {
    /// What is here, for an error.
    fn found(&self) -> Unexpected<'_> {
        match &self.value {
            Value::Null => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Int(value) => match (u64::try_from(*value), i64::try_from(*value)) {
                (Ok(value), _) => Unexpected::Unsigned(value),
                (_, Ok(value)) => Unexpected::Signed(value),
                (Err(_), Err(_)) => Unexpected::Other("a number beyond all bounds"),
            },
            Value::Float(text) | Value::Text(text) => Unexpected::Str(text),
            Value::List(_) => Unexpected::Seq,
            Value::Map(_) => Unexpected::Map,
        }
    }

    fn is_not(&self, expected: &str) -> Error {
        Error::invalid_type(self.found(), &expected).at(self.line)
    }

    /// The whole number here, if it is from 0 to `max`.
    fn number<T: TryFrom<i128> + fmt::Display>(&self, max: &T) -> Result<T, Error> {
        let number = match self.value {
            Value::Int(number) => T::try_from(number).ok(),
            _ => None,
        };
        number.ok_or_else(|| self.is_not(&format!("a number from 0 to {max}")))
    }

    /// The truth value here. YAML 1.1, and so kubectl, has more words for it than YAML 1.2.
    fn truth(&self) -> Result<bool, Error> {
        let word = match &self.value {
            Value::Bool(value) => return Ok(*value),
            Value::Text(text) => text.to_ascii_lowercase(),
            _ => String::new(),
        };
        match word.as_str() {
            "y" | "yes" | "on" => Ok(true),
            "n" | "no" | "off" => Ok(false),
            _ => Err(self.is_not("`true` or `false`")),
        }
    }
}

impl<'de> Deserializer<'de> for &'de Tree {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let visited = match &self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(value) => match (u64::try_from(*value), i64::try_from(*value)) {
                (Ok(value), _) => visitor.visit_u64(value),
                (_, Ok(value)) => visitor.visit_i64(value),
                (Err(_), Err(_)) => visitor.visit_i128(*value),
            },
            Value::Float(text) | Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::List(items) => visitor.visit_seq(Items(items.iter().enumerate())),
            Value::Map(fields) => visitor.visit_map(Fields {
                rest: fields.iter(),
                value: None,
            }),
        };
        visited.map_err(|error| error.at(self.line))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(self.truth()?)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u16(self.number(&u16::MAX)?)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u32(self.number(&u32::MAX)?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Some(word) = self.word() else {
            return self.deserialize_any(visitor);
        };
        let visited: Result<_, Error> = visitor.visit_string(word);
        visited.map_err(|error| error.at(self.line))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let visited = visitor.visit_enum(Variant(self));
        visited.map_err(|error| error.at(self.line))
    }

    /// Whatever is there, however deep.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u64 u128 f32 f64 char bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier
    }
}

/// The items of a list.
struct Items<'de>(std::iter::Enumerate<std::slice::Iter<'de, Tree>>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some((index, item)) = self.0.next() else {
            return Ok(None);
        };
        let read = seed.deserialize(item).map(Some);
        read.map_err(|error| error.within(Place::Index(index)))
    }
}

/// The fields of a map that hold something.
struct Fields<'de> {
    rest: std::slice::Iter<'de, (String, Tree)>,
    value: Option<&'de (String, Tree)>,
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let mut full = self
            .rest
            .by_ref()
            .filter(|(_, value)| !matches!(value.value, Value::Null));
        self.value = full.next();
        let Some((key, _)) = self.value else {
            return Ok(None);
        };
        let key = serde::de::value::BorrowedStrDeserializer::new(key);
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let Some((key, value)) = self.value.take() else {
            return Err(Error::custom("a field without a name"));
        };
        let read = seed.deserialize(value);
        read.map_err(|error| error.within(Place::Key(key.clone())))
    }
}

/// A word of a closed list.
struct Variant<'de>(&'de Tree);

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        match self.0.value {
            Value::Text(_) => seed.deserialize(self.0).map(|word| (word, self)),
            _ => Err(self.0.is_not("a word")),
        }
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Error> {
        Err(self.0.is_not("a word that takes a value"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Error> {
        Err(self.0.is_not("a word that takes values"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        Err(self.0.is_not("a word that takes fields"))
    }
}
