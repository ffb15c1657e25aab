//! The fixed part of the world: links, addresses, and who owns which.

use std::net::IpAddr;

/// A namespace of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The host under test.
    Node,
    /// Outside, on the node's links `eth0` and `eth1`.
    Client,
    /// Behind the node's link `pod1`.
    Pod1,
    /// Behind the node's link `pod2`.
    Pod2,
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Node, Self::Client, Self::Pod1, Self::Pod2];

    /// Its position in [`Place::ALL`].
    pub fn index(self) -> usize {
        match self {
            Self::Node => 0,
            Self::Client => 1,
            Self::Pod1 => 2,
            Self::Pod2 => 3,
        }
    }
}

/// A link between the node and another namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Side {
    /// Its name on the node.
    pub node_link: &'static str,
    /// The namespace at its other end.
    pub place: Place,
    /// Its name there.
    pub peer_link: &'static str,
    /// The middle of its addresses: `10.{net}.0.0/24`, `fd{net}::/64`.
    pub net: (&'static str, &'static str),
}

/// The links of the node, in the order of their indexes.
pub const LINKS: [Side; 4] = [
    Side {
        node_link: "eth0",
        place: Place::Client,
        peer_link: "eth0",
        net: ("10.1.0.", "fd01::"),
    },
    Side {
        node_link: "eth1",
        place: Place::Client,
        peer_link: "eth1",
        net: ("10.3.0.", "fd03::"),
    },
    Side {
        node_link: "pod1",
        place: Place::Pod1,
        peer_link: "eth0",
        net: ("10.2.1.", "fd21::"),
    },
    Side {
        node_link: "pod2",
        place: Place::Pod2,
        peer_link: "eth0",
        net: ("10.2.2.", "fd22::"),
    },
];

/// Names of the node's links that rules speak of.
pub const NODE_LINKS: [&str; 6] = ["eth0", "eth1", "pod1", "pod2", "svc0", "lo"];

/// Ports on which every namespace but the node answers, TCP and UDP.
pub const CLIENT_PORTS: [u16; 3] = [80, 8080, 53];

/// Addresses of the other end of a link: those on the link, then those behind it.
pub fn peer_addrs(side: &Side) -> Vec<IpAddr> {
    let (v4, v6) = side.net;
    let mut text = vec![
        format!("{v4}2"),
        format!("{v4}3"),
        format!("{v6}2"),
        format!("{v6}3"),
    ];
    if side.node_link == "eth0" {
        text.extend(["198.51.100.7".to_owned(), "2001:db8::7".to_owned()]);
    }
    text.iter()
        .map(|addr| {
            addr.parse()
                .expect("the layout's addresses are well formed")
        })
        .collect()
}

/// The namespace, other than the node, that owns an address.
pub fn owner_of(addr: IpAddr) -> Option<Place> {
    home_side(addr).map(|side| side.place)
}

/// The link over which the owner of an address answers from it.
pub fn home_side(addr: IpAddr) -> Option<&'static Side> {
    LINKS.iter().find(|side| peer_addrs(side).contains(&addr))
}

/// The link-layer address of a link: of the node's end, or of the other.
pub fn mac_of(side: &Side, peer: bool) -> [u8; 6] {
    let number = LINKS
        .iter()
        .position(|other| other.node_link == side.node_link)
        .unwrap_or(LINKS.len());
    let number = u8::try_from(number).expect("there are four links");
    [2, 0, 0, 0, number, if peer { 2 } else { 1 }]
}
