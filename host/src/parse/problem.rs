//! What is read, and what was wrong with it.

use std::fmt;

/// How many problems of one input are told one by one.
const MOST: usize = 200;

/// How much of a line is shown, in characters.
const SHOWN: usize = 160;

/// How much is said of what is wrong, in characters: it may quote a value of any length.
const SAID: usize = 400;

/// A text to read.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The name of the file, for messages.
    pub name: &'a str,
    /// Its content.
    pub text: &'a [u8],
}

/// A part of an input that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The name of the file.
    pub file: String,
    /// The line, from 1; 0 where it concerns no single line.
    pub line: usize,
    /// The text there, shortened.
    pub text: String,
    /// What is wrong and what became of the part, without a full stop.
    pub what: String,
    /// Whether the part is lost. Otherwise a gap stands in its place, or no packet can tell.
    pub lost: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.file)?;
        if self.line > 0 {
            write!(f, " line {}", self.line)?;
        }
        if self.text.is_empty() {
            Ok(())
        } else {
            write!(f, ": `{}`", self.text)
        }
    }
}

/// The problems of one input. Those beyond the first few hundred are only counted, so that
/// a file of garbage does not drown its reader.
#[derive(Debug)]
pub(super) struct Problems<'a> {
    file: &'a str,
    told: Vec<Problem>,
    untold: usize,
    untold_lost: bool,
}

impl<'a> Problems<'a> {
    pub(super) fn of(input: Input<'a>) -> Self {
        Self {
            file: input.name,
            told: Vec::new(),
            untold: 0,
            untold_lost: false,
        }
    }

    /// Adds a part that is lost, by its line, counted from 1; 0 for the whole input.
    pub(super) fn add(&mut self, line: usize, text: &str, what: impl Into<String>) {
        self.push(line, text, &what.into(), true);
    }

    /// Adds a part that a gap stands in for, or that no packet can tell.
    pub(super) fn note(&mut self, line: usize, text: &str, what: impl Into<String>) {
        self.push(line, text, &what.into(), false);
    }

    fn push(&mut self, line: usize, text: &str, what: &str, lost: bool) {
        if self.told.len() == MOST {
            self.untold += 1;
            self.untold_lost |= lost;
            return;
        }
        self.told.push(Problem {
            file: self.file.to_owned(),
            line,
            text: shown(text, SHOWN),
            what: shown(what, SAID),
            lost,
        });
    }

    pub(super) fn into_vec(mut self) -> Vec<Problem> {
        if self.untold > 0 {
            self.told.push(Problem {
                file: self.file.to_owned(),
                line: 0,
                text: String::new(),
                what: format!("{} more problems like these", self.untold),
                lost: self.untold_lost,
            });
        }
        self.told
    }
}

/// One line of printable text, of at most so many characters and a sign that more was there.
fn shown(text: &str, most: usize) -> String {
    let line = text.trim().chars();
    let mut shown: String = line
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .take(most + 1)
        .collect();
    if shown.chars().count() > most {
        shown.pop();
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems() -> Problems<'static> {
        Problems::of(Input {
            name: "rules.txt",
            text: b"",
        })
    }

    #[test]
    fn a_problem_is_one_line_with_what_and_where() {
        let mut problems = problems();
        problems.add(7, "-A X\u{1b}[31m\n", "rule was not understood");
        let told = problems.into_vec();
        assert_eq!(
            told[0].to_string(),
            "rule was not understood: rules.txt line 7: `-A X\u{fffd}[31m`"
        );
    }

    #[test]
    fn a_long_text_is_cut() {
        let mut problems = problems();
        problems.add(1, &"x".repeat(5000), "`\u{1b}` ".repeat(5000));
        let told = problems.into_vec().remove(0);
        assert_eq!(told.text.chars().count(), SHOWN + 1);
        assert_eq!(told.what.chars().count(), SAID + 1);
        assert!(told.what.starts_with("`\u{fffd}` "));
    }

    #[test]
    fn a_flood_of_problems_is_counted() {
        let mut problems = problems();
        for line in 1..=MOST + 5 {
            problems.add(line, "x", "garbage");
        }
        let told = problems.into_vec();
        assert_eq!(told.len(), MOST + 1);
        assert_eq!(
            told[MOST].to_string(),
            "5 more problems like these: rules.txt"
        );
    }
}
