//! A set or map: what its keys consist of and what it holds.

use super::elements::{self, Part};
use super::expr::Decoder;
use super::{statement, text_of, userdata};
use crate::nft::{DataKind, Set, SetOptions, Type};
use crate::wire::attr::{Attrs, Table};

/// Set flags.
const ANONYMOUS: u32 = 1;
const CONSTANT: u32 = 2;
const INTERVAL: u32 = 4;
const MAP: u32 = 8;
const TIMEOUTS: u32 = 0x10;
const DYNAMIC: u32 = 0x20;
const OBJECT: u32 = 0x40;

/// The data type of verdicts.
const VERDICTS: u32 = 0xffff_ff00;

/// How the elements of a set are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// The type of each field of the key.
    pub(super) fields: Vec<Type>,
    /// Elements are ends of intervals rather than keys.
    pub(super) has_boundaries: bool,
    /// Values are pairs of lowest and highest.
    pub(super) has_data_ranges: bool,
}

/// Reads a set and its elements; without any part of them they count as not read.
pub(super) fn read(attributes: &Table<'_, 20>, parts: &[Part<'_>], decoder: Decoder<'_>) -> Set {
    const NAME: u16 = 2;
    const FLAGS: u16 = 3;
    const KEY_TYPE: u16 = 4;
    const KEY_LEN: u16 = 5;
    const DATA_TYPE: u16 = 6;
    const DATA_LEN: u16 = 7;
    const USERDATA: u16 = 13;
    /// libnftnl: `NFTNL_UDATA_SET_DATA_INTERVAL`.
    const DATA_INTERVAL: u8 = 6;
    let flags = attributes.be32(FLAGS).unwrap_or_default();
    let has = |flag: u32| flags & flag != 0;
    let key_len = attributes.be32(KEY_LEN).unwrap_or_default();
    let key_type = attributes.be32(KEY_TYPE).unwrap_or_default();
    let fields = described(attributes, key_type).or_else(|| Type::numbered(key_type, key_len));
    let known = fields.is_some();
    let fields = fields.unwrap_or_else(|| vec![Type::of(key_type, key_len)]);
    let data = if has(OBJECT) {
        DataKind::Object
    } else if !has(MAP) {
        DataKind::None
    } else if attributes.be32(DATA_TYPE) == Some(VERDICTS) {
        DataKind::Verdict
    } else {
        DataKind::Value(attributes.be32(DATA_LEN).unwrap_or_default())
    };
    let userdata = attributes.get(USERDATA).unwrap_or_default();
    let data_interval = userdata::item(userdata, DATA_INTERVAL);
    let has_data_ranges = data_interval.is_some_and(|value| value.iter().any(|&b| b != 0));
    let data_len = attributes.be32(DATA_LEN).unwrap_or_default();
    let one_len = if has_data_ranges {
        data_len / 2
    } else {
        data_len
    };
    let data_type = attributes.be32(DATA_TYPE).unwrap_or_default();
    let values = match data {
        DataKind::Value(_) => Type::numbered(data_type, one_len).unwrap_or_default(),
        DataKind::None | DataKind::Verdict | DataKind::Object => Vec::new(),
    };
    let layout = Layout {
        has_boundaries: has(INTERVAL) && fields.len() == 1,
        has_data_ranges,
        fields,
    };
    let read = elements::read(&layout, parts, decoder);
    Set {
        name: attributes.get(NAME).map(text_of).unwrap_or_default().into(),
        key: layout.fields,
        data,
        values,
        anonymous: has(ANONYMOUS),
        interval: has(INTERVAL),
        dynamic: has(DYNAMIC),
        unread: !known || !attributes.is_whole || !read.is_whole,
        elements: read.elements,
        options: options(attributes, decoder),
    }
}

/// How a set is kept.
fn options(attributes: &Table<'_, 20>, decoder: Decoder<'_>) -> SetOptions {
    const FLAGS: u16 = 3;
    const POLICY: u16 = 8;
    const DESC: u16 = 9;
    const TIMEOUT: u16 = 11;
    const SWEEP: u16 = 12;
    const USERDATA: u16 = 13;
    const EXPR: u16 = 17;
    const EXPRESSIONS: u16 = 18;
    const SAVES_MEMORY: u32 = 1;
    const SIZE: u16 = 1;
    /// libnftnl: `NFTNL_UDATA_SET_MERGE_ELEMENTS`, `NFTNL_UDATA_SET_COMMENT`.
    const MERGES: u8 = 2;
    const COMMENT: u8 = 7;
    let flags = attributes.be32(FLAGS).unwrap_or_default();
    let userdata = attributes.get(USERDATA).unwrap_or_default();
    let merges = userdata::item(userdata, MERGES);
    let desc = Table::<3>::of(attributes.get(DESC).unwrap_or_default());
    let exprs = statement::stateful(decoder, attributes.get(EXPR), attributes.get(EXPRESSIONS));
    SetOptions {
        constant: flags & CONSTANT != 0,
        expires: flags & TIMEOUTS != 0,
        timeout: attributes.be64(TIMEOUT),
        sweep: attributes.be32(SWEEP),
        size: desc.be32(SIZE).filter(|&size| size != 0),
        saves_memory: attributes.be32(POLICY) == Some(SAVES_MEMORY),
        merges: merges.is_some_and(|value| value.iter().any(|&b| b != 0)),
        exprs: exprs.unwrap_or_default(),
        comment: userdata::item(userdata, COMMENT).map(|text| text_of(text).into()),
    }
}

/// Fields whose lengths the set describes, as only concatenated ranges do.
fn described(attributes: &Table<'_, 20>, key_type: u32) -> Option<Vec<Type>> {
    const DESC: u16 = 9;
    const CONCAT: u16 = 2;
    const LEN: u16 = 1;
    const BITS: usize = 6;
    let concat = Table::<3>::of(attributes.get(DESC)?).get(CONCAT)?;
    let lens: Option<Vec<u32>> = Attrs::of(concat)
        .map(|field| Table::<2>::of(field.value).be32(LEN))
        .collect();
    let lens = lens?;
    let last = lens.len().checked_sub(1)?;
    let types = lens.iter().enumerate().map(|(at, &len)| {
        let place = u32::try_from((last - at) * BITS).unwrap_or(u32::MAX);
        Type::of(key_type.checked_shr(place).unwrap_or_default() & 0x3f, len)
    });
    Some(types.collect())
}
