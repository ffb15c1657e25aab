//! Netlink messages and attributes: taken apart by borrowing, put together in a buffer.

use std::io;

/// Kernel: include/uapi/linux/netlink.h.
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// The flag of an attribute that holds attributes.
const NLA_F_NESTED: u16 = 0x8000;
/// What is left of an attribute's type without its two flag bits.
const NLA_TYPE_MASK: u16 = 0x3fff;
/// Bytes of `struct nlmsghdr`.
const HEADER: usize = 16;

/// The messages in a buffer, one behind the other; a cut last one is left out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Messages<'a>(pub(crate) &'a [u8]);

/// One message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a> {
    /// The type.
    pub(crate) kind: u16,
    flags: u16,
    /// What follows the header.
    pub(crate) payload: &'a [u8],
    /// The message with its header and padding.
    pub(crate) whole: &'a [u8],
}

impl<'a> Messages<'a> {
    /// The messages with the offset at which each begins.
    pub(crate) fn with_offsets(self) -> impl Iterator<Item = (usize, Message<'a>)> {
        let mut at = 0;
        self.map(move |message| {
            let start = at;
            at += message.whole.len();
            (start, message)
        })
    }
}

#[expect(
    clippy::copy_iterator,
    reason = "a view that is read from its start each time"
)]
impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let len = u32_at(self.0, 0)? as usize;
        if len < HEADER || len > self.0.len() {
            return None;
        }
        let (whole, rest) = self.0.split_at(len.next_multiple_of(4).min(self.0.len()));
        self.0 = rest;
        Some(Message {
            kind: u16_at(whole, 4)?,
            flags: u16_at(whole, 6)?,
            payload: &whole[HEADER..len],
            whole,
        })
    }
}

impl<'a> Message<'a> {
    /// Whether the kernel says that the dump changed on the way.
    pub(crate) fn is_interrupted(self) -> bool {
        self.flags & NLM_F_DUMP_INTR != 0
    }

    /// Whether this closes a dump.
    pub(crate) fn is_done(self) -> bool {
        self.kind == NLMSG_DONE
    }

    /// How the dump that this message closes went: the kernel puts an error number here when
    /// the dump failed on the way.
    pub(crate) fn done(self) -> io::Result<()> {
        match i32_at(self.payload, 0) {
            Some(code) if code < 0 => Err(io::Error::from_raw_os_error(-code)),
            Some(_) | None => Ok(()),
        }
    }

    /// The error in an error message; an acknowledgement is error 0.
    pub(crate) fn error(self) -> Option<io::Error> {
        (self.kind == NLMSG_ERROR)
            .then(|| i32_at(self.payload, 0).unwrap_or(0))
            .map(|code| io::Error::from_raw_os_error(code.saturating_neg()))
    }

    /// The attributes behind a fixed part of `skip` bytes.
    pub(crate) fn attributes(self, skip: usize) -> Attributes<'a> {
        Attributes(self.payload.get(skip..).unwrap_or(&[]))
    }
}

/// The attributes in a buffer; a cut last one is left out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attributes<'a>(pub(crate) &'a [u8]);

impl<'a> Attributes<'a> {
    /// The value of the first attribute of this type.
    pub(crate) fn get(self, kind: u16) -> Option<&'a [u8]> {
        let mut all = self;
        all.find_map(|(found, value)| (found == kind).then_some(value))
    }

    /// The attributes inside the first attribute of this type; none where it is absent.
    pub(crate) fn nested(self, kind: u16) -> Attributes<'a> {
        Attributes(self.get(kind).unwrap_or(&[]))
    }

    /// A text up to its closing NUL; invalid UTF-8 is replaced.
    pub(crate) fn text(self, kind: u16) -> Option<String> {
        let value = self.get(kind)?;
        let end = value.iter().position(|&b| b == 0).unwrap_or(value.len());
        Some(String::from_utf8_lossy(&value[..end]).into_owned())
    }

    /// A number in the host's byte order.
    pub(crate) fn u32(self, kind: u16) -> Option<u32> {
        u32_at(self.get(kind)?, 0)
    }

    /// A number in network byte order.
    pub(crate) fn be32(self, kind: u16) -> Option<u32> {
        self.u32(kind).map(u32::from_be)
    }
}

