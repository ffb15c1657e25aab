//! From the ends of many packets to an answer: regions of sources that end alike, and for
//! each the ways that chance, traffic and gaps leave open.

use std::collections::BTreeMap;
use std::rc::Rc;

use host::{Gap, GapKind};
use net::ServiceName;

use crate::answer::{Answer, Cause, Client, From, Outcome, Region, RuleRef, Server, Step, Verdict};
use crate::end::End;
use crate::eval::{Eval, Fork};
use crate::owner;
use crate::ranges::Ranges;

/// One way that is left open.
#[derive(Debug, Clone, PartialEq)]
struct Out {
    /// The end, by number; its steps tell the story even where its verdict is not sure.
    end: usize,
    share: Option<f64>,
    when: Vec<Rc<str>>,
    /// Not empty: unknown, because of these.
    gaps: Vec<Rc<str>>,
}

/// Shares are sums of products; equal within this.
const ALIKE: f64 = 1e-9;

/// Gathers ends into answers, lowest source first.
pub(crate) fn resolve(eval: &Eval<'_>, ends: &[End]) -> Vec<Answer> {
    let paths: Vec<Vec<(usize, usize)>> = ends.iter().map(|end| end.state.path()).collect();
    let resolver = Resolver {
        eval,
        ends,
        paths,
        kinds: kinds(ends),
    };
    let all: Vec<usize> = (0..ends.len()).collect();
    let by_addr = atoms(&all, |end| &ends[end].state.addr);
    let mut groups: Vec<(Ranges, Vec<Out>)> = Vec::new();
    for (members, addrs) in by_addr {
        let outs = resolver.ports(&members);
        match groups
            .iter_mut()
            .find(|(_, known)| resolver.same(known, &outs, true))
        {
            Some((ranges, _)) => *ranges = ranges.or(&addrs),
            None => groups.push((addrs, outs)),
        }
    }
    groups.sort_by(|a, b| a.0.cmp(&b.0));
    groups
        .into_iter()
        .map(|(addrs, outs)| resolver.answer(&addrs, &outs))
        .collect()
}

/// The values of a dimension, grouped by which members have them.
fn atoms<'a>(
    members: &[usize],
    ranges: impl Fn(usize) -> &'a Ranges,
) -> BTreeMap<Vec<usize>, Ranges> {
    // (where, whether it begins, who): ends come one behind their last value.
    let mut edges: Vec<(u128, bool, usize)> = Vec::new();
    let mut to_the_end = Vec::new();
    for &member in members {
        for &(first, last) in ranges(member).as_slice() {
            edges.push((first, true, member));
            match last.checked_add(1) {
                Some(after) => edges.push((after, false, member)),
                None => to_the_end.push(member),
            }
        }
    }
    edges.sort_unstable();
    let mut active: Vec<usize> = Vec::new();
    let mut found: BTreeMap<Vec<usize>, Vec<(u128, u128)>> = BTreeMap::new();
    let mut at = 0;
    while at < edges.len() {
        let start = edges[at].0;
        while let Some(&(_, begins, member)) = edges.get(at).filter(|edge| edge.0 == start) {
            match active.binary_search(&member) {
                Err(slot) if begins => active.insert(slot, member),
                Ok(slot) if !begins => {
                    let _ = active.remove(slot);
                }
                _ => {}
            }
            at += 1;
        }
        let end = edges.get(at).map_or(u128::MAX, |edge| edge.0 - 1);
        if !active.is_empty() {
            found.entry(active.clone()).or_default().push((start, end));
        }
    }
    found
        .into_iter()
        .map(|(members, ranges)| (members, Ranges::of(ranges)))
        .collect()
}

struct Resolver<'a, 'h> {
    eval: &'a Eval<'h>,
    ends: &'a [End],
    /// The branches each end took.
    paths: Vec<Vec<(usize, usize)>>,
    /// What each end is like.
    kinds: Vec<Kind>,
}

/// What an end is like, by numbers that are quick to compare: there may be as many ends as
/// rules, and every one is held against every other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    /// The same for ends that look the same to client and server.
    seen: usize,
    /// The same for those that the same rule decided, too.
    exact: usize,
}

fn kinds(ends: &[End]) -> Vec<Kind> {
    let (mut seen, mut exact) = (BTreeMap::new(), BTreeMap::new());
    let of = |end: &End| {
        let socket = end.server.as_ref().map(|server| &server.socket);
        let to = (end.to, &end.oif, end.seen_source, end.masquerade);
        let text = format!("{:?}", (end.verdict, end.client, to, socket));
        let next = seen.len();
        let seen = *seen.entry(text).or_insert(next);
        let next = exact.len();
        let key = (seen, format!("{:?}", end.cause), decider(end));
        let exact = *exact.entry(key).or_insert(next);
        Kind { seen, exact }
    };
    ends.iter().map(of).collect()
}

