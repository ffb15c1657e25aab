//! What the kernel reports of a packet's way, beside what was foretold of it.
//!
//! Rules that test a packet and let it pass on may be left out of what is foretold. Those that
//! end a chain's say about it, or change it, may not: by them the two ways are compared.

use host::nft::Verdict;
use host::nftrace::{At, Report};
use host::{Hook, Host, Language, TableFamily};

use crate::answer::{self, Did, RuleRef, Stage, Step};
use crate::eval::Eval;
use crate::explore::AskError;
use crate::question::Question;

/// A way that the first packet of a connection may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// What happens to it, in packet order.
    pub steps: Vec<Step>,
    /// Whether it ends at a gap, so that behind the steps anything may happen.
    pub is_open: bool,
}

/// Every way that the first packets of the connections asked about may take, each once. Of ways
/// that end alike an answer tells one.
///
/// # Errors
/// [`AskError`] where the question names something that the host has not.
pub fn ways(host: &Host, question: &Question) -> Result<Vec<Way>, AskError> {
    let mut eval = Eval::new(host);
    eval.every_way = true;
    eval.turn_to(question);
    let mut ways = Vec::new();
    for source in eval.sources()? {
        eval.forks.clear();
        for end in eval.follow(&source) {
            let mut steps = end.state.steps();
            let is_open = end.verdict == answer::Verdict::Unknown && steps.len() <= end.request;
            steps.truncate(end.request);
            let way = Way { steps, is_open };
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
    }
    Ok(ways)
}

/// The way that a packet took, beside the foretold way that is most like it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// What the kernel reports, in order.
    pub taken: Vec<Taken>,
    /// Whether that was foretold; absent where nothing certain was.
    pub agrees: Option<bool>,
    /// Where the kernel left the foretold way.
    pub parted: Option<Parted>,
}

/// A report, and whether it was foretold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// What the kernel reports.
    pub report: Report,
    /// The rule or policy, if it was there when the host was read.
    pub at: Option<RuleRef>,
    /// Whether the foretold way has a step there that does the same.
    pub foretold: bool,
    hook: Option<Hook>,
}

/// The first place where the ways differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parted {
    /// What the kernel did, by its number among [`Beside::taken`]; absent where it reports
    /// nothing any more.
    pub taken: Option<usize>,
    /// What was foretold instead; absent where nothing was any more.
    pub foretold: Option<Step>,
}

/// Puts reports beside the one of `ways` that has most of them.
pub fn beside(host: &Host, ways: &[Way], reports: &[Report]) -> Beside {
    let mut taken = place(host, reports);
    let followed = ways.iter().map(|way| {
        let followed = Followed::along(host, way, &taken);
        (way.is_open, followed)
    });
    // Of ways that are as good the first, and none that a gap leaves open before one that is
    // known to its end.
    let best = followed.min_by_key(|(is_open, followed)| {
        let found = followed.foretold.len();
        (followed.parted.is_some(), *is_open, usize::MAX - found)
    });
    let Some((is_open, followed)) = best else {
        return Beside {
            taken,
            agrees: None,
            parted: None,
        };
    };
    for i in followed.foretold {
        taken[i].foretold = true;
    }
    Beside {
        taken,
        agrees: (!is_open || followed.parted.is_some()).then_some(followed.parted.is_none()),
        parted: followed.parted,
    }
}

/// Finds the rules that report. A chain that is called is at the hook of the one before it.
fn place(host: &Host, reports: &[Report]) -> Vec<Taken> {
    let mut last = None;
    let placed = reports.iter().map(|report| {
        let chain = chain_of(host, report);
        let base = chain.and_then(|(table, chain)| {
            let base = host.ruleset.tables[table].chains[chain].base.as_ref();
            base.map(|base| base.hook)
        });
        last = base.or(last);
        Taken {
            report: report.clone(),
            at: chain.and_then(|chain| rule_of(host, report, chain)),
            foretold: false,
            hook: last.filter(|_| chain.is_some()),
        }
    });
    placed.collect()
}

fn chain_of(host: &Host, report: &Report) -> Option<(usize, usize)> {
    let table = host.ruleset.tables.iter().position(|table| {
        (table.language, table.family) == (Language::Nft, report.family)
            && table.name == report.table
    })?;
    let chains = &host.ruleset.tables[table].chains;
    let chain = chains.iter().position(|chain| chain.name == report.chain)?;
    Some((table, chain))
}

fn rule_of(host: &Host, report: &Report, (table, chain): (usize, usize)) -> Option<RuleRef> {
    let rule = match report.at {
        At::Policy => None,
        At::Return => return None,
        At::Rule(handle) => {
            let rules = &host.ruleset.tables[table].chains[chain].rules;
            Some(rules.iter().position(|rule| rule.handle == Some(handle))?)
        }
    };
    Some(RuleRef { table, chain, rule })
}

/// A step that the kernel is to report.
struct Expected<'a> {
    at: &'a RuleRef,
    verdict: Verdict,
    step: &'a Step,
}

/// How far the kernel followed a way.
struct Followed {
    /// The reports that were foretold, by number.
    foretold: Vec<usize>,
    parted: Option<Parted>,
}

