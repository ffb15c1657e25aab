//! Every port that a process of this host waits on, and what becomes of the packets for it.

mod made_for;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use host::{Host, Socket};
use net::{Endpoint, Family, Prefix};

use crate::answer::{Answer, From, Outcome, Verdict};
use crate::deliver::accepts;
use crate::explore::Tracer;
use crate::findings::{Finding, Names, findings, sight, survivors};
use crate::frontends::frontends;
use crate::question::{Origin, Question};

/// What became of packets that were meant for a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// They get there, and the answer gets back; or a Service takes them whose proxy holds the
    /// port.
    Arrives,
    /// Something that was not made for this port keeps them out: a firewall that shuts out
    /// whole ranges or interfaces, or the kernel.
    Blocked,
    /// It depends on something that is not known.
    Unknown,
    /// A rule that was made for this port, or a Service, refuses them or gives them to
    /// somebody else.
    Lost,
}

/// A port that a process of this host waits on.
#[derive(Debug, Clone, PartialEq)]
pub struct Listener<'h> {
    /// Its socket; several where they share the port (`SO_REUSEPORT`).
    pub sockets: Vec<&'h Socket>,
    /// What becomes of packets to its addresses: one entry for all addresses that fare alike.
    /// None where none of its addresses is there.
    pub heard: Vec<Heard>,
}

/// What becomes of packets to one or more addresses of a listener.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// The addresses; the question is about the first.
    pub addrs: Vec<IpAddr>,
    /// What was asked.
    pub question: Question,
    /// The answers to it. Of connections that arrive the steps are not kept.
    pub answers: Vec<Answer>,
    /// The fate of each outcome of each answer.
    pub fates: Vec<Vec<Fate>>,
    /// Named mistakes in the answers.
    pub findings: Vec<Finding>,
    /// Connections to these addresses that were opened before the rules, and go on working where
    /// no new one gets.
    pub old: usize,
}

impl Listener<'_> {
    /// The worst that becomes of packets from a kind of source; `None` where no such source
    /// can reach any of its addresses.
    pub fn fate(&self, from: From) -> Option<Fate> {
        let ends = self.heard.iter().flat_map(|heard| heard.of_kind(from));
        ends.map(|(_, _, fate)| fate).max()
    }

    /// How many connections were opened before the rules and go on working where no new one gets.
    pub fn old(&self) -> usize {
        self.heard.iter().map(|heard| heard.old).sum()
    }

    /// The worst that becomes of any packet; `None` where none of its addresses is there.
    pub fn worst(&self) -> Option<Fate> {
        let fates = self.heard.iter().flat_map(|heard| &heard.fates);
        fates.flatten().max().copied()
    }
}

impl Heard {
    /// The ends of packets from a kind of source, each with its fate.
    pub fn of_kind(&self, from: From) -> impl Iterator<Item = (&Answer, &Outcome, Fate)> {
        let answers = self.answers.iter().zip(&self.fates);
        let of_kind = answers.filter(move |(answer, _)| answer.from == from);
        of_kind.flat_map(|(answer, fates)| {
            let ends = answer.outcomes.iter().zip(fates);
            ends.map(move |(outcome, fate)| (answer, outcome, *fate))
        })
    }
}

/// Asks about every port that a process of this host waits on, from every kind of source.
///
/// `done` is told how many of how many listeners are through. Link-local addresses of IPv6 are
/// left out: nothing is translated to or from them.
pub fn scan<'h>(
    host: &'h Host,
    pod_ranges: &[Prefix],
    names: &dyn Names,
    mut done: impl FnMut(usize, usize),
) -> Vec<Listener<'h>> {
    let mut tracer = Tracer::new(host);
    let groups = groups(host);
    let all = groups.len();
    let mut listeners = Vec::with_capacity(all);
    for (number, sockets) in groups.into_iter().enumerate() {
        done(number, all);
        let mut listener = Listener {
            sockets,
            heard: Vec::new(),
        };
        for addr in addresses(host, &listener.sockets) {
            hear(&mut tracer, &mut listener, addr, (pod_ranges, names));
        }
        listeners.push(listener);
    }
    listeners
}

