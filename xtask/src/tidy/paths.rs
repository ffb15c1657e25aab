//! The words and the paths of Rust code.

use super::rust::is_word;

/// A piece of code and the line it stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) line: usize,
    pub(super) text: &'a str,
}

impl Token<'_> {
    fn is_word(&self) -> bool {
        self.text.starts_with(is_word)
    }
}

/// Words, `::`, and every other character by itself, of `code` without literals.
pub(super) fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while !rest.is_empty() {
            let (text, tail) = rest.split_at(token_len(rest));
            found.push(Token {
                line: index + 1,
                text,
            });
            rest = tail.trim_start();
        }
    }
    found
}

fn token_len(rest: &str) -> usize {
    let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    if word > 0 {
        word
    } else if rest.starts_with("::") {
        2
    } else {
        rest.chars().next().map_or(1, char::len_utf8)
    }
}

/// Every path in `code`, `a::{b, c}` written out as `a::b` and `a::c`, with its last line.
pub(super) fn paths(code: &str) -> Vec<(usize, String)> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        at = if tokens[at].is_word() {
            path_tree(&tokens, at, String::new(), &mut found)
        } else {
            at + 1
        };
    }
    found
}

/// Reads the path or tree of paths that starts at `at`; returns where it ends.
fn path_tree(
    tokens: &[Token<'_>],
    at: usize,
    prefix: String,
    found: &mut Vec<(usize, String)>,
) -> usize {
    let mut path = prefix + tokens[at].text;
    let mut next = at + 1;
    while tokens.get(next).is_some_and(|token| token.text == "::") {
        path += "::";
        next += 1;
        match tokens.get(next) {
            Some(token) if token.is_word() => path += token.text,
            Some(token) if token.text == "{" => return branches(tokens, next, &path, found),
            _ => break,
        }
        next += 1;
    }
    found.push((tokens[next - 1].line, path));
    next
}

/// Reads the braces at `open`; returns what follows them.
fn branches(
    tokens: &[Token<'_>],
    open: usize,
    prefix: &str,
    found: &mut Vec<(usize, String)>,
) -> usize {
    let mut at = open + 1;
    while let Some(token) = tokens.get(at) {
        if token.text == "}" {
            return at + 1;
        }
        at = if token.is_word() {
            path_tree(tokens, at, prefix.to_owned(), found)
        } else {
            at + 1
        };
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_of_paths_are_written_out() {
        let found = paths("use std::{fs, io::{self, Read}};\na::b(c)");
        let expected = [
            (1, "use"),
            (1, "std::fs"),
            (1, "std::io::self"),
            (1, "std::io::Read"),
            (2, "a::b"),
            (2, "c"),
        ];
        assert_eq!(found, expected.map(|(line, path)| (line, path.to_owned())));
    }
}
