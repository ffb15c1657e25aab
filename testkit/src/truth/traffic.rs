//! Random sockets of the node, and the packets it is tried with.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::pool::{self, EXTRA_ADDRS, NOWHERE, PORTS, USERS};
use super::rng::Rng;
use crate::world::{
    Bound, CLIENT_PORTS, LINKS, Listener, Packet, Place, Transport, is_user, owner_of, peer_addrs,
};

/// Where the source ports of packets begin.
const FIRST_PORT: u16 = 20_000;

/// Random packets.
pub fn packets(rng: &mut Rng, count: usize) -> Vec<Packet> {
    (0..count)
        .map(|number| packet(rng, u16::try_from(number).unwrap_or(0)))
        .collect()
}

fn packet(rng: &mut Rng, number: u16) -> Packet {
    let is_v6 = rng.percent(40);
    let transport = rng.weighted(&[(6, Transport::Tcp), (4, Transport::Udp)]);
    let (place, iif) = rng.weighted(&[
        (35, (Place::Client, Some("eth0"))),
        (12, (Place::Client, Some("eth1"))),
        (18, (Place::Pod1, Some("pod1"))),
        (5, (Place::Pod2, Some("pod2"))),
        (30, (Place::Node, None)),
    ]);
    let src = source(rng, place, iif, is_v6);
    let (dst, dport) = target(rng, place, is_v6);
    let uid = if place == Place::Node {
        *rng.pick(&USERS)
    } else {
        0
    };
    let uid = if is_user(uid) { uid } else { 0 };
    Packet {
        transport,
        place,
        iif,
        src,
        sport: FIRST_PORT + number,
        dst,
        dport,
        uid,
    }
}

/// The client's address: one of its link's, seldom another of its own; a local one is mostly
/// left to the node, or an address that every node has.
fn source(rng: &mut Rng, place: Place, iif: Option<&str>, is_v6: bool) -> Option<IpAddr> {
    if place == Place::Node {
        let fixed: Vec<IpAddr> = pool::NODE_ADDRS
            .iter()
            .map(|text| pool::addr(text))
            .filter(|addr| addr.is_ipv6() == is_v6)
            .collect();
        return rng.percent(50).then(|| *rng.pick(&fixed));
    }
    let stray = rng.percent(10);
    let own: Vec<IpAddr> = LINKS
        .iter()
        .filter(|side| side.place == place && (stray || Some(side.node_link) == iif))
        .flat_map(peer_addrs)
        .filter(|addr| addr.is_ipv6() == is_v6)
        .collect();
    Some(*rng.pick(&own))
}

/// Where it goes to: never an address that the client's own namespace has.
fn target(rng: &mut Rng, place: Place, is_v6: bool) -> (IpAddr, u16) {
    let addr = loop {
        let addr = match rng.below(20) {
            0..9 => pool::node_addr(rng, is_v6),
            9..17 => pool::server_addr(rng, is_v6),
            _ => {
                let extra = EXTRA_ADDRS
                    .iter()
                    .filter_map(|(text, _)| text.split('/').next());
                let all: Vec<IpAddr> = NOWHERE
                    .into_iter()
                    .chain(extra)
                    .map(pool::addr)
                    .filter(|addr| addr.is_ipv6() == is_v6)
                    .collect();
                *rng.pick(&all)
            }
        };
        let on_the_wire = place == Place::Node || !addr.is_loopback();
        if on_the_wire && owner_of(addr) != Some(place) {
            break addr;
        }
    };
    let port = if rng.percent(70) {
        *rng.pick(&CLIENT_PORTS)
    } else {
        *rng.pick(&PORTS)
    };
    (addr, port)
}

/// Random sockets of the node.
pub fn listeners(rng: &mut Rng) -> Vec<Listener> {
    let count = 3 + rng.below(8);
    (0..count).map(|_| listener(rng)).collect()
}

fn listener(rng: &mut Rng) -> Listener {
    let transport = rng.weighted(&[(6, Transport::Tcp), (4, Transport::Udp)]);
    let port = if rng.percent(80) {
        *rng.pick(&CLIENT_PORTS)
    } else {
        *rng.pick(&PORTS[..6])
    };
    let (addr, v6_only) = match rng.below(10) {
        0..3 => (IpAddr::V6(Ipv6Addr::UNSPECIFIED), false),
        3 => (IpAddr::V6(Ipv6Addr::UNSPECIFIED), true),
        4..7 => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), false),
        7 => (pool::node_addr(rng, true), true),
        _ => (pool::node_addr(rng, false), false),
    };
    let device = rng
        .percent(12)
        .then(|| *rng.pick(&["eth0", "eth1", "pod1", "lo", "svc0"]));
    let bound = match transport {
        Transport::Tcp if rng.percent(12) => Bound::Only,
        Transport::Udp if rng.percent(12) => {
            let is_v6 = addr.is_ipv6();
            let peer = pool::server_addr(rng, is_v6);
            let port = FIRST_PORT + u16::try_from(rng.below(20)).expect("below 20");
            Bound::ConnectedTo(peer, port)
        }
        _ => Bound::Answers,
    };
    Listener {
        transport,
        addr,
        port,
        v6_only,
        device,
        bound,
    }
}
