//! Addresses as numbers, prefixes, and address-and-port pairs.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The address family of a packet or an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of `addr`.
    pub fn of(addr: IpAddr) -> Self {
        match addr {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// Bits in an address: 32 or 128.
    pub fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    /// The number of the highest address.
    pub fn max(self) -> u128 {
        match self {
            Self::V4 => u128::from(u32::MAX),
            Self::V6 => u128::MAX,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// The address as a number, most significant bit first.
pub fn addr_bits(addr: IpAddr) -> u128 {
    match addr {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The bytes of an address as they stand in a packet.
pub fn octets(addr: IpAddr) -> Vec<u8> {
    match addr {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// The address that a number stands for; bits beyond the family's width are ignored.
pub fn addr_of(family: Family, bits: u128) -> IpAddr {
    match family {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "an IPv4 address is the low 32 bits"
        )]
        Family::V4 => IpAddr::V4(Ipv4Addr::from_bits(bits as u32)),
        Family::V6 => IpAddr::V6(Ipv6Addr::from_bits(bits)),
    }
}

/// A block of addresses with no host bits set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    addr: IpAddr,
    len: u8,
}

impl Prefix {
    /// The block of `len` leading bits that `addr` lies in; host bits are cleared.
    /// A length beyond the family's width counts as the width.
    pub fn containing(addr: IpAddr, len: u8) -> Self {
        let family = Family::of(addr);
        let len = len.min(family.bits());
        let bits = addr_bits(addr) & !host_mask(family, len);
        Self {
            addr: addr_of(family, bits),
            len,
        }
    }

    /// Every address of a family.
    pub fn all(family: Family) -> Self {
        Self {
            addr: addr_of(family, 0),
            len: 0,
        }
    }

    /// The lowest address.
    pub fn addr(self) -> IpAddr {
        self.addr
    }

    /// Leading bits that are fixed.
    #[expect(
        clippy::len_without_is_empty,
        reason = "the length of a prefix, not of a collection"
    )]
    pub fn len(self) -> u8 {
        self.len
    }

    /// The family of the block.
    pub fn family(self) -> Family {
        Family::of(self.addr)
    }

    /// The lowest address as a number.
    pub fn first(self) -> u128 {
        addr_bits(self.addr)
    }

    /// The highest address as a number.
    pub fn last(self) -> u128 {
        self.first() | host_mask(self.family(), self.len)
    }

    /// Whether `addr` is in the block; never across families.
    pub fn contains(self, addr: IpAddr) -> bool {
        Family::of(addr) == self.family() && (self.first()..=self.last()).contains(&addr_bits(addr))
    }
}

fn host_mask(family: Family, len: u8) -> u128 {
    family.max().checked_shr(u32::from(len)).unwrap_or(0)
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.len)
    }
}

/// Why a text is no prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsePrefixError(String);

impl fmt::Display for ParsePrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no address or prefix such as 192.0.2.0/24",
            self.0
        )
    }
}

impl std::error::Error for ParsePrefixError {}

impl FromStr for Prefix {
    type Err = ParsePrefixError;

    /// Reads `ADDRESS` or `ADDRESS/LENGTH`; host bits are cleared.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParsePrefixError(text.to_owned());
        let (addr, len) = text
            .split_once('/')
            .map_or((text, None), |(a, l)| (a, Some(l)));
        let addr: IpAddr = addr.parse().map_err(|_| wrong())?;
        let bits = Family::of(addr).bits();
        let len = len.map_or(Ok(bits), str::parse).map_err(|_| wrong())?;
        if len > bits {
            return Err(wrong());
        }
        Ok(Self::containing(addr, len))
    }
}

/// An address and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The address.
    pub addr: IpAddr,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.addr {
            IpAddr::V4(v4) => write!(f, "{v4}:{}", self.port),
            IpAddr::V6(v6) => write!(f, "[{v6}]:{}", self.port),
        }
    }
}

/// Why a text is no address and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseEndpointError(String);

impl fmt::Display for ParseEndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no ADDRESS:PORT or [V6ADDRESS]:PORT", self.0)
    }
}

impl std::error::Error for ParseEndpointError {}

impl FromStr for Endpoint {
    type Err = ParseEndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseEndpointError(text.to_owned());
        let (addr, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let bare = addr.strip_prefix('[').and_then(|a| a.strip_suffix(']'));
        let addr: IpAddr = match bare {
            Some(v6) => IpAddr::V6(v6.parse().map_err(|_| wrong())?),
            None => IpAddr::V4(addr.parse().map_err(|_| wrong())?),
        };
        let port = port.parse().ok().filter(|&p| p != 0).ok_or_else(wrong)?;
        Ok(Self { addr, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_has_no_host_bits() {
        let prefix: Prefix = "192.0.2.77/24".parse().unwrap();
        assert_eq!(prefix.to_string(), "192.0.2.0/24");
        assert_eq!(
            addr_of(Family::V4, prefix.last()).to_string(),
            "192.0.2.255"
        );
    }

    #[test]
    fn the_widest_prefix_holds_every_address_of_its_family_only() {
        let all = Prefix::all(Family::V6);
        assert!(all.contains("fd00::1".parse().unwrap()));
        assert!(!all.contains("192.0.2.1".parse().unwrap()));
        assert_eq!(all.last(), u128::MAX);
    }

    #[test]
    fn an_endpoint_of_ipv6_needs_its_brackets() {
        let text = "[fd00::1]:80";
        assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        assert!("fd00::1:80".parse::<Endpoint>().is_err());
        assert!("192.0.2.1:0".parse::<Endpoint>().is_err());
    }
}
