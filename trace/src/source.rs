//! Which source address the kernel gives a packet.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use host::{Address, NextHop, Route, RouteKind};
use net::{Family, Prefix, addr_bits};

use crate::eval::Eval;
use crate::nat::is_link_local;
use crate::packet::{Fact, State};
use crate::ranges::Ranges;
use crate::value::Dim;
use crate::ways::Ways;

/// Source addresses, each with the destinations that it goes with.
pub(crate) type Sources = Rc<[(Ranges, Option<IpAddr>)]>;

/// The scopes of addresses (rtnetlink.h, rt_scope_t): of the whole world, of a link.
pub(crate) const UNIVERSE: u8 = 0;
pub(crate) const ON_LINK: u8 = 253;

/// IPv6 prefixes from this length on have no address that all their routers have.
const ANYCAST: u8 = 127;

impl Eval<'_> {
    /// The source address that goes with a route.
    pub(crate) fn source_for(
        &self,
        state: &State,
        dst: &Fact,
        route: &Route,
        hop: Option<&NextHop>,
    ) -> Option<IpAddr> {
        if route.preferred_source.is_some() {
            return route.preferred_source;
        }
        let oif = hop.and_then(|hop| hop.link);
        let gateway = hop.and_then(|hop| hop.gateway);
        let dst = state.ip(dst);
        match state.family {
            Family::V4 if gateway.is_some() => {
                self.select_source_v4(oif.unwrap_or(0), gateway, UNIVERSE)
            }
            Family::V4 => self.select_source_v4(oif.unwrap_or(0), Some(dst?), ON_LINK),
            Family::V6 => self.select_source_v6(oif, dst?),
        }
    }

    /// Splits packets by the source that goes with their destination on a way out over `oif`,
    /// without a gateway.
    pub(crate) fn by_source(
        &mut self,
        state: State,
        dst: &Fact,
        oif: Option<u32>,
        scope: u8,
    ) -> Ways<Option<IpAddr>> {
        let family = state.family;
        if let Some(addr) = state.ip(dst) {
            let source = self.select_source(family, oif, addr, scope);
            return vec![(state, source)];
        }
        if *dst != Fact::Client {
            return vec![(state, None)];
        }
        let (mut parts, mut rest) = (Vec::new(), Some(state));
        for (ranges, source) in self.sources_by_destination(family, oif, scope).iter() {
            let Some(state) = rest.take() else { break };
            let (inside, outside) = state.cut(Dim::Addr, ranges);
            parts.extend(inside.map(|state| (state, *source)));
            rest = outside;
        }
        parts.extend(rest.map(|state| (state, None)));
        parts
    }

    /// For each source that a link's packets may get, all destinations it goes with.
    pub(crate) fn find_sources(&self, family: Family, oif: Option<u32>, scope: u8) -> Sources {
        let own = self.host.addresses.iter();
        let own = own.filter(|a| Family::of(a.addr) == family);
        let blocks = own.flat_map(|a| {
            let whole = Prefix::containing(a.addr, family.bits());
            // IPv6 compares how long a common prefix is, up to that of the link.
            let shortest = match family {
                Family::V4 => a.prefix.len(),
                Family::V6 => 1,
            };
            let lens = shortest..=a.prefix.len();
            lens.map(|len| Prefix::containing(a.addr, len))
                .chain([whole])
        });
        let labels = LABELED
            .iter()
            .filter_map(|text| text.parse::<Prefix>().ok());
        let labels = labels.filter(|_| family == Family::V6);
        // Between two of these, all destinations are alike.
        let mut starts = vec![0];
        for block in blocks.chain(labels) {
            starts.push(block.first());
            starts.extend(
                block
                    .last()
                    .checked_add(1)
                    .filter(|&next| next <= family.max()),
            );
        }
        starts.sort_unstable();
        starts.dedup();
        let mut found: BTreeMap<Option<IpAddr>, Vec<(u128, u128)>> = BTreeMap::new();
        for (at, &start) in starts.iter().enumerate() {
            let end = starts.get(at + 1).map_or(family.max(), |next| next - 1);
            let dst = net::addr_of(family, start);
            let source = self.select_source(family, oif, dst, scope);
            found.entry(source).or_default().push((start, end));
        }
        let found = found.into_iter();
        found
            .map(|(source, ranges)| (Ranges::of(ranges), source))
            .collect()
    }

    fn select_source(
        &self,
        family: Family,
        oif: Option<u32>,
        dst: IpAddr,
        scope: u8,
    ) -> Option<IpAddr> {
        match family {
            Family::V4 => self.select_source_v4(oif.unwrap_or(0), Some(dst), scope),
            Family::V6 => self.select_source_v6(oif, dst),
        }
    }

    /// The lowest address of each IPv6 network on a link, which all its routers have: the
    /// kernel takes it for none of a single machine (ip6_route.h, ipv6_anycast_destination).
    pub(crate) fn anycast(&self) -> Ranges {
        let routes = &self.host.routes;
        let (wide, narrow): (Vec<&Route>, Vec<&Route>) = routes
            .iter()
            .filter(|route| route.dst.family() == Family::V6)
            .partition(|route| route.next_hops.iter().any(|hop| is_anycast(route, hop)));
        let firsts = |routes: &[&Route]| {
            let first = |route: &&Route| (route.dst.first(), route.dst.first());
            Ranges::of(routes.iter().map(first).collect())
        };
        // A route for the address alone goes before that of its network.
        let narrow: Vec<&Route> = narrow
            .into_iter()
            .filter(|r| r.dst.len() >= ANYCAST)
            .collect();
        firsts(&wide).minus(&firsts(&narrow))
    }

    /// The first address of a link that is of the right scope, one of the destination's
    /// prefix before others; else the first of another link (devinet.c, inet_select_addr).
    pub(crate) fn select_source_v4(
        &self,
        oif: u32,
        dst: Option<IpAddr>,
        scope: u8,
    ) -> Option<IpAddr> {
        let own = || {
            self.host
                .addresses
                .iter()
                .filter(|a| a.addr.is_ipv4() && !a.secondary)
        };
        let fits = |a: &&Address| a.scope <= scope;
        let on_link = || own().filter(|a| a.link == oif).filter(fits);
        let near = on_link().find(|a| dst.is_some_and(|dst| a.prefix.contains(dst)));
        let elsewhere = || own().filter(fits).find(|a| a.scope != 253);
        near.or_else(|| on_link().next())
            .or_else(elsewhere)
            .map(|a| a.addr)
    }

    /// The address that RFC 6724 prefers towards `dst` (addrconf.c, ipv6_dev_get_saddr).
    pub(crate) fn select_source_v6(&self, oif: Option<u32>, dst: IpAddr) -> Option<IpAddr> {
        let own = self.host.addresses.iter().filter(|a| a.addr.is_ipv6());
        let usable = own.filter(|a| dst.is_loopback() || !a.addr.is_loopback());
        let rank = |a: &&Address| {
            let same_scope = is_link_local(a.addr) == is_link_local(dst);
            let same = a.addr == dst;
            let on_link = Some(a.link) == oif;
            let same_label = label(a.addr) == label(dst);
            let common = (addr_bits(a.addr) ^ addr_bits(dst)).leading_zeros();
            let common = common.min(u32::from(a.prefix.len()));
            (same, same_scope, on_link, same_label, common)
        };
        // Of equals the first one listed stays.
        let mut best: Option<&Address> = None;
        for candidate in usable {
            if best.is_none_or(|best| rank(&candidate) > rank(&best)) {
                best = Some(candidate);
            }
        }
        best.map(|a| a.addr)
    }
}

/// Whether the lowest address of a route is one that all routers of its network have.
pub(crate) fn is_anycast(route: &Route, hop: &NextHop) -> bool {
    route.dst.family() == Family::V6
        && route.kind == RouteKind::Unicast
        && route.dst.len() < ANYCAST
        && hop.gateway.is_none()
}

/// Networks that [`label`], and the scope of an address, tell apart.
const LABELED: [&str; 7] = [
    "::1/128",
    "2002::/16",
    "3ffe::/16",
    "fc00::/7",
    "2001::/32",
    "::/16",
    "fe80::/10",
];

/// The label of an IPv6 address in the kernel's default table (addrlabel.c): what matters is
/// whether two are equal.
fn label(addr: IpAddr) -> u8 {
    let IpAddr::V6(v6) = addr else { return 4 };
    let first = v6.segments()[0];
    match first {
        _ if v6.is_loopback() => 0,
        0x2002 => 2,
        0x3ffe => 12,
        first if first & 0xfe00 == 0xfc00 => 5,
        0x2001 if v6.segments()[1] == 0 => 6,
        0 => 3,
        _ => 1,
    }
}
