//! Where the kernel sends a packet: policy rules, tables, types of addresses.

use host::{NextHop, Route, RouteKind, RoutingAction, RoutingRule};
use net::{Family, Prefix, Proto};

use crate::eval::{Eval, Fork};
use crate::packet::{Fact, State, User};
use crate::ranges::Ranges;
use crate::value::Dim;
use crate::ways::Ways;

/// What a look-up is asked with.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) dst: Fact,
    /// The source; absent where it is not chosen yet.
    pub(crate) src: Option<Fact>,
    /// The incoming link; `None` for packets made here.
    pub(crate) iif: Option<u32>,
    /// Only ways over this link count.
    pub(crate) oif: Option<u32>,
    pub(crate) mark: u32,
    /// The protocol, where the kernel looks up with it.
    pub(crate) proto: Option<Proto>,
    /// Ports count in policy rules; they do not in a reverse path look-up without them.
    pub(crate) ports: Option<(Fact, Fact)>,
}

/// What a look-up found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Found<'h> {
    /// This route, and which of its ways on; none for routes that lead nowhere.
    Route(&'h Route, Option<&'h NextHop>),
    /// A policy rule or a route answers by itself.
    Refuses(Refusal),
    /// No route.
    Nothing,
}

/// How a route says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Blackhole,
    Unreachable,
    Prohibit,
}

impl<'h> Eval<'h> {
    /// Looks up routes; the state is split where its packets go different ways.
    pub(crate) fn fib_lookup(&mut self, state: State, key: &Key) -> Ways<Found<'h>> {
        let family = state.family;
        let rules = self.routing_rules(family);
        let mut found = Vec::new();
        // Each with the priority of the rule it goes on at.
        let mut open = vec![(state, 0_u32)];
        for rule in rules.iter() {
            let mut next = Vec::new();
            for (state, from) in open {
                if rule.priority < from {
                    next.push((state, from));
                    continue;
                }
                let (matched, other) = self.select(state, rule, key);
                next.extend(other.into_iter().map(|state| (state, from)));
                for state in matched {
                    self.act(state, rule, key, (&mut found, &mut next));
                }
            }
            open = next;
        }
        found.extend(open.into_iter().map(|(state, _)| (state, Found::Nothing)));
        found
            .into_iter()
            .flat_map(|(state, way)| self.pick_way(state, way, key))
            .collect()
    }

    fn act(
        &mut self,
        state: State,
        rule: &RoutingRule,
        key: &Key,
        (found, next): (&mut Ways<Found<'h>>, &mut Ways<u32>),
    ) {
        match rule.action {
            RoutingAction::Table(table) => {
                for (state, way) in self.table_lookup(state, table, key) {
                    match way {
                        Found::Nothing => next.push((state, rule.priority)),
                        Found::Route(route, hop) if suppressed(self.host, rule, route, hop) => {
                            next.push((state, rule.priority));
                        }
                        way => found.push((state, way)),
                    }
                }
            }
            RoutingAction::Goto(target) => next.push((state, target)),
            RoutingAction::Blackhole => found.push((state, Found::Refuses(Refusal::Blackhole))),
            // A rule says ENETUNREACH where a route says EHOSTUNREACH (fib_rules.c,
            // fib4_rule_action).
            RoutingAction::Unreachable => found.push((state, Found::Nothing)),
            RoutingAction::Prohibit => found.push((state, Found::Refuses(Refusal::Prohibit))),
            RoutingAction::Nop | RoutingAction::Vrf | RoutingAction::Unknown(_) => {
                next.push((state, rule.priority));
            }
        }
    }

    /// The packets a policy rule is for, and the others.
    fn select(&self, state: State, rule: &RoutingRule, key: &Key) -> (Vec<State>, Vec<State>) {
        let flat = self.selects_flat(&state, rule, key);
        let mut tests: Vec<(Option<&Fact>, Dim, Ranges)> = Vec::new();
        let block = |prefix: Prefix| Ranges::span(prefix.first(), prefix.last());
        let span = |range: (u16, u16)| Ranges::span(range.0.into(), range.1.into());
        tests.extend(rule.src.map(|p| (key.src.as_ref(), Dim::Addr, block(p))));
        tests.extend(rule.dst.map(|p| (Some(&key.dst), Dim::Addr, block(p))));
        let ports = key.ports.as_ref();
        tests.extend(
            rule.sport
                .map(|r| (ports.map(|p| &p.0), Dim::Port, span(r))),
        );
        tests.extend(
            rule.dport
                .map(|r| (ports.map(|p| &p.1), Dim::Port, span(r))),
        );
        let (mut matched, mut other) = (Vec::new(), Vec::new());
        let mut inside = if flat {
            Some(state)
        } else {
            other.push(state);
            None
        };
        for (fact, dim, within) in tests {
            let Some(state) = inside.take() else { break };
            if let (Dim::Port, Some(port)) = (dim, fact.and_then(|fact| state.known_port(fact))) {
                self.alike.compared(port.into(), &within);
            }
            let (cut, outside) = cut_fact(state, fact, dim, &within);
            other.extend(outside);
            inside = cut;
        }
        matched.extend(inside);
        if rule.inverted {
            (other, matched)
        } else {
            (matched, other)
        }
    }

    /// The selectors that are the same for all packets of a state.
    fn selects_flat(&self, state: &State, rule: &RoutingRule, key: &Key) -> bool {
        let name = |index: Option<u32>| match index {
            Some(index) => self.host.link(index).map_or("", |link| link.name.as_str()),
            None => "lo",
        };
        let iif = rule.iif.as_deref().is_none_or(|iif| name(key.iif) == iif);
        let oif = rule.oif.as_deref().is_none_or(|oif| {
            key.oif
                .is_some_and(|index| self.host.link(index).is_some_and(|l| l.name == oif))
        });
        let mark = rule
            .mark
            .is_none_or(|(mark, mask)| (key.mark ^ mark) & mask == 0);
        let proto = rule.proto.is_none() || rule.proto == key.proto;
        let user = rule.uid.is_none_or(|(first, last)| {
            let uid = match state.packet.user {
                User::Client => self.question.user.0,
                User::Server(uid, _) => uid,
                User::Nobody => 0,
            };
            (first..=last).contains(&uid)
        });
        iif && oif && mark && proto && user && rule.tos == 0
    }

    fn table_lookup(&mut self, state: State, table: u32, key: &Key) -> Ways<Found<'h>> {
        let routes = self.routes(state.family, table);
        let (mut found, mut rest) = (Vec::new(), vec![state]);
        for &route in routes.iter() {
            if rest.is_empty() {
                break;
            }
            let Some(way) = usable(route, key) else {
                continue;
            };
            let block = Ranges::span(route.dst.first(), route.dst.last());
            for state in std::mem::take(&mut rest) {
                let (inside, outside) = cut_fact(state, Some(&key.dst), Dim::Addr, &block);
                rest.extend(outside);
                let Some(state) = inside else { continue };
                match route.src {
                    None => found.push((state, way.clone())),
                    Some(prefix) => {
                        let block = Ranges::span(prefix.first(), prefix.last());
                        let src = key.src.as_ref();
                        let (inside, outside) = cut_fact(state, src, Dim::Addr, &block);
                        rest.extend(outside);
                        found.extend(inside.map(|state| (state, way.clone())));
                    }
                }
            }
        }
        found.extend(rest.into_iter().map(|state| (state, Found::Nothing)));
        // A throw route ends the look-up in this table only.
        let throw = |way: &Found| matches!(way, Found::Route(r, _) if r.kind == RouteKind::Throw);
        for (_, way) in &mut found {
            if throw(way) {
                *way = Found::Nothing;
            }
        }
        found
    }

    /// Chooses among the ways of a multipath route: the kernel hashes, so each may be taken.
    fn pick_way(&mut self, state: State, way: Found<'h>, key: &Key) -> Ways<Found<'h>> {
        let Found::Route(route, _) = way else {
            return vec![(state, way)];
        };
        let hops: Vec<&NextHop> = alive(route, key).collect();
        if hops.len() < 2 {
            return vec![(state, Found::Route(route, hops.first().copied()))];
        }
        let sum: f64 = hops.iter().map(|hop| f64::from(hop.weight)).sum();
        let shares = hops.iter().map(|hop| f64::from(hop.weight) / sum).collect();
        let fork = self.new_fork(Fork::Chance(shares));
        let branch = |(at, hop)| {
            let mut state = state.clone();
            state.choose(fork, at);
            (state, Found::Route(route, Some(hop)))
        };
        hops.into_iter().enumerate().map(branch).collect()
    }
}

