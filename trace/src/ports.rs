//! Who holds which port of a host: processes, Services, rules that lead clients elsewhere.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::RangeInclusive;

use host::{Host, Socket, SocketState};
use net::{Endpoint, Family, Prefix, Proto, ServiceName};

use crate::answer::{Did, Outcome, Verdict};
use crate::explore::Tracer;
use crate::findings::sight;
use crate::frontends::{Frontend, frontends_here};
use crate::question::Question;
use crate::scan::{Fate, Listener, needs_link};

/// The ports of a host, and what of them is free.
#[derive(Debug, Clone, PartialEq)]
pub struct PortMap<'l, 'h> {
    /// The ports that somebody holds, by number and then protocol.
    pub held: Vec<HeldPort<'l, 'h>>,
    /// Those, and all others that a rule names or any socket has: none of them is free.
    busy: BTreeSet<(Proto, u16)>,
}

/// A port that somebody holds.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldPort<'l, 'h> {
    /// The port.
    pub port: u16,
    /// The protocol.
    pub proto: Proto,
    /// Who waits for clients there, and what becomes of their packets.
    pub listeners: Vec<&'l Listener<'h>>,
    /// Sockets that were bound there and never listened: the port is theirs all the same.
    pub bound: Vec<&'h Socket>,
    /// Services that clients find there.
    pub services: BTreeSet<ServiceName>,
    /// Where rules that name no Service lead its clients: a container's published port.
    pub leads_to: BTreeSet<Endpoint>,
}

/// What kind of holder a port has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hold {
    /// A process alone.
    Process,
    /// A Service alone; a proxy that listens on its ports is no holder of its own.
    Service,
    /// A rule that leads clients elsewhere, in no Service's name.
    Rule,
    /// A process, and a Service or such a rule as well.
    Both,
}

/// How many ports of a range are free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Those that are not.
    pub taken: usize,
    /// Those that no socket has and no rule names.
    pub free: usize,
    /// The lowest of the free ones.
    pub first_free: Option<u16>,
}

impl HeldPort<'_, '_> {
    /// Who holds it.
    pub fn hold(&self) -> Hold {
        let is_proxied = !self.services.is_empty();
        let sockets = self.listeners.iter().flat_map(|one| &one.sockets);
        let mut own = sockets
            .chain(&self.bound)
            .filter(|socket| !(is_proxied && sight::is_proxy(socket)));
        match (own.next(), is_proxied, self.leads_to.is_empty()) {
            (Some(_), false, true) => Hold::Process,
            (Some(_), ..) => Hold::Both,
            (None, true, _) => Hold::Service,
            (None, false, _) => Hold::Rule,
        }
    }

    /// The worst that becomes of packets for its listeners.
    pub fn worst(&self) -> Option<Fate> {
        self.listeners.iter().filter_map(|one| one.worst()).max()
    }
}

impl PortMap<'_, '_> {
    /// What is free of a range.
    pub fn room(&self, proto: Proto, range: RangeInclusive<u16>) -> Room {
        let is_free = |port: &u16| !self.busy.contains(&(proto, *port));
        let free = range.clone().filter(is_free).count();
        Room {
            taken: range.clone().count() - free,
            free,
            first_free: range.clone().find(is_free),
        }
    }
}

/// Who holds which port, by what a scan found, by what the rules single out, and by the
/// NodePorts that were `promised` to Services.
pub fn ports<'l, 'h>(
    host: &'h Host,
    pod_ranges: &[Prefix],
    listeners: &'l [Listener<'h>],
    promised: &[Frontend],
) -> PortMap<'l, 'h> {
    let mut held: BTreeMap<(u16, Proto), HeldPort<'l, 'h>> = BTreeMap::new();
    for listener in listeners {
        let socket = listener.sockets[0];
        let port = entry(&mut held, socket.port, socket.proto);
        port.listeners.push(listener);
    }
    let bound = host.sockets.iter();
    for socket in bound.filter(|socket| socket.state == SocketState::Bound) {
        entry(&mut held, socket.port, socket.proto)
            .bound
            .push(socket);
    }
    let singled_out = frontends_here(host);
    for frontend in singled_out.iter().chain(promised) {
        for proto in frontend.protocols() {
            if let Some(service) = &frontend.service {
                let services = &mut entry(&mut held, frontend.port, proto).services;
                let _ = services.insert(service.clone());
            }
        }
    }
    lead_away(host, pod_ranges, &singled_out, &mut held);
    let named = singled_out.iter().flat_map(|frontend| {
        let port = frontend.port;
        frontend.protocols().map(move |proto| (proto, port))
    });
    let sockets = host.sockets.iter().map(|one| (one.proto, one.port));
    let keys = held.keys().map(|&(port, proto)| (proto, port));
    let busy = keys.chain(named).chain(sockets).collect();
    PortMap {
        held: held.into_values().collect(),
        busy,
    }
}

fn entry<'m, 'l, 'h>(
    held: &'m mut BTreeMap<(u16, Proto), HeldPort<'l, 'h>>,
    port: u16,
    proto: Proto,
) -> &'m mut HeldPort<'l, 'h> {
    held.entry((port, proto)).or_insert_with(|| HeldPort {
        port,
        proto,
        listeners: Vec::new(),
        bound: Vec::new(),
        services: BTreeSet::new(),
        leads_to: BTreeSet::new(),
    })
}

/// Asks what becomes of clients of the ports that rules single out in nobody's name, and adds
/// those who are led elsewhere.
fn lead_away(
    host: &Host,
    pod_ranges: &[Prefix],
    singled_out: &[Frontend],
    held: &mut BTreeMap<(u16, Proto), HeldPort<'_, '_>>,
) {
    let mut tracer = Tracer::new(host);
    let nameless = singled_out.iter().filter(|one| one.service.is_none());
    let asked: BTreeSet<(u16, Proto, Option<IpAddr>)> = nameless
        .flat_map(|one| one.protocols().map(|proto| (one.port, proto, one.addr)))
        .collect();
    for (port, proto, addr) in asked {
        for addr in addr.map_or_else(|| outward(host), |addr| vec![addr]) {
            let mut question = Question::about(proto, Endpoint { addr, port });
            question.pod_ranges = pod_ranges.to_vec();
            // No source of any kind: nobody can send anything.
            let Ok(answers) = tracer.answer(&question) else {
                continue;
            };
            let ends = answers.iter().flat_map(|answer| &answer.outcomes);
            for to in ends.filter_map(led_away) {
                let _ = entry(held, port, proto).leads_to.insert(to);
            }
        }
    }
}

/// An address of each family that others can reach.
fn outward(host: &Host) -> Vec<IpAddr> {
    let is_reached = |addr: &IpAddr| !addr.is_loopback() && !needs_link(*addr);
    let of = |family| {
        let mut own = host.addresses.iter().map(|own| own.addr);
        own.find(|addr| Family::of(*addr) == family && is_reached(addr))
    };
    [Family::V4, Family::V6]
        .into_iter()
        .filter_map(of)
        .collect()
}

/// Where an outcome was led to in no Service's name, if it got there.
fn led_away(outcome: &Outcome) -> Option<Endpoint> {
    let request = &outcome.steps[..outcome.request];
    let is_led = request
        .iter()
        .any(|step| matches!(step.did, Did::Dnat { .. }));
    let arrives = matches!(outcome.verdict, Verdict::Forwarded | Verdict::Delivered);
    outcome
        .to
        .filter(|_| is_led && arrives && outcome.service.is_none())
}
