//! Fields that are text in the API and a value of `net` to us.

use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use net::{Family, Prefix, Proto};

/// A value written as one word.
pub(super) trait Word: Sized {
    /// What the word should be, with its article.
    const WHAT: &'static str;

    /// Reads the word; blanks around it do not matter.
    fn read(word: &str) -> Option<Self>;
}

impl Word for IpAddr {
    const WHAT: &'static str = "an IP address";

    fn read(word: &str) -> Option<Self> {
        ip(word)
    }
}

/// Reads an address as kube-proxy does.
///
/// Kubernetes before 1.36 stored `010.1.2.3` and read it as decimal (`ParseIPSloppy`), and an
/// IPv4 address inside IPv6 is the IPv4 address.
pub(super) fn ip(word: &str) -> Option<IpAddr> {
    let plain = |octet: &str| match octet.trim_start_matches('0') {
        "" if octet.is_empty() => String::new(),
        "" => "0".to_owned(),
        digits => digits.to_owned(),
    };
    if word.contains(':') {
        return word.parse().ok().map(|addr: IpAddr| addr.to_canonical());
    }
    let octets: Vec<String> = word.split('.').map(plain).collect();
    octets.join(".").parse().ok()
}

impl Word for Prefix {
    const WHAT: &'static str = "a prefix such as 192.0.2.0/24";

    fn read(word: &str) -> Option<Self> {
        let (addr, len) = word.split_once('/')?;
        let addr = ip(addr)?;
        let len = len.parse().ok()?;
        (len <= Family::of(addr).bits()).then(|| Self::containing(addr, len))
    }
}

impl Word for Family {
    const WHAT: &'static str = "`IPv4` or `IPv6`";

    fn read(word: &str) -> Option<Self> {
        match word {
            "IPv4" => Some(Self::V4),
            "IPv6" => Some(Self::V6),
            _ => None,
        }
    }
}

impl Word for Proto {
    const WHAT: &'static str = "`TCP`, `UDP` or `SCTP`";

    fn read(word: &str) -> Option<Self> {
        match word {
            "TCP" => Some(Self::TCP),
            "UDP" => Some(Self::UDP),
            "SCTP" => Some(Self::SCTP),
            _ => None,
        }
    }
}

/// A [`Word`] for serde.
struct Text<T>(T);

impl<'de, T: Word> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(WordVisitor(PhantomData)).map(Self)
    }
}

struct WordVisitor<T>(PhantomData<T>);

impl<T: Word> Visitor<'_> for WordVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WHAT)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::read(text.trim()).ok_or_else(|| E::custom(format_args!("`{text}` is not {}", T::WHAT)))
    }
}

/// Reads one word.
pub(super) fn one<'de, D: Deserializer<'de>, T: Word>(from: D) -> Result<T, D::Error> {
    Text::deserialize(from).map(|word| word.0)
}

/// Reads a list of words.
pub(super) fn each<'de, D: Deserializer<'de>, T: Word>(from: D) -> Result<Vec<T>, D::Error> {
    let words = Vec::<Text<T>>::deserialize(from)?;
    Ok(words.into_iter().map(|word| word.0).collect())
}

/// Reads a word that may be absent or empty.
pub(super) fn maybe<'de, D: Deserializer<'de>, T: Word>(from: D) -> Result<Option<T>, D::Error> {
    let word = Option::<Text<Filled<T>>>::deserialize(from)?;
    Ok(word.and_then(|word| word.0.0))
}

/// A word, or nothing where the text is empty.
struct Filled<T>(Option<T>);

impl<T: Word> Word for Filled<T> {
    const WHAT: &'static str = T::WHAT;

    fn read(word: &str) -> Option<Self> {
        match word {
            "" => Some(Self(None)),
            _ => T::read(word).map(|value| Self(Some(value))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_kube_proxy_reads_them() {
        let read = |text| ip(text).map(|addr| addr.to_string());
        assert_eq!(read("010.1.002.0").as_deref(), Some("10.1.2.0"));
        assert_eq!(read("::ffff:10.1.2.3").as_deref(), Some("10.1.2.3"));
        assert_eq!(read("10.1.2"), None);
        assert_eq!(read("10..2.3"), None);
    }

    #[test]
    fn a_prefix_needs_its_length() {
        assert!(Prefix::read("10.0.0.0/8").is_some());
        assert!(Prefix::read("10.0.0.0").is_none());
        assert!(Prefix::read("10.0.0.0/33").is_none());
    }
}
