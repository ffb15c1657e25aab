//! What holds for each Rust file by itself: how it opens, its length, and what it may contain.

use super::Breach;
use super::exempt::Exempt;
use super::paths::{Token, tokens};
use super::rust::Source;
use super::tree::Tree;

/// The longest a file may be, without its tests.
const CAP: usize = 500;

/// Files that do not open with what they are for.
pub(super) fn opening(tree: &Tree) -> Vec<Breach> {
    tree.rust()
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| Breach::new(source.path, 1, "does not open with `//!` and its purpose"))
        .collect()
}

/// Modules in a file of the name that says nothing.
pub(super) fn names(tree: &Tree) -> Vec<Breach> {
    tree.with_ending("/mod.rs")
        .map(|(path, _)| Breach::new(path, 1, "a module lies in NAME.rs, not in NAME/mod.rs"))
        .collect()
}

/// Files above the cap, and exempt ones that no longer are.
pub(super) fn length(tree: &Tree, exempt: &Exempt<'_>) -> Vec<Breach> {
    tree.rust()
        .filter_map(|source| {
            let length = source.length();
            match (length > CAP, exempt.covers("lines", source.path)) {
                (true, false) => Some((source, format!("{length} lines, the cap is {CAP}"))),
                (false, true) => Some((source, format!("{length} lines need no exemption"))),
                (true, true) | (false, false) => None,
            }
        })
        .map(|(source, what)| Breach::new(source.path, 1, what))
        .collect()
}

/// Unsafe code outside the files kept for it.
pub(super) fn unsafety(tree: &Tree, exempt: &Exempt<'_>) -> Vec<Breach> {
    tree.rust()
        .filter(|source| !exempt.covers("unsafe", source.path))
        .flat_map(|source| {
            let hits = tokens(&source.code)
                .into_iter()
                .filter(|token| token.text == "unsafe");
            hits.map(|token| Breach::new(source.path, token.line, "unsafe code has no place here"))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Types that serde reads or writes outside the rim.
pub(super) fn serde_derives(tree: &Tree, exempt: &Exempt<'_>) -> Vec<Breach> {
    tree.rust()
        .filter(|source| !exempt.covers("serde", source.path))
        .flat_map(|source| {
            let lines = derives_of_serde(&source);
            let breach =
                |line| Breach::new(source.path, line, "serde may not be derived in this file");
            lines.into_iter().map(breach).collect::<Vec<_>>()
        })
        .collect()
}

fn derives_of_serde(source: &Source<'_>) -> Vec<usize> {
    let tokens = tokens(&source.shipped);
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let is_derive = token.text == "derive";
        let mut traits = tokens[at..].iter().take_while(|token| token.text != ")");
        if is_derive && traits.any(is_serde_trait) {
            found.push(token.line);
        }
    }
    found
}

fn is_serde_trait(token: &Token<'_>) -> bool {
    matches!(token.text, "Serialize" | "Deserialize")
}

/// Tests that are there and do not run.
pub(super) fn ignored_tests(tree: &Tree) -> Vec<Breach> {
    tree.rust()
        .flat_map(|source| {
            let lines = (1..).zip(source.code.lines());
            lines
                .filter(|(_, line)| line.contains("#[ignore"))
                .map(|(line, _)| Breach::new(source.path, line, "a test that never runs"))
                .collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "xtask/tidy.toml";

    fn lines(found: &[Breach]) -> Vec<(&str, usize)> {
        found
            .iter()
            .map(|breach| (&*breach.path, breach.line))
            .collect()
    }

    #[test]
    fn a_file_opens_with_its_purpose() {
        let tree = Tree::from([("a.rs", "//! Ports.\n"), ("b.rs", "use std::fmt;\n")]);
        assert_eq!(lines(&opening(&tree)), [("b.rs", 1)]);
    }

    #[test]
    fn a_module_has_its_name_on_its_file() {
        let tree = Tree::from([("net/src/port/mod.rs", ""), ("net/src/port.rs", "")]);
        assert_eq!(lines(&names(&tree)), [("net/src/port/mod.rs", 1)]);
    }

    #[test]
    fn lengths_are_capped_without_tests() {
        let long = "x();\n".repeat(CAP + 1);
        let tests = "x();\n".repeat(CAP) + "#[cfg(test)]\nmod tests {}\n";
        let tree = Tree::from([("long.rs", &*long), ("tests.rs", &*tests)]);
        assert_eq!(lines(&length(&tree, &Exempt::of(&tree))), [("long.rs", 1)]);
    }

    #[test]
    fn an_exemption_from_the_cap_goes_when_it_can() {
        let long = "x();\n".repeat(CAP + 1);
        let list = "[lines]\n\"long.rs\" = \"a table\"\n\"short.rs\" = \"a table\"";
        let tree = Tree::from([("long.rs", &*long), ("short.rs", ""), (LIST, list)]);
        let expected = Breach::new("short.rs", 1, "0 lines need no exemption");
        assert_eq!(length(&tree, &Exempt::of(&tree)), [expected]);
    }

    #[test]
    fn unsafe_code_stays_in_its_file() {
        let code = "// unsafe\nfn f() {\n    unsafe { g() }\n}\n";
        let list = "[unsafe]\n\"sys.rs\" = \"system calls\"";
        let tree = Tree::from([("sys.rs", code), ("b.rs", code), (LIST, list)]);
        assert_eq!(lines(&unsafety(&tree, &Exempt::of(&tree))), [("b.rs", 3)]);
    }

    #[test]
    fn serde_stays_at_the_rim() {
        let code = "use serde::Deserialize;\n#[derive(\n    Debug,\n    Deserialize,\n)]\nstruct A;\n\
            #[derive(Debug)]\nstruct B(Deserialize);\n#[cfg(test)]\nmod t {\n#[derive(Serialize)]\nstruct C;\n}\n";
        let list = "[serde]\n\"api\" = \"objects as people write them\"";
        let tree = Tree::from([("api/port.rs", code), ("b.rs", code), (LIST, list)]);
        let found = serde_derives(&tree, &Exempt::of(&tree));
        assert_eq!(lines(&found), [("b.rs", 2)]);
    }

    #[test]
    fn no_test_is_ignored() {
        let code = "#[test]\n#[ignore = \"slow\"]\nfn a_port_is_held() {}\n";
        let tree = Tree::from([("a.rs", code)]);
        assert_eq!(lines(&ignored_tests(&tree)), [("a.rs", 2)]);
    }
}
