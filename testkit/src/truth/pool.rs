//! The few addresses, ports and marks that packets use and rules test, so that they meet.

use std::net::IpAddr;

use super::rng::Rng;
use crate::world::{LINKS, NODE_LINKS, Packet, Transport, peer_addrs};

/// Ports that servers and clients use.
pub const PORTS: [u16; 7] = [80, 8080, 53, 443, 30080, 9090, 9];
/// Marks.
pub const MARKS: [u32; 5] = [1, 2, 4, 0x4000, 6];
/// Masks of marks.
pub const MASKS: [u32; 4] = [0xffff_ffff, 0xf, 0x4000, 0x6];
/// Users of local clients.
pub const USERS: [u32; 3] = [0, 1000, 1001];
/// Addresses that the node always has.
pub const NODE_ADDRS: [&str; 10] = [
    "10.1.0.1",
    "10.3.0.1",
    "10.2.1.1",
    "10.2.2.1",
    "127.0.0.1",
    "fd01::1",
    "fd03::1",
    "fd21::1",
    "fd22::1",
    "::1",
];
/// Addresses that a host can have beside these, with where they are.
pub const EXTRA_ADDRS: [(&str, &str); 6] = [
    ("10.1.0.9/24", "eth0"),
    ("10.96.0.10/32", "svc0"),
    ("203.0.113.5/32", "lo"),
    ("fd01::9/64", "eth0"),
    ("fd96::10/128", "svc0"),
    ("2001:db8:1::5/128", "lo"),
];
/// Addresses nobody has; what becomes of packets to them is for routes and translation.
pub const NOWHERE: [&str; 6] = [
    "10.96.0.77",
    "192.0.2.9",
    "192.0.2.200",
    "fd96::77",
    "2001:db8:2::9",
    "2001:db8:2::c8",
];

/// What values are drawn from.
#[derive(Debug, Clone, Copy)]
pub struct Pool<'a> {
    /// The packets of the host.
    pub packets: &'a [Packet],
    /// Whether rules may depend on packets before, on time or on chance.
    pub stateful: bool,
    /// Whether the host has legacy tables too: nftables' chains keep off their priorities, or
    /// the order of the two were all that a host could not tell.
    pub beside_legacy: bool,
}

/// A packet as a rule may meet it: asked, or answered.
#[derive(Debug, Clone, Copy)]
pub struct Hint {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Source port.
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
    /// Protocol.
    pub transport: Transport,
    /// Incoming link.
    pub iif: &'static str,
}

/// An address of a text that is one.
pub fn addr(text: &str) -> IpAddr {
    text.parse().expect("the pool's addresses are well formed")
}

/// Every address of a family, the node's and the others'.
pub fn addrs(is_v6: bool) -> Vec<IpAddr> {
    let node = NODE_ADDRS.iter().map(|text| addr(text));
    let extra = EXTRA_ADDRS
        .iter()
        .filter_map(|(text, _)| text.split('/').next())
        .map(addr);
    let nowhere = NOWHERE.iter().map(|text| addr(text));
    let peers = LINKS.iter().flat_map(peer_addrs);
    node.chain(extra)
        .chain(nowhere)
        .chain(peers)
        .filter(|addr| addr.is_ipv6() == is_v6)
        .collect()
}

/// An address of the node, perhaps one that this host does not have.
pub fn node_addr(rng: &mut Rng, is_v6: bool) -> IpAddr {
    let extra = EXTRA_ADDRS
        .iter()
        .filter_map(|(text, _)| text.split('/').next());
    let all: Vec<IpAddr> = NODE_ADDRS
        .into_iter()
        .chain(extra)
        .map(addr)
        .filter(|addr| addr.is_ipv6() == is_v6)
        .collect();
    *rng.pick(&all)
}

/// An address that a server beyond the node has.
pub fn server_addr(rng: &mut Rng, is_v6: bool) -> IpAddr {
    let side = rng.pick(&LINKS);
    let all: Vec<IpAddr> = peer_addrs(side)
        .into_iter()
        .filter(|addr| addr.is_ipv6() == is_v6)
        .collect();
    *rng.pick(&all)
}

impl Pool<'_> {
    /// A packet of a family, or one that could be.
    pub fn hint(&self, rng: &mut Rng, is_v6: bool) -> Hint {
        let mine: Vec<&Packet> = self
            .packets
            .iter()
            .filter(|packet| packet.dst.is_ipv6() == is_v6)
            .collect();
        if mine.is_empty() || rng.percent(15) {
            return invented(rng, is_v6);
        }
        let packet = rng.pick(&mine);
        let asked = Hint {
            src: packet.src.unwrap_or_else(|| node_addr(rng, is_v6)),
            dst: packet.dst,
            sport: packet.sport,
            dport: packet.dport,
            transport: packet.transport,
            iif: packet.iif.unwrap_or("lo"),
        };
        if rng.percent(20) {
            Hint {
                src: asked.dst,
                dst: asked.src,
                sport: asked.dport,
                dport: asked.sport,
                ..asked
            }
        } else {
            asked
        }
    }
}

fn invented(rng: &mut Rng, is_v6: bool) -> Hint {
    let all = addrs(is_v6);
    Hint {
        src: *rng.pick(&all),
        dst: *rng.pick(&all),
        sport: 20_000 + u16::try_from(rng.below(20)).expect("below 20"),
        dport: *rng.pick(&PORTS),
        transport: *rng.pick(&[Transport::Tcp, Transport::Udp]),
        iif: NODE_LINKS[rng.below(NODE_LINKS.len())],
    }
}

/// A block around an address; mostly the address alone.
pub fn block(rng: &mut Rng, addr: IpAddr) -> String {
    let len = match addr {
        IpAddr::V4(_) => rng.weighted(&[(5, 32), (3, 24), (1, 16), (1, 8)]),
        IpAddr::V6(_) => rng.weighted(&[(5, 128), (3, 64), (1, 32), (1, 16)]),
    };
    net::Prefix::containing(addr, len).to_string()
}

/// A range of addresses around one, first and last.
pub fn range(rng: &mut Rng, addr: IpAddr) -> (IpAddr, IpAddr) {
    let family = net::Family::of(addr);
    let bits = net::addr_bits(addr);
    let down = u128::try_from(rng.below(3)).expect("below 3").min(bits);
    let up = u128::try_from(rng.below(4)).expect("below 4");
    let last = (bits + up).min(family.max());
    (
        net::addr_of(family, bits - down),
        net::addr_of(family, last),
    )
}

/// A range of ports around one.
pub fn port_range(rng: &mut Rng, port: u16) -> (u16, u16) {
    let down = u16::try_from(rng.below(3)).expect("below 3");
    let up = u16::try_from(rng.below(1000)).expect("below 1000");
    (port.saturating_sub(down), port.saturating_add(up))
}
