//! Completes a host of which only parts were given, and says what was taken for granted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use host::{Address, Host, Link, NextHop, Route, RouteKind};
use net::{Endpoint, Family, Prefix, addr_bits, addr_of};

use crate::answer::{Answer, Cause, Did, From, Outcome, Step};

/// Something taken for granted to have a whole host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assumption {
    about: About,
    /// What, in one sentence.
    pub text: String,
}

/// What an assumption is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Addresses,
    DefaultRoute,
    RoutingRules(Family),
    Settings,
}

impl Assumption {
    fn new(about: About, text: &str) -> Self {
        let text = text.to_owned();
        Self { about, text }
    }

    /// Whether it mattered for an answer about a host.
    pub fn concerns(&self, host: &Host, answer: &Answer) -> bool {
        let mut outcomes = answer.outcomes.iter();
        match self.about {
            About::Addresses => true,
            About::DefaultRoute => {
                let region = answer.region.prefixes();
                let is_far = |prefix: &Prefix| !is_near(host, prefix.first(), prefix.last());
                let is_remote = answer.from != From::Local;
                is_remote && region.iter().any(is_far) || outcomes.any(|o| leads_far(host, o))
            }
            About::RoutingRules(family) => answer.region.family == family,
            About::Settings => outcomes.any(|o| asks_settings(answer.from, o)),
        }
    }
}

/// Whether addresses are in the networks of this host.
fn is_near(host: &Host, first: u128, last: u128) -> bool {
    let mut networks = host.addresses.iter().map(|address| address.prefix);
    networks.any(|network| network.first() <= first && last <= network.last())
}

/// Whether a connection goes on to addresses beyond the networks of this host.
fn leads_far(host: &Host, outcome: &Outcome) -> bool {
    let is_far = |to: &Endpoint| !is_near(host, addr_bits(to.addr), addr_bits(to.addr));
    outcome.oif.is_some() && outcome.to.as_ref().is_some_and(is_far)
}

/// Whether kernel settings had a say: they let a packet through the host, or kept it from
/// its way.
fn asks_settings(from: From, outcome: &Outcome) -> bool {
    let by_settings = |cause: &Cause| {
        matches!(
            cause,
            Cause::ForwardingOff | Cause::ReversePath | Cause::Martian
        )
    };
    let is_asked = |step: &Step| match &step.did {
        Did::Routed { .. } => from != From::Local,
        Did::Stops(cause) => by_settings(cause),
        _ => false,
    };
    let request = outcome.request.min(outcome.steps.len());
    let (request, later) = outcome.steps.split_at(request);
    let is_stopped = |step: &Step| matches!(&step.did, Did::Stops(cause) if by_settings(cause));
    request.iter().any(is_asked) || later.iter().any(is_stopped)
}

/// Fills in what a saved host lacks: a loopback link, links that addresses and routes name,
/// local and connected routes, a default route. Says what it assumed; a host that was read
/// whole gains nothing.
pub fn complete(host: &mut Host) -> Vec<Assumption> {
    let mut assumed = Vec::new();
    if !host.given.links {
        add_links(host);
    }
    if !host.given.addresses && host.addresses.is_empty() {
        let text = "this host has no addresses but loopback: none were given";
        assumed.push(Assumption::new(About::Addresses, text));
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
            let text = "a default route over the first link: none was given";
            assumed.push(Assumption::new(About::DefaultRoute, text));
        }
    }
    for family in [Family::V4, Family::V6] {
        if lacks_routing_rules(host, family) {
            let text = format!("the kernel's own routing rules for {family}: none were given");
            assumed.push(Assumption::new(About::RoutingRules(family), &text));
        }
    }
    if !host.given.sysctls {
        let text = match host.sysctls.iter().next() {
            None => "the kernel's default settings: no sysctls were given",
            Some(_) => "the kernel's default settings where no other was given",
        };
        assumed.push(Assumption::new(About::Settings, text));
    }
    assumed
}

/// Whether routing rules of a family were not given, although the host has some use for them:
/// routes in tables that the kernel's own rules never ask, or rules of the other family.
fn lacks_routing_rules(host: &Host, family: Family) -> bool {
    let mut rules = host.routing_rules.iter();
    if host.given.routing_rules || rules.any(|rule| rule.family == family) {
        return false;
    }
    let has_addresses = host
        .addresses
        .iter()
        .any(|a| Family::of(a.addr) == family && !a.addr.is_loopback());
    let is_asked = |route: &Route| matches!(route.table, 253..=255);
    let mut routes = host.routes.iter();
    let has_tables = routes.any(|route| route.dst.family() == family && !is_asked(route));
    has_tables || has_addresses && !host.routing_rules.is_empty()
}

/// A loopback link where none was read.
fn add_links(host: &mut Host) {
    if host.links.iter().any(|link| link.loopback) {
        return;
    }
    let index = (1..=u32::MAX)
        .find(|index| host.link(*index).is_none())
        .unwrap_or(1);
    host.links.insert(0, Link::named(index, "lo"));
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
