//! A host put into a network namespace of the running kernel: its links, addresses, routes,
//! settings and listeners from the model, its rules by the programs that people use.
//!
//! At the other end of each link is a namespace of its own, for clients and servers.

mod client;
mod server;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use host::dump::Dump;
use host::{GapKind, Host, Route, RouteKind, RoutingAction, RoutingRule, Socket};
use kernel::ReadOptions;
use kernel::netns::{Netns, NetnsError};
use net::Family;
use nix::errno::Errno;

use crate::world::{ToolError, run, settle};

pub use client::{Client, Got};

/// Why a host could not be put into a namespace.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The namespace could not be made or entered.
    #[error(transparent)]
    Namespace(#[from] NetnsError),
    /// A link, an address or a setting was refused.
    #[error(transparent)]
    World(#[from] kernel::netns::WorldError),
    /// Its addresses did not come to be.
    #[error(transparent)]
    Settle(#[from] crate::world::WorldError),
    /// A program refused its input.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// A socket was refused.
    #[error("cannot serve {addr}")]
    Serve {
        /// Where.
        addr: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// It could not be read back.
    #[error(transparent)]
    Read(#[from] kernel::ReadError),
}

/// Settings that a namespace takes over from the machine, or that would add addresses of their
/// own; `ip_forward` stands first because it resets others.
const SETTINGS: &[(&str, &str)] = &[
    ("net.ipv4.ip_forward", "0"),
    ("net.ipv4.conf.all.rp_filter", "0"),
    ("net.ipv4.conf.default.rp_filter", "0"),
    ("net.ipv4.conf.all.route_localnet", "0"),
    ("net.ipv4.conf.default.route_localnet", "0"),
    ("net.ipv4.conf.all.accept_local", "0"),
    ("net.ipv4.conf.default.accept_local", "0"),
    ("net.ipv6.conf.default.addr_gen_mode", "1"),
    ("net.ipv6.conf.default.accept_dad", "0"),
    // Errors are not rationed.
    ("net.ipv4.icmp_ratelimit", "0"),
    ("net.ipv4.icmp_msgs_per_sec", "1000000"),
    ("net.ipv4.icmp_msgs_burst", "100000"),
    ("net.ipv6.icmp.ratelimit", "0"),
];

/// A host in a namespace, which goes when this is dropped.
#[derive(Debug)]
pub struct Live {
    netns: Netns,
    /// What is behind each link, by its name.
    behind: Vec<(String, Netns)>,
    /// Sockets of servers, held open.
    servers: Vec<OwnedFd>,
}

impl Live {
    /// Puts links, addresses, routes and settings of `host` into a new namespace. What the
    /// kernel adds by itself is left to it.
    ///
    /// # Errors
    /// Where a privilege is missing or the kernel refuses a part.
    pub fn of(host: &Host) -> Result<Self, LiveError> {
        let netns = Netns::new()?;
        for (name, value) in SETTINGS {
            netns.set_sysctl(name, value)?;
        }
        let mut behind = Vec::new();
        for link in host.links.iter().filter(|link| !link.loopback) {
            let other = Netns::new()?;
            for (name, value) in SETTINGS {
                other.set_sysctl(name, value)?;
            }
            netns.join(&link.name, &other, &link.name)?;
            behind.push((link.name.clone(), other));
        }
        let is_first = |name: &str| name == "net.ipv4.ip_forward";
        let (first, rest): (Vec<_>, Vec<_>) =
            host.sysctls.iter().partition(|(name, _)| is_first(name));
        // Bridges filter by settings of their own module, which may be absent.
        let settings = first.into_iter().chain(rest);
        for (name, value) in settings.filter(|(name, _)| !name.starts_with("net.bridge.")) {
            netns.set_sysctl(name, value)?;
        }
        let own = host.addresses.iter().filter(|a| !a.addr.is_loopback());
        for address in own.filter(|address| address.scope == 0) {
            let link = host.link(address.link).map_or("", |link| &link.name);
            netns.add_address(link, address.addr, address.prefix.len())?;
        }
        netns.run(settle)??;
        let live = Self {
            netns,
            behind,
            servers: Vec::new(),
        };
        for family in [Family::V4, Family::V6] {
            let lines = lines(host, family);
            let flag = if family == Family::V4 { "-4" } else { "-6" };
            if !lines.is_empty() {
                let _ = live.run(&["ip", flag, "-batch", "-"], &lines)?;
            }
        }
        Ok(live)
    }

    /// Runs a program inside, with `input`, and returns what it prints.
    ///
    /// # Errors
    /// Where the program refuses its input.
    pub fn run(&self, command: &[&str], input: &str) -> Result<String, LiveError> {
        Ok(self.netns.run(|| run(command, input))??)
    }

    /// Calls `inside` in the namespace.
    ///
    /// # Errors
    /// Where the namespace cannot be entered.
    pub fn inside<T: Send>(&self, inside: impl FnOnce() -> T + Send) -> Result<T, LiveError> {
        Ok(self.netns.run(inside)?)
    }

    /// Opens the sockets of `host` inside.
    ///
    /// # Errors
    /// Where one is refused.
    pub fn serve(&mut self, host: &Host) -> Result<(), LiveError> {
        for socket in &host.sockets {
            let link = socket.device.and_then(|index| host.link(index));
            let device = link.map(|link| link.name.as_str());
            let opened = self.netns.run(|| server::open(socket, device))?;
            self.servers.push(opened.map_err(refused(socket))?);
        }
        Ok(())
    }

    /// Reads it back.
    ///
    /// # Errors
    /// Where the namespace cannot be entered.
    pub fn dump(&self) -> Result<Dump, LiveError> {
        Ok(kernel::read(&ReadOptions {
            netns: Some(self.netns.reference()),
            ..ReadOptions::default()
        })?)
    }

    /// Reads it back, without what the machine adds: its name, and what takes packets past the
    /// rules of all its namespaces.
    ///
    /// # Errors
    /// Where the namespace cannot be entered.
    pub fn host(&self) -> Result<Host, LiveError> {
        let mut host = host::wire::host(&self.dump()?);
        host.name = String::new();
        host.gaps
            .retain(|gap| matches!(gap.kind, GapKind::Rules | GapKind::Routing));
        Ok(host)
    }
}

fn refused(socket: &Socket) -> impl FnOnce(Errno) -> LiveError {
    let addr = SocketAddr::new(socket.addr, socket.port);
    move |errno| LiveError::Serve {
        addr,
        source: errno.into(),
    }
}

/// Lines of `ip` for the routes and routing rules that the kernel does not add by itself.
fn lines(host: &Host, family: Family) -> String {
    let mut text = String::new();
    for route in &host.routes {
        if route.dst.family() == family && !is_of_kernel(host, route) {
            let _ = writeln!(text, "route add {}", route_words(host, route));
        }
    }
    for rule in &host.routing_rules {
        let is_default = [0, 32766, 32767].contains(&rule.priority);
        if rule.family == family && !is_default {
            let _ = writeln!(text, "rule add {}", rule_words(rule));
        }
    }
    text
}

/// Whether a route comes with an address.
fn is_of_kernel(host: &Host, route: &Route) -> bool {
    let gateway = route.next_hops.iter().any(|hop| hop.gateway.is_some());
    let prefixes: BTreeSet<_> = host.addresses.iter().map(|a| a.prefix).collect();
    let is_link_local = route.dst.addr().is_ipv6() && {
        let bits = net::addr_bits(route.dst.addr()) >> 112;
        bits & 0xffc0 == 0xfe80 || bits >> 8 == 0xff
    };
    route.table == 255 || is_link_local || (!gateway && prefixes.contains(&route.dst))
}

fn route_words(host: &Host, route: &Route) -> String {
    let mut text = String::new();
    let kind = match route.kind {
        RouteKind::Blackhole => "blackhole ",
        RouteKind::Unreachable => "unreachable ",
        RouteKind::Prohibit => "prohibit ",
        RouteKind::Throw => "throw ",
        _ => "",
    };
    let _ = write!(text, "{kind}{}", route.dst);
    if let Some(hop) = route.next_hops.first() {
        if let Some(gateway) = hop.gateway {
            let _ = write!(text, " via {gateway}");
        }
        if let Some(link) = hop.link.and_then(|index| host.link(index)) {
            let _ = write!(text, " dev {}", link.name);
        }
    }
    let _ = write!(text, " table {}", route.table);
    if let Some(source) = route.preferred_source {
        let _ = write!(text, " src {source}");
    }
    if route.metric > 0 {
        let _ = write!(text, " metric {}", route.metric);
    }
    text
}

fn rule_words(rule: &RoutingRule) -> String {
    let mut text = format!("prio {}", rule.priority);
    if rule.inverted {
        text.push_str(" not");
    }
    let src = rule.src.map_or("all".to_owned(), |src| src.to_string());
    let _ = write!(text, " from {src}");
    if let Some(dst) = rule.dst {
        let _ = write!(text, " to {dst}");
    }
    if let Some(iif) = &rule.iif {
        let _ = write!(text, " iif {iif}");
    }
    if let Some(oif) = &rule.oif {
        let _ = write!(text, " oif {oif}");
    }
    if let Some((mark, covered)) = rule.mark {
        let _ = write!(text, " fwmark {mark}/{covered}");
    }
    match rule.action {
        RoutingAction::Table(table) => {
            let _ = write!(text, " lookup {table}");
        }
        RoutingAction::Blackhole => text.push_str(" blackhole"),
        RoutingAction::Unreachable => text.push_str(" unreachable"),
        _ => text.push_str(" prohibit"),
    }
    text
}
