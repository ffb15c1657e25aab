//! The small world: a node with two links of sixteen addresses each.

use std::net::Ipv4Addr;

use host::parse::{Input, iptables_save, listen, nft_list};
use host::{Address, Given, Hook, Host, Link, RoutingRule};
use net::{Family, Prefix};

/// Index of the loopback link.
pub(super) const LO: u32 = 1;
/// Index of the link to the outside.
const ETH: u32 = 2;
/// Index of the link to a pod.
const POD: u32 = 3;

/// The scope of addresses that are good on the host alone (rtnetlink.h).
const OF_HOST: u8 = 254;

/// The node's links with their addresses and networks, loopback apart.
const LINKS: [(u32, &str, [u8; 4], u8); 3] = [
    (LO, "lo", [10, 0, 2, 1], 32),
    (ETH, "eth0", [10, 0, 0, 1], 28),
    (POD, "pod1", [10, 0, 1, 1], 28),
];

/// Who connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    /// An address outside, on `eth0`.
    Outside(Ipv4Addr),
    /// An address of the pod on `pod1`.
    Pod(Ipv4Addr),
    /// A process of the node.
    Local,
}

impl Client {
    /// Every client there is.
    pub(super) fn all() -> Vec<Self> {
        let hosts = 2..=14;
        let outside = hosts.clone().map(|n| Self::Outside([10, 0, 0, n].into()));
        let pods = hosts.map(|n| Self::Pod([10, 0, 1, n].into()));
        outside.chain(pods).chain([Self::Local]).collect()
    }

    pub(super) fn link(self) -> Option<u32> {
        match self {
            Self::Outside(_) => Some(ETH),
            Self::Pod(_) => Some(POD),
            Self::Local => None,
        }
    }
}

/// The node, and where its base chains sit.
#[derive(Debug)]
pub struct World {
    /// The node, for both evaluators.
    pub host: Host,
    places: Vec<(Hook, bool, Vec<BaseChain>)>,
}

/// A base chain: its priority, and the places of its table and of itself.
pub(super) type BaseChain = (i32, usize, usize);

impl World {
    /// A node with these rules, in the languages of `iptables-save` and of `nft list ruleset`.
    ///
    /// # Errors
    /// A part of the rules that was not understood.
    pub fn new(xt: &str, nft: &str) -> Result<Self, String> {
        let mut host = node();
        let input = |text| Input {
            name: "rules",
            text,
        };
        let (tables, _, mut problems) = iptables_save(input(xt.as_bytes()));
        host.ruleset.tables.extend(tables);
        let (tables, more) = nft_list(input(nft.as_bytes()));
        host.ruleset.tables.extend(tables);
        problems.extend(more);
        match problems.first() {
            Some(problem) => Err(problem.to_string()),
            None => Ok(Self {
                places: places(&host),
                host,
            }),
        }
    }

    /// Ports on which the node has a listener at each of its addresses, TCP and UDP.
    pub const LISTENS: [u16; 2] = [80, 8080];
    /// A port on which it has a listener at one address only.
    pub const NARROW: (Ipv4Addr, u16) = (Ipv4Addr::new(10, 0, 0, 1), 53);
    /// Where its pods are.
    pub const PODS: &str = "10.0.1.0/28";

    pub(super) fn is_served(addr: Ipv4Addr, port: u16) -> bool {
        Self::LISTENS.contains(&port) || (addr, port) == Self::NARROW
    }

    pub(super) fn is_own(addr: Ipv4Addr) -> bool {
        addr.is_loopback() || LINKS.iter().any(|link| Ipv4Addr::from(link.2) == addr)
    }

    /// The `RTN_*` number of an address: 2 its own, 1 others.
    pub(super) fn address_type(addr: Ipv4Addr) -> u32 {
        if Self::is_own(addr) { 2 } else { 1 }
    }

    /// The link that an address is reached over.
    pub(super) fn route(addr: Ipv4Addr) -> Option<u32> {
        if Self::is_own(addr) {
            return Some(LO);
        }
        let mut links = LINKS.iter();
        let found = links.find(|link| {
            let net = Ipv4Addr::from(link.2).to_bits() & 0xffff_fff0;
            link.3 == 28 && addr.to_bits() & 0xffff_fff0 == net
        });
        found.map(|link| link.0)
    }

    /// The node's address on a link.
    pub(super) fn addr_on(link: u32) -> Ipv4Addr {
        let mut links = LINKS.iter();
        let found = links.find(|known| known.0 == link);
        found.expect("every link has an address").2.into()
    }

    pub(super) fn link_name(link: u32) -> &'static str {
        LINKS
            .iter()
            .find(|known| known.0 == link)
            .map_or("", |known| known.1)
    }

    /// The base chains of a hook, NAT ones or the others, in the order in which they run.
    pub(super) fn base_chains(&self, hook: Hook, nat: bool) -> &[BaseChain] {
        let mut places = self.places.iter();
        let found = places.find(|place| (place.0, place.1) == (hook, nat));
        found.map_or(&[], |place| &place.2)
    }
}

/// Priority, table and chain of every base chain; no two of a hook have one priority.
fn places(host: &Host) -> Vec<(Hook, bool, Vec<BaseChain>)> {
    let mut places: Vec<(Hook, bool, Vec<BaseChain>)> = Vec::new();
    for (at, table) in host.ruleset.tables.iter().enumerate() {
        for (index, chain) in table.chains.iter().enumerate() {
            let Some(base) = &chain.base else { continue };
            let place = (base.hook, base.kind == host::ChainKind::Nat);
            let chain = (base.priority, at, index);
            let known = places.iter_mut().find(|known| (known.0, known.1) == place);
            match known {
                Some(known) => known.2.push(chain),
                None => places.push((place.0, place.1, vec![chain])),
            }
        }
    }
    for place in &mut places {
        place.2.sort_unstable();
    }
    places
}

fn node() -> Host {
    let mut host = Host {
        given: Given::everything(),
        routing_rules: RoutingRule::defaults(Family::V4),
        ..Host::default()
    };
    let address = |link, addr: Ipv4Addr, len, scope| Address {
        link,
        addr: addr.into(),
        prefix: Prefix::containing(addr.into(), len),
        peer: None,
        secondary: false,
        scope,
    };
    host.addresses
        .push(address(LO, Ipv4Addr::LOCALHOST, 8, OF_HOST));
    for (index, name, addr, len) in LINKS {
        host.links.push(Link::named(index, name));
        host.addresses.push(address(index, addr.into(), len, 0));
    }
    for device in ["all", "eth0", "pod1", "lo"] {
        host.sysctls
            .insert(&format!("net.ipv4.conf.{device}.forwarding"), "1");
    }
    host.sysctls.insert("net.ipv4.ip_forward", "1");
    for proto in ["tcp", "udp"] {
        let ports = World::LISTENS.map(|port| format!("{proto}/0.0.0.0:{port}=web"));
        let (addr, port) = World::NARROW;
        let narrow = format!("{proto}/{addr}:{port}=web");
        for text in ports.iter().chain([&narrow]) {
            let socket = listen(text).expect("the listeners are well written");
            host.sockets.push(socket);
        }
    }
    // Routes are as the kernel makes them from the addresses, and no default one.
    host.given.routes = false;
    let _ = trace::complete(&mut host);
    host.given.routes = true;
    host.routes
        .retain(|route| route.dst != Prefix::all(Family::V4));
    host
}
