//! What kind of address an address is to this host, and the way to it, as rules ask.

use std::net::IpAddr;

use host::RouteKind;
use host::nft::{FibFlags, FibResult};
use net::{Family, Prefix, addr_bits};

use crate::eval::Eval;
use crate::packet::State;
use crate::ranges::Ranges;
use crate::route::{Found, Key, Refusal};
use crate::routing::take;
use crate::source::is_anycast;
use crate::value::{Loaded, Seg};

impl Eval<'_> {
    /// The type of an IPv4 address: what the local table says of it, and unicast otherwise
    /// (fib_frontend.c, __inet_dev_addr_type). `device` limits local ones to that link.
    fn types_v4(&mut self, device: Option<u32>) -> Vec<(Ranges, u8)> {
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
        for route in self.routes(Family::V4, 255).iter() {
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
    pub(crate) fn addrs_of_types(
        &mut self,
        addrs: &Ranges,
        types: u16,
        device: Option<u32>,
    ) -> Ranges {
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
        &mut self,
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
    fn addrs_routed_v6(&mut self, addrs: &Ranges, kinds: &[u8], device: Option<u32>) -> Ranges {
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
            for route in self.routes(Family::V6, table).iter() {
                let block = Ranges::span(route.dst.first(), route.dst.last());
                let lowest = if route.next_hops.iter().any(|hop| is_anycast(route, hop)) {
                    rest.and(&Ranges::one(route.dst.first()))
                } else {
                    Ranges::none()
                };
                if kinds.contains(&4) {
                    found = found.or(&lowest);
                }
                rest = rest.minus(&lowest);
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
    pub(crate) fn fib(&mut self, state: &State, result: FibResult, flags: FibFlags) -> Loaded {
        let fact = if flags.has(FibFlags::SADDR) {
            &state.packet.src
        } else {
            &state.packet.dst
        };
        let addrs = match state.addrs(fact) {
            Ok(addrs) => addrs,
            Err(why) => return Loaded::Unknown(why.into()),
        };
        let parts = match (result, state.family) {
            (FibResult::AddrType, Family::V4) => {
                let device = device_of(state, flags);
                let parts = self.type_parts_v4(&addrs, device);
                match state.known_addr(fact) {
                    // The type is that of the one address, whoever the client is.
                    Some(addr) => one_part(state, parts, addr),
                    None => parts,
                }
            }
            (FibResult::AddrType, Family::V6) => self.type_parts_v6(state, flags),
            (FibResult::Oif | FibResult::OifName, _) => self.oif_parts(state, flags),
        };
        let present = flags.has(FibFlags::PRESENT);
        let bytes = |value: u32| match result {
            FibResult::AddrType => value.to_ne_bytes().to_vec(),
            FibResult::Oif | FibResult::OifName if present => {
                u32::from(value != 0).to_ne_bytes().to_vec()
            }
            FibResult::Oif => value.to_ne_bytes().to_vec(),
            FibResult::OifName => {
                let mut name = vec![0; 16];
                let link = self.host.link(value);
                let text = link.map_or(&[][..], |link| link.name.as_bytes());
                name[..text.len()].copy_from_slice(text);
                name
            }
        };
        match &parts[..] {
            [] => Loaded::Absent,
            [(_, value), rest @ ..] if rest.iter().all(|(_, other)| other == value) => {
                Loaded::Segs(vec![Seg::Known(bytes(*value))])
            }
            _ => Loaded::Parts(
                parts
                    .into_iter()
                    .map(|(r, v)| (r, Some(bytes(v))))
                    .collect(),
            ),
        }
    }

    /// Types of addresses, by the addresses.
    fn type_parts_v4(&mut self, addrs: &Ranges, device: Option<u32>) -> Vec<(Ranges, u32)> {
        let mut parts = Vec::new();
        let mut rest = addrs.clone();
        for (ranges, kind) in self.types_v4(device) {
            parts.push((rest.and(&ranges), u32::from(kind)));
            rest = rest.minus(&ranges);
        }
        parts.push((rest, 1));
        parts.retain(|(ranges, _)| !ranges.is_empty());
        parts
    }

    /// Types of addresses, by the client's: IPv6 looks a route up, policy rules and all
    /// (nft_fib_ipv6.c, __nft_fib6_eval_type).
    fn type_parts_v6(&mut self, state: &State, flags: FibFlags) -> Vec<(Ranges, u32)> {
        let host = self.host;
        let device = device_of(state, flags);
        let key = fib_key(state, flags);
        let dst = key.dst.clone();
        let on_device = |addr: Option<IpAddr>| {
            let mut own = host.addresses.iter();
            addr.is_some() && own.any(|a| Some(a.addr) == addr && Some(a.link) == device)
        };
        let found = self.fib_lookup(state.clone(), &key);
        // The lowest address of a network on a link is of another type than the rest.
        let parts = found.into_iter().flat_map(|(state, way)| {
            let lowest = match &way {
                Found::Route(route, Some(hop)) if is_anycast(route, hop) => {
                    Ranges::one(route.dst.first())
                }
                Found::Route(..) | Found::Refuses(_) | Found::Nothing => Ranges::none(),
            };
            let (any, others) = take(state, &dst, &lowest);
            let any = any.map(|state| (state, way.clone(), true));
            any.into_iter()
                .chain(others.map(|state| (state, way, false)))
        });
        let kind = |(state, way, is_lowest): (State, Found<'_>, bool)| {
            let addr = state.ip(&dst);
            let kind = match way {
                _ if is_lowest => 4,
                Found::Nothing | Found::Refuses(Refusal::Unreachable) => 7,
                Found::Refuses(Refusal::Blackhole) => 6,
                Found::Refuses(Refusal::Prohibit) => 8,
                Found::Route(..) if on_device(addr) => 2,
                Found::Route(route, _) if device.is_none() && route.kind == RouteKind::Local => 2,
                Found::Route(route, _) if route.kind == RouteKind::Anycast => 4,
                Found::Route(..) if addr.is_some_and(|addr| addr.is_multicast()) => 5,
                Found::Route(..) => 1,
            };
            (state.addr, kind)
        };
        parts.map(kind).collect()
    }

    /// The way to an address as `fib … oif` gives it, by the client's addresses
    /// (nft_fib_ipv4.c, nft_fib4_eval): 0 where there is none, or none over the device asked
    /// for.
    fn oif_parts(&mut self, state: &State, flags: FibFlags) -> Vec<(Ranges, u32)> {
        let packet = &state.packet;
        let looped = packet
            .iif
            .and_then(|i| self.host.link(i))
            .is_some_and(|l| l.loopback);
        if looped && packet.oif.is_none() {
            return vec![(state.addr.clone(), packet.iif.unwrap_or(0))];
        }
        let device = device_of(state, flags);
        let key = fib_key(state, flags);
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

/// The device that `iif` or `oif` stands for.
fn device_of(state: &State, flags: FibFlags) -> Option<u32> {
    if flags.has(FibFlags::OIF) {
        state.packet.oif
    } else {
        state.packet.iif.filter(|_| flags.has(FibFlags::IIF))
    }
}

/// What `fib` looks up: one address, with the other as its source.
fn fib_key(state: &State, flags: FibFlags) -> Key {
    let packet = &state.packet;
    let by_source = flags.has(FibFlags::SADDR);
    let (dst, src) = if by_source {
        (packet.src.clone(), packet.dst.clone())
    } else {
        (packet.dst.clone(), packet.src.clone())
    };
    let asks_iif = by_source && flags.has(FibFlags::IIF) && state.family == Family::V4;
    Key {
        dst,
        src: Some(src),
        iif: packet.oif.filter(|_| asks_iif),
        oif: None,
        mark: if flags.has(FibFlags::MARK) {
            packet.mark
        } else {
            0
        },
        proto: Some(packet.proto),
        ports: None,
    }
}

/// The value of one address for all clients.
fn one_part(state: &State, parts: Vec<(Ranges, u32)>, addr: u128) -> Vec<(Ranges, u32)> {
    let found = parts.into_iter().find(|(ranges, _)| ranges.contains(addr));
    found
        .map(|(_, value)| (state.addr.clone(), value))
        .into_iter()
        .collect()
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
