//! Completes a host of which only parts were given, and says what was taken for granted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use host::{Address, Host, Link, NextHop, Route, RouteKind};
use net::{Family, Prefix, addr_of};

/// Fills in what a saved host lacks: a loopback link, links that addresses and routes name,
/// local and connected routes, a default route. Each thing assumed is one sentence; a host
/// that was read whole gains nothing.
pub fn complete(host: &mut Host) -> Vec<String> {
    let mut assumed = Vec::new();
    if !host.given.links {
        add_links(host);
    }
    if !host.given.addresses && host.addresses.is_empty() {
        assumed.push("this host has no addresses but loopback: none were given".to_owned());
    }
    add_loopback(host);
    let missing = |host: &Host, family| {
        let local = |route: &Route| route.table == 255 && route.dst.family() == family;
        !host.routes.iter().any(local)
    };
    for family in [Family::V4, Family::V6] {
        if missing(host, family) {
            add_local_routes(host, family);
        }
    }
    if !host.given.routes {
        add_connected_routes(host);
        if add_default_route(host) {
            assumed.push("a default route over the first link: no routes were given".to_owned());
        }
    }
    if !host.given.sysctls {
        assumed.push("the kernel's default settings: no sysctls were given".to_owned());
    }
    assumed
}

/// A loopback link where none was read.
fn add_links(host: &mut Host) {
    if host.links.iter().any(|link| link.loopback) {
        return;
    }
    let index = (1..=u32::MAX)
        .find(|index| host.link(*index).is_none())
        .unwrap_or(1);
    host.links.insert(
        0,
        Link {
            index,
            name: "lo".to_owned(),
            up: true,
            loopback: true,
            kind: String::new(),
            master: None,
            group: 0,
            hardware_type: 772,
            peer_elsewhere: false,
        },
    );
}

/// 127.0.0.1/8 and ::1 on the loopback link of a host whose addresses were typed by hand.
fn add_loopback(host: &mut Host) {
    let Some(link) = host
        .links
        .iter()
        .find(|link| link.loopback)
        .map(|link| link.index)
    else {
        return;
    };
    if host.given.addresses || host.addresses.iter().any(|a| a.addr.is_loopback()) {
        return;
    }
    let own = [
        (IpAddr::V4(Ipv4Addr::LOCALHOST), 8),
        (IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
    ];
    for (addr, len) in own {
        let prefix = Prefix::containing(addr, len);
        host.addresses.push(Address {
            link,
            addr,
            prefix,
            peer: None,
            secondary: false,
            scope: 254,
        });
    }
}

/// What the kernel puts into table `local` for each address (fib_frontend.c, fib_add_ifaddr).
fn add_local_routes(host: &mut Host, family: Family) {
    let own: Vec<Address> = host
        .addresses
        .iter()
        .filter(|a| Family::of(a.addr) == family)
        .cloned()
        .collect();
    for address in own {
        let primary = primary_of(host, &address);
        let mut add = |kind, addr, len| {
            host.routes.push(Route {
                table: 255,
                kind,
                dst: Prefix::containing(addr, len),
                src: None,
                tos: 0,
                metric: 0,
                preferred_source: Some(primary),
                next_hops: vec![hop(address.link, None)],
            });
        };
        add(RouteKind::Local, address.addr, family.bits());
        if address.addr.is_loopback() && family == Family::V4 {
            add(RouteKind::Local, address.addr, 8);
        }
        if family == Family::V4 && address.prefix.len() < 31 {
            add(
                RouteKind::Broadcast,
                addr_of(family, address.prefix.last()),
                32,
            );
        }
    }
}

/// The first address of the same prefix on the link.
fn primary_of(host: &Host, address: &Address) -> IpAddr {
    let same = |a: &&Address| a.link == address.link && a.prefix == address.prefix;
    host.addresses
        .iter()
        .find(same)
        .map_or(address.addr, |a| a.addr)
}

fn hop(link: u32, gateway: Option<IpAddr>) -> NextHop {
    NextHop {
        link: Some(link),
        gateway,
        weight: 1,
        dead: false,
    }
}

fn add_connected_routes(host: &mut Host) {
    let own: Vec<Address> = host
        .addresses
        .iter()
        .filter(|a| !a.addr.is_loopback())
        .cloned()
        .collect();
    for address in own {
        let known = host
            .routes
            .iter()
            .any(|route| route.table == 254 && route.dst == address.prefix);
        if known || address.prefix.len() == Family::of(address.addr).bits() {
            continue;
        }
        host.routes.push(Route {
            table: 254,
            kind: RouteKind::Unicast,
            dst: address.prefix,
            src: None,
            tos: 0,
            metric: 0,
            preferred_source: Some(address.addr).filter(IpAddr::is_ipv4),
            next_hops: vec![hop(address.link, None)],
        });
    }
}

/// A default route for each family that has an address and no such route yet.
fn add_default_route(host: &mut Host) -> bool {
    let mut added = false;
    for family in [Family::V4, Family::V6] {
        let dst = Prefix::all(family);
        let known = host.routes.iter().any(|route| route.dst == dst);
        let first = host
            .addresses
            .iter()
            .find(|a| Family::of(a.addr) == family && !a.addr.is_loopback() && a.scope == 0);
        let Some(link) = first.map(|a| a.link).filter(|_| !known) else {
            continue;
        };
        host.routes.push(Route {
            table: 254,
            kind: RouteKind::Unicast,
            dst,
            src: None,
            tos: 0,
            metric: 0,
            preferred_source: None,
            next_hops: vec![hop(link, None)],
        });
        added = true;
    }
    added
}
