//! The kernel's routing decisions: what is for this host, what goes on, what is refused,
//! and which source address a process gets.

use std::net::IpAddr;

use host::{Hook, Route, RouteKind};
use net::{Family, Prefix, addr_bits};

use crate::answer::{Cause, Did, Stage};
use crate::base::Fate;
use crate::eval::Eval;
use crate::packet::{Fact, Packet, State, Way};
use crate::ranges::Ranges;
use crate::route::{Found, Key, Refusal};
use crate::value::Dim;

/// What routing decides about a packet that came in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Inbound {
    /// For this host.
    Local,
    /// Through this host.
    Forward(Way),
    /// Discarded in silence.
    Lost(Cause),
    /// Answered with an ICMP error of this code (destination unreachable).
    Answered(Cause, u8),
}

impl<'h> Eval<'h> {
    /// Index of the loopback link; 1 on every host, and assumed where links were not read.
    pub(crate) fn loopback(&self) -> u32 {
        self.host
            .links
            .iter()
            .find(|link| link.loopback)
            .map_or(1, |link| link.index)
    }

    pub(crate) fn link_name(&self, index: u32) -> String {
        self.host
            .link(index)
            .map_or_else(|| format!("link {index}"), |link| link.name.clone())
    }

    /// Routes a packet made here, with the source address it has or would be given.
    pub(crate) fn route_out(
        &mut self,
        state: State,
        key: &Key,
    ) -> Vec<(State, Result<Way, Cause>)> {
        let found = self.fib_lookup(state, key);
        let decided = found.into_iter().map(|(state, found)| {
            let way = self.way_of(&state, key, &found);
            (state, way)
        });
        decided.collect()
    }

    fn way_of(&self, state: &State, key: &Key, found: &Found<'h>) -> Result<Way, Cause> {
        let (route, hop) = match found {
            Found::Route(route, hop) => (*route, *hop),
            // Without a route a device-bound socket takes what it sends to for on-link
            // (route.c, ip_route_output_key_hash_rcu).
            Found::Refuses(_) | Found::Nothing
                if key.oif.is_some() && state.family == Family::V4 =>
            {
                let oif = key.oif.unwrap_or(0);
                let source = self.select_source_v4(oif, None, 253);
                return Ok(Way {
                    oif,
                    gateway: None,
                    is_local: false,
                    source,
                });
            }
            Found::Refuses(refusal) => return Err(cause_of(*refusal)),
            Found::Nothing => return Err(Cause::NoRoute),
        };
        match route.kind {
            RouteKind::Local | RouteKind::Anycast => {
                let dst = state.ip(&key.dst);
                return Ok(Way {
                    oif: self.loopback(),
                    gateway: None,
                    is_local: true,
                    source: route.preferred_source.filter(IpAddr::is_ipv4).or(dst),
                });
            }
            RouteKind::Unicast => {}
            RouteKind::Broadcast | RouteKind::Multicast => return Err(Cause::NotUnicast),
            RouteKind::Blackhole
            | RouteKind::Unreachable
            | RouteKind::Prohibit
            | RouteKind::Throw => return Err(Cause::NoRoute),
        }
        let oif = hop.and_then(|hop| hop.link).unwrap_or(0);
        let source = key.src.as_ref().and_then(|src| state.ip(src));
        // A loopback source leaves only where the link may route it (route.c,
        // __mkroute_output).
        let is_loopback = |addr: IpAddr| addr.is_ipv4() && addr.is_loopback();
        if source.is_some_and(is_loopback)
            && oif != self.loopback()
            && !self.host.sysctls.route_localnet(&self.link_name(oif))
        {
            return Err(Cause::Martian);
        }
        let source = self.source_for(state, &key.dst, route, hop);
        let gateway = hop.and_then(|hop| hop.gateway);
        Ok(Way {
            oif,
            gateway,
            is_local: false,
            source,
        })
    }

    /// A new route for a packet in OUTPUT. The link that the rules see stays the old one.
    pub(crate) fn reroute(&mut self, state: State) -> Vec<(State, Fate)> {
        let packet = &state.packet;
        let key = Key {
            dst: packet.dst.clone(),
            src: Some(packet.src.clone()),
            iif: None,
            oif: packet.device,
            mark: packet.mark,
            proto: self.dissects(state.family).then_some(packet.proto),
            ports: ports_of(packet).filter(|_| self.dissects(state.family)),
        };
        let routed = self.route_out(state, &key);
        let decide = |(mut state, way): (State, Result<Way, Cause>)| match way {
            Ok(way) => {
                if state.packet.way.as_ref().map(|w| (w.oif, w.gateway))
                    != Some((way.oif, way.gateway))
                {
                    self.note_way(&mut state, &way);
                }
                state.packet.way = Some(way);
                (state, Fate::Pass)
            }
            Err(cause) => {
                state.note(Stage::Routing, None, Did::Stops(cause.clone()));
                (state, Fate::Drop(cause))
            }
        };
        routed.into_iter().map(decide).collect()
    }

