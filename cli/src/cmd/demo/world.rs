//! The demo's three computers: a client, a node and a pod, each a network namespace, and what
//! runs on them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use kernel::netns::{Netns, NetnsRef};
use net::{Endpoint, Family, Prefix};

use super::server::Server;

pub(super) const CLIENT: IpAddr = v4(192, 168, 77, 2);
const NODE: IpAddr = v4(192, 168, 77, 1);
const GATEWAY: IpAddr = v4(10, 244, 0, 1);
const POD: IpAddr = v4(10, 244, 0, 10);

/// What the client connects to.
pub(super) const TARGET: Endpoint = Endpoint {
    addr: NODE,
    port: 30584,
};
/// What the rules translate it to.
pub(super) const ENDPOINT: Endpoint = Endpoint {
    addr: POD,
    port: 80,
};

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

/// All of it; nothing is left when it is dropped. The servers come first, so that they are
/// gone before their namespaces are.
#[derive(Debug)]
pub(super) struct World {
    /// The process that was first, on the node.
    pub(super) web: Server,
    /// The endpoint of the Service, in the pod.
    pub(super) nginx: Server,
    pub(super) client: Netns,
    pub(super) node: Netns,
    /// Held so that it stays while the pod's server lives.
    _pod: Netns,
}

impl World {
    /// Makes it. The node forwards, as every node does; nothing else of it is unusual.
    pub(super) fn new() -> anyhow::Result<Self> {
        let [client, node, pod] = [Netns::new()?, Netns::new()?, Netns::new()?];
        node.join("eth0", &client, "eth0")?;
        node.join("veth0", &pod, "eth0")?;
        client.add_address("eth0", CLIENT, 24)?;
        node.add_address("eth0", NODE, 24)?;
        node.add_address("veth0", GATEWAY, 24)?;
        pod.add_address("eth0", POD, 24)?;
        pod.add_route(Prefix::all(Family::V4), Some(GATEWAY), Some("eth0"))?;
        node.set_sysctl("net.ipv4.ip_forward", "1")?;
        let anywhere = SocketAddr::new(v4(0, 0, 0, 0), TARGET.port);
        Ok(Self {
            web: Server::start("web", &node, anywhere)?,
            nginx: Server::start("nginx", &pod, SocketAddr::new(POD, ENDPOINT.port))?,
            client,
            node,
            _pod: pod,
        })
    }
}

/// A name of a namespace that other processes, and options, can be given.
pub(super) fn path(netns: &Netns) -> String {
    match netns.reference() {
        NetnsRef::Path(path) => path.display().to_string(),
        NetnsRef::Pid(pid) => pid.to_string(),
    }
}
