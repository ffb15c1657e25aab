//! One machine as data: links, addresses, routes, rules, sets, sockets.
//!
//! The model is what the kernel holds, in the kernel's terms; a rule keeps its own language.
//! Text becomes a model in [`parse`], the kernel's answers in [`wire`]. Nothing here decides
//! where a packet goes: that is `trace`.

pub mod dump;
pub mod nft;
pub mod nftrace;
pub mod parse;
pub mod print;
pub mod wire;
pub mod xt;

mod cgroup;
mod conntrack;
mod gap;
mod link;
mod route;
mod ruleset;
mod set;
mod socket;
mod sysctl;

use std::net::IpAddr;

pub use conntrack::{Connection, Connections, ConntrackTuple};
pub use gap::{Gap, GapKind};
pub use link::{Address, Link};
pub use route::{NextHop, Route, RouteKind, RoutingAction, RoutingRule};
pub use ruleset::{
    Base, Chain, ChainKind, Hook, Language, Policy, Rule, RuleBody, Ruleset, Table, TableFamily,
};
pub use set::{IpSet, IpSetEntry, IpSetField, IpSetMember};
pub use socket::{Holder, Socket, SocketState};
pub use sysctl::Sysctls;

/// One machine as the kernel sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// The host's own name; empty where unknown.
    pub name: String,
    /// Network devices, by index.
    pub links: Vec<Link>,
    /// Addresses of this host, in the order the kernel lists them.
    pub addresses: Vec<Address>,
    /// Policy routing rules of both families, by priority.
    pub routing_rules: Vec<RoutingRule>,
    /// Routes of all tables and both families.
    pub routes: Vec<Route>,
    /// Kernel settings that were read.
    pub sysctls: Sysctls,
    /// Tables of netfilter rules, of every language.
    pub ruleset: Ruleset,
    /// ipsets that xt rules refer to by name.
    pub ipsets: Vec<IpSet>,
    /// Sockets that listen or are bound, and connections of the flows asked about.
    pub sockets: Vec<Socket>,
    /// Conntrack entries of the destinations asked about.
    pub connections: Connections,
    /// What could not be read or is not modelled, and where.
    pub gaps: Vec<Gap>,
    /// Which parts were given at all: a part that is absent is not the same as an empty one.
    pub given: Given,
}

/// Which parts of a host were read. What was not given is assumed, and said so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Given {
    /// Links were read.
    pub links: bool,
    /// Addresses were read.
    pub addresses: bool,
    /// Routes were read.
    pub routes: bool,
    /// Routing rules were read.
    pub routing_rules: bool,
    /// Sysctls were read.
    pub sysctls: bool,
    /// Sockets were read.
    pub sockets: bool,
    /// ipsets were read.
    pub ipsets: bool,
    /// Netfilter rules of IPv4 were read.
    pub rules_v4: bool,
    /// Netfilter rules of IPv6 were read.
    pub rules_v6: bool,
    /// Native nftables were read, so that their absence means there are none.
    pub nft: bool,
}

impl Given {
    /// Everything was read.
    pub fn everything() -> Self {
        Self {
            links: true,
            addresses: true,
            routes: true,
            routing_rules: true,
            sysctls: true,
            sockets: true,
            ipsets: true,
            rules_v4: true,
            rules_v6: true,
            nft: true,
        }
    }
}

impl Host {
    /// The link with this index.
    pub fn link(&self, index: u32) -> Option<&Link> {
        self.links.iter().find(|link| link.index == index)
    }

    /// Whether `addr` is on one of this host's links.
    pub fn has_address(&self, addr: IpAddr) -> bool {
        self.addresses.iter().any(|own| own.addr == addr)
    }

    /// Whether `addr` means this host: one of its addresses, or any loopback address.
    pub fn is_own(&self, addr: IpAddr) -> bool {
        addr.is_loopback() || self.has_address(addr)
    }

    /// The link with this name.
    pub fn link_named(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }
}
