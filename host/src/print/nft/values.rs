//! Bytes of registers as people write them.

use std::net::{Ipv4Addr, Ipv6Addr};

use net::Proto;

use crate::parse::NFT_CT_STATES;
use crate::parse::words::{ADDR_TYPES, TCP_FLAGS};

/// Connection status by bit (`IPS_*`).
const CT_STATUS: [(&str, u64); 6] = [
    ("expected", 1),
    ("seen-reply", 2),
    ("assured", 4),
    ("confirmed", 8),
    ("snat", 0x10),
    ("dnat", 0x20),
];

/// What the bytes of a value mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An address of IPv4.
    Ipv4,
    /// An address of IPv6.
    Ipv6,
    /// A link-layer address.
    Mac,
    /// A port.
    Port,
    /// A transport protocol.
    Proto,
    /// `NFPROTO_*`.
    Family,
    /// An interface name.
    Name,
    /// A mark: host byte order.
    Mark,
    /// A number in host byte order.
    Number,
    /// A number in network byte order.
    NetNumber,
    /// Connection states.
    CtState,
    /// Connection status.
    CtStatus,
    /// Direction of a connection.
    Direction,
    /// TCP flags.
    TcpFlags,
    /// `RTN_*`.
    AddrType,
    /// There or not.
    Presence,
    /// Nothing we know.
    Bytes,
}

impl Kind {
    /// The bytes that a value has where its load does not say.
    pub(super) fn len(self) -> u32 {
        match self {
            Self::Ipv6 | Self::Name => 16,
            Self::Mac => 6,
            Self::Port => 2,
            Self::Proto | Self::Family | Self::Direction | Self::TcpFlags => 1,
            _ => 4,
        }
    }

    /// Names of bits, where values are made of bits.
    fn bits(self) -> Option<Vec<(&'static str, u64)>> {
        match self {
            Self::CtState => Some(NFT_CT_STATES.to_vec()),
            Self::CtStatus => Some(CT_STATUS.to_vec()),
            Self::TcpFlags => Some(TCP_FLAGS.iter().map(|f| (f.0, u64::from(f.1))).collect()),
            _ => None,
        }
    }

    pub(super) fn has_bits(self) -> bool {
        self.bits().is_some()
    }

    /// A value as text.
    pub(super) fn text(self, bytes: &[u8]) -> String {
        match self {
            Self::Ipv4 => match <[u8; 4]>::try_from(bytes) {
                Ok(addr) => Ipv4Addr::from(addr).to_string(),
                Err(_) => short_prefix(bytes, 4),
            },
            Self::Ipv6 => match <[u8; 16]>::try_from(bytes) {
                Ok(addr) => Ipv6Addr::from(addr).to_string(),
                Err(_) => short_prefix(bytes, 16),
            },
            Self::Mac => bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<Vec<_>>()
                .join(":"),
            Self::Port | Self::NetNumber => big_endian(bytes).to_string(),
            Self::Proto => match bytes {
                [number] => Proto(*number).to_string(),
                _ => hex(bytes),
            },
            Self::Family => match bytes {
                [2] => "ipv4".to_owned(),
                [10] => "ipv6".to_owned(),
                _ => hex(bytes),
            },
            Self::Name => name(bytes),
            Self::Mark => format!("{:#x}", native_endian(bytes)),
            Self::Number => native_endian(bytes).to_string(),
            Self::CtState | Self::CtStatus | Self::TcpFlags => self.bit_names(bytes),
            Self::Direction => match bytes {
                [0] => "original".to_owned(),
                [1] => "reply".to_owned(),
                _ => hex(bytes),
            },
            Self::AddrType => {
                let number = usize::try_from(native_endian(bytes)).unwrap_or(usize::MAX);
                match ADDR_TYPES.get(number) {
                    Some(name) => name.to_ascii_lowercase(),
                    None => hex(bytes),
                }
            }
            Self::Presence => match native_endian(bytes) {
                0 => "missing".to_owned(),
                _ => "exists".to_owned(),
            },
            Self::Bytes => hex(bytes),
        }
    }

    fn bit_names(self, bytes: &[u8]) -> String {
        let value = native_endian(bytes);
        let names: Vec<_> = self
            .bits()
            .into_iter()
            .flatten()
            .filter(|(_, bit)| value & bit != 0)
            .map(|(name, _)| name.to_ascii_lowercase())
            .collect();
        if names.is_empty() {
            return format!("{value:#x}");
        }
        names.join(",")
    }
}

/// The beginning of an address: nft loads whole bytes of a prefix only.
fn short_prefix(bytes: &[u8], full: usize) -> String {
    if bytes.len() > full {
        return hex(bytes);
    }
    let mut whole = bytes.to_vec();
    whole.resize(full, 0);
    let kind = if full == 4 { Kind::Ipv4 } else { Kind::Ipv6 };
    format!("{}/{}", kind.text(&whole), bytes.len() * 8)
}

/// An interface name; without its closing zero it is a beginning.
fn name(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0);
    let text = String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]);
    let star = if end.is_none() && bytes.len() < 16 {
        "*"
    } else {
        ""
    };
    format!("\"{text}{star}\"")
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("0x{}", digits.concat())
}

fn big_endian(bytes: &[u8]) -> u64 {
    let low = bytes.iter().rev().take(8).rev();
    low.fold(0, |number, byte| number << 8 | u64::from(*byte))
}

pub(super) fn native_endian(bytes: &[u8]) -> u64 {
    if cfg!(target_endian = "big") {
        return big_endian(bytes);
    }
    let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
    big_endian(&reversed)
}
