//! Where one document of a file ends and the next begins.
//!
//! Done here, by the lines, because a YAML parser does not find the next document after a
//! syntax error.

/// One document and where it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Document<'a> {
    /// Lines of the file before it.
    pub(super) lines_before: usize,
    /// Its text.
    pub(super) text: &'a str,
}

/// The documents of a file; those of comments and blank lines are left out.
///
/// `---` and `...` in the first column end a document wherever they stand: YAML allows them in
/// no text that goes over several lines.
pub(super) fn documents(text: &str) -> Vec<Document<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut documents = Vec::new();
    let mut first = Document {
        lines_before: 0,
        text: "",
    };
    let mut start = 0;
    let mut offset = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let ends = is_marker(line, "...");
        if ends || is_marker(line, "---") {
            first.text = &text[start..offset];
            documents.push(first);
            start = if ends { offset + line.len() } else { offset };
            first = Document {
                lines_before: number + usize::from(ends),
                text: "",
            };
        }
        offset += line.len();
    }
    first.text = &text[start..];
    documents.push(first);
    let full = documents
        .into_iter()
        .filter(|document| !document.is_empty());
    full.flat_map(Document::into_values).collect()
}

/// Whether `line` is the marker, alone or before something else.
fn is_marker(line: &str, marker: &str) -> bool {
    let rest = line.strip_prefix(marker);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

impl Document<'_> {
    /// Whether it has nothing but comments, directives and blank lines.
    fn is_empty(&self) -> bool {
        let text = self.text.strip_prefix("---").unwrap_or(self.text);
        text.lines().all(|line| {
            let line = line.trim_start();
            line.is_empty() || line.starts_with(['#', '%'])
        })
    }

    /// JSON values that follow each other, as `jq` prints them, become documents of their own.
    fn into_values(self) -> Vec<Self> {
        if !self.text.trim_start().starts_with('{') {
            return vec![self];
        }
        let mut values = Vec::new();
        let mut rest = self;
        while let Some(end) = value_end(rest.text) {
            let (text, after) = rest.text.split_at(end);
            if !after.trim_start().starts_with('{') {
                break;
            }
            let lines_before = rest.lines_before;
            rest = Document {
                lines_before: lines_before + text.matches('\n').count(),
                text: after,
            };
            values.push(Document { lines_before, text });
        }
        if !rest.is_empty() {
            values.push(rest);
        }
        values
    }
}

/// Where the JSON object at the start of `text` ends; nothing if it does not.
fn value_end(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<(usize, &str)> {
        let documents = documents(text).into_iter();
        documents.map(|d| (d.lines_before, d.text)).collect()
    }

    #[test]
    fn a_line_of_three_dashes_begins_a_document() {
        let text = "a: 1\n--- # two\nb: |\n  --- no\n---x: no\n";
        let expected = [(0, "a: 1\n"), (1, "--- # two\nb: |\n  --- no\n---x: no\n")];
        assert_eq!(split(text), expected);
    }

    #[test]
    fn documents_of_comments_are_no_documents() {
        let text = "\u{feff}# head\n%YAML 1.2\n---\r\n---\r\na: 1\r\n...\r\n# tail\r\n";
        assert_eq!(split(text), [(3, "---\r\na: 1\r\n")]);
    }

    #[test]
    fn json_values_that_follow_each_other_are_documents() {
        let text = "{\"a\": \"}\\\"\"}\n{\"b\": [{}]} {\n";
        let expected = [
            (0, "{\"a\": \"}\\\"\"}"),
            (0, "\n{\"b\": [{}]}"),
            (1, " {\n"),
        ];
        assert_eq!(split(text), expected);
    }
}
