//! The words of a listing, with the line each stands in.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// A word, a string without its quotes, or a sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) text: Cow<'a, str>,
    /// The line, from 1.
    pub(super) line: usize,
    /// It stood in quotes.
    pub(super) quoted: bool,
}

/// Signs that stand for themselves wherever they are.
const SIGNS: [char; 6] = ['{', '}', ',', ';', '(', ')'];

/// The tokens of a text; the end of a line is a token `\n`. Comments are left out.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    for (number, line) in text.lines().enumerate() {
        of_line(line, number + 1, &mut tokens);
        tokens.push(Token {
            text: "\n".into(),
            line: number + 1,
            quoted: false,
        });
    }
    tokens
}

/// The handles that `nft -a` writes behind what stands in a line, by the line.
pub(super) fn handles(text: &str) -> BTreeMap<usize, u64> {
    let handle = |(at, line): (usize, &str)| {
        // In a comment a quote would follow.
        let (_, number) = line.rsplit_once("# handle ")?;
        Some((at + 1, number.trim_end().parse().ok()?))
    };
    text.lines().enumerate().filter_map(handle).collect()
}

/// The line of the last token, where braces are open at the end.
pub(super) fn unclosed(tokens: &[Token<'_>]) -> Option<usize> {
    let count = |sign: &str| {
        let signs = tokens.iter().filter(|token| !token.quoted);
        signs.filter(|token| token.text == sign).count()
    };
    let line = tokens.last().map_or(0, |token| token.line);
    (count("{") > count("}")).then_some(line)
}

fn of_line<'a>(line: &'a str, number: usize, tokens: &mut Vec<Token<'a>>) {
    let mut rest = line;
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else {
            return;
        };
        let (text, quoted, len) = match first {
            '#' => return,
            '"' => {
                let inside = &rest[1..];
                let end = inside.find('"').unwrap_or(inside.len());
                (&inside[..end], true, (end + 2).min(rest.len()))
            }
            sign if SIGNS.contains(&sign) => (&rest[..1], false, 1),
            _ => {
                let end = rest
                    .find(|c: char| c.is_whitespace() || c == '"' || SIGNS.contains(&c))
                    .unwrap_or(rest.len());
                (&rest[..end], false, end)
            }
        };
        tokens.push(Token {
            text: text.into(),
            line: number,
            quoted,
        });
        rest = &rest[len..];
    }
}

/// A place among tokens.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'t, 'a> {
    tokens: &'t [Token<'a>],
    at: usize,
}

impl<'t, 'a> Cursor<'t, 'a> {
    pub(super) fn new(tokens: &'t [Token<'a>]) -> Self {
        Self { tokens, at: 0 }
    }

    /// The next token, left where it is.
    pub(super) fn peek(&self) -> Option<&'t Token<'a>> {
        self.tokens.get(self.at)
    }

    /// The text of the next token; empty at the end, and for a string.
    pub(super) fn word(&self) -> &'t str {
        self.word_after(0)
    }

    /// The text of a token further on.
    pub(super) fn word_after(&self, skip: usize) -> &'t str {
        let token = self.tokens.get(self.at + skip);
        token
            .filter(|token| !token.quoted)
            .map_or("", |token| &token.text)
    }

    /// Takes the next token.
    pub(super) fn take(&mut self) -> Option<&'t Token<'a>> {
        let token = self.tokens.get(self.at);
        self.at += usize::from(token.is_some());
        token
    }

    /// Takes the next token if it is this word.
    pub(super) fn skip(&mut self, word: &str) -> bool {
        let is_it = self.word() == word && self.peek().is_some();
        self.at += usize::from(is_it);
        is_it
    }

    /// Takes line ends.
    pub(super) fn skip_lines(&mut self) {
        while self.word() == "\n" {
            self.at += 1;
        }
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'t [Token<'a>] {
        &self.tokens[self.at.min(self.tokens.len())..]
    }

    /// Whether nothing is left.
    pub(super) fn is_done(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// The tokens up to the brace that closes the one just taken, which is taken as well.
    pub(super) fn block(&mut self) -> &'t [Token<'a>] {
        let start = self.at;
        let mut depth = 1;
        while let Some(token) = self.take() {
            if token.quoted {
                continue;
            }
            match &*token.text {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return &self.tokens[start..self.at - 1];
            }
        }
        &self.tokens[start..]
    }

    /// The tokens of a statement: up to the end of the line or a semicolon, braces kept whole.
    pub(super) fn statement(&mut self) -> &'t [Token<'a>] {
        let start = self.at;
        let mut depth = 0_usize;
        while let Some(token) = self.peek() {
            if !token.quoted {
                match &*token.text {
                    "{" => depth += 1,
                    "}" if depth == 0 => break,
                    "}" => depth -= 1,
                    "\n" | ";" if depth == 0 => break,
                    _ => {}
                }
            }
            self.at += 1;
        }
        let statement = &self.tokens[start..self.at];
        if matches!(self.word(), "\n" | ";") {
            self.at += 1;
        }
        statement
    }
}

/// Tokens as one would write them.
pub(super) fn written(tokens: &[Token<'_>]) -> String {
    let mut text = String::new();
    for token in tokens.iter().filter(|token| &*token.text != "\n") {
        if !text.is_empty() && &*token.text != "," {
            text.push(' ');
        }
        if token.quoted {
            text.push('"');
        }
        text.push_str(&token.text);
        if token.quoted {
            text.push('"');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_and_strings_are_words_of_their_own() {
        let text = "set s { elements = { 1, \"a b\" } } # handle 4\n";
        let words: Vec<_> = tokens(text).iter().map(|t| t.text.to_string()).collect();
        let expected = [
            "set", "s", "{", "elements", "=", "{", "1", ",", "a b", "}", "}", "\n",
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn a_statement_ends_with_its_line_but_not_inside_braces() {
        let tokens = tokens("tcp dport { 1,\n 2 } accept\ndrop\n");
        let mut cursor = Cursor::new(&tokens);
        assert_eq!(written(cursor.statement()), "tcp dport { 1, 2 } accept");
        assert_eq!(written(cursor.statement()), "drop");
        assert!(cursor.is_done());
    }
}