    pub(crate) fn note_way(&self, state: &mut State, way: &Way) {
        let did = if way.is_local {
            let addr = state.ip(&state.packet.dst.clone());
            Did::RoutedLocal {
                addr: addr.unwrap_or_else(|| net::addr_of(state.family, 0)),
            }
        } else {
            Did::Routed {
                oif: self.link_name(way.oif),
                gateway: way.gateway,
                preferred_source: way.source,
            }
        };
        state.note(Stage::Routing, None, did);
    }

    /// Routes a packet that came in (route.c, ip_route_input_slow; ip6_input and ip6_forward
    /// for IPv6).
    pub(crate) fn route_in(&mut self, state: State) -> Vec<(State, Inbound)> {
        let (odd, state) = self.martians(state);
        let mut decided: Vec<(State, Inbound)> = odd
            .into_iter()
            .map(|state| (state, Inbound::Lost(Cause::Martian)))
            .collect();
        if let Some(state) = state {
            let packet = &state.packet;
            // IPv6 always knows the protocol (ip6_route_input).
            let dissects = self.dissects(state.family);
            let known = dissects || state.family == Family::V6;
            let key = Key {
                dst: packet.dst.clone(),
                src: Some(packet.src.clone()),
                iif: packet.iif,
                oif: packet.iif.filter(|_| is_strict(&state, &packet.dst)),
                mark: packet.mark,
                proto: Some(packet.proto).filter(|_| known),
                ports: ports_of(packet).filter(|_| dissects),
            };
            for (state, found) in self.fib_lookup(state, &key) {
                decided.extend(self.decide_in(state, &key, &found));
            }
        }
        for (state, inbound) in &mut decided {
            match inbound {
                Inbound::Local => {
                    let addr = state.ip(&state.packet.dst.clone());
                    let addr = addr.unwrap_or_else(|| net::addr_of(state.family, 0));
                    state.note(Stage::Routing, None, Did::RoutedLocal { addr });
                }
                Inbound::Forward(way) => {
                    let way = way.clone();
                    self.note_way(state, &way);
                }
                Inbound::Lost(cause) | Inbound::Answered(cause, _) => {
                    state.note(Stage::Routing, None, Did::Stops(cause.clone()));
                }
            }
        }
        decided
    }

    fn decide_in(&mut self, state: State, key: &Key, found: &Found<'h>) -> Vec<(State, Inbound)> {
        let family = state.family;
        let device = self.link_name(state.packet.iif.unwrap_or(0));
        let forwards = self.host.sysctls.forwarding(family, &device);
        // With forwarding off nothing is answered either (route.c, ip_error).
        let refuse = |cause: Cause, code: u8| {
            if forwards || family == Family::V6 {
                Inbound::Answered(cause, code)
            } else {
                Inbound::Lost(Cause::ForwardingOff)
            }
        };
        let v6 = family == Family::V6;
        let inbound = match found {
            Found::Nothing => refuse(Cause::NoRoute, 0),
            Found::Refuses(Refusal::Blackhole) => Inbound::Lost(Cause::Blackhole),
            Found::Refuses(Refusal::Unreachable) => refuse(Cause::Unreachable, u8::from(!v6)),
            Found::Refuses(Refusal::Prohibit) => refuse(Cause::Prohibited, if v6 { 1 } else { 13 }),
            Found::Route(route, _) => match route.kind {
                RouteKind::Local | RouteKind::Anycast => Inbound::Local,
                RouteKind::Broadcast | RouteKind::Multicast => Inbound::Lost(Cause::NotUnicast),
                RouteKind::Unicast => match self.way_forward(&state, key, found) {
                    Ok(_) if !forwards => Inbound::Lost(Cause::ForwardingOff),
                    Ok(way) => Inbound::Forward(way),
                    Err(cause) => refuse(cause, 0),
                },
                RouteKind::Blackhole
                | RouteKind::Unreachable
                | RouteKind::Prohibit
                | RouteKind::Throw => refuse(Cause::NoRoute, 0),
            },
        };
        let oif = match &inbound {
            Inbound::Local => 0,
            Inbound::Forward(way) => way.oif,
            Inbound::Lost(_) | Inbound::Answered(..) => return vec![(state, inbound)],
        };
        if v6 {
            return vec![(state, inbound)];
        }
        let checked = self.validate_source(state, oif);
        let outcome = |(state, cause): (State, Option<Cause>)| match cause {
            None => (state, inbound.clone()),
            Some(cause) => (state, Inbound::Lost(cause)),
        };
        checked.into_iter().map(outcome).collect()
    }

