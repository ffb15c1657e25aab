//! Words that say more about where a text was written than about the project.

use super::Breach;
use super::tree::Tree;

/// In two halves, so that this file passes its own check. Compared in lower case.
const FOREIGN: &[(&str, &str)] = &[
    ("/wor", "k/"),
    ("../sha", "red"),
    ("session", "'s"),
    ("clau", "de"),
    ("anthro", "pic"),
    ("static.crates", ".io"),
    ("index.crates", ".io"),
    ("deb.debian", ".org"),
    ("security.debian", ".org"),
    ("proxy.golang", ".org"),
];

/// Marks of work put off; the first may stay if it names an issue: `(#12)`.
const UNDONE: [(&str, &str); 2] = [("TO", "DO"), ("FIX", "ME")];

/// Folders, hosts and tools of one workplace.
pub(super) fn foreign(tree: &Tree) -> Vec<Breach> {
    let words: Vec<String> = FOREIGN
        .iter()
        .map(|(head, tail)| format!("{head}{tail}"))
        .collect();
    let mut found = Vec::new();
    for (path, text) in tree.files() {
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.to_lowercase();
            for word in words.iter().filter(|word| text.contains(*word)) {
                let what = format!("`{word}` is of a workplace, not of the project");
                found.push(Breach::new(path, line, what));
            }
        }
    }
    found
}

/// Work put off without an issue that keeps it in mind.
pub(super) fn undone(tree: &Tree) -> Vec<Breach> {
    let [todo, fixme] = UNDONE.map(|(head, tail)| format!("{head}{tail}"));
    let mut found = Vec::new();
    for (path, text) in tree.files() {
        for (line, text) in (1..).zip(text.lines()) {
            let mut after = text.split(&todo).skip(1);
            if after.any(|rest| !names_issue(rest)) || text.contains(&fixme) {
                found.push(Breach::new(path, line, "work put off without an issue"));
            }
        }
    }
    found
}

/// Whether `rest` goes on with an issue in parentheses.
fn names_issue(rest: &str) -> bool {
    let number = rest
        .strip_prefix("(#")
        .and_then(|rest| rest.split_once(')'));
    number.is_some_and(|(digits, _)| digits.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_workplace_are_found_in_any_case() {
        let text = format!(
            "fine
see /Wor{}
",
            "k/notes"
        );
        let found = foreign(&Tree::from([("docs/a.md", &*text)]));
        let what = format!("`/wor{}` is of a workplace, not of the project", "k/");
        assert_eq!(found, [Breach::new("docs/a.md", 2, what)]);
    }

    #[test]
    fn parts_of_other_words_are_fine() {
        let text = "a network/address, a session affinity, crates of others";
        assert_eq!(foreign(&Tree::from([("docs/a.md", text)])), []);
    }

    #[test]
    fn work_put_off_names_its_issue() {
        let text = format!(
            "// TO{0}(#12): ports
// TO{0}: more
// TO{0}(me)
",
            "DO"
        );
        let found = undone(&Tree::from([("a.rs", &*text)]));
        let lines: Vec<usize> = found.iter().map(|breach| breach.line).collect();
        assert_eq!(lines, [2, 3]);
    }
}
