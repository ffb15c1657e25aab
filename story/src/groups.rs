//! Answers that end alike, told once.

use std::collections::BTreeSet;

use trace::{Answer, From, Outcome, Region, Verdict};

use crate::{Story, escape, words};

/// Sources named before the rest is counted.
const NAMED: usize = 3;

/// Answers that end alike, in the order in which the first of them was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// Their places in [`Story::answers`]; never empty.
    pub(crate) answers: Vec<usize>,
    /// Where their packets come from: `from outside and from pods`.
    pub(crate) label: String,
}

/// Puts together the answers that end in the same way, at the same rule, for the same reason
/// and with the same findings, whatever way their packets took to get there.
pub(crate) fn groups(story: &Story) -> Vec<Group> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for i in 0..story.answers.len() {
        match groups.iter_mut().find(|group| is_alike(story, group[0], i)) {
            Some(group) => group.push(i),
            None => groups.push(vec![i]),
        }
    }
    let with_label = |answers: Vec<usize>| Group {
        label: label(story, &answers),
        answers,
    };
    groups.into_iter().map(with_label).collect()
}

fn is_alike(story: &Story, a: usize, b: usize) -> bool {
    let codes = |i: usize| -> BTreeSet<&str> {
        let of_answer = story.findings.iter().filter(|f| f.answers.contains(&i));
        of_answer.map(|f| f.code).collect()
    };
    let (one, other) = (&story.answers[a].outcomes, &story.answers[b].outcomes);
    one.len() == other.len()
        && one.iter().zip(other).all(|(x, y)| ends_alike(x, y))
        && codes(a) == codes(b)
}

/// Whether two outcomes are one as far as a client and the deciding rule go.
pub(crate) fn ends_alike(a: &Outcome, b: &Outcome) -> bool {
    let share = match (a.share, b.share) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-9,
        (None, None) => true,
        _ => false,
    };
    let at = |o: &Outcome| match o.verdict {
        Verdict::Delivered | Verdict::Forwarded | Verdict::Unknown => None,
        _ => words::deciding(o).map(|step| (step.rule.clone(), step.did.clone())),
    };
    share
        && (a.verdict, a.client, a.to) == (b.verdict, b.client, b.to)
        && (&a.cause, &a.server, &a.service, &a.when) == (&b.cause, &b.server, &b.service, &b.when)
        && a.gaps == b.gaps
        && at(a) == at(b)
}

fn label(story: &Story, members: &[usize]) -> String {
    let mut parts = Vec::new();
    for kind in [From::Outside, From::Pod, From::Local] {
        let of_kind = |i: &usize| story.answers[*i].from == kind;
        let mine: Vec<usize> = members.iter().copied().filter(of_kind).collect();
        let all = (0..story.answers.len()).filter(of_kind).count();
        if mine.len() == all && all > 0 {
            parts.push(format!("from {}", words::kind_words(kind)));
        } else {
            parts.extend(some_of(story, kind, &mine));
        }
    }
    if parts.len() > NAMED + 1 {
        let more = parts.len() - NAMED;
        parts.truncate(NAMED);
        parts.push(format!("{more} more kinds of source"));
    }
    words::listed(&parts, "and")
}

/// Some of the sources of a kind: by interface where that tells them apart, else by address.
fn some_of(story: &Story, kind: From, members: &[usize]) -> Vec<String> {
    let mut parts = Vec::new();
    let mut told = BTreeSet::new();
    for &i in members {
        let answer = &story.answers[i];
        let peers: Vec<usize> = (0..story.answers.len())
            .filter(|&p| story.answers[p].from == kind && story.answers[p].iif == answer.iif)
            .collect();
        let over = over(answer);
        if peers.iter().all(|p| members.contains(p)) {
            if told.insert(answer.iif.clone()) {
                parts.push(format!("from {}{over}", words::kind_words(kind)));
            }
            continue;
        }
        parts.push(by_address(story, kind, answer, &peers));
    }
    parts
}

fn over(answer: &Answer) -> String {
    let name = answer.iif.as_deref().map(escape::terminal);
    name.map_or(String::new(), |name| format!(" over {name}"))
}

fn by_address(story: &Story, kind: From, answer: &Answer, peers: &[usize]) -> String {
    let over = over(answer);
    let who = words::kind_words(kind);
    if let Some(holes) = words::except_words(&union(story, peers), &answer.region) {
        return format!("from {who}{over} except {holes}");
    }
    let region = words::source_words(&answer.region);
    match kind {
        From::Local => format!("from this host as {region}"),
        From::Outside | From::Pod => format!("from {region}{over}"),
    }
}

/// All sources of some answers of one family.
fn union(story: &Story, answers: &[usize]) -> Region {
    let family = story.answers[answers[0]].region.family;
    let of_family = answers.iter().map(|&i| &story.answers[i].region);
    let mut ranges: Vec<(u128, u128)> = of_family
        .filter(|region| region.family == family)
        .flat_map(|region| region.ranges.iter().copied())
        .collect();
    ranges.sort_unstable();
    let mut joined: Vec<(u128, u128)> = Vec::new();
    for (first, last) in ranges {
        match joined.last_mut() {
            Some(before) if before.1.checked_add(1).is_none_or(|next| first <= next) => {
                before.1 = before.1.max(last);
            }
            _ => joined.push((first, last)),
        }
    }
    Region {
        family,
        ranges: joined,
    }
}
