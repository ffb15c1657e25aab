//! Named mistakes that an answer shows: each in a file of its own, with its text and its fix.

use host::Host;
use net::{Proto, ServiceName};

use crate::answer::Answer;
use crate::question::Question;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Somebody loses traffic that is theirs.
    Error,
    /// Somebody may.
    Warning,
    /// Worth knowing.
    Note,
}

/// What to do about a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// In words.
    pub say: String,
    /// As a command that can be pasted; quoted by whoever shows it is not needed.
    pub command: Option<String>,
}

/// A named mistake, found in answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its name: kebab-case, the cause, never reused.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The cause in one line, in the user's words.
    pub title: String,
    /// The story behind it, a sentence each.
    pub why: Vec<String>,
    /// What to do.
    pub fix: Option<Fix>,
    /// A command that shows it without this program.
    pub check: Option<String>,
    /// The answers it explains, by number.
    pub answers: Vec<usize>,
}

/// The text of a finding, as `berth explain` prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FindingDoc {
    /// Its code.
    pub code: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// What the user sees.
    pub you_see: &'static str,
    /// How to check it by hand.
    pub check_by_hand: &'static str,
    /// How to put it right.
    pub put_it_right: &'static str,
}

/// What is known of Services beyond the rules, for those who name and advise.
pub trait Names {
    /// The Service that has this NodePort.
    fn at_node_port(&self, proto: Proto, port: u16) -> Option<ServiceName>;
    /// Ready endpoints of a Service, everywhere; absent where nobody knows.
    fn ready(&self, service: &ServiceName) -> Option<usize>;
    /// A NodePort that is free on this host and held by no Service.
    fn free_node_port(&self, host: &Host, proto: Proto) -> Option<u16>;
}

/// The texts of all findings, by code.
pub const FINDINGS: &[FindingDoc] = &[];

/// Every finding that the answers show, the worst first.
pub fn findings(
    _host: &Host,
    _question: &Question,
    _answers: &[Answer],
    _names: &dyn Names,
) -> Vec<Finding> {
    Vec::new()
}
