//! One rule: its tests, its effects, its end.

use std::rc::Rc;

use host::nft::{Data, Reject, Verdict};
use host::xt::RejectWith;
use net::Family;

use crate::answer::{Cause, Did, RuleRef};
use crate::chain::{Flow, Place};
use crate::eval::{Eval, Fork};
use crate::lower::{Effect, End, Op, Rule, Value};
use crate::packet::{Added, State, Tracking};
use crate::value::{Loaded, Seg};
use crate::ways::Ways;

/// How one rule ended for the packets of a state.
pub(crate) enum Ended {
    Next,
    Jump(usize),
    Goto(usize),
    Flow(Flow),
}

/// A rule by place, at the hook where it is evaluated.
#[derive(Clone, Copy)]
struct At {
    place: Place,
    rule: usize,
}

impl At {
    fn rule_ref(self) -> RuleRef {
        RuleRef {
            table: self.place.table,
            chain: self.place.chain,
            rule: Some(self.rule),
        }
    }
}

/// Where packets of a rule go next: to its next operation, or to an end.
struct Bins {
    next: Vec<State>,
    ended: Ways<Ended>,
}

impl Bins {
    /// To the next operation, or past the rule.
    fn sort(&mut self, state: State, goes_on: bool) {
        if goes_on {
            self.next.push(state);
        } else {
            self.ended.push((state, Ended::Next));
        }
    }
}

