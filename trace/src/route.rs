//! Where the kernel sends a packet: policy rules, tables, types of addresses.

use std::net::IpAddr;

use host::{NextHop, Route, RouteKind, RoutingAction, RoutingRule};
use net::{Family, Prefix, addr_bits};

use crate::eval::{Eval, Fork};
use crate::packet::{Fact, State, User};
use crate::ranges::Ranges;
use crate::value::{Dim, Loaded};

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

/// The rules a kernel starts with.
fn default_rules(family: Family) -> Vec<RoutingRule> {
    let tables: &[(u32, u32)] = match family {
        Family::V4 => &[(0, 255), (32766, 254), (32767, 253)],
        Family::V6 => &[(0, 255), (32766, 254)],
    };
    let rule = |&(priority, table): &(u32, u32)| RoutingRule {
        family,
        priority,
        inverted: false,
        src: None,
        dst: None,
        iif: None,
        oif: None,
        mark: None,
        tos: 0,
        proto: None,
        sport: None,
        dport: None,
        uid: None,
        suppress_prefix_len: None,
        suppress_group: None,
        action: RoutingAction::Table(table),
    };
    tables.iter().map(rule).collect()
}

/// Routes of one table, the most specific first.
fn ordered<'h>(host: &'h host::Host, family: Family, table: u32) -> Vec<&'h Route> {
    let of_table = |route: &&Route| route.table == table && route.dst.family() == family;
    let mut routes: Vec<&Route> = host.routes.iter().filter(of_table).collect();
    routes.sort_by_key(|route| (std::cmp::Reverse(route.dst.len()), route.metric));
    routes
}

