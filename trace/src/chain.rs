//! Chains: rules in turn, jumps, verdicts, and the base chains of a hook one behind another.

use std::rc::Rc;

use host::nft::{Data, Reject, Verdict};
use host::xt::RejectWith;
use host::{Hook, Policy};
use net::Family;

use crate::answer::{Cause, Did, RuleRef, Stage};
use crate::eval::{Eval, Fork};
use crate::hook::{ChainRef, Item, reroutes};
use crate::lower::{Effect, End, Op, Rule, Value};
use crate::packet::{Added, State, Tracking};
use crate::value::{Loaded, Seg};

/// What a chain does with the packets of a state.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Flow {
    /// The base chain lets them pass.
    Accept,
    /// Back to the caller, or to the policy.
    Return,
    Drop(Cause),
    Reject(RejectWith),
    Queue {
        bypass: bool,
    },
    /// A NAT binding was made.
    Bound,
    /// What happens is not known.
    Unknown(Rc<str>),
}

/// What a hook does with them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fate {
    Pass,
    Drop(Cause),
    /// Rejected; at this hook, which decides what a local sender sees.
    Reject(RejectWith),
    Queue,
    Unknown(Rc<str>),
}

/// How one rule ended for the packets of a state.
enum Ended {
    Next,
    Jump(usize),
    Goto(usize),
    Flow(Flow),
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
    fn rule(self, rule: usize) -> Option<RuleRef> {
        Some(RuleRef {
            table: self.table,
            chain: self.chain,
            rule: Some(rule),
        })
    }

    fn stage(self) -> Stage {
        Stage::Hook(self.hook)
    }
}