impl Eval<'_> {
    pub(crate) fn run_rule(&mut self, place: Place, rule: &Rule, state: State) -> Ways<Ended> {
        let at = At {
            place,
            rule: rule.index,
        };
        let mut bins = Bins {
            next: vec![state],
            ended: Vec::new(),
        };
        for op in &rule.ops {
            for state in std::mem::take(&mut bins.next) {
                self.run_op(at, op, state, &mut bins);
            }
        }
        let Bins { next, mut ended } = bins;
        ended.extend(next.into_iter().map(|state| (state, Ended::Next)));
        for (state, _) in &mut ended {
            state.slots.clear();
        }
        ended
    }

    fn run_op(&mut self, at: At, op: &Op, state: State, bins: &mut Bins) {
        match op {
            Op::Test(test) => {
                for (state, holds) in self.split(state, test) {
                    bins.sort(state, holds);
                }
            }
            Op::Map { set, key, slot } => {
                for (mut state, hit) in self.look(state, set, key) {
                    let data = hit.flatten();
                    let found = data.is_some();
                    state
                        .slots
                        .extend(data.map(|data| (*slot, bytes_of(&data))));
                    bins.sort(state, found);
                }
            }
            Op::VerdictMap { set, key } => {
                for (state, hit) in self.look(state, set, key) {
                    let end = verdict_of(hit, set);
                    self.finish(at, state, end, bins);
                }
            }
            Op::Socket { slot, key } => {
                for (mut state, read) in self.socket_key(state, *key) {
                    match read {
                        Ok(bytes) => {
                            let found = bytes.is_some();
                            state.slots.extend(bytes.map(|bytes| (*slot, bytes)));
                            bins.sort(state, found);
                        }
                        Err(why) => self.doubt(state, &why.into(), bins),
                    }
                }
            }
            Op::Choose {
                slot,
                modulus,
                offset,
            } => {
                bins.next
                    .extend(self.choose(&state, *slot, *modulus, *offset));
            }
            Op::Do(effect) => self.effect(at, state, effect, bins),
            Op::End(end) => {
                self.finish(at, state, Some(end.clone()), bins);
            }
        }
    }

    /// All values of a generator, each in a state of its own.
    fn choose(&mut self, state: &State, slot: u8, modulus: u32, offset: u32) -> Vec<State> {
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

    fn effect(&mut self, at: At, mut state: State, effect: &Effect, bins: &mut Bins) {
        let did = match effect {
            Effect::Mark(value) => match self.mark_of(&state, value) {
                Ok(Some(mark)) => {
                    let changed = state.packet.mark != mark;
                    state.packet.mark = mark;
                    changed.then_some(Did::Mark { mark })
                }
                Ok(None) => return bins.sort(state, false),
                Err(why) => return self.doubt(state, &why, bins),
            },
            Effect::CtMark(value) => match self.mark_of(&state, value) {
                Ok(Some(mark)) => set_ct_mark(&mut state, mark),
                Ok(None) => return bins.sort(state, false),
                Err(why) => return self.doubt(state, &why, bins),
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
                if let Some(key) = self.read_key(&state, key) {
                    let (set, before) = ((at.place.table, set.clone()), state.added.take());
                    state.added = Some(Rc::new(Added {
                        set,
                        key,
                        op: *op,
                        before,
                    }));
                }
                None
            }
            Effect::Gap(why) => return self.doubt(state, why, bins),
        };
        if let Some(did) = did {
            state.note(at.place.stage(), Some(at.rule_ref()), did);
        }
        bins.next.push(state);
    }

    /// The fields of a key; `None` where one cannot be read as one value.
    fn read_key(&mut self, state: &State, key: &[Value]) -> Option<Vec<Seg>> {
        let read = |value| match self.load(state, value) {
            Loaded::Segs(mut segs) if segs.len() == 1 => segs.pop(),
            Loaded::Segs(_) | Loaded::Parts(_) | Loaded::Absent | Loaded::Unknown(_) => None,
        };
        key.iter().map(read).collect()
    }

    /// Something unknown is done: either it does not matter, or the end is not known.
    fn doubt(&mut self, state: State, why: &Rc<str>, bins: &mut Bins) {
        let fork = self.new_fork(Fork::Gap(why.clone()));
        let mut unknown = state.clone();
        unknown.choose(fork, 1);
        bins.ended
            .push((unknown, Ended::Flow(Flow::Unknown(why.clone()))));
        let mut state = state;
        state.choose(fork, 0);
        bins.next.push(state);
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

    fn finish(&mut self, at: At, mut state: State, end: Option<End>, bins: &mut Bins) {
        let (place, rule) = (at.place, Some(at.rule_ref()));
        let ended = &mut bins.ended;
        let Some(end) = end else {
            return ended.push((state, Ended::Next));
        };
        let (did, how) = match end {
            End::Accept => (Did::Accept, Ended::Flow(Flow::Accept)),
            End::Drop => (Did::Drop, Ended::Flow(Flow::Drop(Cause::RuleDrops))),
            End::Return => (Did::Return, Ended::Flow(Flow::Return)),
            End::Queue => (Did::Queue, Ended::Flow(Flow::Queue)),
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
            End::Dnat(_)
            | End::Snat(_)
            | End::Masquerade(_)
            | End::Redirect(_)
            | End::Netmap(_) => {
                let bound = self.bind(place.hook, state, &end, rule.as_ref());
                return ended.extend(bound.into_iter().map(|(state, flow)| match flow {
                    Some(flow) => (state, Ended::Flow(flow)),
                    None => (state, Ended::Next),
                }));
            }
        };
        state.note(place.stage(), rule, did);
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
            Verdict::Queue => Some(End::Queue),
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
    let conn = state.entry_mut()?;
    let changed = conn.mark != mark;
    conn.mark = mark;
    changed.then_some(Did::CtMark { mark })
}

fn connmark(state: &mut State, mode: host::xt::CtMarkMode, words: (u32, u32, u32)) -> Option<Did> {
    let nf_mark = state.packet.mark;
    let conn = state.entry_mut()?;
    let before = (nf_mark, conn.mark);
    let (mark, ct_mark) = crate::lower::connmark(mode, before, words);
    conn.mark = ct_mark;
    state.packet.mark = mark;
    if mark == before.0 {
        return (ct_mark != before.1).then_some(Did::CtMark { mark: ct_mark });
    }
    Some(Did::Mark { mark })
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
