//! What is said behind an ending: what the client sees, what was not known, what to do.
//!
//! Everything here is escaped for one line of a terminal.

use host::GapKind;
use trace::{Answer, Finding, Fix, Outcome, Verdict};

use crate::groups::Group;
use crate::{Story, escape, headline, words};

/// What a client can see, of which so many are named before the rest is counted.
const TOLD: usize = 3;

/// What to do: sentences, a command, and sentences behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Advice {
    pub(crate) before: Vec<String>,
    pub(crate) command: Option<String>,
    pub(crate) behind: Vec<String>,
}

/// What the client sees, in one sentence; nothing where that is not known.
pub(crate) fn client(story: &Story, answer: &Answer) -> Option<String> {
    let proto = story.question.proto;
    let mut said: Vec<String> = Vec::new();
    for outcome in &answer.outcomes {
        let sees = words::client(outcome.client, proto, outcome.to);
        if outcome.verdict != Verdict::Unknown && !said.contains(&sees) {
            said.push(sees);
        }
    }
    if said.len() > TOLD {
        let more = said.len() - TOLD;
        said.truncate(TOLD);
        said.push(format!("and {more} more"));
    }
    (!said.is_empty()).then(|| said.join(", or "))
}

/// What was not known and decided, each once; what a finding tells is not said again.
pub(crate) fn gaps(story: &Story, answer: &Answer) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    let mut findings = story.findings.iter();
    let is_told = findings.any(|finding| finding.code == "outside-netfilter");
    for gap in answer.outcomes.iter().flat_map(|o| &o.gaps) {
        if is_told && gap.kind == GapKind::Bypass {
            continue;
        }
        let line = words::gap_words(gap);
        if !said.contains(&line) {
            said.push(line);
        }
    }
    said
}

/// What to do. The command stands behind the sentence that asks for it: the last one if that
/// ends with a colon, else the first.
pub(crate) fn fix(fix: &Fix) -> Advice {
    let mut before: Vec<String> = fix.say.lines().map(escape::terminal).collect();
    let mut behind = Vec::new();
    let asks_last = before.last().is_some_and(|line| line.ends_with(':'));
    if fix.command.is_some() && !asks_last && !before.is_empty() {
        behind = before.split_off(1);
        before[0].push(':');
    }
    Advice {
        before,
        command: fix.command.clone(),
        behind,
    }
}

/// A command to see for oneself, for an ending that no finding explains.
pub(crate) fn check(story: &Story, group: &Group) -> Option<String> {
    let i = group.answers[0];
    let named = story.findings.iter().any(|f| f.answers.contains(&i));
    let answer = &story.answers[i];
    let known = answer.outcomes.first();
    let outcome = known.filter(|o| !named && o.verdict != Verdict::Unknown)?;
    let check = words::default_check(story, &answer.region, outcome);
    (!check.is_empty()).then(|| escape::terminal(&check))
}

/// The first `most` outcomes of each verdict, and how many more there are.
pub(crate) fn first_of_each(outcomes: &[Outcome], most: usize) -> (Vec<&Outcome>, usize) {
    let mut seen: Vec<(Verdict, usize)> = Vec::new();
    let is_told = |outcome: &&Outcome| {
        let kind = outcome.verdict;
        let Some((_, count)) = seen.iter_mut().find(|(verdict, _)| *verdict == kind) else {
            seen.push((kind, 1));
            return true;
        };
        *count += 1;
        *count <= most
    };
    let told: Vec<&Outcome> = outcomes.iter().filter(is_told).collect();
    let untold = outcomes.len() - told.len();
    (told, untold)
}

/// Every finding, the one of the first verdict first; and whether it is in the headline of a
/// group that was told.
pub(crate) fn findings<'a>(story: &Story<'a>, groups: &[Group]) -> Vec<(&'a Finding, bool)> {
    let told = groups.iter().map(|group| headline::finding(story, group));
    let told: Vec<Option<&Finding>> = told.collect();
    let first = told.first().copied().flatten();
    let mut findings: Vec<&Finding> = story.findings.iter().collect();
    findings.sort_by_key(|f| (first.is_none_or(|first| *f != first), f.severity));
    let is_headline = |finding: &Finding| told.contains(&Some(finding));
    findings
        .into_iter()
        .map(|finding| (finding, is_headline(finding)))
        .collect()
}

/// What was taken for granted and mattered, each once.
pub(crate) fn assumed(story: &Story) -> Vec<String> {
    let mut said: Vec<&str> = Vec::new();
    for line in story.answers.iter().flat_map(|a| &a.assumed) {
        if !said.contains(&line.as_str()) {
            said.push(line);
        }
    }
    said.into_iter().map(escape::terminal).collect()
}
