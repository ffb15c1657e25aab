//! Which rules of a chain, and which elements of a set, a packet can meet at all.
//!
//! Nearly all rules of a large node ask for one address or one port of the destination, and
//! both are known all the way: only rules that ask for these, or for neither, are walked.

use std::collections::HashMap;

use host::nft::PayloadBase;
use net::Family;

use crate::alike::Alike;
use crate::lower::{ByteOp, Field, Of, Op, Rule, Test, Value};
use crate::packet::{Kind, State};
use crate::ranges::Ranges;

/// Chains and sets that are shorter than this are walked as they are.
const SHORT: usize = 16;

/// Ports of one test that a rule is found by before it is walked for every port.
pub(crate) const PORTS: u128 = 64;

/// A chain's rules, by what they ask of the destination of packets of one family.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) rules: Vec<Rule>,
    places: Option<Places>,
}

/// Places of rules, ascending.
#[derive(Debug)]
struct Places {
    by_addr: HashMap<u128, Vec<usize>>,
    by_port: HashMap<u16, Vec<usize>>,
    /// Rules that ask for neither.
    rest: Vec<usize>,
    /// All ports that a rule is found by.
    ports: Ranges,
}

impl Chain {
    pub(crate) fn of(rules: Vec<Rule>, family: Family) -> Self {
        let places = (rules.len() >= SHORT).then(|| Places::of(&rules, family));
        Self { rules, places }
    }

    /// The places of all rules that packets of a state can meet, in order. Rules change neither
    /// the address nor the port of a packet that goes on to the next.
    pub(crate) fn candidates(&self, state: &State, alike: &Alike) -> Vec<usize> {
        let packet = &state.packet;
        // What stands where others have their ports is not known.
        let has_ports = packet.proto.has_ports() && !matches!(packet.kind, Kind::IcmpError(..));
        let dport = state.known_port(&packet.dport).filter(|_| has_ports);
        if let (Some(places), Some(dport)) = (&self.places, dport) {
            alike.looked_up(dport.into(), &places.ports);
        }
        self.for_destination(state.known_addr(&packet.dst), dport)
    }

    /// The places of the rules for this address and port; of all rules where one of the two is
    /// not known.
    fn for_destination(&self, dst: Option<u128>, dport: Option<u16>) -> Vec<usize> {
        let (Some(places), Some(dst), Some(dport)) = (&self.places, dst, dport) else {
            return (0..self.rules.len()).collect();
        };
        let by_addr = places.by_addr.get(&dst).into_iter().flatten();
        let by_port = places.by_port.get(&dport).into_iter().flatten();
        let mut found: Vec<usize> = by_addr
            .chain(by_port)
            .chain(&places.rest)
            .copied()
            .collect();
        found.sort_unstable();
        found
    }
}

impl Places {
    fn of(rules: &[Rule], family: Family) -> Self {
        let mut places = Self {
            by_addr: HashMap::new(),
            by_port: HashMap::new(),
            rest: Vec::new(),
            ports: Ranges::none(),
        };
        for (at, rule) in rules.iter().enumerate() {
            match wanted(rule, family) {
                Some(Wanted::Addr(addr)) => places.by_addr.entry(addr).or_default().push(at),
                Some(Wanted::Ports(ports)) => {
                    for port in ports {
                        places.by_port.entry(port).or_default().push(at);
                    }
                }
                None => places.rest.push(at),
            }
        }
        let named = places
            .by_port
            .keys()
            .map(|&port| (port.into(), port.into()));
        places.ports = Ranges::of(named.collect());
        places
    }
}

/// What a rule wants of the destination before it does anything.
enum Wanted {
    Addr(u128),
    Ports(Vec<u16>),
}

/// An address, else few ports, that the tests at the front of a rule ask for.
fn wanted(rule: &Rule, family: Family) -> Option<Wanted> {
    let tests = rule.ops.iter().map_while(|op| match op {
        Op::Test(test) => Some(test),
        Op::Map { .. }
        | Op::VerdictMap { .. }
        | Op::Socket { .. }
        | Op::Choose { .. }
        | Op::Do(_)
        | Op::End(_) => None,
    });
    let mut ports = None;
    let mut open: Vec<&Test> = tests.collect();
    while let Some(test) = open.pop() {
        match test {
            Test::All(tests) => open.extend(tests),
            Test::In { value, within } if is_address(value, family) => {
                if let Some(addr) = within.single() {
                    return Some(Wanted::Addr(addr));
                }
            }
            Test::In { value, within } if is_port(value) && within.count() <= PORTS => {
                let ranges = within.as_slice().iter();
                let all = ranges.flat_map(|&(first, last)| first..=last);
                ports = Some(all.filter_map(|port| u16::try_from(port).ok()).collect());
            }
            _ => {}
        }
    }
    ports.map(Wanted::Ports)
}

