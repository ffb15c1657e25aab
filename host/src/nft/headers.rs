//! The headers that nft has names for, and their fields.

use net::{Family, Proto};

use super::{PayloadBase, Type};

/// A header.
#[derive(Debug)]
pub(crate) struct Header {
    /// Its name.
    pub(crate) word: &'static str,
    /// Which layer it is of.
    pub(crate) base: PayloadBase,
    /// The family that it is there in.
    pub(crate) family: Option<Family>,
    /// The transport protocol that it is of.
    pub(crate) proto: Option<Proto>,
    /// Its fields.
    pub(crate) fields: &'static [HeaderField],
}

/// A field of a header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeaderField {
    /// Its name.
    pub(crate) word: &'static str,
    /// Where it begins, in bytes.
    pub(crate) offset: u32,
    /// Its type.
    pub(crate) of: Type,
    /// Where it is no whole bytes: which bits it is.
    pub(crate) bits: Option<Bits>,
}

/// Some bits of the bytes that are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bits {
    /// The bits, in the bytes that are loaded.
    pub(crate) mask: &'static [u8],
    /// How far up from the lowest bit they begin.
    pub(crate) shift: u32,
}

impl HeaderField {
    /// The bytes that are loaded for it.
    pub(crate) fn len(&self) -> u32 {
        self.bits.map_or(self.of.len(), |bits| {
            u32::try_from(bits.mask.len()).unwrap_or(u32::MAX)
        })
    }
}

/// The header of that name.
pub(crate) fn header(word: &str) -> Option<&'static Header> {
    HEADERS.iter().find(|header| header.word == word)
}

const fn field(word: &'static str, offset: u32, of: Type) -> HeaderField {
    HeaderField {
        word,
        offset,
        of,
        bits: None,
    }
}

const fn bits(
    word: &'static str,
    offset: u32,
    of: Type,
    (mask, shift): (&'static [u8], u32),
) -> HeaderField {
    HeaderField {
        bits: Some(Bits { mask, shift }),
        ..field(word, offset, of)
    }
}

const fn of_ip(word: &'static str, family: Family, fields: &'static [HeaderField]) -> Header {
    Header {
        word,
        base: PayloadBase::Network,
        family: Some(family),
        proto: None,
        fields,
    }
}

const fn transport(
    word: &'static str,
    proto: Option<Proto>,
    fields: &'static [HeaderField],
) -> Header {
    Header {
        word,
        base: PayloadBase::Transport,
        family: None,
        proto,
        fields,
    }
}

/// All of them. Of two that a load may be of the first is meant.
pub(crate) const HEADERS: [Header; 11] = [
    of_ip("ip", Family::V4, &IP),
    of_ip("ip6", Family::V6, &IP6),
    transport("tcp", Some(Proto::TCP), &TCP),
    transport("udp", Some(Proto::UDP), &UDP),
    transport("sctp", Some(Proto::SCTP), &PORTS),
    transport("udplite", Some(Proto(136)), &PORTS),
    transport("dccp", Some(Proto(33)), &PORTS),
    Header {
        family: Some(Family::V4),
        ..transport("icmp", Some(Proto::ICMP), &ICMP)
    },
    Header {
        family: Some(Family::V6),
        ..transport("icmpv6", Some(Proto::ICMP6), &ICMP6)
    },
    transport("th", None, &PORTS),
    Header {
        base: PayloadBase::Link,
        ..transport("ether", None, &ETHER)
    },
];

const IP: [HeaderField; 11] = [
    field("saddr", 12, Type::Addr(Family::V4)),
    field("daddr", 16, Type::Addr(Family::V4)),
    field("protocol", 9, Type::Proto),
    field("ttl", 8, Type::Number(1)),
    field("id", 4, Type::Number(2)),
    field("length", 2, Type::Number(2)),
    field("frag-off", 6, Type::Number(2)),
    bits("version", 0, Type::Number(1), (&[0xf0], 4)),
    bits("hdrlength", 0, Type::Number(1), (&[0x0f], 0)),
    bits("dscp", 1, Type::Dscp, (&[0xfc], 2)),
    field("checksum", 10, Type::Number(2)),
];
const IP6: [HeaderField; 7] = [
    field("saddr", 8, Type::Addr(Family::V6)),
    field("daddr", 24, Type::Addr(Family::V6)),
    field("nexthdr", 6, Type::Proto),
    field("hoplimit", 7, Type::Number(1)),
    field("length", 4, Type::Number(2)),
    bits("version", 0, Type::Number(1), (&[0xf0], 4)),
    bits("dscp", 0, Type::Dscp, (&[0x0f, 0xc0], 6)),
];
const PORTS: [HeaderField; 2] = [field("sport", 0, Type::Port), field("dport", 2, Type::Port)];
const UDP: [HeaderField; 3] = [PORTS[0], PORTS[1], field("length", 4, Type::Number(2))];
const TCP: [HeaderField; 4] = [
    PORTS[0],
    PORTS[1],
    field("flags", 13, Type::TcpFlags),
    field("window", 14, Type::Number(2)),
];
const ICMP: [HeaderField; 2] = [
    field("type", 0, Type::IcmpType(Family::V4)),
    field("code", 1, Type::IcmpCode(Family::V4)),
];
const ICMP6: [HeaderField; 2] = [
    field("type", 0, Type::IcmpType(Family::V6)),
    field("code", 1, Type::IcmpCode(Family::V6)),
];
const ETHER: [HeaderField; 3] = [
    field("saddr", 6, Type::Ether),
    field("daddr", 0, Type::Ether),
    field("type", 12, Type::EtherType),
];

/// Keys of `meta` that have a name and no variant: the name, `NFT_META_*`, and the type.
pub(crate) const OTHER_META: [(&str, u32, Type); 5] = [
    ("ibrname", 17, Type::IfName),
    ("obrname", 18, Type::IfName),
    ("cpu", 20, Type::HostNumber(4)),
    ("cgroup", 23, Type::HostNumber(4)),
    ("sdifname", 34, Type::IfName),
];
