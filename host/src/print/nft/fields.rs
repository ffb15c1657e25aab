//! What is loaded, by the names that nft has for it.

use net::{Family, Proto};

use crate::nft::{
    Bits, CtKey, FibFlags, FibResult, HEADERS, Header, HeaderField, MetaKey, NumgenKind,
    OTHER_META, PayloadBase, SocketKey, Type,
};

use super::known::{Known, Test};

/// Something that can be loaded or written: its name, and what its bytes mean.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) text: String,
    pub(super) of: Type,
    /// The header that it is of.
    pub(super) header: Option<&'static Header>,
}

impl Field {
    pub(super) fn plain(text: impl Into<String>, of: Type) -> Self {
        Self {
            text: text.into(),
            of,
            header: None,
        }
    }
}

/// A place in a packet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) base: PayloadBase,
    pub(super) offset: u32,
    pub(super) len: u32,
}

/// What is known of the packet: exactly, or where the table is not known, by what was tested.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight {
    pub(super) known: Known,
    pub(super) is_exact: bool,
}

impl Sight {
    /// Whether a field of that header can be called by its name.
    fn has(self, header: &Header) -> bool {
        let Known {
            family,
            proto,
            ether,
        } = self.known;
        match header.base {
            PayloadBase::Network => header.family == family || !self.is_exact && family.is_none(),
            PayloadBase::Link => ether || !self.is_exact,
            PayloadBase::Transport | PayloadBase::Inner => {
                let is_named = HEADERS
                    .iter()
                    .any(|other| other.proto.is_some() && other.proto == proto);
                header.proto == proto.filter(|_| is_named)
            }
        }
    }

    fn headers(self, base: PayloadBase) -> impl Iterator<Item = &'static Header> {
        let headers = HEADERS.iter().filter(move |header| header.base == base);
        headers.filter(move |header| self.has(header))
    }
}

/// A piece of a header; one without a name by its place in bits.
pub(super) fn payload(place: Place, sight: Sight) -> Field {
    for header in sight.headers(place.base) {
        let is_it = |field: &&HeaderField| field.bits.is_none() && fits(field, place);
        if let Some(field) = header.fields.iter().find(is_it) {
            return Field {
                text: format!("{} {}", header.word, field.word),
                of: field.of,
                header: Some(header),
            };
        }
    }
    let base = match place.base {
        PayloadBase::Link => "ll",
        PayloadBase::Network => "nh",
        PayloadBase::Transport => "th",
        PayloadBase::Inner => "ih",
    };
    let (offset, len) = (u64::from(place.offset) * 8, u64::from(place.len) * 8);
    Field::plain(format!("@{base},{offset},{len}"), Type::Number(place.len))
}

/// A field that is the bits of a mask.
pub(super) fn bit_field(place: Place, mask: &[u8], sight: Sight) -> Option<(Field, Bits)> {
    for header in sight.headers(place.base) {
        for field in header
            .fields
            .iter()
            .filter(|field| field.offset == place.offset)
        {
            if let Some(bits) = field.bits.filter(|bits| bits.mask == mask) {
                let field = Field {
                    text: format!("{} {}", header.word, field.word),
                    of: field.of,
                    header: Some(header),
                };
                return Some((field, bits));
            }
        }
    }
    None
}

/// The fields that a load without a name is of, one behind the other: nft reads those that
/// are tested one after the other at once.
pub(super) fn pieces(mut place: Place, sight: Sight) -> Option<Vec<Place>> {
    let mut pieces = Vec::new();
    while place.len > 0 {
        let headers = sight.headers(place.base);
        let mut fields = headers.flat_map(|header| header.fields);
        let is_next = |field: &&HeaderField| {
            field.bits.is_none() && field.offset == place.offset && field.len() <= place.len
        };
        let len = fields.find(is_next)?.len();
        pieces.push(Place { len, ..place });
        (place.offset, place.len) = (place.offset + len, place.len - len);
    }
    (pieces.len() > 1).then_some(pieces)
}

/// Whether a load is of this field: all of it, or the whole bytes of a prefix.
fn fits(field: &HeaderField, place: Place) -> bool {
    let is_addr = matches!(field.of, Type::Addr(_));
    // Of the few bytes of a prefix of IPv6 some are other fields of IPv4.
    let least = if field.of == Type::Addr(Family::V6) && field.offset == 8 {
        2
    } else {
        1
    };
    field.offset == place.offset
        && (field.of.len() == place.len || is_addr && (least..field.of.len()).contains(&place.len))
}

