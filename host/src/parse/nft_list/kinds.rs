//! Types of values, and constants of them.

use std::net::{Ipv4Addr, Ipv6Addr};

use net::{Family, Prefix, Proto};

use super::super::iptables_save::mac;
use crate::nft::KeyRange;

/// The type of a value, as nft's type system has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Addr(Family),
    Ether,
    Proto,
    Port,
    /// Four bytes in the host's order.
    Mark,
    IfName,
    CtState,
    CtStatus,
    CtDirection,
    EtherType,
    IcmpType(Family),
    IcmpCode(Family),
    TcpFlags,
    PktType,
    FibType,
    NfProto,
    LinkType,
    /// A number of so many bytes in network order.
    Number(u32),
    /// A number of so many bytes in the host's order.
    HostNumber(u32),
    Verdict,
}

impl Kind {
    /// The type of that name, as a set declares it.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "ipv4_addr" => Self::Addr(Family::V4),
            "ipv6_addr" => Self::Addr(Family::V6),
            "ether_addr" => Self::Ether,
            "inet_proto" => Self::Proto,
            "inet_service" => Self::Port,
            "mark" => Self::Mark,
            "ifname" | "iface_index" => Self::IfName,
            "iface_type" => Self::LinkType,
            "ct_state" => Self::CtState,
            "ct_status" => Self::CtStatus,
            "ct_dir" => Self::CtDirection,
            "ether_type" => Self::EtherType,
            "icmp_type" => Self::IcmpType(Family::V4),
            "icmpv6_type" => Self::IcmpType(Family::V6),
            "icmp_code" => Self::IcmpCode(Family::V4),
            "icmpv6_code" => Self::IcmpCode(Family::V6),
            "tcp_flag" => Self::TcpFlags,
            "pkt_type" => Self::PktType,
            "fib_addrtype" => Self::FibType,
            "nf_proto" => Self::NfProto,
            "uid" | "gid" => Self::HostNumber(4),
            "verdict" => Self::Verdict,
            _ => return None,
        })
    }

    /// Bytes of a value.
    pub(super) fn len(self) -> u32 {
        match self {
            Self::Addr(Family::V4)
            | Self::Mark
            | Self::CtState
            | Self::CtStatus
            | Self::FibType => 4,
            Self::Addr(Family::V6) | Self::IfName => 16,
            Self::Ether => 6,
            Self::Proto
            | Self::CtDirection
            | Self::IcmpType(_)
            | Self::IcmpCode(_)
            | Self::TcpFlags
            | Self::PktType
            | Self::NfProto => 1,
            Self::Port | Self::EtherType | Self::LinkType => 2,
            Self::Number(len) | Self::HostNumber(len) => len,
            Self::Verdict => 0,
        }
    }

    /// A bare value or a list of this type means that one of the bits is set.
    pub(super) fn is_bits(self) -> bool {
        matches!(self, Self::CtState | Self::CtStatus | Self::TcpFlags)
    }

    /// Whether its bytes are in the host's order, so that they compare as numbers only once
    /// they are turned around.
    pub(super) fn is_host_order(self) -> bool {
        matches!(
            self,
            Self::Mark
                | Self::CtState
                | Self::CtStatus
                | Self::FibType
                | Self::LinkType
                | Self::HostNumber(_)
        )
    }

    /// Names that nft has for values of this type.
    fn names(self) -> &'static [(&'static str, u64)] {
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
            Self::Addr(_)
            | Self::Ether
            | Self::Proto
            | Self::Port
            | Self::Mark
            | Self::IfName
            | Self::Number(_)
            | Self::HostNumber(_)
            | Self::Verdict => &[],
        }
    }

    /// The bytes of one constant.
    pub(super) fn value(self, word: &str) -> Option<Box<[u8]>> {
        let value = match self {
            Self::Addr(Family::V4) => {
                let addr: Ipv4Addr = word.parse().ok()?;
                return Some(addr.octets().as_slice().into());
            }
            Self::Addr(Family::V6) => {
                let addr: Ipv6Addr = word.parse().ok()?;
                return Some(addr.octets().as_slice().into());
            }
            Self::Ether => return mac(word).map(Into::into),
            Self::IfName => {
                let mut name = [0; 16];
                name.get_mut(..word.len())?.copy_from_slice(word.as_bytes());
                return Some(name.as_slice().into());
            }
            Self::Verdict => return None,
            Self::Proto => u64::from(word.parse::<Proto>().ok()?.0),
            _ => match self.names().iter().find(|(name, _)| *name == word) {
                Some((_, value)) => *value,
                None => number(word)?,
            },
        };
        let len = self.len() as usize;
        if len < 8 && value >> (8 * len) != 0 {
            return None;
        }
        let mut bytes = value.to_be_bytes()[8 - len..].to_vec();
        if self.is_host_order() && cfg!(target_endian = "little") {
            bytes.reverse();
        }
        Some(bytes.into())
    }

    /// A constant, a range `A-B`, a prefix `A/N`, or a name with a wildcard, as its lowest and
    /// highest value.
    pub(super) fn range(self, word: &str) -> Option<KeyRange> {
        if let Self::Addr(family) = self
            && word.contains('/')
        {
            let prefix: Prefix = word
                .parse()
                .ok()
                .filter(|p: &Prefix| p.family() == family)?;
            let bytes = |bits: u128| -> Box<[u8]> {
                let all = bits.to_be_bytes();
                all[16 - self.len() as usize..].into()
            };
            return Some(KeyRange {
                first: bytes(prefix.first()),
                last: bytes(prefix.last()),
            });
        }
        if self == Self::IfName
            && let Some(start) = word.strip_suffix('*')
        {
            let first = self.value(start)?;
            let mut last = first.clone();
            last[start.len()..].fill(0xff);
            return Some(KeyRange { first, last });
        }
        if let Some(value) = self.value(word) {
            return Some(KeyRange {
                first: value.clone(),
                last: value,
            });
        }
        let (first, last) = word.split_once('-')?;
        Some(KeyRange {
            first: self.value(first)?,
            last: self.value(last)?,
        })
    }
}

