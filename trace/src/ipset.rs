//! The xt `set` match: which packets are in an ipset.

use host::xt::SetMatch;
use host::{IpSet, IpSetEntry, IpSetField, IpSetMember};
use net::{Family, Prefix, Proto, addr_bits};

use crate::eval::Eval;
use crate::lower::Doubt;
use crate::packet::{Fact, Kind, State};
use crate::ranges::Ranges;
use crate::value::{Dim, Vagueness};
use crate::ways::{all, each, sift};

/// What one member of an entry asks of the packets of a state.
enum Ask {
    /// It is so for all.
    Holds,
    /// It is so for none.
    Fails,
    /// It is so for these.
    Cut(Dim, Ranges),
    /// It cannot be told.
    Doubt(Doubt),
}

/// Why an entry with a link-layer address may cover a packet.
const LINK_LAYER: &str = "the link-layer address of the client";

/// What a whole entry asks: cuts that all must hold.
type Cuts = Vec<(Dim, Ranges)>;

impl<'h> Eval<'h> {
    /// Splits a state by whether its packets are in the set.
    pub(crate) fn in_ipset(&mut self, state: State, matched: &SetMatch) -> Vec<(State, bool)> {
        let host: &'h host::Host = self.host;
        let name = matched.name.as_deref().unwrap_or("of unknown name");
        let set = host.ipsets.iter().find(|set| set.name == name);
        let gap = |what: String| Doubt::Gap(what.into());
        match set {
            None => self.fork(state, &gap(format!("ipset {name} was not read"))),
            Some(set) if matched.counts => self.fork(
                state,
                &gap(format!("ipset {} is asked for its counters", set.name)),
            ),
            Some(set) if set.fields.is_empty() => self.fork(
                state,
                &gap(format!("what ipset {} holds is not known", set.name)),
            ),
            Some(set) if set.fields == [IpSetField::Set] => self.in_list(state, set, matched),
            Some(set) => self.in_set(state, set, matched),
        }
    }

    /// A list of sets holds what any of its members holds.
    fn in_list(&mut self, state: State, list: &IpSet, matched: &SetMatch) -> Vec<(State, bool)> {
        let (mut done, mut open) = (Vec::new(), vec![state]);
        for member in list.entries.iter().flat_map(|entry| &entry.members) {
            let IpSetMember::Set(name) = member else {
                continue;
            };
            // The kernel takes no list into a list (ip_set_list_set.c, list_set_uadt).
            let of_lists = |set: &IpSet| set.name == *name && set.fields == [IpSetField::Set];
            if self.host.ipsets.iter().any(of_lists) {
                let why = format!("ipset {} has a list of sets in it", list.name);
                let doubt = Doubt::Gap(why.into());
                let ways = each(open, |state| self.fork(state, &doubt));
                open = sift(ways, &mut done, |holds| !holds);
                continue;
            }
            let mut inner = matched.clone();
            inner.name = Some(name.as_str().into());
            let ways = each(open, |state| self.in_ipset(state, &inner));
            open = sift(ways, &mut done, |holds| !holds);
        }
        done.extend(all(open, &false));
        done
    }

