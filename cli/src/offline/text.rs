//! What can be said of a text before it is read: how it is encoded, and whether it is all there.

use host::parse::{Input, Problem};

/// The text in UTF-8 and without a byte order mark: some shells write UTF-16 into files.
pub(super) fn utf8(bytes: Vec<u8>) -> Vec<u8> {
    match bytes.as_slice() {
        [0xef, 0xbb, 0xbf, text @ ..] => text.to_vec(),
        [0xff, 0xfe, text @ ..] => utf16(text, u16::from_le_bytes),
        [0xfe, 0xff, text @ ..] => utf16(text, u16::from_be_bytes),
        _ => bytes,
    }
}

fn utf16(text: &[u8], unit: impl Fn([u8; 2]) -> u16) -> Vec<u8> {
    let (pairs, _) = text.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
    String::from_utf16_lossy(&units).into_bytes()
}

/// A file without content: no program that is asked here prints nothing when all is well.
pub(super) fn empty(input: Input<'_>) -> Option<Problem> {
    let is_empty = input.text.iter().all(u8::is_ascii_whitespace);
    is_empty.then(|| Problem {
        file: input.name.to_owned(),
        line: 0,
        text: String::new(),
        what: "file is empty: did the command fail that wrote it?".to_owned(),
        lost: true,
    })
}

/// A text of lines whose last line has no end.
pub(super) fn cut(input: Input<'_>) -> Option<Problem> {
    if input.text.is_empty() || input.text.ends_with(b"\n") {
        return None;
    }
    let lines = input.text.split(|&byte| byte == b'\n');
    Some(Problem {
        file: input.name.to_owned(),
        line: lines.count(),
        text: String::new(),
        what: "the last line has no end: was the file cut?".to_owned(),
        lost: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_tells_the_encoding_and_is_no_text() {
        assert_eq!(utf8(b"\xef\xbb\xbf*nat\n".to_vec()), b"*nat\n");
        assert_eq!(utf8(b"\xff\xfe*\0n\0".to_vec()), b"*n");
        assert_eq!(utf8(b"\xfe\xff\0*\0n\0".to_vec()), b"*n");
        assert_eq!(utf8(b"*n".to_vec()), b"*n");
    }

    #[test]
    fn a_last_line_without_an_end_may_be_half_a_line() {
        let cut = |text| {
            let input = Input { name: "ss", text };
            cut(input).map(|problem| problem.to_string())
        };
        assert_eq!(cut(b"a\nb\n"), None);
        assert_eq!(
            cut(b"a\nb").as_deref(),
            Some("the last line has no end: was the file cut?: ss line 2")
        );
    }
}
