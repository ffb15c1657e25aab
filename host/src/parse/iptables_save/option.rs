//! One option of a rule: its name, its `!`, its values.

use std::borrow::Cow;

use net::Family;

use crate::xt::Not;

use super::tokens::{Token, Tokens};

/// Options whose value may look like an option.
const ANY_VALUE: [&str; 5] = [
    "--log-prefix",
    "--nflog-prefix",
    "--ulog-prefix",
    "--string",
    "--hex-string",
];

/// What an extension made of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Took {
    /// It is not one of its options.
    Nothing,
    /// Taken; the extension may still lack what it cannot do without.
    Part,
    /// Taken, and the extension has all it needs.
    Whole,
}

/// An option where it stands.
#[derive(Debug)]
pub(super) struct Opt<'a, 't> {
    /// Its name with the dashes.
    pub(super) name: Cow<'a, str>,
    /// A `!` stands before it, or in the old style behind it.
    pub(super) not: bool,
    /// The family of the table.
    pub(super) family: Family,
    /// Where it begins in the line, its `!` included.
    pub(super) start: usize,
    /// The value of `--name=value`, until it is taken.
    joined: Option<String>,
    tokens: &'t mut Tokens<'a>,
}

impl<'a, 't> Opt<'a, 't> {
    /// The next option of a line. `None` at its end.
    pub(super) fn next(tokens: &'t mut Tokens<'a>, family: Family) -> Option<Self> {
        let first = tokens.next()?;
        let not = first.is_not();
        let start = first.start;
        let token = if not { tokens.next()? } else { first };
        let (name, joined) = match joined(&token) {
            Some((name, value)) => (Cow::Owned(name.to_owned()), Some(value.to_owned())),
            None => (token.text, None),
        };
        Some(Self {
            name,
            not,
            family,
            start,
            joined,
            tokens,
        })
    }

    /// The text of the line from here to where reading has come.
    pub(super) fn written(&self) -> &'a str {
        &self.tokens.line()[self.start..self.tokens.at()]
    }

    /// The text of the line from `start` to where reading has come.
    pub(super) fn written_from(&self, start: usize) -> &'a str {
        self.tokens.line()[start..self.tokens.at()].trim()
    }

    /// Where reading has come in the line.
    pub(super) fn at(&self) -> usize {
        self.tokens.at()
    }

    /// Its next value as it stands.
    pub(super) fn text(&mut self) -> Result<Cow<'a, str>, String> {
        if let Some(joined) = self.joined.take() {
            return Ok(Cow::Owned(joined));
        }
        let lacks = || format!("{} has no value", self.name);
        self.tokens.next().map(|t| t.text).ok_or_else(lacks)
    }

    /// Its value, which the old style allows a `!` before, read by `read`.
    pub(super) fn value<T>(&mut self, read: impl FnOnce(&str) -> Option<T>) -> Result<T, String> {
        if self.joined.is_none() && self.tokens.is_not_next() {
            self.tokens.next();
            self.not = !self.not;
        }
        let text = self.text()?;
        read(&text).ok_or_else(|| format!("{} cannot be `{text}`", self.name))
    }

    /// Its value with its `!`.
    pub(super) fn not<T>(
        &mut self,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Not<T>, String> {
        let value = self.value(read)?;
        let not = self.not;
        Ok(Not { not, value })
    }

    /// Its value, where a `!` has no meaning.
    pub(super) fn plain<T>(&mut self, read: impl FnOnce(&str) -> Option<T>) -> Result<T, String> {
        let value = self.value(read)?;
        self.flag()?;
        Ok(value)
    }

    /// An option without value and without `!`.
    pub(super) fn flag(&self) -> Result<(), String> {
        if self.not {
            return Err(format!("{} cannot be inverted", self.name));
        }
        Ok(())
    }

    /// Skips all values, whose number is not known: up to what looks like an option.
    pub(super) fn skip_values(&mut self) {
        if self.joined.take().is_some() {
            return;
        }
        if ANY_VALUE.contains(&&*self.name) {
            self.tokens.next();
        }
        let is_value = |t: &Token<'_>| !t.is_option() && !t.is_not();
        while self.tokens.peek().as_ref().is_some_and(is_value) {
            self.tokens.next();
        }
    }
}

/// Name and value of `--name=value` and of `-pVALUE`.
fn joined<'t>(token: &'t Token<'_>) -> Option<(&'t str, &'t str)> {
    let text: &str = &token.text;
    match text.as_bytes() {
        _ if token.quoted => None,
        [b'-', b'-', rest @ ..] => {
            let at = rest.iter().position(|b| *b == b'=')?;
            Some((&text[..at + 2], &text[at + 3..]))
        }
        [
            b'-',
            b'p' | b's' | b'd' | b'i' | b'o' | b'j' | b'm' | b'g',
            _,
            ..,
        ] => Some(text.split_at(2)),
        _ => None,
    }
}
