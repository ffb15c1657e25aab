//! What is loaded, by the names that nft has for it.

use net::Proto;

use crate::nft::{CtKey, MetaKey, PayloadBase};

use super::values::Kind;

/// Something that can be loaded or written.
#[derive(Debug, Clone)]
pub(super) struct Field {
    /// Its name.
    pub(super) text: String,
    /// What its bytes mean.
    pub(super) kind: Kind,
    /// Its name tells the transport protocol.
    pub(super) is_of_proto: bool,
    /// Its name tells the family.
    pub(super) is_of_ip: bool,
}

impl Field {
    pub(super) fn plain(text: impl Into<String>, kind: Kind) -> Self {
        Self {
            text: text.into(),
            kind,
            is_of_proto: false,
            is_of_ip: false,
        }
    }
}

/// A piece of a header; one without a name by its place in bits.
pub(super) fn payload(base: PayloadBase, offset: u32, len: u32, proto: Option<Proto>) -> Field {
    let named = match base {
        PayloadBase::Network => network(offset, len),
        PayloadBase::Transport => transport(offset, len, proto),
        PayloadBase::Link => link(offset, len),
        PayloadBase::Inner => None,
    };
    named.unwrap_or_else(|| {
        let base = match base {
            PayloadBase::Link => "ll",
            PayloadBase::Network => "nh",
            PayloadBase::Transport => "th",
            PayloadBase::Inner => "ih",
        };
        let bits = (u64::from(offset) * 8, u64::from(len) * 8);
        Field::plain(format!("@{base},{},{}", bits.0, bits.1), Kind::Bytes)
    })
}

fn network(offset: u32, len: u32) -> Option<Field> {
    let (text, kind) = match (offset, len) {
        (12, 1..=4) => ("ip saddr", Kind::Ipv4),
        (16, 1..=4) => ("ip daddr", Kind::Ipv4),
        (8, 2..=16) => ("ip6 saddr", Kind::Ipv6),
        (24, 1..=16) => ("ip6 daddr", Kind::Ipv6),
        (9, 1) => ("ip protocol", Kind::Proto),
        (6, 1) => ("ip6 nexthdr", Kind::Proto),
        (8, 1) => ("ip ttl", Kind::NetNumber),
        (7, 1) => ("ip6 hoplimit", Kind::NetNumber),
        (2, 2) => ("ip length", Kind::NetNumber),
        (6, 2) => ("ip frag-off", Kind::Bytes),
        _ => return None,
    };
    Some(Field {
        is_of_ip: true,
        ..Field::plain(text, kind)
    })
}

fn transport(offset: u32, len: u32, proto: Option<Proto>) -> Option<Field> {
    let is_icmp = matches!(proto, Some(Proto::ICMP | Proto::ICMP6));
    let name = match proto {
        Some(Proto::ICMP6) => "icmpv6".to_owned(),
        Some(proto) if proto.has_ports() || is_icmp => proto.to_string(),
        _ => "th".to_owned(),
    };
    let (field, kind) = match (offset, len) {
        (0, 1) if is_icmp => ("type", Kind::NetNumber),
        (1, 1) if is_icmp => ("code", Kind::NetNumber),
        (0, 2) if !is_icmp => ("sport", Kind::Port),
        (2, 2) if !is_icmp => ("dport", Kind::Port),
        (13, 1) if proto == Some(Proto::TCP) => ("flags", Kind::TcpFlags),
        _ => return None,
    };
    Some(Field {
        is_of_proto: name != "th",
        ..Field::plain(format!("{name} {field}"), kind)
    })
}

fn link(offset: u32, len: u32) -> Option<Field> {
    let (text, kind) = match (offset, len) {
        (0, 6) => ("ether daddr", Kind::Mac),
        (6, 6) => ("ether saddr", Kind::Mac),
        (12, 2) => ("ether type", Kind::Bytes),
        _ => return None,
    };
    Some(Field::plain(text, kind))
}

/// A key of `meta`.
pub(super) fn meta(key: MetaKey) -> Field {
    let (text, kind) = match key {
        MetaKey::Len => ("meta length", Kind::Number),
        MetaKey::Protocol => ("meta protocol", Kind::Bytes),
        MetaKey::Priority => ("meta priority", Kind::Mark),
        MetaKey::Mark => ("meta mark", Kind::Mark),
        MetaKey::Iif => ("iif", Kind::Number),
        MetaKey::Oif => ("oif", Kind::Number),
        MetaKey::IifName => ("iifname", Kind::Name),
        MetaKey::OifName => ("oifname", Kind::Name),
        MetaKey::IifType => ("iiftype", Kind::Number),
        MetaKey::OifType => ("oiftype", Kind::Number),
        MetaKey::SkUid => ("meta skuid", Kind::Number),
        MetaKey::SkGid => ("meta skgid", Kind::Number),
        MetaKey::NfTrace => ("meta nftrace", Kind::Number),
        MetaKey::NfProto => ("meta nfproto", Kind::Family),
        MetaKey::L4Proto => ("meta l4proto", Kind::Proto),
        MetaKey::PktType => ("meta pkttype", Kind::Number),
        MetaKey::IifGroup => ("iifgroup", Kind::Number),
        MetaKey::OifGroup => ("oifgroup", Kind::Number),
        MetaKey::Other(number) => {
            return Field::plain(format!("[meta {number}]"), Kind::Bytes);
        }
    };
    Field::plain(text, kind)
}

/// A key of `ct`, of one direction where it has two.
pub(super) fn ct(key: CtKey, reply: Option<bool>) -> Field {
    let (text, kind) = match key {
        CtKey::State => ("state", Kind::CtState),
        CtKey::Direction => ("direction", Kind::Direction),
        CtKey::Status => ("status", Kind::CtStatus),
        CtKey::Mark => ("mark", Kind::Mark),
        CtKey::L3Proto => ("l3proto", Kind::Family),
        CtKey::Protocol => ("protocol", Kind::Proto),
        CtKey::Src(_) => ("saddr", Kind::Bytes),
        CtKey::Dst(_) => ("daddr", Kind::Bytes),
        CtKey::SrcPort => ("proto-src", Kind::Port),
        CtKey::DstPort => ("proto-dst", Kind::Port),
        CtKey::Zone => ("zone", Kind::Number),
        CtKey::Other(number) => {
            return Field::plain(format!("[ct {number}]"), Kind::Bytes);
        }
    };
    let direction = match reply {
        Some(true) => "reply ",
        Some(false) => "original ",
        None => "",
    };
    Field::plain(format!("ct {direction}{text}"), kind)
}
