//! The text of a finding, written once: as the documentation of its code.

use crate::findings::FindingDoc;

/// Makes a finding's [`FindingDoc`] of the documentation above it, whose first paragraph sums
/// it up and whose rest stands under the three headings.
macro_rules! documented {
    ($(#[doc = $line:literal])+ pub(crate) const DOC: $doc:ty = $code:literal;) => {
        $(#[doc = $line])+
        pub(crate) const DOC: $doc = {
            use $crate::findings::common::doc;
            const WRITTEN: &str = concat!($($line, "\n"),+);
            const TEXT: [u8; doc::len(WRITTEN)] = doc::strip(WRITTEN);
            match str::from_utf8(&TEXT) {
                Ok(text) => doc::of($code, text),
                Err(_) => panic!("only whole characters are left out"),
            }
        };
    };
}
pub(crate) use documented;

const YOU_SEE: &str = "# You see\n";
const CHECK_BY_HAND: &str = "# Check by hand\n";
const PUT_IT_RIGHT: &str = "# Put it right\n";

/// The parts of a text. A heading that is missing stops the build.
pub(crate) const fn of(code: &'static str, text: &'static str) -> FindingDoc {
    let (summary, rest) = split(text, YOU_SEE);
    let (you_see, rest) = split(rest, CHECK_BY_HAND);
    let (check_by_hand, put_it_right) = split(rest, PUT_IT_RIGHT);
    FindingDoc {
        code,
        summary: summary.trim_ascii(),
        you_see: you_see.trim_ascii(),
        check_by_hand: check_by_hand.trim_ascii(),
        put_it_right: put_it_right.trim_ascii(),
    }
}

/// What stands before and behind a heading.
const fn split(text: &'static str, heading: &str) -> (&'static str, &'static str) {
    let mut at = 0;
    while !begins(text.as_bytes(), at, heading.as_bytes()) {
        at += 1;
        assert!(at < text.len(), "a finding tells its three things");
    }
    (text.split_at(at).0, text.split_at(at + heading.len()).1)
}

const fn begins(text: &[u8], at: usize, word: &[u8]) -> bool {
    let mut i = 0;
    while i < word.len() {
        if at + i >= text.len() || text[at + i] != word[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// Bytes of a text without the blank that a line of documentation starts with.
pub(crate) const fn len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut len) = (0, 0);
    while at < bytes.len() {
        if !is_first_blank(bytes, at) {
            len += 1;
        }
        at += 1;
    }
    len
}

/// The text without those blanks.
pub(crate) const fn strip<const N: usize>(text: &str) -> [u8; N] {
    let bytes = text.as_bytes();
    let mut stripped = [0; N];
    let (mut at, mut len) = (0, 0);
    while at < bytes.len() {
        if !is_first_blank(bytes, at) {
            stripped[len] = bytes[at];
            len += 1;
        }
        at += 1;
    }
    stripped
}

const fn is_first_blank(bytes: &[u8], at: usize) -> bool {
    bytes[at] == b' ' && (at == 0 || bytes[at - 1] == b'\n')
}

#[cfg(test)]
mod tests {
    use crate::findings::FindingDoc;

    documented! {
        /// A port is held.
        ///
        /// # You see
        /// Nothing at all,
        /// on two lines.
        /// # Check by hand
        ///   `ss -tln`
        /// # Put it right
        /// Move.
        pub(crate) const DOC: FindingDoc = "port-held";
    }

    #[test]
    fn documentation_becomes_the_text_of_a_finding() {
        let expected = FindingDoc {
            code: "port-held",
            summary: "A port is held.",
            you_see: "Nothing at all,\non two lines.",
            check_by_hand: "`ss -tln`",
            put_it_right: "Move.",
        };
        assert_eq!(DOC, expected);
    }
}
