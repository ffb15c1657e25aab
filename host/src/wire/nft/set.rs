//! A set or map: what its keys consist of and what it holds.

use super::elements::{self, Part};
use super::expr::Decoder;
use super::{text_of, userdata};
use crate::nft::{DataKind, Set};
use crate::wire::attr::{Attrs, Table};

/// Set flags.
const ANONYMOUS: u32 = 1;
const INTERVAL: u32 = 4;
const MAP: u32 = 8;
const DYNAMIC: u32 = 0x20;
const OBJECT: u32 = 0x40;

/// The data type of verdicts.
const VERDICTS: u32 = 0xffff_ff00;

/// How the elements of a set are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// Bytes of each field of the key.
    pub(super) fields: Vec<u32>,
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
    let fields = described(attributes).or_else(|| by_type(key_type, key_len));
    let known = fields.is_some();
    let fields = fields.unwrap_or_else(|| vec![key_len]);
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
    let layout = Layout {
        has_boundaries: has(INTERVAL) && fields.len() == 1,
        has_data_ranges: data_interval.is_some_and(|value| value.iter().any(|&b| b != 0)),
        fields,
    };
    let read = elements::read(&layout, parts, decoder);
    Set {
        name: attributes.get(NAME).map(text_of).unwrap_or_default().into(),
        key_fields: layout.fields,
        data,
        anonymous: has(ANONYMOUS),
        interval: has(INTERVAL),
        dynamic: has(DYNAMIC),
        unread: !known || !attributes.is_whole || !read.is_whole,
        elements: read.elements,
    }
}

/// Field lengths as the set describes them; only concatenated ranges do.
fn described(attributes: &Table<'_, 20>) -> Option<Vec<u32>> {
    const DESC: u16 = 9;
    const CONCAT: u16 = 2;
    const LEN: u16 = 1;
    let concat = Table::<3>::of(attributes.get(DESC)?).get(CONCAT)?;
    Attrs::of(concat)
        .map(|field| Table::<2>::of(field.value).be32(LEN))
        .collect()
}

/// Field lengths by the type that tools write: six bits for each field of a concatenation.
///
/// A type without a length of its own takes what the others leave, padding included, if it
/// is the only such one.
fn by_type(key_type: u32, key_len: u32) -> Option<Vec<u32>> {
    const BITS: u32 = 6;
    if key_type >> BITS == 0 {
        return Some(vec![key_len]);
    }
    let types: Vec<u32> = (0..=u32::BITS / BITS)
        .rev()
        .map(|place| key_type >> (place * BITS) & 0x3f)
        .skip_while(|&number| number == 0)
        .collect();
    let lens: Vec<Option<u32>> = types.iter().map(|&number| type_len(number)).collect();
    let taken: u32 = lens
        .iter()
        .flatten()
        .map(|len| len.next_multiple_of(4))
        .sum();
    let left = key_len.checked_sub(taken)?;
    let fits = match lens.iter().filter(|len| len.is_none()).count() {
        0 => left == 0,
        1 => left > 0,
        _ => false,
    };
    fits.then(|| lens.into_iter().map(|len| len.unwrap_or(left)).collect())
}

/// Bytes of a value of one of nft's types (`enum datatypes`, nftables: include/datatype.h);
/// absent for integers and texts, which can have any.
fn type_len(number: u32) -> Option<u32> {
    Some(match number {
        // IPv6 address, conntrack label, interface name.
        8 | 30 | 41 => 16,
        // Date, cgroup.
        43 | 46 => 8,
        // Link-layer address of Ethernet.
        9 => 6,
        // IPv4 address, mark, interface index, realm, class, user, group, conntrack state and
        // status, device group, address type, conntrack event, hour.
        7 | 19 | 20 | 22..=26 | 28 | 35 | 38 | 40 | 44 => 4,
        // Ethernet type, ARP operation, port, hardware type.
        10 | 11 | 13 | 21 => 2,
        // Family, protocol, ICMP type and code, flags, direction, packet type, DSCP, ….
        2 | 12 | 14..=17 | 27 | 29 | 31..=34 | 36 | 37 | 39 | 42 | 45 => 1,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_concatenated_type_has_six_bits_a_field() {
        let addr_proto_port = (7 << 12) + (12 << 6) + 13;
        assert_eq!(by_type(addr_proto_port, 12), Some(vec![4, 1, 2]));
    }

    #[test]
    fn an_integer_takes_what_the_other_fields_leave() {
        assert_eq!(by_type(7 << 6 | 4, 8), Some(vec![4, 4]));
        assert_eq!(by_type(4 << 6 | 4, 8), None);
    }

    #[test]
    fn a_plain_key_is_as_long_as_the_set_says() {
        assert_eq!(by_type(7, 4), Some(vec![4]));
        assert_eq!(by_type(4, 3), Some(vec![3]));
    }

    #[test]
    fn a_type_that_contradicts_the_length_is_not_believed() {
        assert_eq!(by_type((7 << 6) + 13, 12), None);
    }
}
