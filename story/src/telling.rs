//! Which steps of a trace are told: those that made a difference, or all.

use host::nft::{Expr, Verdict};
use host::xt::Target;
use host::{Policy, RuleBody};
use trace::{Answer, Cause, Did, Outcome, RuleRef, Step};

use crate::words::{self, Ends};
use crate::{Story, words::rule_at};

/// A step as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// Where it happened.
    pub(crate) place: String,
    /// What matched and changed.
    pub(crate) text: String,
}

/// The steps of an outcome in packet order; all of them if `every`, else those that mattered.
pub(crate) fn tell(story: &Story, answer: &Answer, outcome: &Outcome, every: bool) -> Vec<Told> {
    let told = tell_placed(story, answer, outcome, every);
    told.into_iter().map(|(_, told)| told).collect()
}

/// The same, each with its place in [`Outcome::steps`].
pub(crate) fn tell_placed(
    story: &Story,
    answer: &Answer,
    outcome: &Outcome,
    every: bool,
) -> Vec<(usize, Told)> {
    let shown = shown(story, outcome);
    let mut ends = Ends::of(story, &answer.region, outcome);
    let mut told = Vec::new();
    for (i, (step, is_shown)) in outcome.steps.iter().zip(shown).enumerate() {
        ends.enter(step);
        if every || is_shown {
            let place = words::step_place(story, outcome, step);
            let mut text = words::step_words(story, outcome, step, &ends);
            if every {
                text.push_str(&comment(story, step));
            }
            told.push((i, Told { place, text }));
        }
        ends.follow(&step.did);
    }
    told
}

/// A rule's comment, as an afterthought.
fn comment(story: &Story, step: &Step) -> String {
    let rule = step.rule.as_ref().and_then(|at| rule_at(story.host, at));
    match rule.and_then(|rule| rule.comment.as_deref()) {
        Some(text) => format!("  (\"{}\")", crate::escape::terminal(text)),
        None => String::new(),
    }
}

/// For each step, whether it made a difference: it changed or ended something, or led to a
/// rule that did.
fn shown(story: &Story, outcome: &Outcome) -> Vec<bool> {
    let steps = &outcome.steps;
    let follows_answer = matches!(
        outcome.cause,
        Cause::AnswerLost(_) | Cause::HandshakeLost(_)
    );
    let told = if follows_answer {
        steps.len()
    } else {
        outcome.request.min(steps.len())
    };
    // A mark matters to what comes behind it.
    let asks_mark = |step: &Step| {
        matches!(
            step.did,
            Did::Drop | Did::Reject(_) | Did::Snat { .. } | Did::Routed { .. }
        )
    };
    let last_asking = steps[..told].iter().rposition(asks_mark);
    let mut shown = vec![false; steps.len()];
    let mut callers: Vec<(&RuleRef, &str, usize)> = Vec::new();
    for (i, step) in steps[..told].iter().enumerate() {
        match &step.rule {
            None => callers.clear(),
            Some(at) => leave_chains(story, &mut callers, at),
        }
        if matters(story, step, steps[..told].get(i + 1), last_asking > Some(i)) {
            shown[i] = true;
            for (_, _, caller) in &callers {
                shown[*caller] = true;
            }
        }
        if let (Some(at), Did::Jump { chain } | Did::Goto { chain }) = (&step.rule, &step.did) {
            callers.push((at, chain, i));
        }
    }
    shown
}

/// Forgets the calls that a rule at `at` cannot be part of any more.
fn leave_chains(story: &Story, callers: &mut Vec<(&RuleRef, &str, usize)>, at: &RuleRef) {
    let table = story.host.ruleset.tables.get(at.table);
    let name = table
        .and_then(|t| t.chains.get(at.chain))
        .map(|c| c.name.as_str());
    while let Some((caller, chain, _)) = callers.last() {
        if caller.table == at.table && Some(*chain) == name {
            return;
        }
        let _ = callers.pop();
    }
}

/// Whether a step made a difference to what follows: the step `next`, and perhaps one that a
/// mark counts for.
fn matters(story: &Story, step: &Step, next: Option<&Step>, mark_counts: bool) -> bool {
    match &step.did {
        // Clearing a mark only tells that its work is done.
        Did::Mark { mark: 0 }
        | Did::Jump { .. }
        | Did::Goto { .. }
        | Did::Return
        | Did::CtMark { .. } => false,
        Did::Mark { .. } => mark_counts,
        Did::Leaves { .. } => next.is_none_or(|s| s.did != Did::LoopsBack),
        Did::Accept => step.rule.as_ref().is_some_and(|at| escapes(story, at)),
        Did::Arrives { .. }
        | Did::Sent { .. }
        | Did::LoopsBack
        | Did::RoutedLocal { .. }
        | Did::Routed { .. }
        | Did::Drop
        | Did::Reject(_)
        | Did::Dnat { .. }
        | Did::Snat { .. }
        | Did::Notrack
        | Did::Queue
        | Did::Delivered
        | Did::Stops(_)
        | Did::AnswerStarts
        | Did::AckStarts => true,
    }
}

/// Whether accepting here keeps a packet from a later rule or policy that stops packets.
fn escapes(story: &Story, at: &RuleRef) -> bool {
    let table = story.host.ruleset.tables.get(at.table);
    let (Some(table), Some(rule)) = (table, at.rule) else {
        return false;
    };
    let drops = |chain: &host::Chain| {
        chain
            .base
            .as_ref()
            .is_some_and(|base| base.policy == Policy::Drop)
    };
    let Some(chain) = table.chains.get(at.chain) else {
        return false;
    };
    // From a called chain, any base chain of the table may be the one that called.
    let policy = if chain.base.is_some() {
        drops(chain)
    } else {
        table.chains.iter().any(drops)
    };
    policy || chain.rules.iter().skip(rule + 1).any(stops)
}

fn stops(rule: &host::Rule) -> bool {
    match &rule.body {
        RuleBody::Xt(xt) => matches!(xt.target, Target::Drop | Target::Reject(_)),
        RuleBody::Nft(exprs) => exprs.iter().any(|expr| match expr {
            Expr::Target(target) => matches!(target, Target::Drop | Target::Reject(_)),
            expr => matches!(expr, Expr::Reject(_) | Expr::Verdict(Verdict::Drop)),
        }),
        RuleBody::Gap(_) => false,
    }
}

/// The server that was meant and did not get the connection, or may not have.
pub(crate) fn missed(story: &Story, outcome: &Outcome) -> Option<Told> {
    let server = outcome.server.as_ref().filter(|server| !server.reached)?;
    let is_unknown = outcome.verdict == trace::Verdict::Unknown;
    if is_unknown && outcome.steps.iter().any(|step| step.did == Did::Delivered) {
        return None;
    }
    let place = if is_unknown {
        "(may be reached)"
    } else {
        "(never reached)"
    };
    let who = words::server(server, story.names);
    Some(Told {
        place: place.to_owned(),
        text: format!("{who} {}", words::listens(server)),
    })
}

/// How many steps all outcomes begin with.
pub(crate) fn shared_start(told: &[Vec<Told>]) -> usize {
    let shortest = told.iter().map(Vec::len).min().unwrap_or(0);
    (0..shortest)
        .take_while(|&i| told.iter().all(|other| other[i] == told[0][i]))
        .count()
}
