//! Bytes of registers and sets as nft writes them.

use std::net::{Ipv4Addr, Ipv6Addr};

use net::{Family, Proto};

use crate::Link;
use crate::nft::{KeyRange, Type};

impl Type {
    /// A value as text. What nft has no form for stands in brackets, which it refuses.
    pub(super) fn text(self, bytes: &[u8], links: &[Link]) -> String {
        match self {
            Self::Addr(Family::V4) => match <[u8; 4]>::try_from(bytes) {
                Ok(addr) => Ipv4Addr::from(addr).to_string(),
                Err(_) => short_prefix(bytes, Family::V4),
            },
            Self::Addr(Family::V6) => match <[u8; 16]>::try_from(bytes) {
                Ok(addr) => Ipv6Addr::from(addr).to_string(),
                Err(_) => short_prefix(bytes, Family::V6),
            },
            Self::Ether => {
                let parts: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                parts.join(":")
            }
            Self::IfName => name(bytes),
            Self::IfIndex => {
                let index = native_endian(bytes);
                match links.iter().find(|link| u64::from(link.index) == index) {
                    Some(link) => format!("\"{}\"", link.name),
                    None => index.to_string(),
                }
            }
            Self::Other(..) | Self::Verdict => format!("[{}]", hex(bytes)),
            Self::Number(_) if bytes.len() > 8 => hex(bytes),
            _ => self.number_text(self.number(bytes)),
        }
    }

    /// A value as a number.
    fn number(self, bytes: &[u8]) -> u64 {
        if self == Self::Presence {
            // One byte or four, whichever version wrote it.
            return u64::from(bytes.iter().any(|byte| *byte != 0));
        }
        if self.is_host_order() {
            native_endian(bytes)
        } else {
            big_endian(bytes)
        }
    }

    fn number_text(self, number: u64) -> String {
        match self {
            Self::Mark => format!("{number:#010x}"),
            Self::Proto => match u8::try_from(number) {
                Ok(number) => Proto(number).to_string(),
                Err(_) => number.to_string(),
            },
            Self::ClassId if !matches!(number, 0 | 0xffff_ffff) => {
                format!("{:x}:{:x}", number >> 16, number & 0xffff)
            }
            _ => match self.names().iter().find(|(_, value)| *value == number) {
                Some((name, _)) => (*name).to_owned(),
                None if self.is_bits() => self.bit_names(number, " | "),
                None if self == Self::EtherType => format!("{number:#06x}"),
                None => number.to_string(),
            },
        }
    }

    /// The names of the bits of a value, with `joint` between.
    pub(super) fn bits_text(self, bytes: &[u8], joint: &str) -> String {
        self.bit_names(self.number(bytes), joint)
    }

    fn bit_names(self, number: u64, joint: &str) -> String {
        let set = self.names().iter().filter(|(_, bit)| number & bit != 0);
        let known = set.clone().fold(0, |known, (_, bit)| known | bit);
        if known != number || number == 0 {
            return format!("{number:#x}");
        }
        let names: Vec<_> = set.map(|(name, _)| *name).collect();
        names.join(joint)
    }

    /// A mask as text.
    pub(super) fn mask_text(self, bytes: &[u8]) -> String {
        match self {
            Self::Addr(_) => self.text(bytes, &[]),
            Self::Mark | Self::HostNumber(_) => format!("{:#010x}", native_endian(bytes)),
            _ if self.is_bits() => match self.bits_text(bytes, " | ") {
                many if many.contains('|') => format!("({many})"),
                one => one,
            },
            _ if bytes.len() > 8 => hex(bytes),
            _ => format!("{:#x}", self.number(bytes)),
        }
    }

    /// A range of values: one, a prefix, a name with a wildcard, or two ends.
    pub(super) fn range_text(self, range: &KeyRange, links: &[Link]) -> String {
        let KeyRange { first, last } = range;
        if first == last {
            return self.text(first, links);
        }
        match self {
            Self::Addr(_) => match prefix_len(first, last) {
                Some(len) => format!("{}/{len}", self.text(first, links)),
                None => self.two_ends(range, links),
            },
            Self::IfName => {
                let len = last.iter().rposition(|byte| *byte != 0xff);
                let begin = len.map_or(0, |at| at + 1);
                format!("\"{}*\"", String::from_utf8_lossy(&first[..begin]))
            }
            _ => self.two_ends(range, links),
        }
    }

    fn two_ends(self, range: &KeyRange, links: &[Link]) -> String {
        let ends = [&range.first, &range.last].map(|end| self.text(end, links));
        ends.join("-")
    }
}

/// The length of the prefix that a range is, if it is one.
fn prefix_len(first: &[u8], last: &[u8]) -> Option<u32> {
    let differing = first.iter().zip(last).map(|(first, last)| first ^ last);
    let mask: Vec<u8> = differing.map(|bits| !bits).collect();
    let is_aligned = first
        .iter()
        .zip(&mask)
        .all(|(byte, mask)| byte & !mask == 0);
    leading_ones(&mask).filter(|_| is_aligned)
}

/// How many bits are set, where these are the first ones.
pub(super) fn leading_ones(mask: &[u8]) -> Option<u32> {
    let ones: u32 = mask.iter().map(|byte| byte.count_ones()).sum();
    let mut leading = 0;
    for byte in mask {
        leading += byte.leading_ones();
        if *byte != u8::MAX {
            break;
        }
    }
    (ones == leading).then_some(ones)
}

/// The beginning of an address: nft loads whole bytes of a prefix only.
fn short_prefix(bytes: &[u8], family: Family) -> String {
    let of = Type::Addr(family);
    let full = of.len() as usize;
    if bytes.len() > full {
        return format!("[{}]", hex(bytes));
    }
    let mut whole = bytes.to_vec();
    whole.resize(full, 0);
    format!("{}/{}", of.text(&whole, &[]), bytes.len() * 8)
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

fn native_endian(bytes: &[u8]) -> u64 {
    if cfg!(target_endian = "big") {
        return big_endian(bytes);
    }
    let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
    big_endian(&reversed)
}
