//! The types that nft gives to values: numbers, lengths, byte order.

use net::Family;

/// The type of a value, as nft's type system has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    /// A verdict.
    Verdict,
    /// `NFPROTO_*`.
    NfProto,
    /// A number of so many bytes in network order.
    Number(u32),
    /// A number of so many bytes in the host's order.
    HostNumber(u32),
    /// An address.
    Addr(Family),
    /// A link-layer address of Ethernet.
    Ether,
    /// The protocol in an Ethernet header.
    EtherType,
    /// A transport protocol.
    Proto,
    /// A port.
    Port,
    /// A type of ICMP or ICMPv6.
    IcmpType(Family),
    /// A code of ICMP or ICMPv6.
    IcmpCode(Family),
    /// TCP flags.
    TcpFlags,
    /// A mark.
    Mark,
    /// The index of a link.
    IfIndex,
    /// The name of a link.
    IfName,
    /// `ARPHRD_*`.
    LinkType,
    /// A traffic class, `MAJOR:MINOR`.
    ClassId,
    /// The id of a user.
    User,
    /// The id of a group of users.
    Group,
    /// A group of links.
    LinkGroup,
    /// States of a connection.
    CtState,
    /// A direction of a connection.
    CtDirection,
    /// `IPS_*` bits.
    CtStatus,
    /// `PACKET_*`.
    PktType,
    /// A code point of differentiated services, six bits.
    Dscp,
    /// `RTN_*`.
    FibType,
    /// There or not.
    Presence,
    /// Any other: nft's number of the type, and the length of its values.
    Other(u32, u32),
}

/// nft's number and name of each type (`enum datatypes`, nftables: include/datatype.h).
const TYPES: [(Type, u32, &str); 27] = [
    (Type::Verdict, 1, "verdict"),
    (Type::NfProto, 2, "nf_proto"),
    (Type::Addr(Family::V4), 7, "ipv4_addr"),
    (Type::Addr(Family::V6), 8, "ipv6_addr"),
    (Type::Ether, 9, "ether_addr"),
    (Type::EtherType, 10, "ether_type"),
    (Type::Proto, 12, "inet_proto"),
    (Type::Port, 13, "inet_service"),
    (Type::IcmpType(Family::V4), 14, "icmp_type"),
    (Type::TcpFlags, 15, "tcp_flag"),
    (Type::Mark, 19, "mark"),
    (Type::IfIndex, 20, "iface_index"),
    (Type::LinkType, 21, "iface_type"),
    (Type::ClassId, 23, "classid"),
    (Type::User, 24, "uid"),
    (Type::Group, 25, "gid"),
    (Type::CtState, 26, "ct_state"),
    (Type::CtDirection, 27, "ct_dir"),
    (Type::CtStatus, 28, "ct_status"),
    (Type::IcmpType(Family::V6), 29, "icmpv6_type"),
    (Type::PktType, 31, "pkt_type"),
    (Type::IcmpCode(Family::V4), 32, "icmp_code"),
    (Type::IcmpCode(Family::V6), 33, "icmpv6_code"),
    (Type::LinkGroup, 35, "devgroup"),
    (Type::Dscp, 36, "dscp"),
    (Type::FibType, 38, "fib_addrtype"),
    (Type::IfName, 41, "ifname"),
];

/// The number of integers, which can have any length.
const INTEGER: u32 = 4;

/// Bits of each type's number in the number of a concatenation.
const BITS: u32 = 6;

#[expect(
    clippy::len_without_is_empty,
    reason = "a type is no collection: its length is that of its values"
)]
impl Type {
    /// The type of that name, as a set declares it.
    pub fn named(name: &str) -> Option<Self> {
        let found = TYPES.iter().find(|(.., known)| *known == name);
        found.map(|(of, ..)| *of)
    }

