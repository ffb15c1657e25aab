//! Splits a state into the packets a test holds for and those it does not.

use net::Family;

use crate::eval::{Eval, Fork};
use crate::lower::{Doubt, Side, Test, Value, number};
use crate::packet::State;
use crate::ranges::Ranges;
use crate::value::{Dim, Loaded, Seg};
use crate::ways::{all, each, sift};

impl State {
    /// The packets of the state whose dimension lies in `within`, and the others.
    pub(crate) fn cut(self, dim: Dim, within: &Ranges) -> (Option<Self>, Option<Self>) {
        let own = match dim {
            Dim::Addr => &self.addr,
            Dim::Port => &self.port,
        };
        let (inside, outside) = (own.and(within), own.minus(within));
        if outside.is_empty() {
            return (Some(self), None);
        }
        if inside.is_empty() {
            return (None, Some(self));
        }
        let with = |mut state: Self, ranges| {
            match dim {
                Dim::Addr => state.addr = ranges,
                Dim::Port => state.port = ranges,
            }
            state
        };
        (Some(with(self.clone(), inside)), Some(with(self, outside)))
    }
}

impl Eval<'_> {
    /// Whether a test is the same for all packets of the state, and then what.
    pub(crate) fn decide(&mut self, state: &State, test: &Test) -> Option<bool> {
        match test {
            Test::Const(holds) => Some(*holds),
            Test::In { value, within } => match self.compare(state, value, within) {
                Loaded::Segs(segs) => match &segs[..] {
                    [Seg::Known(bytes)] => Some(within.contains(number(bytes))),
                    [_] => None,
                    _ => differs(&segs, within.single()?).then_some(false),
                },
                Loaded::Absent => Some(false),
                Loaded::Parts(_) | Loaded::Unknown(_) => None,
            },
            // Whether a port is there says nothing about which.
            Test::Present(value) => match self.read(state, value) {
                Loaded::Absent => Some(false),
                Loaded::Segs(_) | Loaded::Unknown(_) => Some(true),
                Loaded::Parts(_) => None,
            },
            Test::HasConnection => Some(state.entry().is_some()),
            Test::Bridged => Some(self.is_bridged(state)),
            Test::Not(test) => self.decide(state, test).map(|holds| !holds),
            Test::All(tests) => {
                for test in tests {
                    match self.decide(state, test) {
                        Some(true) => {}
                        other => return other,
                    }
                }
                Some(true)
            }
            Test::Any(tests) => {
                for test in tests {
                    match self.decide(state, test) {
                        Some(false) => {}
                        other => return other,
                    }
                }
                Some(false)
            }
            Test::InSet { .. }
            | Test::InIpSet(_)
            | Test::AddrType { .. }
            | Test::Socket { .. }
            | Test::Doubt(_) => None,
        }
    }

    /// Reads a value that is held against numbers.
    fn compare(&mut self, state: &State, value: &Value, within: &Ranges) -> Loaded {
        self.note_compared(state, value, within);
        self.read(state, value)
    }

    /// Whether bridge netfilter has seen the packet: it came in or goes out by a bridge, and
    /// bridged packets are sent through these rules.
    fn is_bridged(&self, state: &State) -> bool {
        let tables = match state.family {
            Family::V4 => "net.bridge.bridge-nf-call-iptables",
            Family::V6 => "net.bridge.bridge-nf-call-ip6tables",
        };
        let is_bridge = |link: Option<u32>| {
            let link = link.and_then(|index| self.host.link(index));
            link.is_some_and(|link| link.kind == "bridge")
        };
        self.host.sysctls.number(tables, 0) != 0
            && (is_bridge(state.packet.iif) || is_bridge(state.packet.oif))
    }

    /// Splits a state by a test. Undecidable tests give both, each with its branch recorded.
    pub(crate) fn split(&mut self, state: State, test: &Test) -> Vec<(State, bool)> {
        if let Some(holds) = self.decide(&state, test) {
            return vec![(state, holds)];
        }
        match test {
            Test::Const(holds) => vec![(state, *holds)],
            Test::HasConnection | Test::Bridged => vec![(state, false)],
            Test::In { value, within } => self.split_in(state, value, within),
            Test::Present(value) => match self.read(&state, value) {
                Loaded::Parts(parts) => by_part(state, &parts, |bytes| bytes.is_some()),
                Loaded::Segs(_) | Loaded::Absent | Loaded::Unknown(_) => vec![(state, true)],
            },
            Test::InSet { set, key } => {
                let hits = self.look(state, set, key);
                hits.into_iter()
                    .map(|(state, hit)| (state, hit.is_some()))
                    .collect()
            }
            Test::InIpSet(matched) => self.in_ipset(state, matched),
            Test::AddrType {
                source,
                types,
                limit,
            } => self.by_addr_type(state, *source, *types, *limit),
            Test::Socket {
                wildcards,
                transparent,
            } => self.by_socket(state, *wildcards, *transparent),
            Test::Not(test) => {
                let parts = self.split(state, test);
                parts
                    .into_iter()
                    .map(|(state, holds)| (state, !holds))
                    .collect()
            }
            Test::All(tests) => self.sequence(state, tests, true),
            Test::Any(tests) => self.sequence(state, tests, false),
            Test::Doubt(doubt) => self.fork(state, doubt),
        }
    }

    /// Asks tests in turn as long as they give `go_on`.
    fn sequence(&mut self, state: State, tests: &[Test], go_on: bool) -> Vec<(State, bool)> {
        let (mut done, mut open) = (Vec::new(), vec![state]);
        for test in tests {
            let ways = each(open, |state| self.split(state, test));
            open = sift(ways, &mut done, |holds| *holds == go_on);
        }
        done.extend(all(open, &go_on));
        done
    }

    fn split_in(&mut self, state: State, value: &Value, within: &Ranges) -> Vec<(State, bool)> {
        let segs = match self.compare(&state, value, within) {
            Loaded::Segs(segs) => segs,
            Loaded::Parts(parts) => {
                return by_part(state, &parts, |bytes| {
                    bytes.is_some_and(|bytes| within.contains(number(bytes)))
                });
            }
            Loaded::Absent => return vec![(state, false)],
            Loaded::Unknown(why) => return self.fork(state, &Doubt::Gap(why)),
        };
        if let [seg] = &segs[..] {
            return self.split_seg(state, seg, within);
        }
        // Over several fields only one exact value can be told apart field by field.
        let Some(wanted) = within.single() else {
            let why = "a comparison over several fields is not modelled";
            return self.fork(state, &Doubt::Gap(why.into()));
        };
        let (mut misses, mut open) = (Vec::new(), vec![state]);
        let mut left: usize = segs.iter().map(Seg::len).sum();
        for seg in &segs {
            left -= seg.len();
            let part = (wanted >> (left * 8)) & mask_of(seg.len());
            let ways = each(open, |state| self.split_seg(state, seg, &Ranges::one(part)));
            open = sift(ways, &mut misses, |holds| *holds);
        }
        misses.extend(all(open, &true));
        misses
    }

    fn split_seg(&mut self, state: State, seg: &Seg, within: &Ranges) -> Vec<(State, bool)> {
        match seg {
            Seg::Known(bytes) => vec![(state, within.contains(number(bytes)))],
            Seg::Vague {
                first,
                last,
                why,
                sort,
                ..
            } => {
                let range = Ranges::span(*first, *last);
                let inside = range.and(within);
                if inside == range || inside.is_empty() {
                    return vec![(state, !inside.is_empty())];
                }
                self.fork(state, &sort.doubt(&range, &inside, why))
            }
            Seg::Free(free) => {
                if let Some(values) = free.preimage(within) {
                    return both(state.cut(free.dim, &values));
                }
                let why = "a mask over the client's address is not modelled";
                self.fork(state, &Doubt::Gap(why.into()))
            }
        }
    }

    /// Takes both ways of something that cannot be decided.
    pub(crate) fn fork(&mut self, state: State, doubt: &Doubt) -> Vec<(State, bool)> {
        let fork = match doubt {
            Doubt::Gap(why) => Fork::Gap(why.clone()),
            Doubt::State { holds, fails } => Fork::When(vec![holds.clone(), fails.clone()]),
            Doubt::Chance(share) => Fork::Chance(vec![*share, 1.0 - share]),
        };
        let id = self.new_fork(fork);
        let mut fails = state.clone();
        let mut holds = state;
        holds.choose(id, 0);
        fails.choose(id, 1);
        vec![(holds, true), (fails, false)]
    }

    /// What `addrtype` says. IPv4 asks the local table for one type; IPv6 tests several
    /// things at once (xt_addrtype.c, match_type6).
    fn by_addr_type(
        &mut self,
        state: State,
        source: bool,
        types: u16,
        limit: Option<Side>,
    ) -> Vec<(State, bool)> {
        let fact = if source {
            &state.packet.src
        } else {
            &state.packet.dst
        };
        let device = match limit {
            None => None,
            Some(Side::In) => state.packet.iif,
            Some(Side::Out) => state.packet.oif,
        };
        let addrs = match state.addrs(fact) {
            Ok(addrs) => addrs,
            Err(why) => return self.fork(state, &Doubt::Gap(why.into())),
        };
        let within = match state.family {
            Family::V4 => self.addrs_of_types(&addrs, types, device),
            Family::V6 => self.addrs_of_types_v6(&addrs, types, device),
        };
        match state.known_addr(fact) {
            Some(addr) => vec![(state, within.contains(addr))],
            None => both(state.cut(Dim::Addr, &within)),
        }
    }
}

