//! Netlink messages and attributes over borrowed bytes, and numbers at fixed places.
//!
//! Nothing here fails: iteration ends where a length lies, and says so. Host order is that
//! of the machine that decodes, as the kernel that answered had it too.

use std::borrow::Cow;

/// Bits of an attribute's type that are flags: nested, and network byte order.
const TYPE_FLAGS: u16 = 0xc000;

/// Bytes are there but say nothing that can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Damaged;

/// A netlink message without its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    /// Its type.
    pub(crate) kind: u16,
    /// What follows the header.
    pub(crate) payload: &'a [u8],
}

/// The messages in a section.
#[derive(Debug, Clone)]
pub(crate) struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    /// The messages that `bytes` begin with.
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes that are left where iteration ended; none if every length was right.
    pub(crate) fn rest(&self) -> usize {
        self.rest.len()
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let header = Fields(self.rest);
        let len = usize::try_from(header.he32(0)?).ok()?;
        let kind = header.he16(4)?;
        let payload = self.rest.get(16..len)?;
        self.rest = self.rest.get(aligned(len)..).unwrap_or_default();
        Some(Message { kind, payload })
    }
}

/// An attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attr<'a> {
    /// Its type, without flags.
    pub(crate) kind: u16,
    /// Its value.
    pub(crate) value: &'a [u8],
}

/// The attributes in a message or in another attribute.
#[derive(Debug, Clone)]
pub(crate) struct Attrs<'a> {
    rest: &'a [u8],
}

impl<'a> Attrs<'a> {
    /// The attributes that `bytes` begin with.
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether all bytes were read, once iteration has ended.
    pub(crate) fn is_whole(&self) -> bool {
        self.rest.is_empty()
    }
}

impl<'a> Iterator for Attrs<'a> {
    type Item = Attr<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let header = Fields(self.rest);
        let len = usize::from(header.he16(0)?);
        let kind = header.he16(2)?;
        let value = self.rest.get(4..len)?;
        self.rest = self.rest.get(aligned(len)..).unwrap_or_default();
        Some(Attr {
            kind: kind & !TYPE_FLAGS,
            value,
        })
    }
}

fn aligned(len: usize) -> usize {
    len.next_multiple_of(4)
}

/// Attributes by type, for types below `N`; of equal ones the last counts, as in the kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table<'a, const N: usize> {
    values: [Option<&'a [u8]>; N],
    /// Every length was right.
    pub(crate) is_whole: bool,
}

impl<'a, const N: usize> Table<'a, N> {
    /// Reads the attributes in `bytes`.
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        let mut values = [None; N];
        let mut attrs = Attrs::of(bytes);
        for attr in attrs.by_ref() {
            if let Some(slot) = values.get_mut(usize::from(attr.kind)) {
                *slot = Some(attr.value);
            }
        }
        Self {
            values,
            is_whole: attrs.is_whole(),
        }
    }

    /// Reads the attributes in the message's payload behind a header of `skip` bytes.
    pub(crate) fn behind(payload: &'a [u8], skip: usize) -> Self {
        match payload.get(skip..) {
            Some(bytes) => Self::of(bytes),
            None => Self {
                values: [None; N],
                is_whole: false,
            },
        }
    }

    /// The value of an attribute.
    pub(crate) fn get(&self, kind: u16) -> Option<&'a [u8]> {
        self.values.get(usize::from(kind)).copied().flatten()
    }

    /// Whether an attribute is there.
    pub(crate) fn has(&self, kind: u16) -> bool {
        self.get(kind).is_some()
    }

    /// One byte.
    pub(crate) fn byte(&self, kind: u16) -> Option<u8> {
        Fields(self.get(kind)?).byte(0)
    }

    /// A 16-bit number in network order.
    pub(crate) fn be16(&self, kind: u16) -> Option<u16> {
        Fields(self.get(kind)?).be16(0)
    }

    /// A 32-bit number in network order.
    pub(crate) fn be32(&self, kind: u16) -> Option<u32> {
        Fields(self.get(kind)?).be32(0)
    }

    /// A 64-bit number in network order.
    pub(crate) fn be64(&self, kind: u16) -> Option<u64> {
        Fields(self.get(kind)?).be64(0)
    }

    /// A 32-bit number in host order.
    pub(crate) fn he32(&self, kind: u16) -> Option<u32> {
        Fields(self.get(kind)?).he32(0)
    }

    /// A text, which ends at its first NUL.
    pub(crate) fn text(&self, kind: u16) -> Option<Cow<'a, str>> {
        self.get(kind).map(text_of)
    }
}

/// A text up to its first NUL; what is no UTF-8 is replaced.
pub(crate) fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end])
}

/// A struct of the kernel: numbers and texts at fixed places.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    /// So many bytes.
    pub(crate) fn bytes(self, at: usize, len: usize) -> Option<&'a [u8]> {
        self.0.get(at..at.checked_add(len)?)
    }

    fn array<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        self.bytes(at, N)?.try_into().ok()
    }

    /// One byte.
    pub(crate) fn byte(self, at: usize) -> Option<u8> {
        self.0.get(at).copied()
    }

    /// A 16-bit number in host order.
    pub(crate) fn he16(self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_ne_bytes)
    }

    /// A 32-bit number in host order.
    pub(crate) fn he32(self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_ne_bytes)
    }

    /// A 64-bit number in host order.
    pub(crate) fn he64(self, at: usize) -> Option<u64> {
        self.array(at).map(u64::from_ne_bytes)
    }

    /// A 16-bit number in network order.
    pub(crate) fn be16(self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_be_bytes)
    }

    /// A 32-bit number in network order.
    pub(crate) fn be32(self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_be_bytes)
    }

    /// A 64-bit number in network order.
    pub(crate) fn be64(self, at: usize) -> Option<u64> {
        self.array(at).map(u64::from_be_bytes)
    }

    /// A 32-bit number with sign in host order.
    pub(crate) fn signed(self, at: usize) -> Option<i32> {
        self.array(at).map(i32::from_ne_bytes)
    }

    /// A text in a field of so many bytes.
    pub(crate) fn text(self, at: usize, len: usize) -> Option<Cow<'a, str>> {
        self.bytes(at, len).map(text_of)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The bytes of an attribute.
    pub(crate) fn attr(kind: u16, value: &[u8]) -> Vec<u8> {
        let len = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [len.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn flags_are_not_part_of_an_attributes_type() {
        let bytes = attr(0x8000 | 3, b"abc");
        let all: Vec<_> = Attrs::of(&bytes).collect();
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].kind, all[0].value), (3, &b"abc"[..]));
    }

    #[test]
    fn an_attribute_longer_than_its_message_ends_the_reading() {
        let mut bytes = attr(1, b"first");
        bytes.extend([200, 0, 2, 0, 9]);
        let table = Table::<4>::of(&bytes);
        assert_eq!(table.text(1).as_deref(), Some("first"));
        assert!(!table.is_whole && !table.has(2));
    }

    #[test]
    fn a_length_of_zero_ends_the_reading() {
        let mut attrs = Attrs::of(&[0; 8]);
        assert_eq!(attrs.next(), None);
        assert!(!attrs.is_whole());
        assert_eq!(Messages::of(&[0; 32]).count(), 0);
    }

    #[test]
    fn the_last_attribute_may_lack_its_padding() {
        let mut attrs = Attrs::of(&[5, 0, 1, 0, 7]);
        assert_eq!(attrs.next().map(|a| a.value), Some(&[7][..]));
        assert!(attrs.is_whole());
    }
}
