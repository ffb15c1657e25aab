//! Transport protocols by their IANA number.

use std::fmt;
use std::str::FromStr;

/// A transport protocol, as in the protocol field of an IP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Proto(pub u8);

impl Proto {
    /// ICMP for IPv4.
    pub const ICMP: Self = Self(1);
    /// TCP.
    pub const TCP: Self = Self(6);
    /// UDP.
    pub const UDP: Self = Self(17);
    /// ICMP for IPv6.
    pub const ICMP6: Self = Self(58);
    /// SCTP.
    pub const SCTP: Self = Self(132);

    /// Whether packets of this protocol carry ports where netfilter looks for them.
    pub fn has_ports(self) -> bool {
        matches!(self, Self::TCP | Self::UDP | Self::SCTP | Self(33 | 136))
    }
}

/// Names as iptables and `/etc/protocols` have them.
const NAMES: &[(u8, &str)] = &[
    (1, "icmp"),
    (2, "igmp"),
    (4, "ipencap"),
    (6, "tcp"),
    (17, "udp"),
    (33, "dccp"),
    (41, "ipv6"),
    (47, "gre"),
    (50, "esp"),
    (51, "ah"),
    (58, "ipv6-icmp"),
    (89, "ospf"),
    (112, "vrrp"),
    (115, "l2tp"),
    (132, "sctp"),
    (135, "mobility-header"),
    (136, "udplite"),
];

impl fmt::Display for Proto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(number, _)| *number == self.0) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

/// Why a text is no protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseProtoError(String);

impl fmt::Display for ParseProtoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no protocol", self.0)
    }
}

impl std::error::Error for ParseProtoError {}

impl FromStr for Proto {
    type Err = ParseProtoError;

    /// Reads a number or a name of any case, `icmpv6` and `icmp6` included.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(number) = text.parse() {
            return Ok(Self(number));
        }
        let lower = text.to_ascii_lowercase();
        if matches!(lower.as_str(), "icmpv6" | "icmp6") {
            return Ok(Self::ICMP6);
        }
        let found = NAMES.iter().find(|(_, name)| *name == lower);
        found
            .map(|(number, _)| Self(*number))
            .ok_or_else(|| ParseProtoError(text.to_owned()))
    }
}