fn both((inside, outside): (Option<State>, Option<State>)) -> Vec<(State, bool)> {
    let inside = inside.map(|state| (state, true));
    inside
        .into_iter()
        .chain(outside.map(|state| (state, false)))
        .collect()
}

pub(crate) fn by_part(
    state: State,
    parts: &[(Ranges, Option<Vec<u8>>)],
    holds: impl Fn(Option<&[u8]>) -> bool,
) -> Vec<(State, bool)> {
    let (mut cut, mut rest) = (Vec::new(), Some(state));
    for (ranges, bytes) in parts {
        let Some(state) = rest.take() else { break };
        let (inside, outside) = state.cut(Dim::Addr, ranges);
        cut.extend(inside.map(|state| (state, holds(bytes.as_deref()))));
        rest = outside;
    }
    cut.extend(rest.map(|state| (state, false)));
    cut
}

/// Whether a known part of the value is not what the exact value has there.
fn differs(segs: &[Seg], wanted: u128) -> bool {
    let mut left: usize = segs.iter().map(Seg::len).sum();
    segs.iter().any(|seg| {
        left -= seg.len();
        let part = (wanted >> (left * 8)) & mask_of(seg.len());
        match seg {
            Seg::Known(bytes) => number(bytes) != part,
            Seg::Free(_) => false,
            Seg::Vague { first, last, .. } => !(*first..=*last).contains(&part),
        }
    })
}

fn mask_of(bytes: usize) -> u128 {
    if bytes >= 16 {
        u128::MAX
    } else {
        (1 << (bytes * 8)) - 1
    }
}