impl Resolver<'_, '_> {
    /// The ways of sources that share these ends; told apart by source port where that matters.
    fn ports(&self, members: &[usize]) -> Vec<Out> {
        let by_port = atoms(members, |end| &self.ends[end].state.port);
        let mut groups: Vec<(Ranges, Vec<Out>)> = Vec::new();
        for (members, ports) in by_port {
            let outs = self.tree(&members, 0);
            match groups
                .iter_mut()
                .find(|(_, known)| self.same(known, &outs, true))
            {
                Some((ranges, _)) => *ranges = ranges.or(&ports),
                None => groups.push((ports, outs)),
            }
        }
        if groups.len() < 2 {
            return groups.pop().map(|(_, outs)| outs).unwrap_or_default();
        }
        groups.sort_by(|a, b| a.0.cmp(&b.0));
        let mut all = Vec::new();
        for (ports, outs) in groups {
            let when: Rc<str> = format!("from source port {}", in_words(&ports)).into();
            all.extend(outs.into_iter().map(|mut out| {
                out.when.insert(0, when.clone());
                out.share = None;
                out
            }));
        }
        all
    }

    /// Ends that took the same branches up to `depth`: what the next fork makes of them.
    fn tree(&self, members: &[usize], depth: usize) -> Vec<Out> {
        let first = members[0];
        let Some(&(fork, _)) = self.paths[first].get(depth) else {
            return vec![self.leaf(first)];
        };
        let mut branches: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for &member in members {
            match self.paths[member].get(depth) {
                Some(&(other, branch)) if other == fork => {
                    branches.entry(branch).or_default().push(member);
                }
                // Packets alike in all respects took two ways: nothing is certain here.
                _ => return vec![Self::torn(members)],
            }
        }
        let ways: Vec<(usize, Vec<Out>)> = branches
            .into_iter()
            .map(|(b, m)| (b, self.tree(&m, depth + 1)))
            .collect();
        self.join(fork, ways)
    }

    fn join(&self, fork: usize, mut ways: Vec<(usize, Vec<Out>)>) -> Vec<Out> {
        let alike = ways
            .windows(2)
            .all(|pair| self.same(&pair[0].1, &pair[1].1, false));
        match &self.eval.forks[fork] {
            Fork::Chance(shares) => {
                let outs = ways.into_iter().flat_map(|(branch, outs)| {
                    let chance = shares.get(branch).copied().unwrap_or(0.0);
                    outs.into_iter().map(move |mut out| {
                        out.share = out.share.map(|share| share * chance);
                        out
                    })
                });
                self.summed(outs.collect())
            }
            Fork::When(_) | Fork::Gap(_) if alike => ways.swap_remove(0).1,
            Fork::When(texts) => {
                let outs = ways.into_iter().flat_map(|(branch, outs)| {
                    let text = texts.get(branch).cloned();
                    outs.into_iter().map(move |mut out| {
                        out.share = None;
                        out.when.splice(0..0, text.clone());
                        out
                    })
                });
                outs.collect()
            }
            Fork::Gap(why) => {
                let mut gaps = vec![why.clone()];
                let inner = ways
                    .iter()
                    .flat_map(|(_, outs)| outs)
                    .flat_map(|out| &out.gaps);
                for gap in inner {
                    if !gaps.contains(gap) {
                        gaps.push(gap.clone());
                    }
                }
                let end = ways[0].1[0].end;
                vec![Out {
                    end,
                    share: Some(1.0),
                    when: Vec::new(),
                    gaps,
                }]
            }
        }
    }

    fn leaf(&self, end: usize) -> Out {
        let gaps = self.ends[end].unknown.iter().cloned().collect();
        Out {
            end,
            share: Some(1.0),
            when: Vec::new(),
            gaps,
        }
    }

    fn torn(members: &[usize]) -> Out {
        let why: Rc<str> = "the rules lead to ends that cannot be told apart".into();
        Out {
            end: members[0],
            share: Some(1.0),
            when: Vec::new(),
            gaps: vec![why],
        }
    }

    /// Adds up ways that are the same.
    fn summed(&self, outs: Vec<Out>) -> Vec<Out> {
        let mut sums: Vec<Out> = Vec::new();
        for out in outs {
            let same = |known: &&mut Out| {
                known.when == out.when
                    && known.share.is_some() == out.share.is_some()
                    && self.alike(known, &out, false)
            };
            match sums.iter_mut().find(same) {
                Some(known) => known.share = known.share.zip(out.share).map(|(a, b)| a + b),
                None => sums.push(out),
            }
        }
        sums
    }

