//! The words of a line, quoted as iptables-save quotes them.

use std::borrow::Cow;

/// A word and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Token<'a> {
    /// Its value, without quotes and escapes.
    pub(super) text: Cow<'a, str>,
    /// Where it begins in the line.
    pub(super) start: usize,
    /// Where it ends.
    pub(super) end: usize,
    /// Some of it was quoted, so that it is a value whatever it looks like.
    pub(super) quoted: bool,
}

impl Token<'_> {
    /// Whether it is the `!` that inverts what follows.
    pub(super) fn is_not(&self) -> bool {
        !self.quoted && self.text == "!"
    }

    /// Whether it begins as an option does; a negative number does not.
    pub(super) fn is_option(&self) -> bool {
        let bytes = self.text.as_bytes();
        !self.quoted && bytes.len() > 1 && bytes[0] == b'-' && !bytes[1].is_ascii_digit()
    }
}

/// The words of a line, one after the other.
#[derive(Debug, Clone)]
pub(super) struct Tokens<'a> {
    line: &'a str,
    at: usize,
    /// A quote was opened and never closed.
    pub(super) unclosed: bool,
}

impl<'a> Tokens<'a> {
    pub(super) fn of(line: &'a str) -> Self {
        Self {
            line,
            at: 0,
            unclosed: false,
        }
    }

    /// The whole line.
    pub(super) fn line(&self) -> &'a str {
        self.line
    }

    /// Where the next word is searched from.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The next word, left in place.
    pub(super) fn peek(&self) -> Option<Token<'a>> {
        let mut ahead = self.clone();
        ahead.next()
    }

    /// Whether the next word is the `!` that inverts.
    pub(super) fn is_not_next(&self) -> bool {
        let rest = self.line[self.at..].trim_start_matches([' ', '\t']);
        rest.starts_with('!') && self.peek().is_some_and(|token| token.is_not())
    }

    /// A word with a quote inside. As iptables-restore does: a quote may open in the middle
    /// of a word, and where it closes the word ends.
    fn quoted(&mut self, start: usize) -> Token<'a> {
        let bytes = self.line.as_bytes();
        let open = start + usize::from(bytes[start] == b'"');
        let plain = bytes[open..]
            .iter()
            .position(|b| matches!(b, b'"' | b'\\'))
            .map(|n| open + n);
        if let Some(close) = plain.filter(|&at| open > start && bytes[at] == b'"') {
            self.at = close + 1;
            return self.token(start, Cow::Borrowed(&self.line[open..close]));
        }
        let mut text = String::new();
        let (mut is_open, mut escaped) = (false, false);
        self.at = self.line.len();
        for (at, c) in self.line[start..].char_indices() {
            match c {
                _ if escaped => {
                    text.push(c);
                    escaped = false;
                }
                '\\' if is_open => escaped = true,
                '"' if is_open => {
                    self.at = start + at + 1;
                    return self.token(start, Cow::Owned(text));
                }
                '"' => is_open = true,
                ' ' | '\t' if !is_open => {
                    self.at = start + at;
                    return self.token(start, Cow::Owned(text));
                }
                _ => text.push(c),
            }
        }
        self.unclosed |= is_open;
        self.token(start, Cow::Owned(text))
    }

    fn token(&self, start: usize, text: Cow<'a, str>) -> Token<'a> {
        Token {
            text,
            start,
            end: self.at,
            quoted: true,
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    #[inline]
    fn next(&mut self) -> Option<Token<'a>> {
        let bytes = self.line.as_bytes();
        let mut start = self.at;
        while bytes.get(start).is_some_and(|b| is_blank(*b)) {
            start += 1;
        }
        let mut end = start;
        while bytes.get(end).is_some_and(|b| !is_blank(*b) && *b != b'"') {
            end += 1;
        }
        if bytes.get(end) == Some(&b'"') {
            return Some(self.quoted(start));
        }
        self.at = end;
        (start < end).then(|| Token {
            text: Cow::Borrowed(&self.line[start..end]),
            start,
            end,
            quoted: false,
        })
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        Tokens::of(line).map(|t| t.text.into_owned()).collect()
    }

    #[test]
    fn escapes_count_inside_quotes_only() {
        assert_eq!(
            words(r#"a "b \"c\" \'d\' \\" e\f"#),
            ["a", r#"b "c" 'd' \"#, r"e\f"]
        );
    }

    #[test]
    fn a_closing_quote_ends_the_word() {
        assert_eq!(words(r#""a""b" x"y z"w"#), ["a", "b", "xy z", "w"]);
        assert_eq!(words(r#"--comment "" -j X"#), ["--comment", "", "-j", "X"]);
    }

    #[test]
    fn an_open_quote_takes_the_rest_of_the_line_and_is_noted() {
        let mut tokens = Tokens::of("a \"b c");
        assert_eq!(tokens.by_ref().count(), 2);
        assert!(tokens.unclosed);
    }

    #[test]
    fn letters_beyond_ascii_are_kept_whole() {
        assert_eq!(words("\"é \\\"ü\" ü"), ["é \"ü", "ü"]);
    }
}