fn alive<'h>(route: &'h Route, key: &Key) -> impl Iterator<Item = &'h NextHop> {
    let oif = key.oif;
    route
        .next_hops
        .iter()
        .filter(move |hop| !hop.dead && (oif.is_none() || hop.link == oif))
}

/// What a route gives for a look-up; `None` where it does not count.
fn usable<'h>(route: &'h Route, key: &Key) -> Option<Found<'h>> {
    // IPv6 hangs routes that refuse on the loopback link: where another link is asked for they
    // do not count (ip6_route.c).
    let refuses = matches!(
        route.kind,
        RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit
    );
    let elsewhere = refuses && key.oif.is_some() && route.dst.family() == Family::V6;
    if route.tos != 0 || elsewhere {
        return None;
    }
    Some(match route.kind {
        RouteKind::Blackhole => Found::Refuses(Refusal::Blackhole),
        RouteKind::Unreachable => Found::Refuses(Refusal::Unreachable),
        RouteKind::Prohibit => Found::Refuses(Refusal::Prohibit),
        RouteKind::Throw => Found::Route(route, None),
        RouteKind::Unicast
        | RouteKind::Local
        | RouteKind::Broadcast
        | RouteKind::Anycast
        | RouteKind::Multicast => {
            if route.next_hops.is_empty() && route.kind != RouteKind::Unicast {
                Found::Route(route, None)
            } else {
                Found::Route(route, Some(alive(route, key).next()?))
            }
        }
    })
}

/// Whether a policy rule does not take what its table gave (fib_rules.c).
fn suppressed(host: &host::Host, rule: &RoutingRule, route: &Route, hop: Option<&NextHop>) -> bool {
    let by_len = rule
        .suppress_prefix_len
        .is_some_and(|len| u32::from(route.dst.len()) <= len);
    let group = hop
        .and_then(|hop| hop.link)
        .and_then(|index| host.link(index))
        .map(|l| l.group);
    by_len || (rule.suppress_group.is_some() && rule.suppress_group == group)
}

/// Cuts a state by where one of its facts lies; an absent fact lies in 0 only.
fn cut_fact(
    state: State,
    fact: Option<&Fact>,
    dim: Dim,
    within: &Ranges,
) -> (Option<State>, Option<State>) {
    let known = match (fact, dim) {
        (None, _) => Some(0),
        (Some(fact), Dim::Addr) => state.known_addr(fact),
        (Some(fact), Dim::Port) => state.known_port(fact).map(u128::from),
    };
    match (known, fact) {
        (Some(value), _) if within.contains(value) => (Some(state), None),
        (Some(_), _) => (None, Some(state)),
        (None, Some(Fact::Client)) => state.cut(dim, within),
        // A translated port that is not known is taken not to be the one asked for.
        (None, _) => (None, Some(state)),
    }
}
