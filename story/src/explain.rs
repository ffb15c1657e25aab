//! What is known of a kind of finding, for `berth explain`.

use std::fmt::Write as _;

use trace::FindingDoc;

/// One finding in full: what it is, what one sees, how to check and how to put it right.
pub fn render(doc: &FindingDoc) -> String {
    let mut text = format!("{}\n\n{}\n", doc.code, filled(doc.summary, ""));
    for (heading, body) in [
        ("You see", doc.you_see),
        ("Check by hand", doc.check_by_hand),
        ("Put it right", doc.put_it_right),
    ] {
        let _ = write!(text, "\n{heading}\n{}\n", filled(body, "  "));
    }
    text
}

/// All findings: each code, and under it what it is.
pub fn list(docs: &[FindingDoc]) -> String {
    let mut text = String::new();
    for doc in docs {
        let summary: Vec<&str> = doc.summary.lines().map(str::trim).collect();
        let summary = summary.join(" ");
        let summary = filled(summary.trim_end_matches('.'), "    ");
        let _ = writeln!(text, "{}\n{summary}", doc.code);
    }
    text
}

/// The code nearest to a mistyped one, if one is near.
pub fn nearest<'a>(docs: &'a [FindingDoc], code: &str) -> Option<&'a str> {
    let distance = |doc: &&FindingDoc| edits(doc.code, code);
    let best = docs.iter().min_by_key(distance)?;
    (distance(&best) <= best.code.len() / 3 || best.code.contains(code)).then_some(best.code)
}

/// Paragraphs wrapped to 80 columns; indented lines and list items stay lines.
fn filled(text: &str, indent: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        if line.trim().is_empty() {
            lines.push(String::new());
            continue;
        }
        let wrapped = crate::term::wrap(line.trim_end(), 80 - indent.len());
        lines.extend(wrapped.into_iter().map(|part| format!("{indent}{part}")));
    }
    lines.join("\n")
}

/// The number of letters to add, drop or change (Levenshtein).
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let change = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = change.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOC: FindingDoc = FindingDoc {
        code: "nodeport-shadows-listener",
        summary: "A NodePort takes the port of a process.",
        you_see: "Connection refused.",
        check_by_hand: "`ss -tlnp`",
        put_it_right: "Give the Service another NodePort.",
    };

    #[test]
    fn a_finding_is_explained_under_three_headings() {
        assert_eq!(
            render(&DOC),
            "nodeport-shadows-listener\n\nA NodePort takes the port of a process.\n\n\
             You see\n  Connection refused.\n\nCheck by hand\n  `ss -tlnp`\n\n\
             Put it right\n  Give the Service another NodePort.\n"
        );
    }

    #[test]
    fn a_list_has_a_line_of_its_own_for_what_each_finding_is() {
        let doc = FindingDoc {
            summary: "A NodePort takes\nthe port of a process.",
            ..DOC
        };
        assert_eq!(
            list(&[doc]),
            "nodeport-shadows-listener\n    A NodePort takes the port of a process\n"
        );
    }

    #[test]
    fn a_mistyped_code_is_guessed_and_nonsense_is_not() {
        assert_eq!(nearest(&[DOC], "nodeport-shadow-listener"), Some(DOC.code));
        assert_eq!(nearest(&[DOC], "shadows"), Some(DOC.code));
        assert_eq!(nearest(&[DOC], "zzz"), None);
    }
}