    /// The most specific entry decides; one with `nomatch` says no. A set of another family,
    /// or with more dimensions than asked for, holds nothing (ip_set_core.c, ip_set_test).
    fn in_set(&mut self, state: State, set: &IpSet, matched: &SetMatch) -> Vec<(State, bool)> {
        let any_family = set.fields == [IpSetField::BarePort];
        if (set.is_v6 != (state.family == Family::V6) && !any_family)
            || matched.from_source.len() < set.fields.len()
        {
            return vec![(state, false)];
        }
        let mut entries: Vec<&IpSetEntry> = set.entries.iter().collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(specificity(entry)));
        let has_holes = entries.iter().any(|entry| entry.nomatch);
        let mut done = Vec::new();
        let mut open = vec![(state, 0, Whole::default())];
        while let Some((state, next, mut whole)) = open.pop() {
            let Some(entry) = entries.get(next) else {
                done.extend(whole.sort(state, !matched.return_nomatch));
                continue;
            };
            // What is asked of a part that was cut off is less than of the whole.
            let Some(asked) = self.asks(&state, set, entry, matched) else {
                open.push((state, next + 1, whole));
                continue;
            };
            if !has_holes && asked.doubt.is_none() && whole.absorb(&asked.cuts) {
                open.push((state, next + 1, whole));
                continue;
            }
            let holds = entry.nomatch == matched.return_nomatch;
            let mut covered = Vec::new();
            let rest = cut_all(vec![state], &asked.cuts, &mut covered, holds);
            open.extend(
                rest.into_iter()
                    .map(|state| (state, next + 1, whole.clone())),
            );
            let Some(doubt) = &asked.doubt else {
                done.extend(covered);
                continue;
            };
            for (state, holds) in covered {
                let ways = self.fork(state, doubt).into_iter();
                let (hits, misses): (Vec<_>, Vec<_>) = ways.partition(|(_, found)| *found);
                done.extend(hits.into_iter().map(|(state, _)| (state, holds)));
                let misses = misses.into_iter();
                open.extend(misses.map(|(state, _)| (state, next + 1, whole.clone())));
            }
        }
        done
    }

    /// What an entry asks of the packets; `None` where it is none of theirs.
    fn asks(
        &self,
        state: &State,
        set: &IpSet,
        entry: &IpSetEntry,
        matched: &SetMatch,
    ) -> Option<Asked> {
        let mut asked = Asked {
            cuts: Cuts::new(),
            doubt: None,
        };
        for (member, &source) in entry.members.iter().zip(&matched.from_source) {
            match self.ask(state, set, member, source) {
                Ask::Holds => {}
                Ask::Fails => return None,
                Ask::Cut(dim, ranges) => asked.cuts.push((dim, ranges)),
                Ask::Doubt(doubt) => asked.doubt = Some(doubt),
            }
        }
        Some(asked)
    }

    fn is_port(&self, state: &State, port: &Fact, number: u16) -> Ask {
        let number = Ranges::one(number.into());
        if let Some(known) = state.known_port(port) {
            self.alike.compared(known.into(), &number);
        }
        within(state, port, Dim::Port, number)
    }

    fn ask(&self, state: &State, set: &IpSet, member: &IpSetMember, source: bool) -> Ask {
        let packet = &state.packet;
        let addr = if source { &packet.src } else { &packet.dst };
        let port = if source { &packet.sport } else { &packet.dport };
        match member {
            IpSetMember::Net(prefix) => {
                let prefix = set
                    .netmask
                    .map_or(*prefix, |n| Prefix::containing(prefix.addr(), n));
                within(
                    state,
                    addr,
                    Dim::Addr,
                    Ranges::span(prefix.first(), prefix.last()),
                )
            }
            IpSetMember::Range(first, last) => within(
                state,
                addr,
                Dim::Addr,
                Ranges::span(addr_bits(*first), addr_bits(*last)),
            ),
            IpSetMember::Port(proto, number) => {
                if *proto == packet.proto && has_port(packet.kind, packet.proto) {
                    self.is_port(state, port, *number)
                } else {
                    Ask::Fails
                }
            }
            IpSetMember::BarePort(number) => {
                if has_port(packet.kind, packet.proto) {
                    self.is_port(state, port, *number)
                } else {
                    Ask::Fails
                }
            }
            IpSetMember::Mark(mark) => so(packet.mark == *mark),
            IpSetMember::Iface(name) => {
                let index = if source { packet.iif } else { packet.oif };
                let link = index.and_then(|index| self.host.link(index));
                so(link.is_some_and(|link| link.name == *name))
            }
            IpSetMember::Mac(mac) => match (source && packet.from_wire, self.question.mac) {
                (true, Some(own)) => so(own == *mac),
                (true, None) => unknown(LINK_LAYER),
                (false, _) if packet.iif.is_none() => Ask::Fails,
                (false, _) => unknown(LINK_LAYER),
            },
            IpSetMember::Set(_) => unknown("a list of sets in a set"),
        }
    }
}

