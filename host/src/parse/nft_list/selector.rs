//! What a rule reads: fields of headers, `meta`, `ct`, `fib`, `numgen`.

use net::{Family, Proto};

use crate::nft::{CtKey, Expr, FibFlags, FibResult, MetaKey, NumgenKind, PayloadBase, Register};

use super::kinds::Kind;
use super::tokens::Cursor;

/// A value that a rule reads.
#[derive(Debug, Clone)]
pub(super) struct Selector {
    /// What puts it into the register it is given.
    pub(super) load: Load,
    /// Its type.
    pub(super) kind: Kind,
    /// What has to be so for it to be there: listings hide these tests.
    pub(super) needs: Needs,
}

/// How a value is read.
#[derive(Debug, Clone)]
pub(super) enum Load {
    Payload(PayloadBase, u32, u32),
    Meta(MetaKey),
    Ct(CtKey, Option<bool>),
    Fib(FibResult, FibFlags),
    Numgen(NumgenKind, u32, u32),
}

/// The protocols that a header is of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) family: Option<Family>,
    pub(super) proto: Option<Proto>,
}

impl Load {
    pub(super) fn into(self, dreg: Register) -> Expr {
        match self {
            Self::Payload(base, offset, len) => Expr::Payload {
                dreg,
                base,
                offset,
                len,
            },
            Self::Meta(key) => Expr::Meta { dreg, key },
            Self::Ct(key, reply) => Expr::Ct { dreg, key, reply },
            Self::Fib(result, flags) => Expr::Fib {
                dreg,
                result,
                flags,
            },
            Self::Numgen(kind, modulus, offset) => Expr::Numgen {
                dreg,
                kind,
                modulus,
                offset,
            },
        }
    }
}

/// Takes a selector; nothing is taken where none begins here.
pub(super) fn selector(cursor: &mut Cursor<'_, '_>) -> Option<Selector> {
    let before = cursor.clone();
    let found = read(cursor);
    if found.is_none() {
        *cursor = before;
    }
    found
}

fn read(cursor: &mut Cursor<'_, '_>) -> Option<Selector> {
    let word = cursor.word();
    if let Some(raw) = word.strip_prefix('@') {
        return raw_payload(cursor, raw);
    }
    cursor.take()?;
    match word {
        "ct" => conntrack(cursor),
        "fib" => fib(cursor),
        "numgen" => numgen(cursor),
        "meta" => {
            let key = cursor.take()?;
            let (key, kind) = meta_key(&key.text, cursor)?;
            Some(plain(Load::Meta(key), kind))
        }
        // Keys of `meta` that may stand without it.
        "iif" | "oif" | "iifname" | "oifname" | "iifgroup" | "oifgroup" | "iiftype" | "oiftype"
        | "mark" | "skuid" | "skgid" | "pkttype" => {
            let (key, kind) = meta_key(word, cursor)?;
            Some(plain(Load::Meta(key), kind))
        }
        _ => header(cursor, &protocol(word)?),
    }
}

/// A protocol whose header is read.
struct Protocol {
    fields: &'static [Field],
    base: PayloadBase,
    needs: Needs,
}

fn protocol(word: &str) -> Option<Protocol> {
    let (v4, v6) = (Some(Family::V4), Some(Family::V6));
    let network = PayloadBase::Network;
    let transport = PayloadBase::Transport;
    let (fields, base, family, proto): (&[Field], _, _, _) = match word {
        "ip" => (&IP, network, v4, None),
        "ip6" => (&IP6, network, v6, None),
        "tcp" => (&TCP, transport, None, Some(Proto::TCP)),
        "udp" => (&PORTS, transport, None, Some(Proto::UDP)),
        "sctp" => (&PORTS, transport, None, Some(Proto::SCTP)),
        "udplite" => (&PORTS, transport, None, Some(Proto(136))),
        "dccp" => (&PORTS, transport, None, Some(Proto(33))),
        "th" => (&PORTS, transport, None, None),
        "icmp" => (&ICMP, transport, v4, Some(Proto::ICMP)),
        "icmpv6" => (&ICMP6, transport, v6, Some(Proto::ICMP6)),
        "ether" => (&ETHER, PayloadBase::Link, None, None),
        _ => return None,
    };
    Some(Protocol {
        fields,
        base,
        needs: Needs { family, proto },
    })
}