/// The NodePorts of a host that the kernel may give to any client of it; sorted.
pub fn ephemeral_node_ports(host: &Host) -> Vec<u16> {
    let is_own = |addr: Option<IpAddr>| addr.is_none_or(|addr| host.is_own(addr));
    let mut ports: Vec<u16> = frontends(host)
        .into_iter()
        .filter(|frontend| frontend.service.is_some() && is_own(frontend.addr))
        .map(|frontend| frontend.port)
        .filter(|port| host.sysctls.may_be_picked(*port))
        .collect();
    ports.dedup();
    ports
}

/// How many listeners take packets to link-local addresses of IPv6: a client needs a link for
/// these as well, and nobody asked about them.
pub fn at_link_local(host: &Host, listeners: &[Listener]) -> usize {
    let own = host.addresses.iter().map(|own| own.addr);
    let own: Vec<IpAddr> = own.filter(|addr| needs_link(*addr)).collect();
    let takes = |listener: &&Listener| own.iter().any(|addr| accepts(listener.sockets[0], *addr));
    listeners.iter().filter(takes).count()
}

/// Sockets that wait for clients, those of one port, address and device together.
fn groups(host: &Host) -> Vec<Vec<&Socket>> {
    let waits = |s: &&Socket| s.state.waits();
    let key = |s: &Socket| (s.port, s.proto, s.addr, s.device, s.v6_only);
    let mut sockets: Vec<&Socket> = host.sockets.iter().filter(waits).collect();
    sockets.sort_by_key(|socket| key(socket));
    let groups = sockets.chunk_by(|a, b| key(a) == key(b));
    groups.map(<[&Socket]>::to_vec).collect()
}

/// The addresses that clients reach a socket at, where no other socket is more specific.
fn addresses(host: &Host, group: &[&Socket]) -> Vec<IpAddr> {
    let socket = group[0];
    let mut addrs = own_addresses(host);
    let is_here = host.is_own(socket.addr) && !needs_link(socket.addr);
    addrs.extend(Some(socket.addr).filter(|_| is_here));
    addrs.retain(|addr| accepts(socket, *addr) && !is_taken(host, socket, *addr));
    in_order(addrs)
}

/// The addresses of a host that clients can ask for, loopback last; link-local ones need a link
/// as well.
pub(crate) fn own_addresses(host: &Host) -> Vec<IpAddr> {
    let mut addrs: Vec<IpAddr> = host.addresses.iter().map(|own| own.addr).collect();
    let has_v6 = addrs.iter().any(IpAddr::is_ipv6);
    addrs.push(IpAddr::V4(Ipv4Addr::LOCALHOST));
    addrs.extend(has_v6.then_some(IpAddr::V6(Ipv6Addr::LOCALHOST)));
    addrs.retain(|addr| !needs_link(*addr));
    in_order(addrs)
}

/// Whether packets to an address are sent to it over a link that has to be named.
pub(crate) fn needs_link(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(_) => false,
        IpAddr::V6(addr) => addr.is_unicast_link_local(),
    }
}

/// Each once; what others can reach comes first.
fn in_order(mut addrs: Vec<IpAddr>) -> Vec<IpAddr> {
    addrs.sort_unstable();
    addrs.dedup();
    addrs.sort_by_key(IpAddr::is_loopback);
    addrs
}

/// Whether a socket on this very address goes before a wildcard.
fn is_taken(host: &Host, socket: &Socket, addr: IpAddr) -> bool {
    let is_before = |other: &Socket| {
        (other.proto, other.port, other.addr) == (socket.proto, socket.port, addr)
            && other.state.waits()
            && other.device.is_none()
    };
    socket.addr != addr && host.sockets.iter().any(is_before)
}