impl<'h> Eval<'h> {
    /// Looks up routes; the state is split where its packets go different ways.
    pub(crate) fn fib_lookup(&mut self, state: State, key: &Key) -> Vec<(State, Found<'h>)> {
        let family = state.family;
        let given: Vec<RoutingRule> = self
            .host
            .routing_rules
            .iter()
            .filter(|r| r.family == family)
            .cloned()
            .collect();
        let rules = if given.is_empty() {
            default_rules(family)
        } else {
            given
        };
        let mut found = Vec::new();
        let mut open = vec![(state, 0_u32)];
        for rule in &rules {
            let mut next = Vec::new();
            for (state, from) in open {
                if rule.priority < from {
                    next.push((state, from));
                    continue;
                }
                let (matched, other) = self.select(state, rule, key);
                next.extend(other.into_iter().map(|state| (state, from)));
                for state in matched {
                    self.act(state, rule, key, &mut found, &mut next);
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
        found: &mut Vec<(State, Found<'h>)>,
        next: &mut Vec<(State, u32)>,
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
            RoutingAction::Unreachable => {
                found.push((state, Found::Refuses(Refusal::Unreachable)));
            }
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
        let proto = rule
            .proto
            .is_none_or(|proto| key.ports.is_some() && proto == state.packet.proto);
        let user = rule.uid.is_none_or(|(first, last)| {
            let uid = match state.packet.user {
                User::Client => self.question.user.0,
                User::Server(uid) => uid,
                User::Nobody => 0,
            };
            (first..=last).contains(&uid)
        });
        iif && oif && mark && proto && user && rule.tos == 0
    }

    fn table_lookup(&self, state: State, table: u32, key: &Key) -> Vec<(State, Found<'h>)> {
        let host = self.host;
        let (mut found, mut rest) = (Vec::new(), vec![state]);
        for route in ordered(host, rest[0].family, table) {
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
    fn pick_way(&mut self, state: State, way: Found<'h>, key: &Key) -> Vec<(State, Found<'h>)> {
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

    /// The type of an IPv4 address: what the local table says of it, and unicast otherwise
    /// (fib_frontend.c, __inet_dev_addr_type). `device` limits local ones to that link.
    fn types_v4(&self, device: Option<u32>) -> Vec<(Ranges, u8)> {
        let fixed = [
            (Prefix::containing(IpAddr::from([0, 0, 0, 0]), 8), 3),
            (
                Prefix::containing(IpAddr::from([255, 255, 255, 255]), 32),
                3,
            ),
            (Prefix::containing(IpAddr::from([224, 0, 0, 0]), 4), 5),
        ];
        let mut types: Vec<(Ranges, u8)> = fixed
            .iter()
            .map(|(p, kind)| (Ranges::span(p.first(), p.last()), *kind))
            .collect();
        for route in ordered(self.host, Family::V4, 255) {
            let on = route.next_hops.first().and_then(|hop| hop.link);
            let kind = if device.is_some() && on != device {
                1
            } else {
                kind_number(route.kind)
            };
            types.push((Ranges::span(route.dst.first(), route.dst.last()), kind));
        }
        types
    }

    /// Those of `addrs` that have one of `types` (`1 << RTN_*`).
    pub(crate) fn addrs_of_types(&self, addrs: &Ranges, types: u16, device: Option<u32>) -> Ranges {
        let (mut rest, mut found) = (addrs.clone(), Ranges::none());
        for (ranges, kind) in self.types_v4(device) {
            if types & (1 << kind) != 0 {
                found = found.or(&rest.and(&ranges));
            }
            rest = rest.minus(&ranges);
        }
        if types & (1 << 1) != 0 {
            found.or(&rest)
        } else {
            found
        }
    }

    /// The same for IPv6, where several things are tested at once (xt_addrtype.c,
    /// match_type6): multicast and unicast by the address itself, the rest by its route.
    pub(crate) fn addrs_of_types_v6(
        &self,
        addrs: &Ranges,
        types: u16,
        device: Option<u32>,
    ) -> Ranges {
        const ROUTED: u16 = 1 << 2 | 1 << 4 | 1 << 7;
        let multicast = Ranges::span(0xff << 120, u128::MAX);
        let mut found = addrs.clone();
        if types & (1 << 5) != 0 {
            found = found.and(&multicast);
        }
        if types & (1 << 1) != 0 {
            found = found.minus(&multicast).minus(&Ranges::one(0));
        }
        if types & 1 != 0 {
            found = found.and(&Ranges::one(0));
        }
        if types & ROUTED != 0 {
            let kinds: Vec<u8> = [2, 4, 7]
                .into_iter()
                .filter(|k| types & (1 << k) != 0)
                .collect();
            found = found.and(&self.addrs_routed_v6(addrs, &kinds, device));
        }
        found
    }

    /// Addresses whose IPv6 route is of one of these kinds; 7 stands for any refusal.
    fn addrs_routed_v6(&self, addrs: &Ranges, kinds: &[u8], device: Option<u32>) -> Ranges {
        if let Some(device) = device {
            let own = self
                .host
                .addresses
                .iter()
                .filter(|a| a.link == device && a.addr.is_ipv6());
            let own = Ranges::of(
                own.map(|a| (addr_bits(a.addr), addr_bits(a.addr)))
                    .collect(),
            );
            return if kinds.contains(&2) {
                addrs.and(&own)
            } else {
                Ranges::none()
            };
        }
        let (mut rest, mut found) = (addrs.clone(), Ranges::none());
        for table in [255, 254] {
            for route in ordered(self.host, Family::V6, table) {
                let block = Ranges::span(route.dst.first(), route.dst.last());
                let refused = matches!(
                    route.kind,
                    RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit
                );
                let kind = if refused { 7 } else { kind_number(route.kind) };
                if kinds.contains(&kind) {
                    found = found.or(&rest.and(&block));
                }
                rest = rest.minus(&block);
            }
        }
        if kinds.contains(&7) {
            found.or(&rest)
        } else {
            found
        }
    }

    /// nftables' `fib`.
    pub(crate) fn fib(
        &mut self,
        state: &State,
        result: host::nft::FibResult,
        flags: host::nft::FibFlags,
    ) -> Loaded {
        use host::nft::{FibFlags, FibResult};
        let by_source = flags.has(FibFlags::SADDR);
        let fact = if by_source {
            &state.packet.src
        } else {
            &state.packet.dst
        };
        let addrs = match state.addrs(fact) {
            Ok(addrs) => addrs,
            Err(why) => return Loaded::Unknown(why.into()),
        };
        let device = if flags.has(FibFlags::OIF) {
            state.packet.oif
        } else if flags.has(FibFlags::IIF) {
            state.packet.iif
        } else {
            None
        };
        let parts = match result {
            FibResult::AddrType => self.type_parts(state, &addrs, device),
            FibResult::Oif | FibResult::OifName => self.oif_parts(state, by_source, flags, device),
        };
        let present = flags.has(FibFlags::PRESENT);
        let bytes = |value: u32| match result {
            FibResult::AddrType => value.to_ne_bytes().to_vec(),
            FibResult::Oif | FibResult::OifName if present => vec![u8::from(value != 0)],
            FibResult::Oif => value.to_ne_bytes().to_vec(),
            FibResult::OifName => {
                let mut name = vec![0; 16];
                let link = self.host.link(value);
                let text = link.map_or(&[][..], |link| link.name.as_bytes());
                name[..text.len()].copy_from_slice(text);
                name
            }
        };
        let parts: Vec<_> = parts
            .into_iter()
            .map(|(r, value)| (r, bytes(value)))
            .collect();
        match state.known_addr(fact) {
            Some(addr) => {
                let found = parts.into_iter().find(|(ranges, _)| ranges.contains(addr));
                found.map_or(Loaded::Absent, |(_, bytes)| {
                    Loaded::Segs(vec![crate::value::Seg::Known(bytes)])
                })
            }
            None => Loaded::Parts(parts.into_iter().map(|(r, b)| (r, Some(b))).collect()),
        }
    }

    fn type_parts(&self, state: &State, addrs: &Ranges, device: Option<u32>) -> Vec<(Ranges, u32)> {
        let mut parts = Vec::new();
        let mut rest = addrs.clone();
        let types = match state.family {
            Family::V4 => self.types_v4(device),
            Family::V6 => self.types_v6(device),
        };
        for (ranges, kind) in types {
            parts.push((rest.and(&ranges), u32::from(kind)));
            rest = rest.minus(&ranges);
        }
        let other = if state.family == Family::V4 { 1 } else { 7 };
        parts.push((rest, other));
        parts.retain(|(ranges, _)| !ranges.is_empty());
        parts
    }

    /// The type of an IPv6 address as `fib` gives it: by its route (nft_fib_ipv6.c).
    fn types_v6(&self, device: Option<u32>) -> Vec<(Ranges, u8)> {
        let mut types = vec![(Ranges::span(0xff << 120, u128::MAX), 5)];
        if let Some(device) = device {
            let own = self
                .host
                .addresses
                .iter()
                .filter(|a| a.link == device && a.addr.is_ipv6());
            types.extend(own.map(|a| (Ranges::one(addr_bits(a.addr)), 2)));
        }
        for table in [255, 254] {
            for route in ordered(self.host, Family::V6, table) {
                let local = route.kind == RouteKind::Local;
                let kind = if local && device.is_some() {
                    1
                } else {
                    kind_number(route.kind)
                };
                types.push((Ranges::span(route.dst.first(), route.dst.last()), kind));
            }
        }
        types
    }

    /// The way to an address as `fib … oif` gives it (nft_fib_ipv4.c, nft_fib4_eval): 0 where
    /// there is none, or none over the device asked for.
    fn oif_parts(
        &mut self,
        state: &State,
        by_source: bool,
        flags: host::nft::FibFlags,
        device: Option<u32>,
    ) -> Vec<(Ranges, u32)> {
        use host::nft::FibFlags;
        let packet = &state.packet;
        let looped = packet
            .iif
            .and_then(|i| self.host.link(i))
            .is_some_and(|l| l.loopback);
        if looped && packet.oif.is_none() {
            return vec![(state.addr.clone(), packet.iif.unwrap_or(0))];
        }
        let (dst, src) = if by_source {
            (packet.src.clone(), packet.dst.clone())
        } else {
            (packet.dst.clone(), packet.src.clone())
        };
        let asks_iif = by_source && flags.has(FibFlags::IIF);
        let key = Key {
            dst,
            src: Some(src),
            iif: packet.oif.filter(|_| asks_iif),
            oif: None,
            mark: if flags.has(FibFlags::MARK) {
                packet.mark
            } else {
                0
            },
            ports: None,
        };
        let found = self.fib_lookup(state.clone(), &key);
        let over = |way: &Found| match way {
            Found::Route(route, hop) if route.kind == RouteKind::Unicast => match device {
                None => hop.and_then(|hop| hop.link).unwrap_or(0),
                Some(device) => {
                    let uses = route.next_hops.iter().any(|hop| hop.link == Some(device));
                    if uses { device } else { 0 }
                }
            },
            Found::Route(..) | Found::Refuses(_) | Found::Nothing => 0,
        };
        found
            .iter()
            .map(|(state, way)| (state.addr.clone(), over(way)))
            .collect()
    }
}

/// `RTN_*` of a kind.
fn kind_number(kind: RouteKind) -> u8 {
    match kind {
        RouteKind::Unicast => 1,
        RouteKind::Local => 2,
        RouteKind::Broadcast => 3,
        RouteKind::Anycast => 4,
        RouteKind::Multicast => 5,
        RouteKind::Blackhole => 6,
        RouteKind::Unreachable => 7,
        RouteKind::Prohibit => 8,
        RouteKind::Throw => 9,
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
    if route.tos != 0 {
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
