//! Chains: rules in turn, calls and returns.

use std::rc::Rc;

use host::Hook;
use host::xt::RejectWith;

use crate::answer::{Cause, Stage};
use crate::eval::{Eval, Fork};
use crate::lower::{Op, Rule};
use crate::packet::State;
use crate::rule::Ended;
use crate::ways::{Ways, all};

/// What a chain does with the packets of a state.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Flow {
    /// The base chain lets them pass.
    Accept,
    /// Back to the caller, or to the policy.
    Return,
    Drop(Cause),
    Reject(RejectWith),
    /// To a program in user space, or past it where none listens and the rule says so: which of
    /// the two, and what the program says, is not in a dump.
    Queue,
    /// A NAT binding was made.
    Bound,
    /// What happens is not known.
    Unknown(Rc<str>),
}

/// Deeper than any ruleset the kernel loads (NFT_JUMP_STACK_SIZE is 16).
const DEEPEST: usize = 64;

/// Where a rule is evaluated.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) hook: Hook,
    pub(crate) table: usize,
    pub(crate) chain: usize,
}

impl Place {
    pub(crate) fn stage(self) -> Stage {
        Stage::Hook(self.hook)
    }
}

impl Eval<'_> {
    pub(crate) fn run_chain(&mut self, place: Place, state: State, depth: usize) -> Ways<Flow> {
        let chain = self.rules(state.family, place.table, place.chain);
        let candidates = chain.candidates(&state, &self.alike);
        let (mut done, mut open) = (Vec::new(), vec![state]);
        for rule in candidates.into_iter().map(|at| &chain.rules[at]) {
            if open.is_empty() {
                break;
            }
            if !self.spend(open.len() + done.len()) {
                let why: Rc<str> = "the rules are too many to follow for this question".into();
                done.extend(all(std::mem::take(&mut open), &Flow::Unknown(why)));
                break;
            }
            if open.iter().all(|state| self.misses(state, rule)) {
                continue;
            }
            let (misses, concerned): (Vec<_>, Vec<_>) =
                open.into_iter().partition(|state| self.misses(state, rule));
            open = misses;
            for state in concerned {
                self.spend_step();
                for (state, ended) in self.run_rule(place, rule, state) {
                    self.after_rule(place, ended, state, (depth, &mut open, &mut done));
                }
            }
            open = self.gathered(open);
        }
        done.extend(open.into_iter().map(|state| (state, Flow::Return)));
        done
    }

    /// Joins states that later rules cannot tell apart: parts of one set of packets, and all
    /// branches of a fork that made no difference.
    pub(crate) fn gathered(&self, states: Vec<State>) -> Vec<State> {
        let mut states = merged(states);
        let mut at = 0;
        while at < states.len() {
            let siblings = self.siblings(&states, at);
            if siblings.is_empty() {
                at += 1;
                continue;
            }
            let before = states[at]
                .choices
                .as_ref()
                .and_then(|choice| choice.before.clone());
            states[at].choices = before;
            for sibling in siblings.into_iter().rev() {
                let _ = states.remove(sibling);
            }
            // What is left may be a branch that another fork can do without.
            at = 0;
        }
        states
    }

    /// The other branches of the fork that a state came from last, if they are all there and
    /// like it; behind it, ascending.
    fn siblings(&self, states: &[State], at: usize) -> Vec<usize> {
        let Some(choice) = &states[at].choices else {
            return Vec::new();
        };
        let branches = match &self.forks[choice.fork] {
            Fork::Chance(shares) => shares.len(),
            Fork::When(texts) => texts.len(),
            // How many ways there were is not kept where a gap may decide.
            Fork::Gap(_) => return Vec::new(),
        };
        let is_sibling = |other: &State| {
            other.choices.as_ref().is_some_and(|theirs| {
                theirs.fork == choice.fork
                    && theirs.branch != choice.branch
                    && same_trail(theirs.before.as_ref(), choice.before.as_ref())
            }) && other.is_like(&states[at])
                && (!self.every_way || same_trail(other.trail.as_ref(), states[at].trail.as_ref()))
        };
        let behind = (at + 1..states.len()).filter(|&i| is_sibling(&states[i]));
        let found: Vec<usize> = behind.collect();
        if found.len() + 1 == branches {
            found
        } else {
            Vec::new()
        }
    }

    fn after_rule(
        &mut self,
        place: Place,
        ended: Ended,
        state: State,
        (depth, open, done): (usize, &mut Vec<State>, &mut Ways<Flow>),
    ) {
        match ended {
            Ended::Next => open.push(state),
            Ended::Flow(flow) => done.push((state, flow)),
            Ended::Jump(chain) | Ended::Goto(chain) if depth >= DEEPEST => {
                let chains = &self.host.ruleset.tables[place.table].chains;
                let name = &chains[chain].name;
                let why = format!("chain {name} is called more than {DEEPEST} calls deep");
                done.push((state, Flow::Unknown(why.into())));
            }
            Ended::Jump(chain) => {
                let before = state.trail.clone();
                let called = Place { chain, ..place };
                for (mut state, flow) in self.run_chain(called, state, depth + 1) {
                    if flow != Flow::Return {
                        done.push((state, flow));
                        continue;
                    }
                    // A call that changed nothing is not worth a step.
                    if same_trail(state.trail.as_ref(), before.as_ref()) {
                        state.trail = before.as_ref().and_then(|trail| trail.before.clone());
                    }
                    open.push(state);
                }
            }
            Ended::Goto(chain) => {
                let called = Place { chain, ..place };
                done.extend(self.run_chain(called, state, depth + 1));
            }
        }
    }

    /// Whether one of the first tests of a rule fails for all packets of a state. Tests change
    /// nothing, so one that cannot be decided does not matter before one that fails.
    fn misses(&mut self, state: &State, rule: &Rule) -> bool {
        for op in &rule.ops {
            let Op::Test(test) = op else { return false };
            if self.decide(state, test) == Some(false) {
                return true;
            }
        }
        false
    }
}

pub(crate) fn same_trail<T>(a: Option<&Rc<T>>, b: Option<&Rc<T>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Rc::ptr_eq(a, b),
        (None, None) => true,
        _ => false,
    }
}

/// Joins states that differ in one dimension only and came here by the same choices.
pub(crate) fn merged(states: Vec<State>) -> Vec<State> {
    let mut kept: Vec<State> = Vec::with_capacity(states.len());
    'states: for state in states {
        for other in &mut kept {
            if !same_trail(other.choices.as_ref(), state.choices.as_ref()) {
                continue;
            }
            let (addr, port) = (other.addr.clone(), other.port.clone());
            other.addr = state.addr.clone();
            other.port = state.port.clone();
            let alike = other.is_like(&state);
            (other.addr, other.port) = (addr, port);
            if !alike {
                continue;
            }
            if other.port == state.port {
                other.addr = other.addr.or(&state.addr);
                continue 'states;
            }
            if other.addr == state.addr {
                other.port = other.port.or(&state.port);
                continue 'states;
            }
        }
        kept.push(state);
    }
    kept
}