#[expect(
    clippy::copy_iterator,
    reason = "a view that is read from its start each time"
)]
impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        let len = usize::from(u16_at(self.0, 0)?);
        let kind = u16_at(self.0, 2)? & NLA_TYPE_MASK;
        let value = self.0.get(4..len)?;
        self.0 = self.0.get(len.next_multiple_of(4)..).unwrap_or(&[]);
        Some((kind, value))
    }
}

/// A request being put together: header, fixed part, attributes.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    kind: u16,
    flags: u16,
    bytes: Vec<u8>,
}

impl Request {
    /// A request of this type whose payload starts with `fixed`.
    pub(crate) fn new(kind: u16, fixed: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes.extend_from_slice(fixed);
        Self {
            kind,
            flags: NLM_F_REQUEST,
            bytes,
        }
    }

    /// Adds header flags.
    pub(crate) fn flags(mut self, flags: u16) -> Self {
        self.flags |= flags;
        self
    }

    /// Asks for all objects.
    pub(crate) fn dump(self) -> Self {
        self.flags(NLM_F_DUMP)
    }

    /// Asks for an answer also when all went well.
    pub(crate) fn acknowledged(self) -> Self {
        self.flags(NLM_F_ACK)
    }

    /// Appends an attribute.
    pub(crate) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let len = u16::try_from(value.len() + 4).expect("requests are short");
        self.bytes.extend_from_slice(&len.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }

    /// Appends a text with its closing NUL.
    pub(crate) fn text(self, kind: u16, text: &str) -> Self {
        let mut value = text.as_bytes().to_vec();
        value.push(0);
        self.attribute(kind, &value)
    }

    /// Appends a fixed part inside a nested attribute.
    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Appends an attribute that holds what `fill` appends.
    pub(crate) fn nested(mut self, kind: u16, fill: impl FnOnce(Self) -> Self) -> Self {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0, 0]);
        self.bytes
            .extend_from_slice(&(kind | NLA_F_NESTED).to_ne_bytes());
        let mut filled = fill(self);
        let len = u16::try_from(filled.bytes.len() - start).expect("requests are short");
        filled.bytes[start..start + 2].copy_from_slice(&len.to_ne_bytes());
        filled
    }

    /// The finished message.
    pub(crate) fn into_bytes(mut self, sequence: u32) -> Vec<u8> {
        let len = u32::try_from(self.bytes.len()).expect("requests are short");
        self.bytes[0..4].copy_from_slice(&len.to_ne_bytes());
        self.bytes[4..6].copy_from_slice(&self.kind.to_ne_bytes());
        self.bytes[6..8].copy_from_slice(&self.flags.to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.bytes
    }
}

/// Reads a number at an offset, in the host's byte order.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let value = bytes.get(at..at + 2)?;
    Some(u16::from_ne_bytes(value.try_into().ok()?))
}

/// Reads a number at an offset, in the host's byte order.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let value = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(value.try_into().ok()?))
}

fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    u32_at(bytes, at).map(u32::cast_signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_back_as_it_was_written() {
        let request = Request::new(7, &[2, 0, 0, 0])
            .text(1, "veth0")
            .nested(18, |link| link.text(1, "veth"));
        let bytes = request.into_bytes(1);
        let message = Messages(&bytes).next().unwrap();
        assert_eq!(message.kind, 7);
        let attributes = message.attributes(4);
        assert_eq!(attributes.text(1).as_deref(), Some("veth0"));
        assert_eq!(attributes.nested(18).text(1).as_deref(), Some("veth"));
    }

    #[test]
    fn a_cut_message_is_left_out() {
        let bytes = Request::new(7, &[0; 8]).into_bytes(1);
        assert_eq!(Messages(&bytes[..bytes.len() - 1]).count(), 0);
    }

    #[test]
    fn an_attribute_that_claims_more_than_there_is_ends_the_list() {
        assert_eq!(Attributes(&[9, 0, 1, 0, 5]).count(), 0);
        assert_eq!(Attributes(&[0, 0, 1, 0, 5]).count(), 0);
    }
}