/// What a whole entry asks.
struct Asked {
    cuts: Cuts,
    /// Whether it covers the packets at all is not known.
    doubt: Option<Doubt>,
}

/// Entries that ask for one thing only, gathered into one set.
#[derive(Clone, Default)]
struct Whole {
    addrs: Vec<(u128, u128)>,
    ports: Vec<(u128, u128)>,
}

impl Whole {
    /// Takes an entry in, if it asks for one dimension only.
    fn absorb(&mut self, cuts: &Cuts) -> bool {
        let [(dim, ranges)] = &cuts[..] else {
            return false;
        };
        match dim {
            Dim::Addr => self.addrs.extend(ranges.as_slice()),
            Dim::Port => self.ports.extend(ranges.as_slice()),
        }
        true
    }

    /// The packets of a state: for those that one of the entries covers the test `holds`.
    fn sort(self, state: State, holds: bool) -> Vec<(State, bool)> {
        let (mut done, mut open) = (Vec::new(), vec![state]);
        for (dim, ranges) in [(Dim::Addr, self.addrs), (Dim::Port, self.ports)] {
            if !ranges.is_empty() {
                open = cut_all(open, &vec![(dim, Ranges::of(ranges))], &mut done, holds);
            }
        }
        done.extend(open.into_iter().map(|state| (state, false)));
        done
    }
}

fn cut_all(
    open: Vec<State>,
    cuts: &Cuts,
    done: &mut Vec<(State, bool)>,
    holds: bool,
) -> Vec<State> {
    let mut rest = Vec::new();
    for state in open {
        let mut inside = Some(state);
        for (dim, ranges) in cuts {
            let Some(state) = inside.take() else { break };
            let (cut, outside) = state.cut(*dim, ranges);
            rest.extend(outside);
            inside = cut;
        }
        done.extend(inside.map(|state| (state, holds)));
    }
    rest
}

fn so(holds: bool) -> Ask {
    if holds { Ask::Holds } else { Ask::Fails }
}

fn within(state: &State, fact: &Fact, dim: Dim, ranges: Ranges) -> Ask {
    let known = match dim {
        Dim::Addr => state.known_addr(fact),
        Dim::Port => state.known_port(fact).map(u128::from),
    };
    match (known, fact) {
        (Some(value), _) => so(ranges.contains(value)),
        (None, Fact::Client) => Ask::Cut(dim, ranges),
        (None, Fact::Among(first, last, why)) => {
            let range = Ranges::span(*first, *last);
            let inside = range.and(&ranges);
            if inside.is_empty() || inside == range {
                return so(inside == range);
            }
            Ask::Doubt(Vagueness::Chance.doubt(&range, &inside, why))
        }
        (None, Fact::Unknown(why)) => unknown(why),
        (None, Fact::Known(_)) => Ask::Fails,
    }
}

fn unknown(why: &str) -> Ask {
    Ask::Doubt(Doubt::Gap(why.into()))
}

/// Whether ipset finds a port in the packet (ip_set_getport.c).
fn has_port(kind: Kind, proto: Proto) -> bool {
    proto.has_ports() && !matches!(kind, Kind::IcmpError(..))
}

/// How narrow an entry's networks are: hash types look at the longest prefixes first.
fn specificity(entry: &IpSetEntry) -> u32 {
    let len = |member: &IpSetMember| match member {
        IpSetMember::Net(prefix) => u32::from(prefix.len()),
        IpSetMember::Range(..)
        | IpSetMember::Port(..)
        | IpSetMember::BarePort(_)
        | IpSetMember::Mac(_)
        | IpSetMember::Iface(_)
        | IpSetMember::Mark(_)
        | IpSetMember::Set(_) => 0,
    };
    entry.members.iter().map(len).sum()
}
