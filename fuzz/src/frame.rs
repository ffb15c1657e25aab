//! How bytes of one input become the sections of a dump.
//!
//! Netlink messages say by their type which section they belong to, so that an input can hold
//! messages of several sections one behind the other, and stays such an input when a fuzzer
//! adds, removes or moves bytes.

use host::dump::{Dump, section};

/// Sections by the type of their messages (nfnetlink.h, rtnetlink.h).
const BY_TYPE: &[(u16, &str)] = &[
    (16, section::LINKS),
    (20, section::ADDRESSES),
    (24, section::ROUTES),
    (32, section::RULES),
    (104, section::NEXTHOPS),
    (0x0100, section::CONNTRACK),
    (0x0607, section::IPSET_LIST),
    (0x0a00, section::NFT_TABLES),
    (0x0a03, section::NFT_CHAINS),
    (0x0a06, section::NFT_RULES),
    (0x0a09, section::NFT_SETS),
    (0x0a0c, section::NFT_ELEMENTS),
    (0x0a0f, section::NFT_GENERATION),
    (0x0a12, section::NFT_OBJECTS),
    (0x0a16, section::NFT_FLOWTABLES),
];

/// The bytes of a header, length first.
const HEADER: usize = 16;

/// A dump of netlink messages. `otherwise` takes those of no known type, and what stands
/// behind a message whose length is none.
pub(crate) fn dump(mut bytes: &[u8], otherwise: &str) -> Dump {
    let mut dump = Dump::default();
    while !bytes.is_empty() {
        let (message, rest) = bytes.split_at(first(bytes));
        let kind = message.get(4..6).map(|b| u16::from_ne_bytes([b[0], b[1]]));
        let known = BY_TYPE.iter().find(|(known, _)| Some(*known) == kind);
        let name = known.map_or(otherwise, |(_, name)| name);
        let section = dump.sections.entry(name.to_owned()).or_default();
        section.extend_from_slice(message);
        bytes = rest;
    }
    dump
}

/// The length of the first message with its padding; all there is where it makes no sense.
pub(crate) fn first(bytes: &[u8]) -> usize {
    let Some(&[a, b, c, d]) = bytes.get(..4) else {
        return bytes.len();
    };
    let len = u32::from_ne_bytes([a, b, c, d]) as usize;
    if len < HEADER || len > bytes.len() {
        return bytes.len();
    }
    len.next_multiple_of(4).min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(len: u32, kind: u16) -> Vec<u8> {
        let mut bytes = len.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.resize(20, 7);
        bytes
    }

    #[test]
    fn a_message_goes_to_the_section_of_its_type() {
        let bytes = [message(18, 24), message(20, 16), message(20, 9)].concat();
        let dump = dump(&bytes, "rest");
        assert_eq!(dump.section(section::ROUTES), message(18, 24));
        assert_eq!(dump.section(section::LINKS), message(20, 16));
        assert_eq!(dump.section("rest"), message(20, 9));
    }

    #[test]
    fn a_message_without_a_sane_length_takes_the_rest() {
        let bytes = [message(3, 24), message(20, 16)].concat();
        let dump = dump(&bytes, "rest");
        assert_eq!(dump.section(section::ROUTES), bytes);
        assert_eq!(first(b"ab"), 2);
    }
}