    /// Its name; absent where no declaration can name it.
    pub fn name(self) -> Option<&'static str> {
        let found = TYPES.iter().find(|(of, ..)| *of == self);
        found.map(|(.., name)| *name)
    }

    /// The types of a key or value by the number that tools write: six bits for each field of
    /// a concatenation. `None` where the number contradicts the length.
    ///
    /// A type without a length of its own takes what the others leave, padding included, if it
    /// is the only such one.
    pub fn numbered(number: u32, len: u32) -> Option<Vec<Self>> {
        if number >> BITS == 0 {
            return Some(vec![Self::of(number, len)]);
        }
        let numbers: Vec<u32> = (0..=u32::BITS / BITS)
            .rev()
            .map(|place| number >> (place * BITS) & 0x3f)
            .skip_while(|&number| number == 0)
            .collect();
        let lens: Vec<Option<u32>> = numbers.iter().map(|&number| len_of(number)).collect();
        let taken: u32 = lens
            .iter()
            .flatten()
            .map(|len| len.next_multiple_of(4))
            .sum();
        let left = len.checked_sub(taken)?;
        let fits = match lens.iter().filter(|len| len.is_none()).count() {
            0 => left == 0,
            1 => left > 0,
            _ => false,
        };
        let types = numbers.into_iter().zip(lens);
        fits.then(|| {
            types
                .map(|(number, len)| Self::of(number, len.unwrap_or(left)))
                .collect()
        })
    }

    /// The type of that number, of values of that length.
    pub fn of(number: u32, len: u32) -> Self {
        let found = TYPES.iter().find(|(_, known, _)| *known == number);
        match found {
            Some((of, ..)) if of.len() == len => *of,
            _ if number == INTEGER => Self::Number(len),
            _ => Self::Other(number, len),
        }
    }

    /// Bytes of a value.
    pub fn len(self) -> u32 {
        match self {
            Self::Addr(Family::V4)
            | Self::Mark
            | Self::IfIndex
            | Self::ClassId
            | Self::User
            | Self::Group
            | Self::LinkGroup
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
            | Self::Dscp
            | Self::Presence
            | Self::NfProto => 1,
            Self::Port | Self::EtherType | Self::LinkType => 2,
            Self::Number(len) | Self::HostNumber(len) | Self::Other(_, len) => len,
            Self::Verdict => 0,
        }
    }

    /// Registers of four bytes that a value takes.
    pub(crate) fn words(self) -> u8 {
        u8::try_from(self.len().div_ceil(4)).unwrap_or(u8::MAX)
    }

    /// A bare value or a list of this type means that one of the bits is set.
    pub(crate) fn is_bits(self) -> bool {
        matches!(self, Self::CtState | Self::CtStatus | Self::TcpFlags)
    }

    /// Whether its bytes are in the host's order, so that they compare as numbers only once
    /// they are turned around.
    pub(crate) fn is_host_order(self) -> bool {
        match self {
            Self::Mark
            | Self::IfIndex
            | Self::ClassId
            | Self::User
            | Self::Group
            | Self::LinkGroup
            | Self::CtState
            | Self::CtStatus
            | Self::FibType
            | Self::LinkType
            | Self::HostNumber(_) => true,
            Self::Verdict
            | Self::NfProto
            | Self::Number(_)
            | Self::Addr(_)
            | Self::Ether
            | Self::EtherType
            | Self::Proto
            | Self::Port
            | Self::IcmpType(_)
            | Self::IcmpCode(_)
            | Self::TcpFlags
            | Self::IfName
            | Self::CtDirection
            | Self::PktType
            | Self::Dscp
            | Self::Presence
            | Self::Other(..) => false,
        }
    }
}

/// Bytes of a value of one of nft's types; absent for integers and texts, which can have any.
fn len_of(number: u32) -> Option<u32> {
    if let Some((of, ..)) = TYPES.iter().find(|(_, known, _)| *known == number) {
        return Some(of.len());
    }
    Some(match number {
        // Connection label.
        30 => 16,
        // Date, cgroup.
        43 | 46 => 8,
        // Realm, connection event, hour.
        22 | 40 | 44 => 4,
        // ARP operation.
        11 => 2,
        // Types of DCCP, IPv6 mobility and IGMP, codes of either family's ICMP, ECN, day, ….
        16 | 17 | 34 | 37 | 39 | 42 | 45 => 1,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lens(number: u32, len: u32) -> Option<Vec<u32>> {
        let types = Type::numbered(number, len)?;
        Some(types.into_iter().map(Type::len).collect())
    }

    #[test]
    fn a_concatenated_type_has_six_bits_a_field() {
        let addr_proto_port = (7 << 12) + (12 << 6) + 13;
        assert_eq!(lens(addr_proto_port, 12), Some(vec![4, 1, 2]));
    }

    #[test]
    fn an_integer_takes_what_the_other_fields_leave() {
        assert_eq!(lens(7 << 6 | 4, 8), Some(vec![4, 4]));
        assert_eq!(lens(4 << 6 | 4, 8), None);
    }

    #[test]
    fn a_plain_key_is_as_long_as_the_set_says() {
        assert_eq!(lens(7, 4), Some(vec![4]));
        assert_eq!(lens(4, 3), Some(vec![3]));
    }

    #[test]
    fn a_type_that_contradicts_the_length_is_not_believed() {
        assert_eq!(lens((7 << 6) + 13, 12), None);
    }
}
