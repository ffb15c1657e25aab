//! What ends otherwise in two states of a host: each difference once, with its destinations.

use trace::{Answer, Change, Did, From, Outcome};

use crate::{Comparison, Story, words};

use super::headline::headline;
use super::paint::Paper;
use super::{Options, wrap};

/// Destinations, and sources, that are named before the rest is counted.
const NAMED: usize = 3;
/// Differences that are told before the rest is counted.
const TOLD: usize = 20;

/// Columns of a label and what stands in front of it.
const INDENT: usize = 10;

/// Tells what ends otherwise; all of it where the options say so.
pub fn changes(comparison: &Comparison, options: &Options) -> String {
    let mut paper = Paper::new(options.styled);
    let groups = groups(comparison);
    let mut targets: Vec<String> = comparison.changes.iter().map(target).collect();
    targets.sort();
    targets.dedup();
    paper.line(&match targets.len() {
        0 => "every connection ends as before".to_owned(),
        1 => "connections to 1 destination end otherwise".to_owned(),
        count => format!("connections to {count} destinations end otherwise"),
    });
    let most = if options.verbose { usize::MAX } else { TOLD };
    for group in groups.iter().take(most) {
        paper.blank();
        let what = format!("{}, {}", some(&group.targets), some(&group.sources));
        paper.line(&wrap(&what, options.width).join("\n"));
        let room = options.width.saturating_sub(INDENT).max(24);
        for (label, text) in [("before", &group.before), ("after", &group.after)] {
            let mut lines = wrap(text, room).into_iter();
            let first = lines.next().unwrap_or_default();
            paper.line(&format!("  {label:7} {first}"));
            for line in lines {
                paper.line(&format!("{:INDENT$}{line}", ""));
            }
        }
    }
    if groups.len() > most {
        let more = groups.len() - most;
        paper.blank();
        paper.dim(&format!(
            "and {more} more differences (-v tells them, --json lists them)"
        ));
    }
    if comparison.unasked > 0 {
        let count = comparison.unasked;
        let networks = if count == 1 { "network" } else { "networks" };
        let text = format!(
            "{count} {networks} elsewhere that rules ask for {} not asked about: there are too many",
            if count == 1 { "was" } else { "were" },
        );
        paper.blank();
        paper.line(&wrap(&text, options.width).join("\n"));
    }
    paper.text()
}

/// Destinations whose connections change in the same way.
struct Group {
    before: String,
    after: String,
    targets: Vec<String>,
    sources: Vec<String>,
}

fn groups(comparison: &Comparison) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for change in comparison.changes {
        let before = side(comparison.before, change, change.before.as_ref());
        let after = side(comparison.after, change, change.after.as_ref());
        let known = groups
            .iter_mut()
            .find(|g| g.before == before && g.after == after);
        let (target, source) = (target(change), source(change));
        match known {
            Some(group) => {
                for (list, text) in [(&mut group.targets, target), (&mut group.sources, source)] {
                    if !list.contains(&text) {
                        list.push(text);
                    }
                }
            }
            None => groups.push(Group {
                before,
                after,
                targets: vec![target],
                sources: vec![source],
            }),
        }
    }
    groups
}

fn target(change: &Change) -> String {
    format!("{} {}", change.question.proto, change.question.to)
}

fn source(change: &Change) -> String {
    let over = change.iif.as_deref().map(crate::escape::terminal);
    let over = over.map_or(String::new(), |name| format!(" over {name}"));
    match change.from {
        From::Local => "from this host".to_owned(),
        kind if change.is_whole => format!("from {}{over}", words::kind_words(kind)),
        From::Outside | From::Pod => format!("from {}{over}", words::source_words(&change.region)),
    }
}

/// How it ends on one side, and the rule that makes it so.
fn side(host: &host::Host, change: &Change, answer: Option<&Answer>) -> String {
    let Some(answer) = answer else {
        return "no such source".to_owned();
    };
    let story = Story {
        host,
        question: &change.question,
        answers: std::slice::from_ref(answer),
        findings: &[],
        names: &crate::Names::default(),
        probe: None,
        traced: None,
    };
    // Destinations that fare alike are told together.
    let (proto, to) = (change.question.proto, change.question.to);
    let text = headline(&story, answer, None)
        .replace(&format!("FORWARDED to {to}"), "FORWARDED untranslated")
        .replace(&format!("{proto} {to}"), "it");
    let rules: Vec<String> = answer
        .outcomes
        .iter()
        .filter_map(|o| translated_by(&story, o))
        .collect();
    match rules.as_slice() {
        [] => text,
        [rule, rest @ ..] if rest.iter().all(|other| other == rule) => format!("{text}, by {rule}"),
        [first, rest @ ..] => format!("{text}, by {first} and {} more", rest.len()),
    }
}

/// The rule that translated a connection which gets somewhere.
fn translated_by(story: &Story, outcome: &Outcome) -> Option<String> {
    if outcome.ended_at().is_some() {
        return None;
    }
    let steps = outcome.steps[..outcome.request.min(outcome.steps.len())].iter();
    let mut back = steps.rev();
    let step = back.find(|step| matches!(step.did, Did::Dnat { .. }))?;
    Some(words::place(story.host, step.rule.as_ref()?))
}

/// `a, b and 3 more`.
fn some(list: &[String]) -> String {
    let mut named: Vec<String> = list.iter().take(NAMED).cloned().collect();
    if list.len() > NAMED {
        named.push(format!("{} more", list.len() - NAMED));
    }
    words::listed(&named, "and")
}