impl Followed {
    fn along(host: &Host, way: &Way, taken: &[Taken]) -> Self {
        let expected = expected(host, &way.steps);
        let hooks = hooks(&way.steps);
        let mut foretold = Vec::new();
        let part = |taken, next: usize| {
            let foretold = expected.get(next).map(|step| step.step.clone());
            Some(Parted { taken, foretold })
        };
        for (i, one) in taken.iter().enumerate() {
            let next = foretold.len();
            let is_next = |step: &Expected| {
                one.at.as_ref() == Some(step.at)
                    && one.report.verdict.as_ref() == Some(&step.verdict)
            };
            if expected.get(next).is_some_and(is_next) {
                foretold.push(i);
                continue;
            }
            if way.is_open && next == expected.len() {
                break;
            }
            if one.decides() || one.hook.is_some_and(|hook| !hooks.contains(&hook)) {
                let parted = part(Some(i), next);
                return Self { foretold, parted };
            }
        }
        let is_whole = foretold.len() == expected.len();
        let parted = if is_whole {
            None
        } else {
            part(None, foretold.len())
        };
        Self { foretold, parted }
    }
}

impl Taken {
    /// Whether it ends what a base chain says about the packet, and not as a foretold way may
    /// leave out: only a policy that drops is told.
    fn decides(&self) -> bool {
        let sees_packets = match self.report.family {
            TableFamily::Ip | TableFamily::Ip6 | TableFamily::Inet => true,
            TableFamily::Arp | TableFamily::Bridge | TableFamily::Netdev => false,
        };
        match self.report.verdict {
            Some(Verdict::Drop) => true,
            Some(Verdict::Accept) => sees_packets && self.report.at != At::Policy,
            Some(Verdict::Queue) | None => true,
            Some(
                Verdict::Continue
                | Verdict::Break
                | Verdict::Return
                | Verdict::Jump(_)
                | Verdict::Goto(_),
            ) => false,
        }
    }
}

/// The steps that nftables reports: those of its rules, each once, whatever it does.
fn expected<'a>(host: &Host, steps: &'a [Step]) -> Vec<Expected<'a>> {
    let mut expected: Vec<Expected> = Vec::new();
    let mut is_same_chain = false;
    for step in steps {
        let is_seen = !matches!(step.stage, Stage::Hook(Hook::Ingress | Hook::Egress));
        let rule = step.rule.as_ref().filter(|at| is_seen && is_nft(host, at));
        let Some((at, verdict)) = rule.zip(verdict_of(&step.did)) else {
            is_same_chain = false;
            continue;
        };
        match expected
            .last_mut()
            .filter(|last| is_same_chain && last.at == at)
        {
            // A rule that changes a packet and then decides about it.
            Some(last) if last.verdict == Verdict::Continue => {
                last.verdict = verdict;
                last.step = step;
            }
            _ => expected.push(Expected { at, verdict, step }),
        }
        is_same_chain = true;
    }
    expected
}

fn is_nft(host: &Host, at: &RuleRef) -> bool {
    let table = host.ruleset.tables.get(at.table);
    table.is_some_and(|table| table.language == Language::Nft)
}

/// What the kernel calls what a rule did; absent for what no rule does.
fn verdict_of(did: &Did) -> Option<Verdict> {
    match did {
        Did::Jump { chain } => Some(Verdict::Jump(chain.as_str().into())),
        Did::Goto { chain } => Some(Verdict::Goto(chain.as_str().into())),
        Did::Return => Some(Verdict::Return),
        Did::Accept | Did::Dnat { .. } | Did::Snat { .. } => Some(Verdict::Accept),
        Did::Drop | Did::Reject(_) => Some(Verdict::Drop),
        Did::Queue => Some(Verdict::Queue),
        Did::Mark { .. } | Did::CtMark { .. } | Did::Notrack => Some(Verdict::Continue),
        Did::Arrives { .. }
        | Did::Sent { .. }
        | Did::LoopsBack
        | Did::RoutedLocal { .. }
        | Did::Routed { .. }
        | Did::Delivered
        | Did::Leaves { .. }
        | Did::Stops(_)
        | Did::AnswerStarts
        | Did::AckStarts => None,
    }
}

/// The hooks that a packet comes to.
fn hooks(steps: &[Step]) -> Vec<Hook> {
    let at = |step: &Step| -> &[Hook] {
        match step.did {
            Did::Arrives { .. } => &[Hook::Ingress, Hook::Prerouting],
            Did::Sent { .. } => &[Hook::Output, Hook::Postrouting, Hook::Egress],
            Did::LoopsBack => &[Hook::Ingress, Hook::Prerouting, Hook::Input],
            Did::RoutedLocal { .. } => &[Hook::Input],
            Did::Routed { .. } => &[Hook::Forward, Hook::Postrouting, Hook::Egress],
            Did::Jump { .. }
            | Did::Goto { .. }
            | Did::Return
            | Did::Accept
            | Did::Drop
            | Did::Reject(_)
            | Did::Dnat { .. }
            | Did::Snat { .. }
            | Did::Mark { .. }
            | Did::CtMark { .. }
            | Did::Notrack
            | Did::Queue
            | Did::Delivered
            | Did::Leaves { .. }
            | Did::Stops(_)
            | Did::AnswerStarts
            | Did::AckStarts => &[],
        }
    };
    steps.iter().flat_map(at).copied().collect()
}

#[cfg(test)]
mod tests;
