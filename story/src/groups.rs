//! Answers that end alike, told once.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use net::Endpoint;
use trace::{Answer, Client, From, Region, RuleRef, Verdict};

use crate::{Story, escape, headline, words};

/// Sources named before the rest is counted.
const NAMED: usize = 3;

/// Groups that are told before the rest is counted.
const TOLD: usize = 10;

/// Answers that end alike, in the order in which the first of them was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// Their places in [`Story::answers`]; never empty.
    pub(crate) answers: Vec<usize>,
}

/// What groups are told apart by before anything is compared in full.
type Key<'a> = (
    Vec<(Verdict, Client, Option<Endpoint>, Option<RuleRef>)>,
    BTreeSet<&'a str>,
);

/// Puts together the answers that end in the same way, at the same rule, for the same reason
/// and with the same findings, whatever way their packets took to get there.
pub(crate) fn groups(story: &Story) -> Vec<Group> {
    let mut codes = vec![BTreeSet::new(); story.answers.len()];
    for finding in story.findings {
        for &i in &finding.answers {
            codes[i].insert(finding.code);
        }
    }
    let mut groups: Vec<Group> = Vec::new();
    let mut by_key: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
    for (i, (answer, codes)) in story.answers.iter().zip(codes).enumerate() {
        let ends = answer.outcomes.iter().map(|o| {
            let rule = o.ended_at().and_then(|step| step.rule.clone());
            (o.verdict, o.client, o.to, rule)
        });
        let candidates = by_key.entry((ends.collect(), codes)).or_default();
        let is_mine = |at: &usize| is_alike(answer, &story.answers[groups[*at].answers[0]]);
        if let Some(at) = candidates.iter().copied().find(is_mine) {
            groups[at].answers.push(i);
        } else {
            candidates.push(groups.len());
            groups.push(Group { answers: vec![i] });
        }
    }
    groups
}

/// The groups of a story that are told.
pub(crate) struct Told {
    pub(crate) groups: Vec<Group>,
    /// How many are only counted.
    pub(crate) untold: usize,
    /// There are several, told or not.
    pub(crate) is_one_of_many: bool,
}

/// The groups that are told: all of them if `every`, else a few.
pub(crate) fn told(story: &Story, every: bool) -> Told {
    let mut groups = groups(story);
    let is_one_of_many = groups.len() > 1;
    let untold = groups.len().saturating_sub(TOLD);
    let untold = if every { 0 } else { untold };
    if untold > 0 {
        // What a finding explains is worth more than what is as it should be.
        groups.sort_by_cached_key(|group| headline::finding(story, group).is_none());
        groups.truncate(TOLD);
    }
    Told {
        groups,
        untold,
        is_one_of_many,
    }
}

fn is_alike(a: &Answer, b: &Answer) -> bool {
    let mut pairs = a.outcomes.iter().zip(&b.outcomes);
    a.outcomes.len() == b.outcomes.len() && pairs.all(|(a, b)| a.to == b.to && a.ends_like(b))
}

/// Where the packets of a group come from: `from outside and from pods`.
pub(crate) fn label(story: &Story, group: &Group) -> String {
    let mut parts = Vec::new();
    for kind in [From::Outside, From::Pod, From::Local] {
        let of_kind = |i: &usize| story.answers[*i].from == kind;
        let mine: Vec<usize> = group.answers.iter().copied().filter(of_kind).collect();
        let all = (0..story.answers.len()).filter(of_kind).count();
        if mine.len() == all && all > 0 {
            parts.push(Part::Whole(kind, None));
        } else {
            parts.extend(some_of(story, kind, &mine));
        }
    }
    let told = if parts.len() > NAMED + 1 {
        NAMED
    } else {
        parts.len()
    };
    let mut words: Vec<String> = parts[..told].iter().map(|p| p.words(story)).collect();
    if told < parts.len() {
        words.push(format!("{} more kinds of source", parts.len() - told));
    }
    words::listed(&words, "and")
}

/// A part of a group's sources.
enum Part<'a> {
    /// All of a kind, or all of a kind that come over one interface.
    Whole(From, Option<&'a str>),
    /// One answer among its peers of the same kind and interface.
    Among(&'a Answer, Rc<[usize]>),
}

impl Part<'_> {
    fn words(&self, story: &Story) -> String {
        match self {
            Self::Whole(kind, iif) => format!("from {}{}", words::kind_words(*kind), over(*iif)),
            Self::Among(answer, peers) => by_address(story, answer, peers),
        }
    }
}

/// Some of the sources of a kind: by interface where that tells them apart, else by address.
fn some_of<'a>(story: &Story<'a>, kind: From, members: &[usize]) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    let mut told = BTreeSet::new();
    for &i in members {
        let iif = story.answers[i].iif.as_deref();
        if !told.insert(iif) {
            continue;
        }
        let is_peer = |i: &usize| {
            let answer = &story.answers[*i];
            answer.from == kind && answer.iif.as_deref() == iif
        };
        let peers: Rc<[usize]> = (0..story.answers.len()).filter(is_peer).collect();
        let mine: Vec<usize> = members.iter().copied().filter(is_peer).collect();
        if mine.len() == peers.len() {
            parts.push(Part::Whole(kind, iif));
        } else {
            let answers = mine.into_iter().map(|i| &story.answers[i]);
            parts.extend(answers.map(|answer| Part::Among(answer, peers.clone())));
        }
    }
    parts
}

fn over(iif: Option<&str>) -> String {
    let name = iif.map(escape::terminal);
    name.map_or(String::new(), |name| format!(" over {name}"))
}

fn by_address(story: &Story, answer: &Answer, peers: &[usize]) -> String {
    let over = over(answer.iif.as_deref());
    let who = words::kind_words(answer.from);
    if let Some(holes) = words::except_words(&union(story, peers), &answer.region) {
        return format!("from {who}{over} except {holes}");
    }
    let region = words::source_words(&answer.region);
    match answer.from {
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