    /// A forwarded packet keeps its source, loopback or not.
    fn way_forward(&self, state: &State, key: &Key, found: &Found<'h>) -> Result<Way, Cause> {
        let key = Key {
            src: None,
            ..key.clone()
        };
        self.way_of(state, &key, found)
    }

    /// Packets whose addresses the kernel refuses on any link, and the others.
    fn martians(&self, state: State) -> (Vec<State>, Option<State>) {
        let device = self.link_name(state.packet.iif.unwrap_or(0));
        let mut odd_sources = Vec::new();
        let mut odd_destinations = Vec::new();
        let block = |text: &str| {
            let prefix: Prefix = text.parse().expect("a literal prefix");
            (prefix.first(), prefix.last())
        };
        match state.family {
            Family::V4 => {
                odd_sources.extend([
                    block("0.0.0.0/8"),
                    block("224.0.0.0/4"),
                    block("255.255.255.255/32"),
                ]);
                odd_destinations.push(block("0.0.0.0/8"));
                if !self.host.sysctls.route_localnet(&device) {
                    odd_sources.push(block("127.0.0.0/8"));
                    odd_destinations.push(block("127.0.0.0/8"));
                }
            }
            Family::V6 => odd_sources.push(block("ff00::/8")),
        }
        let dst = state.packet.dst.clone();
        let src = state.packet.src.clone();
        let (odd, state) = take(state, &dst, &Ranges::of(odd_destinations));
        let mut all: Vec<State> = odd.into_iter().collect();
        let Some(state) = state else {
            return (all, None);
        };
        let (odd, state) = take(state, &src, &Ranges::of(odd_sources));
        all.extend(odd);
        (all, state)
    }

    /// The reverse path filter, and own addresses from outside (fib_frontend.c,
    /// fib_validate_source). `oif` is where the packet is to go on; 0 for this host.
    fn validate_source(&mut self, state: State, oif: u32) -> Vec<(State, Option<Cause>)> {
        let iif = state.packet.iif.unwrap_or(0);
        let device = self.link_name(iif);
        let sysctls = &self.host.sysctls;
        let filter = sysctls.rp_filter(&device);
        let accept_local = sysctls.accept_local(&device);
        let redirects = sysctls.number(&format!("net.ipv4.conf.{device}.send_redirects"), 1) != 0
            || sysctls.number("net.ipv4.conf.all.send_redirects", 1) != 0;
        if filter == 0 && (iif != oif || !redirects) {
            if accept_local {
                return vec![(state, None)];
            }
            if !self.has_custom_routing() {
                let own = self.host.addresses.iter().filter(|a| a.addr.is_ipv4());
                let own = own
                    .map(|a| (addr_bits(a.addr), addr_bits(a.addr)))
                    .collect();
                let src = state.packet.src.clone();
                let (bad, good) = take(state, &src, &Ranges::of(own));
                let bad = bad.map(|state| (state, Some(Cause::Martian)));
                return bad
                    .into_iter()
                    .chain(good.map(|state| (state, None)))
                    .collect();
            }
        }
        self.full_check(state, oif, filter, accept_local)
    }

    fn full_check(
        &mut self,
        state: State,
        oif: u32,
        filter: i64,
        accept_local: bool,
    ) -> Vec<(State, Option<Cause>)> {
        let packet = &state.packet;
        let iif = packet.iif.unwrap_or(0);
        let device = self.link_name(iif);
        let valid_mark = self.host.sysctls.src_valid_mark(&device);
        let key = Key {
            dst: packet.src.clone(),
            src: Some(packet.dst.clone()),
            iif: (oif != 0).then_some(oif),
            oif: None,
            mark: if valid_mark { packet.mark } else { 0 },
            proto: self.dissects(Family::V4).then_some(packet.proto),
            ports: ports_of(packet)
                .filter(|_| self.dissects(Family::V4))
                .map(|(sport, dport)| (dport, sport)),
        };
        let has_addr = self
            .host
            .addresses
            .iter()
            .any(|a| a.link == iif && a.addr.is_ipv4());
        let last_resort = (filter != 0).then_some(Cause::ReversePath);
        let mut checked = Vec::new();
        for (state, found) in self.fib_lookup(state, &key) {
            let Found::Route(route, _) = found else {
                checked.push((state, last_resort.clone()));
                continue;
            };
            let own = route.kind == RouteKind::Local;
            let cause = if route.kind != RouteKind::Unicast && !(own && accept_local) {
                Some(Cause::Martian)
            } else if route.next_hops.iter().any(|hop| hop.link == Some(iif)) {
                None
            } else if !has_addr {
                last_resort.clone()
            } else {
                (filter == 1).then_some(Cause::ReversePath)
            };
            checked.push((state, cause));
        }
        checked
    }

