//! What a rule reads: fields of headers, `meta`, `ct`, `fib`, `numgen`.

use net::{Family, Proto};

use crate::nft::{
    Bits, CtKey, Expr, FibFlags, FibResult, Header, MetaKey, NumgenKind, OTHER_META, PayloadBase,
    Register, SocketKey, Type, header,
};

use super::tokens::Cursor;

/// A value that a rule reads.
#[derive(Debug, Clone)]
pub(super) struct Selector {
    /// What puts it into the register it is given.
    pub(super) load: Load,
    /// Its type.
    pub(super) kind: Type,
    /// Which bits of what is loaded it is.
    pub(super) bits: Option<Bits>,
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
    Socket(SocketKey),
    /// What is not modelled, by the kernel's name.
    Gap(&'static str),
}

/// The protocols that a header is of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) family: Option<Family>,
    pub(super) proto: Option<Proto>,
    /// Frames of Ethernet.
    pub(super) ether: bool,
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
            Self::Socket(key) => Expr::Socket { dreg, key },
            Self::Gap(name) => Expr::Gap {
                name: name.into(),
                dreg: Some(dreg),
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
        "socket" => socket(cursor),
        "jhash" | "symhash" => hash(cursor),
        "exthdr" => {
            cursor.take()?;
            Some(plain(Load::Gap("exthdr"), Type::Presence))
        }
        "tcp" if cursor.skip("option") => tcp_option(cursor),
        "meta" => {
            let key = cursor.take()?;
            let (key, kind) = meta_key(&key.text, cursor)?;
            Some(plain(Load::Meta(key), kind))
        }
        // Keys of `meta` that may stand without it.
        "iif" | "oif" | "iifname" | "oifname" | "iifgroup" | "oifgroup" | "iiftype" | "oiftype"
        | "mark" | "skuid" | "skgid" | "pkttype" | "ibrname" | "obrname" | "cgroup" | "cpu" => {
            let (key, kind) = meta_key(word, cursor)?;
            Some(plain(Load::Meta(key), kind))
        }
        _ => field(cursor, header(word)?),
    }
}

fn plain(load: Load, kind: Type) -> Selector {
    Selector {
        load,
        kind,
        bits: None,
        needs: Needs::default(),
    }
}

fn field(cursor: &mut Cursor<'_, '_>, of: &Header) -> Option<Selector> {
    let mut fields = of.fields.iter();
    let field = fields.find(|field| field.word == cursor.word())?;
    cursor.take()?;
    Some(Selector {
        load: Load::Payload(of.base, field.offset, field.len()),
        kind: field.of,
        bits: field.bits,
        needs: Needs {
            family: of.family,
            proto: of.proto,
            ether: of.base == PayloadBase::Link,
        },
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
    Some(plain(Load::Payload(base, offset, len), Type::Number(len)))
}

fn meta_key(word: &str, after: &Cursor<'_, '_>) -> Option<(MetaKey, Type)> {
    let is_compared = matches!(after.word(), "==" | "!=");
    let is_number = after
        .word_after(usize::from(is_compared))
        .parse::<u32>()
        .is_ok();
    Some(match word {
        "mark" => (MetaKey::Mark, Type::Mark),
        "l4proto" => (MetaKey::L4Proto, Type::Proto),
        "nfproto" => (MetaKey::NfProto, Type::NfProto),
        "protocol" => (MetaKey::Protocol, Type::EtherType),
        // A listing has the index of a link that is not there.
        "iif" if is_number => (MetaKey::Iif, Type::IfIndex),
        "oif" if is_number => (MetaKey::Oif, Type::IfIndex),
        "iif" | "iifname" => (MetaKey::IifName, Type::IfName),
        "oif" | "oifname" => (MetaKey::OifName, Type::IfName),
        "iifgroup" => (MetaKey::IifGroup, Type::LinkGroup),
        "oifgroup" => (MetaKey::OifGroup, Type::LinkGroup),
        "iiftype" => (MetaKey::IifType, Type::LinkType),
        "oiftype" => (MetaKey::OifType, Type::LinkType),
        "skuid" => (MetaKey::SkUid, Type::User),
        "skgid" => (MetaKey::SkGid, Type::Group),
        "pkttype" => (MetaKey::PktType, Type::PktType),
        "length" => (MetaKey::Len, Type::HostNumber(4)),
        "priority" => (MetaKey::Priority, Type::ClassId),
        word => {
            let (_, number, kind) = *OTHER_META.iter().find(|(name, ..)| *name == word)?;
            (MetaKey::Other(number), kind)
        }
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
    let addr = Type::Addr(family.unwrap_or(Family::V4));
    let (key, kind) = match cursor.word() {
        "state" => (CtKey::State, Type::CtState),
        "status" => (CtKey::Status, Type::CtStatus),
        "mark" => (CtKey::Mark, Type::Mark),
        "direction" => (CtKey::Direction, Type::CtDirection),
        "zone" => (CtKey::Zone, Type::HostNumber(2)),
        "l3proto" => (CtKey::L3Proto, Type::NfProto),
        "protocol" => (CtKey::Protocol, Type::Proto),
        "saddr" if family.is_some() => (CtKey::Src(family), addr),
        "daddr" if family.is_some() => (CtKey::Dst(family), addr),
        "proto-src" => (CtKey::SrcPort, Type::Port),
        "proto-dst" => (CtKey::DstPort, Type::Port),
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
        "type" => (FibResult::AddrType, Type::FibType),
        "oif" => (FibResult::Oif, Type::IfName),
        "oifname" => (FibResult::OifName, Type::IfName),
        "check" => (FibResult::Oif, Type::IfName),
        _ => return None,
    };
    cursor.take()?;
    let is_presence = matches!(cursor.word(), "exists" | "missing");
    if is_presence {
        flags |= FibFlags::PRESENT;
    }
    // The index of a link is told by its name, which the other result has.
    let (result, kind) = match result {
        FibResult::Oif | FibResult::OifName if is_presence => (result, Type::Presence),
        FibResult::Oif => (FibResult::OifName, kind),
        result => (result, kind),
    };
    Some(plain(Load::Fib(result, FibFlags(flags)), kind))
}

fn socket(cursor: &mut Cursor<'_, '_>) -> Option<Selector> {
    let (key, kind) = match &*cursor.take()?.text {
        "transparent" => (SocketKey::Transparent, Type::Number(1)),
        "mark" => (SocketKey::Mark, Type::Mark),
        "wildcard" => (SocketKey::Wildcard, Type::Number(1)),
        _ => return None,
    };
    Some(plain(Load::Socket(key), kind))
}

/// `jhash FIELDS mod N [seed S] [offset O]`, `symhash mod N [offset O]`.
fn hash(cursor: &mut Cursor<'_, '_>) -> Option<Selector> {
    while &*cursor.take()?.text != "mod" {}
    cursor.take()?;
    while cursor.skip("seed") || cursor.skip("offset") {
        cursor.take()?;
    }
    Some(plain(Load::Gap("hash"), Type::HostNumber(4)))
}

/// `tcp option NAME` that is there or not, or a field of it.
fn tcp_option(cursor: &mut Cursor<'_, '_>) -> Option<Selector> {
    cursor.take()?;
    let kind = if matches!(cursor.word(), "exists" | "missing") {
        Type::Presence
    } else {
        cursor.take()?;
        Type::Number(2)
    };
    Some(plain(Load::Gap("exthdr"), kind))
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
        Type::HostNumber(4),
    ))
}
