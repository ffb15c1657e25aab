//! Each finding tells its three things and is shown by a case.

use super::Breach;
use super::tree::Tree;

const FOLDER: &str = "trace/src/findings/";
const CASES: &str = "testkit/cases/";
const HEADINGS: [&str; 3] = ["# You see", "# Check by hand", "# Put it right"];

/// Findings whose documentation lacks a heading, or has nothing under it.
pub(super) fn documented(tree: &Tree) -> Vec<Breach> {
    let mut found = Vec::new();
    for (path, text) in findings(tree) {
        let docs: Vec<&str> = text.lines().filter_map(doc_line).collect();
        for heading in HEADINGS {
            let mut after = docs.iter().skip_while(|line| **line != heading).skip(1);
            let told = after.find(|line| !line.is_empty());
            if told.is_none_or(|line| line.starts_with('#')) {
                let what = format!("says nothing under `{heading}`");
                found.push(Breach::new(path, 1, what));
            }
        }
    }
    found
}

/// What a line of documentation says.
fn doc_line(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let docs = line.strip_prefix("///").or(line.strip_prefix("//!"))?;
    Some(docs.trim())
}

/// Findings that no case uses.
pub(super) fn with_a_case(tree: &Tree) -> Vec<Breach> {
    findings(tree)
        .filter_map(|(path, _)| {
            let code = code(path);
            let shown = tree
                .with_ending(".md")
                .any(|(case, text)| case.starts_with(CASES) && names(text, &code));
            (!shown).then(|| Breach::new(path, 1, format!("no case shows {code}")))
        })
        .collect()
}

fn findings(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    tree.with_ending(".rs").filter(|(path, _)| {
        let name = path.strip_prefix(FOLDER);
        name.is_some_and(|name| !name.contains('/') && name != "tests.rs")
    })
}

/// The code of the finding in the file at `path`.
fn code(path: &str) -> String {
    let name = path.trim_start_matches(FOLDER).trim_end_matches(".rs");
    name.replace('_', "-")
}

/// Whether `text` has `code` as a word of its own, not as part of a longer code.
fn names(text: &str, code: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .any(|word| word == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINDING: &str = "trace/src/findings/port_held.rs";
    const DOCS: &str = "//! A port is held.\n\n/// # You see\n/// Nothing.\n/// # Check by hand\n\
        /// Look.\n/// # Put it right\n/// Move.\npub fn port_held() {}\n";

    #[test]
    fn a_finding_has_its_three_headings() {
        assert_eq!(documented(&Tree::from([(FINDING, DOCS)])), []);
        let less = DOCS.replace("/// # Check by hand\n", "");
        let found = documented(&Tree::from([(FINDING, &*less)]));
        let expected = Breach::new(FINDING, 1, "says nothing under `# Check by hand`");
        assert_eq!(found, [expected]);
    }

    #[test]
    fn a_heading_has_text_under_it() {
        let less = DOCS.replace("/// Look.\n", "");
        let found = documented(&Tree::from([(FINDING, &*less)]));
        let expected = Breach::new(FINDING, 1, "says nothing under `# Check by hand`");
        assert_eq!(found, [expected]);
    }

    #[test]
    fn a_finding_has_a_case() {
        let longer = ("testkit/cases/a.md", "REFUSED  [port-held-twice]");
        let elsewhere = ("docs/b.md", "[port-held]");
        let tree = Tree::from([(FINDING, DOCS), longer, elsewhere]);
        let expected = Breach::new(FINDING, 1, "no case shows port-held");
        assert_eq!(with_a_case(&tree), [expected]);
        let case = ("testkit/cases/a.md", "REFUSED  [port-held]");
        assert_eq!(with_a_case(&Tree::from([(FINDING, DOCS), case])), []);
    }
}
