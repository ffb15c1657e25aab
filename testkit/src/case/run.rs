//! Asks what a case asks, and compares the stories.

use std::fmt::Write as _;

use host::Host;
use story::{Names, Story, json, term};

use super::file::{Case, CaseFile};
use super::{Asked, CaseError, CaseHost};

/// What became of a case file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every story is told as written.
    Same,
    /// Some are told otherwise: the differences, and the text with the stories as told.
    Other {
        /// For people.
        differences: String,
        /// For the file.
        text: String,
    },
}

/// Tells the stories of the cases that `wanted` picks, with `tell`, and compares.
///
/// # Errors
/// Where a case cannot be told at all.
pub fn check(
    name: &str,
    file: &CaseFile,
    wanted: impl Fn(&Case) -> bool,
    mut tell: impl FnMut(&Case) -> Result<String, CaseError>,
) -> Result<Outcome, CaseError> {
    let mut stories = Vec::new();
    let mut differences = String::new();
    for case in &file.cases {
        let written = case.story.as_ref().map(|story| story.text.clone());
        if !wanted(case) {
            stories.push(None);
            continue;
        }
        let told = tell(case)?;
        if written.as_ref() != Some(&told) {
            let line = case
                .story
                .as_ref()
                .map_or(case.ask.line, |story| story.line);
            let _ = writeln!(differences, "{name}:{line}: {}", case.title);
            differences.push_str(&difference(&written.unwrap_or_default(), &told));
        }
        stories.push(Some(told));
    }
    if differences.is_empty() {
        return Ok(Outcome::Same);
    }
    let text = file.with_stories(&stories);
    Ok(Outcome::Other { differences, text })
}

impl Case {
    /// The story of this case from its blocks alone.
    ///
    /// # Errors
    /// Where a block is not understood, or the question is none for this host.
    pub fn tell(&self) -> Result<String, CaseError> {
        let read = CaseHost::of(self)?;
        self.tell_of(&read, &read.host)
    }

    /// The story of this case about `host`; problems and the cluster are those of `read`.
    ///
    /// # Errors
    /// Where the question is none for this host.
    pub fn tell_of(&self, read: &CaseHost, host: &Host) -> Result<String, CaseError> {
        let asked = Asked::parse(&self.ask)?;
        let mut text = String::new();
        for problem in &read.problems {
            let _ = writeln!(text, "{problem}");
        }
        let answers = match trace::answer(host, &asked.question) {
            Ok(answers) => answers,
            Err(error) => return Ok(format!("{text}why: {error}\n")),
        };
        let findings = trace::findings(host, &asked.question, &answers, read);
        let story = Story {
            host,
            question: &asked.question,
            answers: &answers,
            findings: &findings,
            names: &Names::default(),
            probe: None,
            traced: None,
        };
        text.push_str(&if asked.json {
            json::render(&story)
        } else {
            let options = term::Options {
                verbose: asked.verbose,
                ..term::Options::default()
            };
            term::render(&story, &options)
        });
        Ok(text)
    }
}

/// Lines that only one of two texts has, marked, between those that both have.
fn difference(written: &str, told: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (written.lines().collect(), told.lines().collect());
    // Lengths of the longest common subsequences of all tails.
    let mut common = vec![vec![0usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut text = String::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            let _ = writeln!(text, "  {}", old[i]);
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            let _ = writeln!(text, "- {}", old[i]);
            i += 1;
        } else {
            let _ = writeln!(text, "+ {}", new[j]);
            j += 1;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_stand_between_what_both_have() {
        assert_eq!(difference("a\nb\nc\n", "a\nx\nc\n"), "  a\n- b\n+ x\n  c\n");
        assert_eq!(difference("", "x\n"), "+ x\n");
    }
}