fn plain(load: Load, kind: Kind) -> Selector {
    Selector {
        load,
        kind,
        needs: Needs::default(),
    }
}

/// A field of a header: its name, place in bytes, and type.
type Field = (&'static str, u32, Kind);

const IP: [Field; 7] = [
    ("saddr", 12, Kind::Addr(Family::V4)),
    ("daddr", 16, Kind::Addr(Family::V4)),
    ("protocol", 9, Kind::Proto),
    ("ttl", 8, Kind::Number(1)),
    ("id", 4, Kind::Number(2)),
    ("length", 2, Kind::Number(2)),
    ("frag-off", 6, Kind::Number(2)),
];
const IP6: [Field; 5] = [
    ("saddr", 8, Kind::Addr(Family::V6)),
    ("daddr", 24, Kind::Addr(Family::V6)),
    ("nexthdr", 6, Kind::Proto),
    ("hoplimit", 7, Kind::Number(1)),
    ("length", 4, Kind::Number(2)),
];
const PORTS: [Field; 2] = [("sport", 0, Kind::Port), ("dport", 2, Kind::Port)];
const TCP: [Field; 3] = [
    ("sport", 0, Kind::Port),
    ("dport", 2, Kind::Port),
    ("flags", 13, Kind::TcpFlags),
];
const ICMP: [Field; 2] = [
    ("type", 0, Kind::IcmpType(Family::V4)),
    ("code", 1, Kind::IcmpCode(Family::V4)),
];
const ICMP6: [Field; 2] = [
    ("type", 0, Kind::IcmpType(Family::V6)),
    ("code", 1, Kind::IcmpCode(Family::V6)),
];
const ETHER: [Field; 3] = [
    ("saddr", 6, Kind::Ether),
    ("daddr", 0, Kind::Ether),
    ("type", 12, Kind::EtherType),
];

fn header(cursor: &mut Cursor<'_, '_>, of: &Protocol) -> Option<Selector> {
    let mut fields = of.fields.iter();
    let (_, offset, kind) = *fields.find(|(name, ..)| *name == cursor.word())?;
    cursor.take()?;
    Some(Selector {
        load: Load::Payload(of.base, offset, kind.len()),
        kind,
        needs: of.needs,
    })
}

/// `@th,16,16`: base, offset and length in bits.
fn raw_payload(cursor: &mut Cursor<'_, '_>, base: &str) -> Option<Selector> {
    let base = match base {
        "ll" => PayloadBase::Link,
        "nh" => PayloadBase::Network,
        "th" => PayloadBase::Transport,
        "ih" => PayloadBase::Inner,
        _ => return None,
    };
    cursor.take()?;
    let mut number = || {
        let is_comma = cursor.skip(",");
        let number: u32 = cursor.word().parse().ok()?;
        cursor.take()?;
        (is_comma && number.is_multiple_of(8)).then_some(number / 8)
    };
    let (offset, len) = (number()?, number()?);
    Some(plain(Load::Payload(base, offset, len), Kind::Number(len)))
}

fn meta_key(word: &str, after: &Cursor<'_, '_>) -> Option<(MetaKey, Kind)> {
    let is_compared = matches!(after.word(), "==" | "!=");
    let is_number = after
        .word_after(usize::from(is_compared))
        .parse::<u32>()
        .is_ok();
    Some(match word {
        "mark" => (MetaKey::Mark, Kind::Mark),
        "l4proto" => (MetaKey::L4Proto, Kind::Proto),
        "nfproto" => (MetaKey::NfProto, Kind::NfProto),
        "protocol" => (MetaKey::Protocol, Kind::EtherType),
        // A listing has the index of a link that is not there.
        "iif" if is_number => (MetaKey::Iif, Kind::HostNumber(4)),
        "oif" if is_number => (MetaKey::Oif, Kind::HostNumber(4)),
        "iif" | "iifname" => (MetaKey::IifName, Kind::IfName),
        "oif" | "oifname" => (MetaKey::OifName, Kind::IfName),
        "iifgroup" => (MetaKey::IifGroup, Kind::HostNumber(4)),
        "oifgroup" => (MetaKey::OifGroup, Kind::HostNumber(4)),
        "iiftype" => (MetaKey::IifType, Kind::LinkType),
        "oiftype" => (MetaKey::OifType, Kind::LinkType),
        "skuid" => (MetaKey::SkUid, Kind::HostNumber(4)),
        "skgid" => (MetaKey::SkGid, Kind::HostNumber(4)),
        "pkttype" => (MetaKey::PktType, Kind::PktType),
        "length" => (MetaKey::Len, Kind::HostNumber(4)),
        _ => return None,
    })
}

fn conntrack(cursor: &mut Cursor<'_, '_>) -> Option<Selector> {
    let reply = match cursor.word() {
        "original" => Some(false),
        "reply" => Some(true),
        _ => None,
    };
    if reply.is_some() {
        cursor.take()?;
    }
    let family = match cursor.word() {
        "ip" => Some(Family::V4),
        "ip6" => Some(Family::V6),
        _ => None,
    };
    if family.is_some() {
        cursor.take()?;
    }
    let addr = Kind::Addr(family.unwrap_or(Family::V4));
    let (key, kind) = match cursor.word() {
        "state" => (CtKey::State, Kind::CtState),
        "status" => (CtKey::Status, Kind::CtStatus),
        "mark" => (CtKey::Mark, Kind::Mark),
        "direction" => (CtKey::Direction, Kind::CtDirection),
        "zone" => (CtKey::Zone, Kind::HostNumber(2)),
        "l3proto" => (CtKey::L3Proto, Kind::NfProto),
        "protocol" => (CtKey::Protocol, Kind::Proto),
        "saddr" if family.is_some() => (CtKey::Src(family), addr),
        "daddr" if family.is_some() => (CtKey::Dst(family), addr),
        "proto-src" => (CtKey::SrcPort, Kind::Port),
        "proto-dst" => (CtKey::DstPort, Kind::Port),
        _ => return None,
    };
    cursor.take()?;
    Some(plain(Load::Ct(key, reply), kind))
}

fn fib(cursor: &mut Cursor<'_, '_>) -> Option<Selector> {
    let mut flags = 0;
    loop {
        flags |= match cursor.word() {
            "saddr" => FibFlags::SADDR,
            "daddr" => FibFlags::DADDR,
            "mark" => FibFlags::MARK,
            "iif" => FibFlags::IIF,
            "oif" => FibFlags::OIF,
            _ => return None,
        };
        cursor.take()?;
        if !cursor.skip(".") {
            break;
        }
    }
    let (result, kind) = match cursor.word() {
        "type" => (FibResult::AddrType, Kind::FibType),
        "oif" => (FibResult::Oif, Kind::IfName),
        "oifname" => (FibResult::OifName, Kind::IfName),
        "check" => (FibResult::Oif, Kind::IfName),
        _ => return None,
    };
    cursor.take()?;
    let is_presence = matches!(cursor.word(), "exists" | "missing");
    if is_presence {
        flags |= FibFlags::PRESENT;
    }
    // The index of a link is told by its name, which the other result has.
    let (result, kind) = match result {
        FibResult::Oif | FibResult::OifName if is_presence => (result, Kind::Number(1)),
        FibResult::Oif => (FibResult::OifName, kind),
        result => (result, kind),
    };
    Some(plain(Load::Fib(result, FibFlags(flags)), kind))
}

/// `numgen random mod 2 [offset 1]`.
fn numgen(cursor: &mut Cursor<'_, '_>) -> Option<Selector> {
    let kind = match cursor.word() {
        "random" => NumgenKind::Random,
        "inc" => NumgenKind::Incremental,
        _ => return None,
    };
    cursor.take()?;
    let number = |cursor: &mut Cursor<'_, '_>| -> Option<u32> {
        let number = cursor.word().parse().ok()?;
        cursor.take()?;
        Some(number)
    };
    if !cursor.skip("mod") {
        return None;
    }
    let modulus = number(cursor)?;
    let offset = if cursor.skip("offset") {
        number(cursor)?
    } else {
        0
    };
    Some(plain(
        Load::Numgen(kind, modulus, offset),
        Kind::HostNumber(4),
    ))
}
