//! The laws of this codebase that a machine can check and Clippy does not.
//!
//! Each check is a function of the tree to the breaches in it. Nothing here changes a file.

mod crates;
mod exempt;
mod files;
mod findings;
mod manifest;
mod markdown;
mod paths;
mod pure;
mod rust;
mod tree;
mod words;

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use self::exempt::Exempt;
use self::tree::Tree;

/// One place where a law is broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Breach {
    path: String,
    /// Counted from 1.
    line: usize,
    what: String,
}

impl Breach {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            what: what.into(),
        }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Prints the breaches in the repository at `root`; fails if there is one.
pub(crate) fn run(root: &Path) -> anyhow::Result<ExitCode> {
    let found = breaches(&Tree::read(root)?);
    let mut out = io::stdout().lock();
    for breach in &found {
        writeln!(out, "{breach}")?;
    }
    Ok(if found.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn breaches(tree: &Tree) -> Vec<Breach> {
    let exempt = Exempt::of(tree);
    let mut all = [
        exempt.idle(tree),
        crates::order(tree),
        crates::lints(tree),
        files::opening(tree),
        files::names(tree),
        files::length(tree, &exempt),
        files::unsafety(tree, &exempt),
        files::serde_derives(tree, &exempt),
        files::ignored_tests(tree),
        pure::edges(tree),
        findings::documented(tree),
        findings::with_a_case(tree),
        markdown::headings(tree),
        markdown::architecture(tree),
        words::foreign(tree),
        words::undone(tree),
    ]
    .concat();
    all.sort();
    all
}
