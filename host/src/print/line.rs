//! A line in the making, word by word.

use std::fmt::{Display, Write as _};

/// Words with one blank between them.
#[derive(Debug, Default)]
pub(super) struct Line(String);

impl Line {
    pub(super) fn into_string(self) -> String {
        self.0
    }

    /// Adds a word as it is.
    pub(super) fn word(&mut self, word: impl Display) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        write!(self.0, "{word}").expect("a String takes any text");
    }

    /// Adds an option with its value, after the `!` where it has one.
    pub(super) fn option(&mut self, not: bool, name: &str, value: impl Display) {
        self.flag(not, name);
        self.word(value);
    }

    /// Adds an option without a value.
    pub(super) fn flag(&mut self, not: bool, name: &str) {
        if not {
            self.word('!');
        }
        self.word(name);
    }

    /// Adds a name: iptables does not quote these, so quotes stand where they must only.
    pub(super) fn name(&mut self, name: &str) {
        let is_plain = |c: char| !c.is_whitespace() && c != '"';
        if !name.is_empty() && name.chars().all(is_plain) {
            self.word(name);
        } else {
            self.quoted(name);
        }
    }

    /// Adds free text, quoted as iptables-save does (`xtables_save_string`).
    pub(super) fn text(&mut self, text: &str) {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        if !text.is_empty() && text.bytes().all(is_plain) {
            self.word(text);
        } else {
            self.quoted(text);
        }
    }

    fn quoted(&mut self, text: &str) {
        self.word('"');
        for c in text.chars() {
            if matches!(c, '"' | '\\' | '\'') {
                self.0.push('\\');
            }
            self.0.push(c);
        }
        self.0.push('"');
    }
}
