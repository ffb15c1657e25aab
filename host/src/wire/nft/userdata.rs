//! What tools write beside rules and sets for themselves: comments, above all.
//!
//! Each item is a type, a length and so many bytes (libnftnl: udata.h).

/// The value of the first item of a type.
pub(super) fn item(mut bytes: &[u8], kind: u8) -> Option<&[u8]> {
    while let [found, len, rest @ ..] = bytes {
        let (value, rest) = rest.split_at_checked(usize::from(*len))?;
        if *found == kind {
            return Some(value);
        }
        bytes = rest;
    }
    None
}

/// The comment of a rule or element; of these it is the item of type 0.
pub(super) fn comment(bytes: &[u8]) -> Option<Box<str>> {
    let text = item(bytes, 0)?;
    Some(super::text_of(text).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_stands_among_other_items() {
        assert_eq!(comment(b"\x01\x01x\x00\x03hi\x00").as_deref(), Some("hi"));
    }

    #[test]
    fn an_item_longer_than_the_rest_is_none() {
        assert_eq!(comment(b"\x00\x09hi"), None);
        assert_eq!(comment(b"\x00"), None);
    }
}
