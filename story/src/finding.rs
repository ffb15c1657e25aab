//! Stands in for what `trace` is about to give.
#![expect(missing_docs, reason = "stands in for a type of trace")]

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
    Note,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    pub say: String,
    pub command: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub code: &'static str,
    pub severity: Severity,
    pub title: String,
    pub why: Vec<String>,
    pub fix: Option<Fix>,
    pub check: Option<String>,
    pub answers: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingDoc {
    pub code: &'static str,
    pub summary: &'static str,
    pub you_see: &'static str,
    pub check_by_hand: &'static str,
    pub put_it_right: &'static str,
}