/// A key of `meta`.
pub(super) fn meta(key: MetaKey) -> Field {
    let (text, of) = match key {
        MetaKey::Len => ("meta length", Type::HostNumber(4)),
        MetaKey::Protocol => ("meta protocol", Type::EtherType),
        MetaKey::Priority => ("meta priority", Type::ClassId),
        MetaKey::Mark => ("meta mark", Type::Mark),
        MetaKey::Iif => ("iif", Type::IfIndex),
        MetaKey::Oif => ("oif", Type::IfIndex),
        MetaKey::IifName => ("iifname", Type::IfName),
        MetaKey::OifName => ("oifname", Type::IfName),
        MetaKey::IifType => ("meta iiftype", Type::LinkType),
        MetaKey::OifType => ("meta oiftype", Type::LinkType),
        MetaKey::SkUid => ("meta skuid", Type::User),
        MetaKey::SkGid => ("meta skgid", Type::Group),
        MetaKey::NfTrace => ("meta nftrace", Type::Number(1)),
        MetaKey::NfProto => ("meta nfproto", Type::NfProto),
        MetaKey::L4Proto => ("meta l4proto", Type::Proto),
        MetaKey::PktType => ("meta pkttype", Type::PktType),
        MetaKey::IifGroup => ("iifgroup", Type::LinkGroup),
        MetaKey::OifGroup => ("oifgroup", Type::LinkGroup),
        MetaKey::Other(number) => {
            return match OTHER_META.iter().find(|(_, known, _)| *known == number) {
                Some((name, _, of)) => Field::plain(format!("meta {name}"), *of),
                None => Field::plain(format!("[meta {number}]"), Type::Number(4)),
            };
        }
    };
    Field::plain(text, of)
}

/// A key of `ct`, of one direction where it has two.
pub(super) fn ct(key: CtKey, reply: Option<bool>) -> Field {
    let (text, of) = match key {
        CtKey::State => ("state", Type::CtState),
        CtKey::Direction => ("direction", Type::CtDirection),
        CtKey::Status => ("status", Type::CtStatus),
        CtKey::Mark => ("mark", Type::Mark),
        CtKey::L3Proto => ("l3proto", Type::NfProto),
        CtKey::Protocol => ("protocol", Type::Proto),
        CtKey::Src(Some(family)) => (
            of_family(family, "ip saddr", "ip6 saddr"),
            Type::Addr(family),
        ),
        CtKey::Dst(Some(family)) => (
            of_family(family, "ip daddr", "ip6 daddr"),
            Type::Addr(family),
        ),
        CtKey::Src(None) => ("[saddr]", Type::Number(4)),
        CtKey::Dst(None) => ("[daddr]", Type::Number(4)),
        CtKey::SrcPort => ("proto-src", Type::Port),
        CtKey::DstPort => ("proto-dst", Type::Port),
        CtKey::Zone => ("zone", Type::HostNumber(2)),
        CtKey::Other(number) => {
            return Field::plain(format!("[ct {number}]"), Type::Number(4));
        }
    };
    let direction = match reply {
        Some(true) => "reply ",
        Some(false) => "original ",
        None => "",
    };
    Field::plain(format!("ct {direction}{text}"), of)
}

fn of_family(family: Family, v4: &'static str, v6: &'static str) -> &'static str {
    match family {
        Family::V4 => v4,
        Family::V6 => v6,
    }
}

/// A look-up of a route.
pub(super) fn fib(result: FibResult, flags: FibFlags) -> Field {
    let parts = [
        (FibFlags::SADDR, "saddr"),
        (FibFlags::DADDR, "daddr"),
        (FibFlags::MARK, "mark"),
        (FibFlags::IIF, "iif"),
        (FibFlags::OIF, "oif"),
    ];
    let asked: Vec<_> = parts
        .iter()
        .filter(|(bit, _)| flags.has(*bit))
        .map(|(_, name)| *name)
        .collect();
    let is_presence = flags.has(FibFlags::PRESENT);
    let (word, of) = match result {
        FibResult::Oif => ("oif", Type::IfIndex),
        FibResult::OifName => ("oifname", Type::IfName),
        FibResult::AddrType => ("type", Type::FibType),
    };
    let of = if is_presence { Type::Presence } else { of };
    Field::plain(format!("fib {} {word}", asked.join(" . ")), of)
}

/// A number that is drawn or counted.
pub(super) fn numgen(kind: NumgenKind, modulus: u32, offset: u32) -> Field {
    let kind = match kind {
        NumgenKind::Incremental => "inc",
        NumgenKind::Random => "random",
    };
    let offset = match offset {
        0 => String::new(),
        offset => format!(" offset {offset}"),
    };
    Field::plain(
        format!("numgen {kind} mod {modulus}{offset}"),
        Type::HostNumber(4),
    )
}

pub(super) fn socket(key: SocketKey) -> Field {
    let (name, of) = match key {
        SocketKey::Transparent => ("socket transparent", Type::Number(1)),
        SocketKey::Mark => ("socket mark", Type::Mark),
        SocketKey::Wildcard => ("socket wildcard", Type::Number(1)),
        SocketKey::Cgroup => ("[socket cgroupv2]", Type::HostNumber(8)),
    };
    Field::plain(name.to_owned(), of)
}

/// What a test of a field tells of the packet's protocols.
pub(super) fn told(place: Place, data: &[u8]) -> Option<Test> {
    Some(match (place.base, place.offset, data) {
        (PayloadBase::Network, 6 | 9, [number]) => Test::Proto(Proto(*number)),
        (PayloadBase::Link, 12, [0x08, 0x00]) => Test::Family(Family::V4),
        (PayloadBase::Link, 12, [0x86, 0xdd]) => Test::Family(Family::V6),
        _ => return None,
    })
}