    /// Whether two lists of ways say the same; `exact` also asks for the deciding rule.
    fn same(&self, a: &[Out], b: &[Out], exact: bool) -> bool {
        let share = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() < ALIKE,
            (None, None) => true,
            _ => false,
        };
        a.len() == b.len()
            && a.iter().zip(b).all(|(a, b)| {
                share(a.share, b.share) && a.when == b.when && self.alike(a, b, exact)
            })
    }

    fn alike(&self, a: &Out, b: &Out, exact: bool) -> bool {
        if !a.gaps.is_empty() || !b.gaps.is_empty() {
            return a.gaps == b.gaps;
        }
        let (a, b) = (self.kinds[a.end], self.kinds[b.end]);
        a.seen == b.seen && (!exact || a.exact == b.exact)
    }

    fn answer(&self, addrs: &Ranges, outs: &[Out]) -> Answer {
        let family = self
            .ends
            .first()
            .map_or(net::Family::V4, |end| end.state.family);
        Answer {
            from: From::Outside,
            iif: None,
            region: Region {
                family,
                ranges: addrs.as_slice().to_vec(),
            },
            outcomes: outs.iter().map(|out| self.outcome(out)).collect(),
            assumed: Vec::new(),
        }
    }

    /// The Service in whose name a request was taken: the last that a rule, its chain or an
    /// element it found tells.
    fn service(&self, steps: &[Step]) -> Option<ServiceName> {
        let (host, question) = (self.eval.host, &self.eval.question);
        let of_element = |step| owner::of_element(host, step, question.proto, question.to);
        self.note_elements(steps);
        let mut back = steps.iter().rev();
        back.find_map(|step| of_element(step).or_else(|| owner::of_step(host, step)))
    }

    /// Takes note that elements were asked for the port.
    fn note_elements(&self, steps: &[Step]) {
        let (host, question, alike) = (self.eval.host, &self.eval.question, &self.eval.alike);
        for step in steps {
            let Some(asked) = alike.asked() else { return };
            let found = owner::elements_for(host, step, question.proto, question.to.addr);
            let ports = found.filter_map(|(_, ports)| ports);
            let ports = ports.map(|(first, last)| (first.into(), last.into()));
            // One by one: each may be another Service.
            let has = |(first, last): &(u128, u128)| (first..=last).contains(&&asked);
            let (own, others): (Vec<_>, Vec<_>) = ports.partition(has);
            for (first, last) in own {
                alike.compared(asked, &Ranges::span(first, last));
            }
            alike.compared(asked, &Ranges::of(others));
        }
    }

    fn outcome(&self, out: &Out) -> Outcome {
        let end = &self.ends[out.end];
        let steps = end.state.steps();
        let known = out.gaps.is_empty();
        let intended = || {
            let socket = self.eval.intended()?.clone();
            Some(Server {
                socket,
                reached: false,
            })
        };
        // The steps tell one of the ways it may go, so the socket is that of this way.
        let told = |server: Server| Server {
            reached: known && server.reached,
            ..server
        };
        let gap = |what: &Rc<str>| {
            let mut of_host = self.eval.host.gaps.iter();
            let known = of_host.find(|gap| *gap.what == **what).cloned();
            known.unwrap_or_else(|| Gap {
                kind: GapKind::Rules,
                what: what.to_string(),
                device: None,
            })
        };
        Outcome {
            share: out.share,
            when: (!out.when.is_empty()).then(|| out.when.join(", ")),
            verdict: if known { end.verdict } else { Verdict::Unknown },
            client: if known { end.client } else { Client::Unknown },
            cause: if known { end.cause.clone() } else { Cause::Gap },
            to: end.to.filter(|_| known),
            oif: end.oif.clone().filter(|_| known),
            seen_source: end.seen_source.filter(|_| known),
            masquerade: known && end.masquerade,
            server: end.server.clone().map(told).or_else(intended),
            service: self.service(&steps[..end.request.min(steps.len())]),
            request: end.request.min(steps.len()),
            steps,
            gaps: out.gaps.iter().map(gap).collect(),
        }
    }
}

/// The rule that decided: the last one of the steps.
fn decider(end: &End) -> Option<RuleRef> {
    let steps = end.state.steps();
    steps.into_iter().rev().find_map(|step| step.rule)
}

fn in_words(ports: &Ranges) -> String {
    let word = |&(first, last): &(u128, u128)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}–{last}")
        }
    };
    let words: Vec<String> = ports.as_slice().iter().map(word).collect();
    words.join(", ")
}