fn number(word: &str) -> Option<u64> {
    match word.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => word.parse().ok(),
    }
}

/// Connection states by bit (`NFT_CT_STATE`).
pub(crate) const CT_STATES: [(&str, u64); 5] = [
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
pub(super) const ICMP_CODES: [(&str, u64); 8] = [
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
pub(super) const ICMP6_CODES: [(&str, u64); 6] = [
    ("no-route", 0),
    ("admin-prohibited", 1),
    ("addr-unreachable", 3),
    ("port-unreachable", 4),
    ("policy-fail", 5),
    ("reject-route", 6),
];

/// Codes that stand for one of either family (`NFT_REJECT_ICMPX_*`).
pub(super) const ICMPX_CODES: [(&str, u64); 4] = [
    ("no-route", 0),
    ("port-unreachable", 1),
    ("host-unreachable", 2),
    ("admin-prohibited", 3),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_have_the_bytes_that_the_kernel_compares() {
        let value = |kind: Kind, word: &str| kind.value(word).unwrap().to_vec();
        assert_eq!(value(Kind::Port, "8080"), [0x1f, 0x90]);
        assert_eq!(value(Kind::Mark, "0x4000"), 0x4000_u32.to_ne_bytes());
        assert_eq!(value(Kind::CtState, "new"), 8_u32.to_ne_bytes());
        assert_eq!(value(Kind::Proto, "tcp"), [6]);
        assert_eq!(Kind::Port.value("70000"), None);
    }

    #[test]
    fn ranges_prefixes_and_wildcards_have_two_ends() {
        let range = |kind: Kind, word: &str| {
            let range = kind.range(word).unwrap();
            (range.first.to_vec(), range.last.to_vec())
        };
        assert_eq!(range(Kind::Port, "1-258"), (vec![0, 1], vec![1, 2]));
        let (first, last) = range(Kind::Addr(Family::V4), "10.0.0.0/8");
        assert_eq!((first, last), (vec![10, 0, 0, 0], vec![10, 255, 255, 255]));
        let (first, last) = range(Kind::IfName, "eth*");
        assert_eq!((&first[..4], &last[..4]), (&b"eth\0"[..], &b"eth\xff"[..]));
    }
}
