//! Which crate may use which: the order of `members`, and a row for each crate.

use super::Breach;
use super::manifest::{self, Dependency};
use super::tree::Tree;

/// What one crate may ask for.
struct Row {
    name: &'static str,
    /// Crates of ours; they stand before it in `members` as well.
    ours: &'static [&'static str],
    outside: &'static [&'static str],
}

const ANY: &[&str] = &["*"];

/// The first rows are the pure half: no crate in them does input or output.
const ROWS: &[Row] = &[
    row("net", &[], &[]),
    row("host", &["net"], &["serde", "serde_json"]),
    row("service", &["net"], &["serde", "serde-saphyr"]),
    row("trace", &["net", "host"], &[]),
    row(
        "story",
        &["net", "host", "service", "trace"],
        &["serde", "serde_json", "anstyle", "comfy-table"],
    ),
    row(
        "kernel",
        &["net", "host"],
        &["rustix", "libc", "procfs", "tracing", "thiserror"],
    ),
    row(
        "cli",
        ANY,
        &[
            "clap",
            "anyhow",
            "anstream",
            "anstyle",
            "httparse",
            "indicatif",
            "mimalloc",
            "rustix",
            "tracing",
            "thiserror",
        ],
    ),
    row("testkit", ANY, ANY),
    row(
        "fuzz",
        &["net", "host", "service", "trace", "story"],
        &["libfuzzer-sys", "serde_json"],
    ),
    row("xtask", ANY, &["anyhow", "libc"]),
];

/// Crates that the tests of any crate may use.
const FOR_TESTS: &[&str] = &["flate2", "insta", "proptest", "serde_json"];

/// Crates of ours that nobody imports.
const LEAVES: &[&str] = &["testkit", "fuzz", "xtask"];

const fn row(
    name: &'static str,
    ours: &'static [&'static str],
    outside: &'static [&'static str],
) -> Row {
    Row {
        name,
        ours,
        outside,
    }
}

/// Imports that go against the order or are missing from the importer's row.
pub(super) fn order(tree: &Tree) -> Vec<Breach> {
    let members = manifest::members(tree.text("Cargo.toml"));
    let names: Vec<&str> = members.iter().map(|&(_, name)| name).collect();
    let mut found = Vec::new();
    for (at, &(line, name)) in members.iter().enumerate() {
        let Some(row) = ROWS.iter().find(|row| row.name == name) else {
            let what = format!("{name} has no row in xtask/src/tidy/crates.rs");
            found.push(Breach::new("Cargo.toml", line, what));
            continue;
        };
        let path = manifest_path(name);
        for asked in manifest::dependencies(tree.text(&path)) {
            if let Some(what) = refusal(row, &asked, &names, at) {
                found.push(Breach::new(&path, asked.line, what));
            }
        }
    }
    found
}

fn manifest_path(member: &str) -> String {
    format!("{member}/Cargo.toml")
}

/// Why the crate at `at` among `names` may not ask for `asked`.
fn refusal(row: &Row, asked: &Dependency<'_>, names: &[&str], at: usize) -> Option<String> {
    let Dependency { name, dev, .. } = *asked;
    let Some(place) = names.iter().position(|member| *member == name) else {
        let allowed = has(row.outside, name) || dev && has(FOR_TESTS, name);
        return (!allowed).then(|| format!("{} may not use the outside crate {name}", row.name));
    };
    if LEAVES.contains(&name) {
        Some(format!("nobody imports {name}"))
    } else if place >= at {
        Some(format!("{name} does not stand before {}", row.name))
    } else if !has(row.ours, name) {
        Some(format!("{} may not import {name}", row.name))
    } else {
        None
    }
}

fn has(list: &[&str], name: &str) -> bool {
    list == ANY || list.contains(&name)
}

/// Crates that do not take part in the lints of the workspace.
pub(super) fn lints(tree: &Tree) -> Vec<Breach> {
    let mut found = Vec::new();
    for (_, name) in manifest::members(tree.text("Cargo.toml")) {
        let path = manifest_path(name);
        let takes_part = manifest::entries(tree.text(&path)).iter().any(|entry| {
            entry.section == "lints" && entry.key == "workspace" && entry.value == "true"
        });
        if !takes_part {
            found.push(Breach::new(&path, 1, "lacks `[lints] workspace = true`"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str =
        "members = [\n\"net\",\n\"host\",\n\"trace\",\n\"kernel\",\n\"testkit\",\n]";

    /// The breaches of a workspace in which only `member` has a manifest.
    fn breaches(member: &str, manifest: &str) -> Vec<(usize, String)> {
        let path = manifest_path(member);
        let found = order(&Tree::from([("Cargo.toml", ORDER), (&path, manifest)]));
        assert!(found.iter().all(|breach| breach.path == path));
        let pair = |breach: Breach| (breach.line, breach.what);
        found.into_iter().map(pair).collect()
    }

    #[test]
    fn imports_within_the_row_are_fine() {
        let manifest = "[dependencies]\nnet.workspace = true\nhost.workspace = true\n";
        assert_eq!(breaches("trace", manifest), []);
    }

    #[test]
    fn a_later_crate_may_not_be_imported() {
        let found = breaches("host", "[dependencies]\ntrace.workspace = true");
        let what = "trace does not stand before host";
        assert_eq!(found, [(2, what.to_owned())]);
    }

    #[test]
    fn an_earlier_crate_outside_the_row_may_not_be_imported() {
        let found = breaches("kernel", "[dev-dependencies]\ntrace.workspace = true");
        assert_eq!(found, [(2, "kernel may not import trace".to_owned())]);
    }

    #[test]
    fn nobody_imports_the_testkit() {
        let found = breaches("net", "[dev-dependencies]\ntestkit.workspace = true");
        assert_eq!(found, [(2, "nobody imports testkit".to_owned())]);
    }

    #[test]
    fn an_outside_crate_must_be_in_the_row_unless_tests_alone_use_it() {
        let manifest = "[dependencies]\nproptest = \"1\"\n[dev-dependencies]\nproptest = \"1\"";
        let found = breaches("net", manifest);
        let what = "net may not use the outside crate proptest";
        assert_eq!(found, [(2, what.to_owned())]);
    }

    #[test]
    fn a_new_crate_needs_a_row() {
        let tree = Tree::from([("Cargo.toml", "members = [\n\"soup\",\n]")]);
        let what = "soup has no row in xtask/src/tidy/crates.rs";
        assert_eq!(order(&tree), [Breach::new("Cargo.toml", 2, what)]);
    }

    #[test]
    fn every_crate_takes_the_lints_of_the_workspace() {
        let root = ("Cargo.toml", "members = [\n\"net\",\n\"host\",\n]");
        let net = ("net/Cargo.toml", "[lints]\nworkspace = true");
        let host = ("host/Cargo.toml", "[lints.clippy]\npedantic = \"warn\"");
        let expected = Breach::new("host/Cargo.toml", 1, "lacks `[lints] workspace = true`");
        assert_eq!(lints(&Tree::from([root, net, host])), [expected]);
    }
}
