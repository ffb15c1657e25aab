//! Elements of sets: keys, ranges merged from their ends, and values.

use std::collections::HashMap;

use super::expr::Decoder;
use super::set::Layout;
use super::{GENERIC, Place, statement, userdata};
use crate::nft::{Data, Element, Key, KeyRange};
use crate::wire::attr::{Attrs, Message, Table};

const KEY: u16 = 1;
const DATA: u16 = 2;
const FLAGS: u16 = 3;
const TIMEOUT: u16 = 4;
const USERDATA: u16 = 6;
const EXPR: u16 = 7;
const OBJECT: u16 = 9;
const KEY_END: u16 = 10;
const EXPRESSIONS: u16 = 11;

/// Flags of an element.
const INTERVAL_END: u32 = 1;
const CATCH_ALL: u32 = 2;

/// One message about a set's elements: the list in it, and whether all of it could be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    list: &'a [u8],
    is_whole: bool,
}

/// The messages about elements, by set.
#[derive(Debug, Default)]
pub(super) struct Parts<'a> {
    by_set: HashMap<Place<'a>, Vec<Part<'a>>>,
}

impl<'a> Parts<'a> {
    /// Files a message under its set. Large sets take several.
    pub(super) fn add(&mut self, message: Message<'a>) {
        let attributes = Table::<4>::behind(message.payload, GENERIC);
        let family = message.payload.first().copied().unwrap_or_default();
        let (Some(table), Some(set)) = (attributes.get(1), attributes.get(2)) else {
            return;
        };
        let part = Part {
            list: attributes.get(3).unwrap_or_default(),
            is_whole: attributes.is_whole,
        };
        self.by_set
            .entry((family, table, set))
            .or_default()
            .push(part);
    }

    /// The parts of a set; even an empty set has one, without elements.
    pub(super) fn of(&self, place: &Place<'a>) -> &[Part<'a>] {
        self.by_set.get(place).map_or(&[], Vec::as_slice)
    }
}

/// What was read of a set's elements.
pub(super) struct Read {
    /// The elements, in the order of the answer.
    pub(super) elements: Vec<Element>,
    /// These are all of them.
    pub(super) is_whole: bool,
}

/// The attributes of one element.
type Raw<'a> = Table<'a, 12>;

/// Reads the elements of a set; those that are damaged are left out.
pub(super) fn read(layout: &Layout, parts: &[Part<'_>], decoder: Decoder<'_>) -> Read {
    let mut raw = Vec::new();
    let mut is_whole = !parts.is_empty();
    for part in parts {
        let mut list = Attrs::of(part.list);
        raw.extend(list.by_ref().map(|attr| Raw::of(attr.value)));
        is_whole &= part.is_whole && list.is_whole();
    }
    let count = raw.len();
    let keyed = if layout.has_boundaries {
        intervals(&raw)
    } else {
        raw.iter()
            .map(|raw| key(layout, raw).map(|key| (key, raw)))
            .collect()
    };
    let mut elements = Vec::with_capacity(count);
    for keyed in keyed {
        let element = keyed.and_then(|(key, raw)| element(layout, key, raw, decoder));
        is_whole &= element.is_some();
        elements.extend(element);
    }
    Read { elements, is_whole }
}

/// The bytes in a key or value.
fn bytes<'a>(raw: &Raw<'a>, kind: u16) -> Option<&'a [u8]> {
    Table::<3>::of(raw.get(kind)?).get(1)
}

fn has_flag(raw: &Raw<'_>, flag: u32) -> bool {
    raw.be32(FLAGS).unwrap_or_default() & flag != 0
}

/// The key of an element that holds all of it: one value, or lowest and highest.
fn key(layout: &Layout, raw: &Raw<'_>) -> Option<Key> {
    if has_flag(raw, CATCH_ALL) {
        return Some(Key::CatchAll);
    }
    let first = bytes(raw, KEY)?;
    let last = if raw.has(KEY_END) {
        bytes(raw, KEY_END)?
    } else {
        first
    };
    let mut fields = Vec::with_capacity(layout.fields.len());
    let mut at = 0_usize;
    for of in &layout.fields {
        let len = usize::try_from(of.len()).ok()?;
        let end = at.checked_add(len)?;
        fields.push(KeyRange {
            first: first.get(at..end)?.into(),
            last: last.get(at..end)?.into(),
        });
        // Kernel: each field begins a register of four bytes.
        at = end.checked_next_multiple_of(4)?;
    }
    Some(Key::Fields(fields))
}

/// Keys of a set that holds the ends of intervals: an interval goes from its start to just
/// before the next higher boundary, which is the start of another or an end of its own.
/// The kernel lists boundaries from the highest down.
fn intervals<'r, 'a>(raw: &'r [Raw<'a>]) -> Vec<Option<(Key, &'r Raw<'a>)>> {
    let mut keyed = Vec::new();
    let mut boundaries = Vec::with_capacity(raw.len());
    for raw in raw {
        if has_flag(raw, CATCH_ALL) {
            keyed.push(Some((Key::CatchAll, raw)));
        } else if let Some(bytes) = bytes(raw, KEY) {
            boundaries.push((bytes, has_flag(raw, INTERVAL_END), raw));
        } else {
            keyed.push(None);
        }
    }
    // Of two at the same place the start of the upper interval comes before the end of the
    // lower one.
    boundaries.sort_by(|a, b| b.0.cmp(a.0).then(a.1.cmp(&b.1)));
    let mut above: Option<&[u8]> = None;
    for (bytes, is_end, raw) in boundaries {
        if !is_end {
            let range = KeyRange {
                first: bytes.into(),
                last: above.map_or_else(|| highest(bytes.len()), before),
            };
            keyed.push(Some((Key::Fields(vec![range]), raw)));
        }
        above = Some(bytes);
    }
    keyed
}

fn highest(len: usize) -> Box<[u8]> {
    vec![u8::MAX; len].into()
}

/// The number below, in network order; that below 0 is the highest.
fn before(bytes: &[u8]) -> Box<[u8]> {
    let mut bytes: Box<[u8]> = bytes.into();
    for byte in bytes.iter_mut().rev() {
        *byte = byte.wrapping_sub(1);
        if *byte != u8::MAX {
            break;
        }
    }
    bytes
}

fn element(layout: &Layout, key: Key, raw: &Raw<'_>, decoder: Decoder<'_>) -> Option<Element> {
    if !raw.is_whole {
        return None;
    }
    let data = if raw.has(OBJECT) {
        Some(Data::Object(raw.text(OBJECT)?.into()))
    } else if let Some(data) = raw.get(DATA) {
        Some(value(layout, data)?)
    } else {
        None
    };
    Some(Element {
        key,
        data,
        comment: raw.get(USERDATA).and_then(userdata::comment),
        timeout: raw.be64(TIMEOUT),
        exprs: statement::stateful(decoder, raw.get(EXPR), raw.get(EXPRESSIONS))?,
    })
}

fn value(layout: &Layout, data: &[u8]) -> Option<Data> {
    let parts = Table::<3>::of(data);
    if let Some(verdict) = parts.get(2) {
        return statement::verdict(verdict).map(Data::Verdict);
    }
    let bytes = parts.get(1)?;
    Some(if layout.has_data_ranges {
        let (first, last) = bytes.split_at(bytes.len() / 2);
        Data::Range(first.into(), last.into())
    } else {
        Data::Value(bytes.into())
    })
}
