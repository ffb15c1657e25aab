//! The words that nft has for values, by type.

use net::Family;

use super::Type;

impl Type {
    /// Names of values of this type.
    pub(crate) fn names(self) -> &'static [(&'static str, u64)] {
        match self {
            Self::CtState => &CT_STATES,
            Self::CtStatus => &CT_STATUSES,
            Self::CtDirection => &[("original", 0), ("reply", 1)],
            Self::EtherType => &ETHER_TYPES,
            Self::IcmpType(Family::V4) => &ICMP_TYPES,
            Self::IcmpType(Family::V6) => &ICMP6_TYPES,
            Self::IcmpCode(Family::V4) => &ICMP_CODES,
            Self::IcmpCode(Family::V6) => &ICMP6_CODES,
            Self::TcpFlags => &TCP_FLAGS,
            Self::PktType => &PKT_TYPES,
            Self::FibType => &FIB_TYPES,
            Self::NfProto => &[("ipv4", 2), ("ipv6", 10)],
            Self::LinkType => &LINK_TYPES,
            Self::LinkGroup => &[("default", 0)],
            Self::Dscp => &DSCPS,
            Self::Presence => &[("missing", 0), ("exists", 1)],
            Self::ClassId => &[("root", 0xffff_ffff), ("none", 0)],
            Self::Verdict
            | Self::Number(_)
            | Self::HostNumber(_)
            | Self::Addr(_)
            | Self::Ether
            | Self::Proto
            | Self::Port
            | Self::Mark
            | Self::IfIndex
            | Self::IfName
            | Self::User
            | Self::Group
            | Self::Other(..) => &[],
        }
    }
}

/// Connection states by bit (`NFT_CT_STATE`).
const CT_STATES: [(&str, u64); 5] = [
    ("invalid", 1),
    ("established", 2),
    ("related", 4),
    ("new", 8),
    ("untracked", 64),
];

/// `IPS_*` (nf_conntrack_common.h).
const CT_STATUSES: [(&str, u64); 7] = [
    ("expected", 1),
    ("seen-reply", 2),
    ("assured", 4),
    ("confirmed", 8),
    ("snat", 16),
    ("dnat", 32),
    ("dying", 512),
];

const ETHER_TYPES: [(&str, u64); 5] = [
    ("ip", 0x0800),
    ("arp", 0x0806),
    ("ip6", 0x86dd),
    ("8021q", 0x8100),
    ("8021ad", 0x88a8),
];

const TCP_FLAGS: [(&str, u64); 8] = [
    ("fin", 1),
    ("syn", 2),
    ("rst", 4),
    ("psh", 8),
    ("ack", 16),
    ("urg", 32),
    ("ecn", 64),
    ("cwr", 128),
];

/// `PACKET_*` (if_packet.h).
const PKT_TYPES: [(&str, u64); 5] = [
    ("host", 0),
    ("unicast", 0),
    ("broadcast", 1),
    ("multicast", 2),
    ("other", 3),
];

/// `ARPHRD_*` (if_arp.h).
const LINK_TYPES: [(&str, u64); 5] = [
    ("ether", 1),
    ("ppp", 512),
    ("ipip", 768),
    ("ipip6", 769),
    ("loopback", 772),
];

/// `RTN_*` (rtnetlink.h).
const FIB_TYPES: [(&str, u64); 9] = [
    ("unspec", 0),
    ("unicast", 1),
    ("local", 2),
    ("broadcast", 3),
    ("anycast", 4),
    ("multicast", 5),
    ("blackhole", 6),
    ("unreachable", 7),
    ("prohibit", 8),
];

const ICMP_TYPES: [(&str, u64); 13] = [
    ("echo-reply", 0),
    ("destination-unreachable", 3),
    ("source-quench", 4),
    ("redirect", 5),
    ("echo-request", 8),
    ("router-advertisement", 9),
    ("router-solicitation", 10),
    ("time-exceeded", 11),
    ("parameter-problem", 12),
    ("timestamp-request", 13),
    ("timestamp-reply", 14),
    ("address-mask-request", 17),
    ("address-mask-reply", 18),
];

const ICMP6_TYPES: [(&str, u64); 16] = [
    ("destination-unreachable", 1),
    ("packet-too-big", 2),
    ("time-exceeded", 3),
    ("parameter-problem", 4),
    ("echo-request", 128),
    ("echo-reply", 129),
    ("mld-listener-query", 130),
    ("mld-listener-report", 131),
    ("mld-listener-done", 132),
    ("nd-router-solicit", 133),
    ("nd-router-advert", 134),
    ("nd-neighbor-solicit", 135),
    ("nd-neighbor-advert", 136),
    ("nd-redirect", 137),
    ("router-renumbering", 138),
    ("mld2-listener-report", 143),
];

/// Codes of destination unreachable, as `reject` names them.
pub(crate) const ICMP_CODES: [(&str, u64); 8] = [
    ("net-unreachable", 0),
    ("host-unreachable", 1),
    ("prot-unreachable", 2),
    ("port-unreachable", 3),
    ("frag-needed", 4),
    ("net-prohibited", 9),
    ("host-prohibited", 10),
    ("admin-prohibited", 13),
];

/// The same for IPv6.
pub(crate) const ICMP6_CODES: [(&str, u64); 6] = [
    ("no-route", 0),
    ("admin-prohibited", 1),
    ("addr-unreachable", 3),
    ("port-unreachable", 4),
    ("policy-fail", 5),
    ("reject-route", 6),
];

/// Codes that stand for one of either family (`NFT_REJECT_ICMPX_*`).
pub(crate) const ICMPX_CODES: [(&str, u64); 4] = [
    ("no-route", 0),
    ("port-unreachable", 1),
    ("host-unreachable", 2),
    ("admin-prohibited", 3),
];

/// Code points of differentiated services (RFC 2474, RFC 2597, RFC 3246, RFC 5865, RFC 8622).
const DSCPS: [(&str, u64); 23] = [
    ("cs0", 0x00),
    ("cs1", 0x08),
    ("cs2", 0x10),
    ("cs3", 0x18),
    ("cs4", 0x20),
    ("cs5", 0x28),
    ("cs6", 0x30),
    ("cs7", 0x38),
    ("af11", 0x0a),
    ("af12", 0x0c),
    ("af13", 0x0e),
    ("af21", 0x12),
    ("af22", 0x14),
    ("af23", 0x16),
    ("af31", 0x1a),
    ("af32", 0x1c),
    ("af33", 0x1e),
    ("af41", 0x22),
    ("af42", 0x24),
    ("af43", 0x26),
    ("ef", 0x2e),
    ("va", 0x2c),
    ("lephb", 0x01),
];