fn hear(
    tracer: &mut Tracer<'_>,
    listener: &mut Listener<'_>,
    addr: IpAddr,
    (pod_ranges, names): (&[Prefix], &dyn Names),
) {
    let socket = listener.sockets[0];
    let to = Endpoint {
        addr,
        port: socket.port,
    };
    let mut question = Question::about(socket.proto, to);
    if addr.is_loopback() {
        question.origin = Origin::Local;
    }
    question.pod_ranges = pod_ranges.to_vec();
    // No source of any kind: nobody can send anything.
    let Ok(mut answers) = tracer.answer(&question) else {
        return;
    };
    let old = survivors(tracer.host(), &question, &answers);
    let mut known = listener.heard.iter_mut();
    if let Some(alike) = known.find(|heard| fares_alike(heard, &answers, addr)) {
        alike.addrs.push(addr);
        alike.old += old;
        return;
    }
    let mut fates_of = |answer: &Answer| -> Vec<Fate> {
        let sockets = &listener.sockets;
        let ends = answer.outcomes.iter();
        ends.map(|end| fate(tracer, sockets, &question, end))
            .collect()
    };
    let fates: Vec<Vec<Fate>> = answers.iter().map(&mut fates_of).collect();
    let findings = findings(tracer.host(), &question, &answers, names);
    for (answer, fates) in answers.iter_mut().zip(&fates) {
        let arriving = answer.outcomes.iter_mut().zip(fates);
        for (outcome, _) in arriving.filter(|(_, fate)| **fate == Fate::Arrives) {
            outcome.steps = Vec::new();
            outcome.request = 0;
        }
    }
    listener.heard.push(Heard {
        addrs: vec![addr],
        question,
        answers,
        fates,
        findings,
        old,
    });
}

/// Whether packets to `addr` fare as those to the addresses heard of before: from the same
/// sources they end alike. A local client's address goes with the one it sends to.
fn fares_alike(heard: &Heard, answers: &[Answer], addr: IpAddr) -> bool {
    let asked = heard.question.to;
    let own = Endpoint {
        addr,
        port: asked.port,
    };
    let is_same_end = |a: &Outcome, b: &Outcome| {
        let to = match (a.to == Some(asked), b.to == Some(own)) {
            (true, true) => true,
            (false, false) => a.to == b.to,
            _ => false,
        };
        to && a.ends_like(b)
            && (a.seen_source, a.masquerade, &a.oif) == (b.seen_source, b.masquerade, &b.oif)
    };
    let is_same = |a: &Answer, b: &Answer| {
        (a.from, &a.iif) == (b.from, &b.iif)
            && (a.from == From::Local || a.region == b.region)
            && a.outcomes.len() == b.outcomes.len()
            && a.outcomes
                .iter()
                .zip(&b.outcomes)
                .all(|(a, b)| is_same_end(a, b))
    };
    Family::of(asked.addr) == Family::of(addr)
        && asked.addr.is_loopback() == addr.is_loopback()
        && heard.answers.len() == answers.len()
        && heard
            .answers
            .iter()
            .zip(answers)
            .all(|(a, b)| is_same(a, b))
}

fn fate(
    tracer: &mut Tracer<'_>,
    sockets: &[&Socket],
    question: &Question,
    outcome: &Outcome,
) -> Fate {
    let reached = outcome.server.as_ref().filter(|server| server.reached);
    let is_own = reached.is_some_and(|server| sockets.contains(&&server.socket));
    // A proxy that holds the ports of its Services loses nothing to them.
    let is_proxy = sockets.iter().any(|socket| sight::is_proxy(socket));
    match outcome.verdict {
        Verdict::Unknown => Fate::Unknown,
        Verdict::Delivered if is_own => Fate::Arrives,
        _ if is_proxy && outcome.service.is_some() => Fate::Arrives,
        _ if outcome.service.is_some() || made_for::port(tracer, question, outcome) => Fate::Lost,
        // A socket bound to the interface it came in on.
        Verdict::Delivered if outcome.to == Some(question.to) => Fate::Arrives,
        _ => Fate::Blocked,
    }
}
