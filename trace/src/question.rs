//! What is asked: which packets, from where.

use std::net::IpAddr;

use net::{Endpoint, Prefix, Proto};

/// Where the packets asked about come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Every kind of source there is, each answered apart.
    Everywhere,
    /// Links that lead to no pod and not to this host.
    Outside,
    /// The pods of this node.
    Pods,
    /// A process here; its source address is the one the kernel picks.
    Local,
    /// One address: an address of this host means a process here bound to it, unless an
    /// interface is named too.
    Address(IpAddr),
}

/// A question: what happens to a new connection to `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Transport protocol.
    pub proto: Proto,
    /// Where the client connects to.
    pub to: Endpoint,
    /// Where it is.
    pub origin: Origin,
    /// The interface its packets come in on; absent: those that lead to it.
    pub iif: Option<String>,
    /// Its source port; absent: any ephemeral one.
    pub sport: Option<u16>,
    /// Its link-layer address, where a rule asks for it.
    pub mac: Option<[u8; 6]>,
    /// User and group of a local client.
    pub user: (u32, u32),
    /// Addresses of this node's pods; empty where there are none or they are not known.
    pub pod_ranges: Vec<Prefix>,
}

impl Question {
    /// Asks about every source of a connection to `to`.
    pub fn about(proto: Proto, to: Endpoint) -> Self {
        Self {
            proto,
            to,
            origin: Origin::Everywhere,
            iif: None,
            sport: None,
            mac: None,
            user: (0, 0),
            pod_ranges: Vec::new(),
        }
    }
}
