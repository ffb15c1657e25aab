//! Who need not keep a law, and why: `xtask/tidy.toml`.

use super::Breach;
use super::manifest::{self, Entry};
use super::tree::Tree;

const PATH: &str = "xtask/tidy.toml";

/// The exemptions. A section bears the name of the law.
pub(super) struct Exempt<'a>(Vec<Entry<'a>>);

impl<'a> Exempt<'a> {
    pub(super) fn of(tree: &'a Tree) -> Self {
        Self(manifest::entries(tree.text(PATH)))
    }

    /// Whether `path` need not keep `law`.
    pub(super) fn covers(&self, law: &str, path: &str) -> bool {
        let mut entries = self.0.iter();
        entries.any(|entry| entry.section == law && reaches(entry, path))
    }

    /// Exemptions without a reason, and those that no file is left to need.
    pub(super) fn idle(&self, tree: &Tree) -> Vec<Breach> {
        let mut found = Vec::new();
        for entry in &self.0 {
            if entry.value.is_empty() {
                let what = format!("the exemption of {} gives no reason", entry.key);
                found.push(Breach::new(PATH, entry.line, what));
            }
            if !tree.files().any(|(path, _)| reaches(entry, path)) {
                let what = format!("{} is exempt and does not exist", entry.key);
                found.push(Breach::new(PATH, entry.line, what));
            }
        }
        found
    }
}

/// An entry stands for the path, for the file of that name, and for the folder.
fn reaches(entry: &Entry<'_>, path: &str) -> bool {
    path.strip_prefix(entry.key)
        .is_some_and(|rest| rest.is_empty() || rest == ".rs" || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exemption_reaches_the_file_and_the_folder_but_no_longer_name() {
        let tree = Tree::from([(PATH, "[serde]\n\"host/src/parse\" = \"reads JSON\"")]);
        let exempt = Exempt::of(&tree);
        assert!(exempt.covers("serde", "host/src/parse.rs"));
        assert!(exempt.covers("serde", "host/src/parse/ip.rs"));
        assert!(!exempt.covers("serde", "host/src/parser.rs"));
        assert!(!exempt.covers("lines", "host/src/parse.rs"));
    }

    #[test]
    fn an_exemption_needs_a_file_and_a_reason() {
        let list = "[lines]\n\"net/src/a\" = \"\"\n\"net/src/b\" = \"a table\"";
        let tree = Tree::from([(PATH, list), ("net/src/a.rs", "")]);
        let expected = [
            Breach::new(PATH, 2, "the exemption of net/src/a gives no reason"),
            Breach::new(PATH, 3, "net/src/b is exempt and does not exist"),
        ];
        assert_eq!(Exempt::of(&tree).idle(&tree), expected);
    }
}