impl Eval<'_> {
    /// Sends the packets of a state through a hook.
    pub(crate) fn hook(&mut self, state: State, hook: Hook) -> Vec<(State, Fate)> {
        let order = self.order(state.family, hook);
        let (mut done, mut open) = (Vec::new(), vec![state]);
        for group in &order.filter {
            for state in std::mem::take(&mut open) {
                for (state, fate) in self.in_any_order(state, hook, group) {
                    if fate == Fate::Pass {
                        open.push(state)
                    } else {
                        done.push((state, fate))
                    }
                }
            }
        }
        done.extend(open.into_iter().map(|state| (state, Fate::Pass)));
        done
    }

    /// Tries each order; one is enough where all end alike.
    fn in_any_order(
        &mut self,
        state: State,
        hook: Hook,
        orders: &[Vec<Item>],
    ) -> Vec<(State, Fate)> {
        if let [only] = orders {
            return self.in_order(state, hook, only);
        }
        let why = self.order_unknown(hook, &orders[0]);
        let fork = self.new_fork(Fork::Gap(why.into()));
        let mut ways: Vec<Vec<(State, Fate)>> = Vec::new();
        for (branch, order) in orders.iter().enumerate() {
            let mut state = state.clone();
            state.choose(fork, branch);
            let way = self.in_order(state, hook, order);
            if !ways.iter().any(|known| are_alike(known, &way)) {
                ways.push(way);
            }
        }
        ways.into_iter().flatten().collect()
    }

    pub(crate) fn order_unknown(&self, hook: Hook, items: &[Item]) -> String {
        let name = |item: &Item| match item {
            Item::Conntrack => "conntrack".to_owned(),
            Item::Nat => "the NAT chains".to_owned(),
            Item::Chain((table, chain)) => {
                let table = &self.host.ruleset.tables[*table];
                format!("table {} chain {}", table.name, table.chains[*chain].name)
            }
        };
        let names: Vec<String> = items.iter().map(name).collect();
        let names = names.join(" and ");
        format!("which runs first in {hook:?} is not in a dump: {names} have one priority")
    }

    fn in_order(&mut self, state: State, hook: Hook, items: &[Item]) -> Vec<(State, Fate)> {
        let (mut done, mut open) = (Vec::new(), vec![state]);
        for item in items {
            for state in std::mem::take(&mut open) {
                let ways = match item {
                    Item::Conntrack => self.track(state),
                    Item::Nat => self.translate(state, hook),
                    Item::Chain(chain) => self.base_chain(state, hook, *chain),
                };
                for (state, fate) in ways {
                    if fate == Fate::Pass {
                        open.push(state)
                    } else {
                        done.push((state, fate))
                    }
                }
            }
            open = merged(open);
        }
        done.extend(open.into_iter().map(|state| (state, Fate::Pass)));
        done
    }

    /// A filter or route chain with its policy, and the new route its marks may lead to.
    fn base_chain(&mut self, state: State, hook: Hook, chain: ChainRef) -> Vec<(State, Fate)> {
        let mark = state.packet.mark;
        let mut ways = Vec::new();
        for (mut state, flow) in self.run_base(state, hook, chain) {
            let fate = match flow {
                Flow::Accept | Flow::Return | Flow::Bound => Fate::Pass,
                Flow::Drop(cause) => Fate::Drop(cause),
                Flow::Reject(with) => Fate::Reject(with),
                Flow::Queue { bypass: true } => Fate::Pass,
                Flow::Queue { bypass: false } => Fate::Queue,
                Flow::Unknown(why) => Fate::Unknown(why),
            };
            let moved = state.packet.mark != mark && reroutes(self.host, chain);
            if fate == Fate::Pass && moved {
                ways.extend(self.reroute(state));
                continue;
            }
            if let (Fate::Queue, stage) = (&fate, Stage::Hook(hook)) {
                state.note(stage, None, Did::Queue);
            }
            ways.push((state, fate));
        }
        ways
    }

    /// A base chain: its rules, and its policy for what they leave.
    pub(crate) fn run_base(
        &mut self,
        state: State,
        hook: Hook,
        (table, chain): ChainRef,
    ) -> Vec<(State, Flow)> {
        let outer = self.table.replace(table);
        let place = Place { hook, table, chain };
        let mut ways = self.run_chain(place, state, 0);
        self.table = outer;
        let host = self.host;
        let policy = host.ruleset.tables[table].chains[chain]
            .base
            .as_ref()
            .map(|b| b.policy);
        for (state, flow) in &mut ways {
            if *flow != Flow::Return {
                continue;
            }
            *flow = match policy {
                Some(Policy::Drop) => {
                    let rule = RuleRef {
                        table,
                        chain,
                        rule: None,
                    };
                    state.note(place.stage(), Some(rule), Did::Drop);
                    Flow::Drop(Cause::PolicyDrops)
                }
                Some(Policy::Accept) | None => Flow::Accept,
            };
        }
        ways
    }

    fn run_chain(&mut self, place: Place, state: State, depth: usize) -> Vec<(State, Flow)> {
        let rules = self.rules(place.table, place.chain);
        let (mut done, mut open) = (Vec::new(), vec![state]);
        for rule in rules.iter() {
            if open.is_empty() {
                break;
            }
            if !self.spend(open.len() + done.len()) {
                let why: Rc<str> = "the rules are too many to follow for this question".into();
                done.extend(open.drain(..).map(|s| (s, Flow::Unknown(why.clone()))));
                break;
            }
            if open.iter().all(|state| self.misses(state, rule)) {
                continue;
            }
            for state in std::mem::take(&mut open) {
                for (state, ended) in self.run_rule(place, rule, state) {
                    self.after_rule(place, ended, state, (depth, &mut open, &mut done));
                }
            }
            open = merged(open);
        }
        done.extend(open.into_iter().map(|state| (state, Flow::Return)));
        done
    }

    fn after_rule(
        &mut self,
        place: Place,
        ended: Ended,
        state: State,
        (depth, open, done): (usize, &mut Vec<State>, &mut Vec<(State, Flow)>),
    ) {
        match ended {
            Ended::Next => open.push(state),
            Ended::Flow(flow) => done.push((state, flow)),
            Ended::Jump(chain) | Ended::Goto(chain) if depth >= DEEPEST => {
                let why = format!("chains call each other without end at chain {chain}");
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

    /// Whether the first tests of a rule already fail for all packets of a state.
    fn misses(&mut self, state: &State, rule: &Rule) -> bool {
        for op in &rule.ops {
            let Op::Test(test) = op else { return false };
            match self.decide(state, test) {
                Some(true) => {}
                Some(false) => return true,
                None => return false,
            }
        }
        false
    }

    fn run_rule(&mut self, place: Place, rule: &Rule, state: State) -> Vec<(State, Ended)> {
        let mut ended = Vec::new();
        let mut open = vec![state];
        for op in &rule.ops {
            let mut next = Vec::new();
            for state in open {
                match op {
                    Op::Test(test) => {
                        for (state, holds) in self.split(state, test) {
                            if holds {
                                next.push(state)
                            } else {
                                ended.push((state, Ended::Next))
                            }
                        }
                    }
                    Op::Map { set, key, slot } => {
                        for (mut state, hit) in self.look(state, set, key) {
                            match hit.flatten() {
                                Some(data) => {
                                    state.slots.push((*slot, bytes_of(&data)));
                                    next.push(state);
                                }
                                None => ended.push((state, Ended::Next)),
                            }
                        }
                    }
                    Op::VerdictMap { set, key } => {
                        for (state, hit) in self.look(state, set, key) {
                            let end = verdict_of(hit, set);
                            self.finish(place, rule, state, end, &mut ended);
                        }
                    }
                    Op::Choose {
                        slot,
                        modulus,
                        offset,
                    } => {
                        next.extend(self.choose(state, *slot, *modulus, *offset));
                    }
                    Op::Do(effect) => {
                        self.effect(place, rule, state, effect, (&mut next, &mut ended));
                    }
                    Op::End(end) => {
                        self.finish(place, rule, state, Some(end.clone()), &mut ended);
                    }
                }
            }
            open = next;
        }
        ended.extend(open.into_iter().map(|state| (state, Ended::Next)));
        for (state, _) in &mut ended {
            state.slots.clear();
        }
        ended
    }

    /// All values of a generator, each in a state of its own.
    fn choose(&mut self, state: State, slot: u8, modulus: u32, offset: u32) -> Vec<State> {
        let count = modulus.clamp(1, 4096);
        let share = 1.0 / f64::from(count);
        let fork = self.new_fork(Fork::Chance(vec![share; count as usize]));
        let branch = |n: u32| {
            let mut state = state.clone();
            state.choose(fork, n as usize);
            state
                .slots
                .push((slot, offset.wrapping_add(n).to_ne_bytes().to_vec()));
            state
        };
        (0..count).map(branch).collect()
    }

    fn effect(
        &mut self,
        place: Place,
        rule: &Rule,
        mut state: State,
        effect: &Effect,
        (next, ended): (&mut Vec<State>, &mut Vec<(State, Ended)>),
    ) {
        let did = match effect {
            Effect::Mark(value) => match self.mark_of(&state, value) {
                Ok(Some(mark)) => {
                    let changed = state.packet.mark != mark;
                    state.packet.mark = mark;
                    changed.then_some(Did::Mark { mark })
                }
                Ok(None) => return ended.push((state, Ended::Next)),
                Err(why) => return self.doubt(state, &why, (next, ended)),
            },
            Effect::CtMark(value) => match self.mark_of(&state, value) {
                Ok(Some(mark)) => set_ct_mark(&mut state, mark),
                Ok(None) => return ended.push((state, Ended::Next)),
                Err(why) => return self.doubt(state, &why, (next, ended)),
            },
            Effect::Connmark {
                mode,
                value,
                ctmask,
                nfmask,
            } => connmark(&mut state, *mode, (*value, *ctmask, *nfmask)),
            Effect::Notrack => (state.tracking == Tracking::None).then(|| {
                state.tracking = Tracking::Untracked;
                Did::Notrack
            }),
            Effect::SetOp { set, key, op } => {
                let set = (place.table, set.clone());
                let before = state.added.take();
                state.added = Some(Rc::new(Added {
                    set,
                    key: key.clone(),
                    op: *op,
                    before,
                }));
                None
            }
            Effect::Gap(why) => return self.doubt(state, why, (next, ended)),
        };
        if let Some(did) = did {
            state.note(place.stage(), place.rule(rule.index), did);
        }
        next.push(state);
    }

    /// Something unknown is done: either it does not matter, or the end is not known.
    fn doubt(
        &mut self,
        state: State,
        why: &Rc<str>,
        (next, ended): (&mut Vec<State>, &mut Vec<(State, Ended)>),
    ) {
        let fork = self.new_fork(Fork::Gap(why.clone()));
        let mut unknown = state.clone();
        unknown.choose(fork, 1);
        ended.push((unknown, Ended::Flow(Flow::Unknown(why.clone()))));
        let mut state = state;
        state.choose(fork, 0);
        next.push(state);
    }

    fn mark_of(&mut self, state: &State, value: &Value) -> Result<Option<u32>, Rc<str>> {
        match self.load(state, value) {
            Loaded::Segs(segs) => match &segs[..] {
                [Seg::Known(bytes)] => {
                    let mut word = [0; 4];
                    let len = bytes.len().min(4);
                    word[..len].copy_from_slice(&bytes[..len]);
                    Ok(Some(u32::from_ne_bytes(word)))
                }
                _ => Err("a mark is made of the client's address or port".into()),
            },
            Loaded::Absent => Ok(None),
            Loaded::Unknown(why) => Err(why),
            Loaded::Parts(_) => Err("a mark is made of a route".into()),
        }
    }

    fn finish(
        &mut self,
        place: Place,
        rule: &Rule,
        mut state: State,
        end: Option<End>,
        ended: &mut Vec<(State, Ended)>,
    ) {
        let (stage, at) = (place.stage(), place.rule(rule.index));
        let Some(end) = end else {
            return ended.push((state, Ended::Next));
        };
        let (did, how) = match end {
            End::Accept => (Did::Accept, Ended::Flow(Flow::Accept)),
            End::Drop => (Did::Drop, Ended::Flow(Flow::Drop(Cause::RuleDrops))),
            End::Return => (Did::Return, Ended::Flow(Flow::Return)),
            End::Queue { bypass } => (Did::Queue, Ended::Flow(Flow::Queue { bypass })),
            End::Reject(reject) => {
                let with = reject_of(state.family, reject);
                (Did::Reject(with), Ended::Flow(Flow::Reject(with)))
            }
            End::RejectXt(with) => (Did::Reject(with), Ended::Flow(Flow::Reject(with))),
            End::Gap(why) => {
                let fork = self.new_fork(Fork::Gap(why.clone()));
                let mut passes = state.clone();
                passes.choose(fork, 0);
                ended.push((passes, Ended::Next));
                state.choose(fork, 1);
                return ended.push((state, Ended::Flow(Flow::Unknown(why))));
            }
            End::Jump(name) | End::Goto(name) if self.chain_named(&name).is_none() => {
                let why: Rc<str> = format!("chain {name} was not read").into();
                return ended.push((state, Ended::Flow(Flow::Unknown(why))));
            }
            End::Jump(name) => {
                let chain = self.chain_named(&name).unwrap_or(place.chain);
                (
                    Did::Jump {
                        chain: name.to_string(),
                    },
                    Ended::Jump(chain),
                )
            }
            End::Goto(name) => {
                let chain = self.chain_named(&name).unwrap_or(place.chain);
                (
                    Did::Goto {
                        chain: name.to_string(),
                    },
                    Ended::Goto(chain),
                )
            }
            End::Dnat(_) | End::Snat(_) | End::Masquerade(_) | End::Redirect(_) => {
                let bound = self.bind(place.hook, state, &end, at.as_ref());
                return ended.extend(bound.into_iter().map(|(state, flow)| match flow {
                    Some(flow) => (state, Ended::Flow(flow)),
                    None => (state, Ended::Next),
                }));
            }
        };
        state.note(stage, at, did);
        ended.push((state, how));
    }
}

/// The end that a verdict map gives; none where the key was not found.
#[expect(
    clippy::option_option,
    reason = "a miss, and a hit without data, are different"
)]
fn verdict_of(hit: Option<Option<Data>>, set: &Rc<str>) -> Option<End> {
    match hit? {
        Some(Data::Verdict(verdict)) => match verdict {
            Verdict::Accept => Some(End::Accept),
            Verdict::Drop => Some(End::Drop),
            Verdict::Return => Some(End::Return),
            Verdict::Queue => Some(End::Queue { bypass: false }),
            Verdict::Jump(chain) => Some(End::Jump(chain.as_ref().into())),
            Verdict::Goto(chain) => Some(End::Goto(chain.as_ref().into())),
            Verdict::Continue | Verdict::Break => None,
        },
        Some(Data::Value(_) | Data::Range(..) | Data::Object(_)) | None => Some(End::Gap(
            format!("the verdicts of map {set} were not read").into(),
        )),
    }
}

