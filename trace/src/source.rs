//! Which source address the kernel gives a packet.

use std::net::IpAddr;

use host::{Address, NextHop, Route};
use net::{Family, addr_bits};

use crate::eval::Eval;
use crate::nat::is_link_local;
use crate::packet::{Fact, State};

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
            Family::V4 => {
                let scope = if gateway.is_some() { 0 } else { 253 };
                self.select_source_v4(oif.unwrap_or(0), gateway.or(dst), scope)
            }
            Family::V6 => self.select_source_v6(oif, dst?),
        }
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
