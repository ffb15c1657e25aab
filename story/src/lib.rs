//! Answers as people read them: text for the terminal, JSON for programs.
//!
//! Everything said is worded here, in [`words`]; nothing here decides what is true.

pub mod escape;
pub mod explain;
pub mod json;
pub mod term;
pub mod words;

mod groups;
mod names;
mod strip;
mod telling;

use host::Host;
use trace::{Answer, Finding, Question};

pub use names::{Names, PodLabel};

/// What there is to tell: a question about a host, its answers, and what is wrong in them.
#[derive(Debug, Clone, Copy)]
pub struct Story<'a> {
    /// The host the question is about; steps refer to its rules by place.
    pub host: &'a Host,
    /// The question.
    pub question: &'a Question,
    /// Its answers.
    pub answers: &'a [Answer],
    /// Named mistakes found in them.
    pub findings: &'a [Finding],
    /// How pods are called.
    pub names: &'a Names,
    /// One real connection from the host itself, where one was made.
    pub probe: Option<&'a Probe>,
}

/// What a real connection met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What it saw: `connected from 192.0.2.1:40000`, `ECONNREFUSED`.
    pub saw: String,
    /// Whether that is what was foretold; absent where nothing certain was.
    pub agrees: Option<bool>,
}