/// Whether a rule asks for a destination port, one or a few by number or by a set or map, and
/// `port` is one of them.
pub(crate) fn names_port(rule: &Rule, port: u16) -> bool {
    rule.ops.iter().any(|op| match op {
        Op::Test(test) => test_names_port(test, port),
        Op::Map { key, .. } | Op::VerdictMap { key, .. } => key.iter().any(is_port),
        Op::Socket { .. } | Op::Choose { .. } | Op::Do(_) | Op::End(_) => false,
    })
}

fn test_names_port(test: &Test, port: u16) -> bool {
    match test {
        Test::In { value, within } => {
            is_port(value) && within.count() <= PORTS && within.contains(port.into())
        }
        Test::InSet { key, .. } => key.iter().any(is_port),
        // Which of the two ports of a packet a set asks for goes with the address.
        Test::InIpSet(matched) => matched.from_source.iter().skip(1).any(|source| !source),
        Test::All(tests) | Test::Any(tests) => tests.iter().any(|t| test_names_port(t, port)),
        Test::Const(_)
        | Test::Present(_)
        | Test::AddrType { .. }
        | Test::Bridged
        | Test::Socket { .. }
        | Test::HasConnection
        | Test::Not(_)
        | Test::Doubt(_) => false,
    }
}

/// Whether a value is the whole destination address.
pub(crate) fn is_address(value: &Value, family: Family) -> bool {
    is_of_address(value, family) && value.ops.iter().all(keeps)
}

/// The lowest address of the network that a value which is the front of the destination
/// address stands for: masked, or loaded only so far.
pub(crate) fn network(value: &Value, bits: u128, family: Family) -> Option<u128> {
    let is_mask = matches!(&value.ops[..], [op @ ByteOp::MaskXor { .. }] if !keeps(op));
    if is_of_address(value, family) {
        return is_mask.then_some(bits);
    }
    let (offset, len) = address_place(family);
    let base = PayloadBase::Network;
    let is_front = value.of == Of::Field(Field::Header { base, offset });
    let rest = len.checked_sub(value.len).filter(|&rest| rest > 0)?;
    (is_front && (value.ops.is_empty() || is_mask)).then(|| bits << (8 * rest))
}

/// Where the destination address is in a header, and how long.
fn address_place(family: Family) -> (u32, u32) {
    match family {
        Family::V4 => (16, 4),
        Family::V6 => (24, 16),
    }
}

fn is_of_address(value: &Value, family: Family) -> bool {
    let (offset, len) = match family {
        Family::V4 => (16, 4),
        Family::V6 => (24, 16),
    };
    let base = PayloadBase::Network;
    let is_field =
        value.of == Of::Field(Field::Dst) || value.of == Of::Field(Field::Header { base, offset });
    is_field && value.len == len
}

/// Whether a value is the whole destination port.
pub(crate) fn is_port(value: &Value) -> bool {
    let (base, offset) = (PayloadBase::Transport, 2);
    let is_field = value.of == Of::Field(Field::Dport)
        || value.of == Of::Field(Field::Header { base, offset });
    is_field && value.len == 2 && value.ops.iter().all(keeps)
}

/// Whether an operation changes no bit.
fn keeps(op: &ByteOp) -> bool {
    match op {
        ByteOp::MaskXor { mask, xor } => {
            mask.iter().all(|&byte| byte == 0xff) && xor.iter().all(|&byte| byte == 0)
        }
        ByteOp::ShiftLeft(_)
        | ByteOp::ShiftRight(_)
        | ByteOp::Swap(_)
        | ByteOp::Cut { .. }
        | ByteOp::With { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lower::End;

    fn rule(index: usize, tests: Vec<Test>) -> Rule {
        let mut ops: Vec<Op> = tests.into_iter().map(Op::Test).collect();
        ops.push(Op::End(End::Accept));
        Rule { index, ops }
    }

    fn is(field: Field, len: u32, first: u128, last: u128) -> Test {
        Test::In {
            value: Value::field(field, len),
            within: Ranges::span(first, last),
        }
    }

    /// Twenty rules, each for a port, an address, or neither.
    fn chain() -> Chain {
        let rule = |i: usize| {
            let number = i as u128;
            let test = match i % 4 {
                0 => is(Field::Dst, 4, number, number),
                1 => Test::All(vec![is(Field::Dport, 2, number, number + 1)]),
                2 => is(Field::Dport, 2, number, number).inverted(true),
                _ => is(Field::Src, 4, number, number),
            };
            rule(i, vec![test])
        };
        Chain::of((0..20).map(rule).collect(), Family::V4)
    }

    #[test]
    fn only_rules_for_the_destination_or_for_any_are_walked() {
        let found = chain().for_destination(Some(8), Some(6));
        let any = |i: &usize| i % 4 >= 2;
        let mut expected: Vec<usize> = (0..20).filter(any).chain([5, 8]).collect();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn where_the_destination_is_not_known_all_are() {
        assert_eq!(chain().for_destination(None, Some(6)).len(), 20);
        assert_eq!(chain().for_destination(Some(8), None).len(), 20);
    }
}
