//! The folder of case files.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::CaseError;
use super::file::{Case, CaseFile};
use super::run::{Outcome, check};

/// The case files of a folder, by name.
#[derive(Debug, Clone)]
pub struct Folder {
    files: Vec<PathBuf>,
}

impl Folder {
    /// The project's own cases.
    ///
    /// # Panics
    /// Where the folder cannot be read.
    pub fn of_project() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
        let entries = fs::read_dir(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut files: Vec<PathBuf> = paths
            .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
            .collect();
        files.sort();
        Self { files }
    }

    /// The files and their names.
    ///
    /// # Panics
    /// Where one cannot be read, or is no case file.
    pub fn read(&self) -> Vec<(String, CaseFile)> {
        let read = |path: &PathBuf| {
            let name = name(path);
            let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{name}: {e}"));
            let file = CaseFile::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, file)
        };
        self.files.iter().map(read).collect()
    }

    /// Tells the stories of the cases that `wanted` picks, and returns where they are not as
    /// written; or rewrites those if `update`, and returns nothing.
    ///
    /// # Panics
    /// Where a file cannot be read or written.
    pub fn check(
        &self,
        update: bool,
        wanted: impl Fn(&Case) -> bool,
        mut tell: impl FnMut(&Case) -> Result<String, CaseError>,
    ) -> String {
        let mut wrong = String::new();
        for ((name, file), path) in self.read().iter().zip(&self.files) {
            match check(name, file, &wanted, &mut tell) {
                Ok(Outcome::Same) => {}
                Ok(Outcome::Other { text, .. }) if update => {
                    fs::write(path, text).unwrap_or_else(|error| panic!("{name}: {error}"));
                }
                Ok(Outcome::Other { differences, .. }) => wrong.push_str(&differences),
                Err(error) => {
                    let _ = writeln!(wrong, "{name}: {error}");
                }
            }
        }
        wrong
    }
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("testkit/cases/{name}")
}