fn bytes_of(data: &Data) -> Vec<u8> {
    match data {
        Data::Value(bytes) => bytes.to_vec(),
        // Both ends, one behind the other: as they land in the registers.
        Data::Range(first, last) => [first.as_ref(), last.as_ref()].concat(),
        Data::Verdict(_) | Data::Object(_) => Vec::new(),
    }
}

fn set_ct_mark(state: &mut State, mark: u32) -> Option<Did> {
    let conn = state.conn.as_mut()?;
    let changed = conn.mark != mark;
    conn.mark = mark;
    changed.then_some(Did::CtMark { mark })
}

fn connmark(state: &mut State, mode: host::xt::CtMarkMode, words: (u32, u32, u32)) -> Option<Did> {
    let conn = state.conn.as_mut()?;
    let before = (state.packet.mark, conn.mark);
    let (mark, ct_mark) = crate::lower::connmark(mode, before, words);
    (state.packet.mark, conn.mark) = (mark, ct_mark);
    if mark != before.0 {
        Some(Did::Mark { mark })
    } else {
        (ct_mark != before.1).then_some(Did::CtMark { mark: ct_mark })
    }
}

/// The code that `reject` sends, for the packet's family (nft_reject.c).
fn reject_of(family: Family, reject: Reject) -> RejectWith {
    match (reject, family) {
        (Reject::TcpReset, _) => RejectWith::TcpReset,
        (Reject::Icmp(code), Family::V4) => RejectWith::Icmp(code),
        (Reject::Icmp(code), Family::V6) => RejectWith::Icmp6(code),
        (Reject::Icmpx(code), Family::V4) => RejectWith::Icmp(match code {
            0 => 0,
            1 => 3,
            2 => 1,
            _ => 13,
        }),
        (Reject::Icmpx(code), Family::V6) => RejectWith::Icmp6(match code {
            0 => 0,
            1 => 4,
            2 => 3,
            _ => 1,
        }),
    }
}

fn same_trail<T>(a: Option<&Rc<T>>, b: Option<&Rc<T>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Rc::ptr_eq(a, b),
        (None, None) => true,
        _ => false,
    }
}

fn are_alike(a: &[(State, Fate)], b: &[(State, Fate)]) -> bool {
    let pairs = a.iter().zip(b);
    a.len() == b.len()
        && pairs
            .into_iter()
            .all(|(x, y)| x.1 == y.1 && x.0.is_like(&y.0))
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
