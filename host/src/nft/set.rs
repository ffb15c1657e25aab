//! Sets and maps with their elements.

use super::{Expr, Type, Verdict};

/// One field of a key: the lowest and highest value, both included, as the bytes the kernel
/// compares (`memcmp`). A single value has both ends equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyRange {
    /// The lowest value.
    pub first: Box<[u8]>,
    /// The highest value.
    pub last: Box<[u8]>,
}

/// What an element is found by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// One range for each field of a concatenation, without the padding; one in all for a
    /// plain key.
    Fields(Vec<KeyRange>),
    /// Found when nothing else is.
    CatchAll,
}

/// The value of a map's element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// Bytes as they land in the registers, concatenated fields padded to four bytes.
    Value(Box<[u8]>),
    /// Lowest and highest value (interval maps for NAT).
    Range(Box<[u8]>, Box<[u8]>),
    /// A verdict.
    Verdict(Verdict),
    /// The name of an object.
    Object(Box<str>),
}

/// An element of a set or map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// What it is found by.
    pub key: Key,
    /// The value, in a map.
    pub data: Option<Data>,
    /// Its comment.
    pub comment: Option<Box<str>>,
    /// How long it stays, in milliseconds, where it has a time of its own.
    pub timeout: Option<u64>,
    /// Statements that run when it is found (`limit`, `counter`, …).
    pub exprs: Vec<Expr>,
}

/// What a set holds beside its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DataKind {
    /// Keys only.
    None,
    /// Verdicts.
    Verdict,
    /// Values of this many bytes.
    Value(u32),
    /// Objects.
    Object,
}

/// A set or map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// Its name; anonymous ones are `__set0`, `__map1`, ….
    pub name: String,
    /// The type of each field of the key.
    pub key: Vec<Type>,
    /// What it holds.
    pub data: DataKind,
    /// The type of each field of its values; none where it holds no bytes.
    pub values: Vec<Type>,
    /// Anonymous: belongs to one rule.
    pub anonymous: bool,
    /// Fields are ranges.
    pub interval: bool,
    /// Filled from the packet path.
    pub dynamic: bool,
    /// Its elements, in the order of the kernel's answer.
    pub elements: Vec<Element>,
    /// Its elements could not be read.
    pub unread: bool,
    /// What else it was told, none of which decides on a packet.
    pub options: SetOptions,
}

impl Element {
    /// Whether its key is more than one value.
    pub(crate) fn is_range(&self) -> bool {
        match &self.key {
            Key::Fields(fields) => fields.iter().any(|range| range.first != range.last),
            Key::CatchAll => false,
        }
    }
}

impl Set {
    /// Whether the bytes of its keys are turned around, so that they compare as numbers.
    pub(crate) fn is_turned(&self) -> bool {
        self.interval && matches!(self.key[..], [of] if of.is_host_order())
    }
}

/// What a set was told of how it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetOptions {
    /// `flags constant`.
    pub constant: bool,
    /// `flags timeout`.
    pub expires: bool,
    /// How long elements stay, in milliseconds.
    pub timeout: Option<u64>,
    /// How often it is swept, in milliseconds.
    pub sweep: Option<u32>,
    /// How many elements it may have.
    pub size: Option<u32>,
    /// `policy memory`.
    pub saves_memory: bool,
    /// `auto-merge`.
    pub merges: bool,
    /// Statements that each new element carries.
    pub exprs: Vec<Expr>,
    /// Its comment.
    pub comment: Option<Box<str>>,
}
