//! Constants of nft's types.

use std::net::{Ipv4Addr, Ipv6Addr};

use net::{Family, Prefix, Proto};

use super::super::iptables_save::mac;
use crate::nft::{KeyRange, Type};

impl Type {
    /// The bytes of one constant.
    pub(in crate::parse) fn value(self, word: &str) -> Option<Box<[u8]>> {
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
            Self::ClassId if word.contains(':') => {
                let (major, minor) = word.split_once(':')?;
                let half = |text: &str| u16::from_str_radix(text, 16).ok().map(u64::from);
                half(major)? << 16 | half(minor)?
            }
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
    pub(in crate::parse) fn range(self, word: &str) -> Option<KeyRange> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_have_the_bytes_that_the_kernel_compares() {
        let value = |kind: Type, word: &str| kind.value(word).unwrap().to_vec();
        assert_eq!(value(Type::Port, "8080"), [0x1f, 0x90]);
        assert_eq!(value(Type::Mark, "0x4000"), 0x4000_u32.to_ne_bytes());
        assert_eq!(value(Type::CtState, "new"), 8_u32.to_ne_bytes());
        assert_eq!(value(Type::Proto, "tcp"), [6]);
        assert_eq!(Type::Port.value("70000"), None);
    }

    #[test]
    fn ranges_prefixes_and_wildcards_have_two_ends() {
        let range = |kind: Type, word: &str| {
            let range = kind.range(word).unwrap();
            (range.first.to_vec(), range.last.to_vec())
        };
        assert_eq!(range(Type::Port, "1-258"), (vec![0, 1], vec![1, 2]));
        let (first, last) = range(Type::Addr(Family::V4), "10.0.0.0/8");
        assert_eq!((first, last), (vec![10, 0, 0, 0], vec![10, 255, 255, 255]));
        let (first, last) = range(Type::IfName, "eth*");
        assert_eq!((&first[..4], &last[..4]), (&b"eth\0"[..], &b"eth\xff"[..]));
    }
}
