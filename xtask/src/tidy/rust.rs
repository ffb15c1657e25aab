//! Just enough of Rust's grammar to tell code from comments, literals and tests.

/// One Rust file, seen three ways. Lines keep their numbers in all of them.
pub(super) struct Source<'a> {
    pub(super) path: &'a str,
    /// As it stands.
    pub(super) text: &'a str,
    /// Comments and literals blanked.
    pub(super) code: String,
    /// Items under `#[cfg(test)]` blanked as well; all of a file of tests.
    pub(super) shipped: String,
}

impl<'a> Source<'a> {
    pub(super) fn new(path: &'a str, text: &'a str) -> Self {
        let code = without_literals(text);
        let shipped = if is_test_file(path) {
            blank(&code)
        } else {
            without_tests(&code)
        };
        Self {
            path,
            text,
            code,
            shipped,
        }
    }

    /// Lines of the file without its tests.
    pub(super) fn length(&self) -> usize {
        if is_test_file(self.path) {
            return 0;
        }
        test_ranges(&self.code)
            .iter()
            .fold(self.text.lines().count(), |length, &(from, to)| {
                length - self.code[from..to].lines().count()
            })
    }
}

fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

/// `text` with spaces for everything but line ends.
fn blank(text: &str) -> String {
    let hide = |c| if c == '\n' { c } else { ' ' };
    text.chars().map(hide).collect()
}

fn without_literals(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let after_word = code.chars().next_back().is_some_and(is_word);
        let hidden = literal_len(rest, after_word);
        let (head, tail) = rest.split_at(if hidden == 0 { next.len_utf8() } else { hidden });
        if hidden == 0 {
            code.push(next);
        } else {
            code.push_str(&blank(head));
        }
        rest = tail;
    }
    code
}

/// Bytes of the comment or literal at the start of `rest`; 0 if neither starts there.
fn literal_len(rest: &str, after_word: bool) -> usize {
    if rest.starts_with("//") {
        rest.find('\n').unwrap_or(rest.len())
    } else if rest.starts_with("/*") {
        block_comment_len(rest)
    } else if rest.starts_with('"') {
        string_len(rest)
    } else if rest.starts_with('\'') {
        char_len(rest)
    } else if after_word {
        0
    } else {
        raw_string_len(rest)
    }
}

/// Block comments nest.
fn block_comment_len(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        let step = &rest.as_bytes()[at..];
        if step.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if step.starts_with(b"*/") {
            depth -= 1;
            at += 2;
        } else {
            at += 1;
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn string_len(rest: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !escaped => return at + 1,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}

/// 0 for a lifetime.
fn char_len(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((at, escaped))) => {
            let body = at + escaped.len_utf8();
            rest[body..].find('\'').map_or(0, |end| body + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

/// `r"…"`, `r#"…"#` and the same for bytes and C strings.
fn raw_string_len(rest: &str) -> usize {
    let marked = rest.trim_start_matches(['b', 'c']);
    let Some(fence) = marked.strip_prefix('r') else {
        return 0;
    };
    let body = fence.trim_start_matches('#');
    if !body.starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(fence.len() - body.len()));
    let start = rest.len() - body.len() + 1;
    rest[start..]
        .find(&end)
        .map_or(rest.len(), |at| start + at + end.len())
}

fn without_tests(code: &str) -> String {
    let mut shipped = String::with_capacity(code.len());
    let mut done = 0;
    for (from, to) in test_ranges(code) {
        shipped.push_str(&code[done..from]);
        shipped.push_str(&blank(&code[from..to]));
        done = to;
    }
    shipped.push_str(&code[done..]);
    shipped
}

/// Where the items under `#[cfg(test)]` or `#[cfg(all(test, …))]` lie in `code`.
fn test_ranges(code: &str) -> Vec<(usize, usize)> {
    let mut ranges = Vec::new();
    let mut at = 0;
    while let Some(found) = code[at..].find("#[cfg(") {
        let from = at + found;
        let condition = &code[from + "#[cfg(".len()..];
        let is_test = condition.starts_with("test)") || condition.starts_with("all(test");
        let to = from + if is_test { item_len(&code[from..]) } else { 1 };
        if is_test {
            ranges.push((from, to));
        }
        at = to;
    }
    ranges
}

/// Bytes of the item at the start of `code`, attributes included.
fn item_len(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'}' if depth <= 1 => return at + 1,
            b'}' => depth -= 1,
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of `text` as code, line by line, words parted by one space.
    fn code(text: &str) -> Vec<String> {
        let source = Source::new("net/src/a.rs", text);
        let lines = source.code.lines();
        lines
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect()
    }

    #[test]
    fn comments_and_strings_are_no_code() {
        let text = "a // unsafe\nb /* x /* y */ z */ c\nlet s = \"un\\\"safe\n\"; d";
        let expected = ["a", "b c", "let s =", "; d"];
        assert_eq!(code(text), expected);
    }

    #[test]
    fn raw_strings_end_at_their_own_fence() {
        assert_eq!(code("br#\"a\"b\"# x\nr\"c\\\" y"), ["x", "y"]);
    }

    #[test]
    fn a_lifetime_opens_no_character() {
        assert_eq!(code("fn f<'a>(x: &'a str)"), ["fn f<'a>(x: &'a str)"]);
        assert_eq!(code("'\"' x '\\'' y"), ["x y"]);
    }

    #[test]
    fn tests_do_not_ship() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { {} }\n}\nfn c() {}\n";
        let source = Source::new("net/src/a.rs", text);
        assert!(!source.shipped.contains("fn b"));
        assert!(source.shipped.contains("fn c"));
        assert_eq!(source.length(), 2);
    }

    #[test]
    fn a_test_module_in_a_file_of_its_own_costs_no_length() {
        let text = "#[cfg(test)]\nmod tests;\nfn a() {}\n";
        assert_eq!(Source::new("net/src/a.rs", text).length(), 1);
        assert_eq!(Source::new("net/src/a/tests.rs", text).length(), 0);
    }
}