    /// Whether the kernel reads protocol and ports of packets that it routes: only if a policy
    /// rule asks for them, and not just of packets made here (fib_rules.h,
    /// fib_rule_requires_fldissect).
    pub(crate) fn dissects(&self, family: Family) -> bool {
        let mut rules = self
            .host
            .routing_rules
            .iter()
            .filter(|rule| rule.family == family);
        rules.any(|rule| {
            let asks = rule.proto.is_some() || rule.sport.is_some() || rule.dport.is_some();
            asks && rule.iif.as_deref() != Some("lo")
        })
    }

    /// Whether policy rules or local routes were added, so that own addresses alone do not
    /// tell what is local.
    fn has_custom_routing(&self) -> bool {
        let default = [(0, 255), (32766, 254), (32767, 253)];
        let mut rules = self
            .host
            .routing_rules
            .iter()
            .filter(|r| r.family == Family::V4);
        let custom_rule = rules.any(|rule| match rule.action {
            host::RoutingAction::Table(table) => {
                !default.contains(&(rule.priority, table)) || rule.src.is_some()
            }
            host::RoutingAction::Goto(_)
            | host::RoutingAction::Nop
            | host::RoutingAction::Blackhole
            | host::RoutingAction::Unreachable
            | host::RoutingAction::Prohibit
            | host::RoutingAction::Vrf
            | host::RoutingAction::Unknown(_) => true,
        });
        let is_own = |route: &Route| {
            let loopback = Prefix::containing(IpAddr::from([127, 0, 0, 0]), 8);
            route.dst == loopback
                || self
                    .host
                    .addresses
                    .iter()
                    .any(|a| route.dst.contains(a.addr) && route.dst.len() == 32)
        };
        let mut local = self
            .host
            .routes
            .iter()
            .filter(|r| r.kind == RouteKind::Local && r.dst.family() == Family::V4);
        custom_rule || local.any(|route| route.table != 255 || !is_own(route))
    }

    /// The link a packet is received on is what a socket bound to a device is asked about;
    /// for packets looped back it is the link that has the address.
    pub(crate) fn receiving_link(&self, state: &State) -> Option<u32> {
        let iif = state.packet.iif?;
        if iif != self.loopback() {
            return Some(iif);
        }
        let dst = state.ip(&state.packet.dst)?;
        let own = self.host.addresses.iter().find(|a| a.addr == dst);
        Some(own.map_or(iif, |a| a.link))
    }
}

/// Whether packets of this state may cross a wire: IPv6 loopback addresses never do.
pub(crate) fn may_cross(state: &State) -> bool {
    let loopback = |fact: &Fact| {
        state.family == Family::V6 && state.ip(fact).is_some_and(|addr| addr.is_loopback())
    };
    !loopback(&state.packet.src) && !loopback(&state.packet.dst)
}

/// Source and destination port, of packets that have them.
pub(crate) fn ports_of(packet: &Packet) -> Option<(Fact, Fact)> {
    let has = packet.proto.has_ports();
    has.then(|| (packet.sport.clone(), packet.dport.clone()))
}

/// Whether the kernel takes only routes over the packet's own link: to ::1, which no
/// translation can therefore reach from a link (ip6_route.h, rt6_need_strict).
pub(crate) fn is_strict(state: &State, dst: &Fact) -> bool {
    state.family == Family::V6 && state.ip(dst).is_some_and(|addr| addr.is_loopback())
}

/// The packets whose fact lies in `within`, and the others.
pub(crate) fn take(state: State, fact: &Fact, within: &Ranges) -> (Option<State>, Option<State>) {
    match (state.known_addr(fact), fact) {
        (Some(addr), _) if within.contains(addr) => (Some(state), None),
        (None, Fact::Client) => state.cut(Dim::Addr, within),
        _ => (None, Some(state)),
    }
}

pub(crate) fn cause_of(refusal: Refusal) -> Cause {
    match refusal {
        Refusal::Blackhole => Cause::Blackhole,
        Refusal::Unreachable => Cause::Unreachable,
        Refusal::Prohibit => Cause::Prohibited,
    }
}

/// Whether a hook's drop is told to a local UDP sender as EPERM: it happens in the call.
pub(crate) fn is_in_send(hook: Hook) -> bool {
    match hook {
        Hook::Output | Hook::Postrouting => true,
        Hook::Prerouting | Hook::Input | Hook::Forward | Hook::Ingress | Hook::Egress => false,
    }
}
