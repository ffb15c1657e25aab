//! Makes the namespaces, the links between them and their fixed addresses.

use std::fmt::Write as _;
use std::fs;
use std::io;

use super::layout::{LINKS, Place, Side, mac_of, peer_addrs};
use super::packet::Packet;
use super::space::Space;
use super::tool::{ToolError, run};

/// Why there is no world.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// A namespace, a socket or a setting was refused.
    #[error("{what}")]
    System {
        /// What was attempted.
        what: String,
        /// Why not.
        source: io::Error,
    },
    /// A program refused its input.
    #[error(transparent)]
    Tool(#[from] ToolError),
}

impl WorldError {
    /// Names what was attempted when a system call failed.
    pub fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }
}

/// The namespaces.
#[derive(Debug)]
pub struct World {
    spaces: Vec<Space>,
}

/// Settings of every namespace: no duplicate address detection, no link-local addresses, no
/// rate limits on errors.
const EVERYWHERE: &[(&str, &str)] = &[
    ("net.ipv6.conf.default.accept_dad", "0"),
    ("net.ipv6.conf.all.accept_dad", "0"),
    ("net.ipv6.conf.default.addr_gen_mode", "1"),
    ("net.ipv6.conf.default.router_solicitations", "0"),
    ("net.ipv4.icmp_ratelimit", "0"),
    // A limit of 0 still empties the bucket that `ip_error` (route.c) takes from.
    ("net.ipv4.icmp_ratemask", "0"),
    ("net.ipv4.icmp_msgs_per_sec", "1000000"),
    ("net.ipv4.icmp_msgs_burst", "100000"),
    ("net.ipv6.icmp.ratelimit", "0"),
];

/// Settings of the others: they take what reaches them from wherever it comes.
const OTHERS: &[(&str, &str)] = &[
    ("net.ipv4.conf.all.rp_filter", "0"),
    ("net.ipv4.conf.default.rp_filter", "0"),
];

impl World {
    /// Makes it: all namespaces, links up, the fixed addresses and the routes of the others.
    /// The calling thread is in the node afterwards.
    ///
    /// # Errors
    /// Where a privilege is missing or the kernel cannot do it.
    pub fn new() -> Result<Self, WorldError> {
        let mut spaces = Vec::new();
        for place in Place::ALL {
            spaces.push(Space::create().map_err(WorldError::system("make a namespace"))?);
            sysctls(EVERYWHERE)?;
            if place != Place::Node {
                sysctls(OTHERS)?;
            }
        }
        let world = Self { spaces };
        world.enter(Place::Node)?;
        ip(&world.node_lines())?;
        for place in [Place::Client, Place::Pod1, Place::Pod2] {
            world.enter(place)?;
            ip(&peer_lines(place))?;
            settle()?;
        }
        world.enter(Place::Node)?;
        Ok(world)
    }

    /// Moves the calling thread into one of the namespaces.
    ///
    /// # Errors
    /// Where the privilege is missing.
    pub fn enter(&self, place: Place) -> Result<(), WorldError> {
        self.spaces[place.index()]
            .enter()
            .map_err(WorldError::system(format!("enter {place:?}")))
    }

    /// One of the namespaces.
    pub fn space(&self, place: Place) -> &Space {
        &self.spaces[place.index()]
    }

    /// Settings and lines of `ip` for the node. The calling thread is in the node before and
    /// after.
    ///
    /// # Errors
    /// Where the kernel refuses one.
    pub fn set_up(
        &self,
        settings: &[(String, String)],
        lines: &[String],
    ) -> Result<(), WorldError> {
        sysctls(settings)?;
        let mut text = lines.join("\n");
        text.push('\n');
        // Some routes exclude each other: those that come too late are not there.
        match ip(&text) {
            Ok(()) | Err(WorldError::Tool(_)) => settle(),
            Err(error) => Err(error),
        }
    }

    /// Gives the senders of packets addresses that they do not have by themselves. The calling
    /// thread is in the node afterwards.
    ///
    /// # Errors
    /// Where the kernel refuses one.
    pub fn settle_clients(&self, packets: &[Packet]) -> Result<(), WorldError> {
        let mut neighbours = String::new();
        for place in [Place::Client, Place::Pod1, Place::Pod2] {
            let mut lines = String::new();
            let of_place = packets.iter().filter(|packet| packet.place == place);
            for (src, iif) in of_place.filter_map(|packet| packet.src.zip(packet.iif)) {
                let Some(side) = LINKS.iter().find(|side| side.node_link == iif) else {
                    continue;
                };
                if LINKS.iter().flat_map(peer_addrs).any(|addr| addr == src) {
                    continue;
                }
                let more = if src.is_ipv4() { "" } else { "nodad" };
                let _ = writeln!(lines, "addr replace {src} dev lo {more}");
                let (link, mac) = (side.node_link, mac_text(side, true));
                let _ = writeln!(
                    neighbours,
                    "neigh replace {src} lladdr {mac} dev {link} nud permanent"
                );
            }
            if !lines.is_empty() {
                self.enter(place)?;
                ip(&lines)?;
                settle()?;
            }
        }
        self.enter(Place::Node)?;
        if !neighbours.is_empty() {
            ip(&neighbours)?;
        }
        Ok(())
    }

    fn node_lines(&self) -> String {
        let mut lines =
            String::from("link set lo up\nlink add svc0 type bridge\nlink set svc0 up\n");
        for side in &LINKS {
            let _ = writeln!(
                lines,
                "link add {} address {} type veth peer name {} address {} netns {}",
                side.node_link,
                mac_text(side, false),
                side.peer_link,
                mac_text(side, true),
                self.space(side.place).path(),
            );
            let _ = writeln!(lines, "link set {} up", side.node_link);
            let (v4, v6) = side.net;
            let _ = writeln!(lines, "addr add {v4}1/24 dev {}", side.node_link);
            let _ = writeln!(lines, "addr add {v6}1/64 dev {} nodad", side.node_link);
            for addr in peer_addrs(side).iter().take(4) {
                let _ = writeln!(
                    lines,
                    "neigh replace {addr} lladdr {} dev {} nud permanent",
                    mac_text(side, true),
                    side.node_link,
                );
            }
        }
        lines
    }
}

/// Runs lines of `ip`: first those of no family, then those that begin with `-4 `, then `-6 `.
/// Of these, one that is refused does not keep the others away.
///
/// # Errors
/// Where `ip` refuses one.
fn ip(lines: &str) -> Result<(), WorldError> {
    let plain: String = lines
        .split_inclusive('\n')
        .filter(|line| !line.starts_with('-') && *line != "\n")
        .collect();
    if !plain.is_empty() {
        run(&["ip", "-force", "-batch", "-"], &plain)?;
    }
    let mut failed = None;
    for family in ["-4", "-6"] {
        let of_family: String = lines
            .split_inclusive('\n')
            .filter_map(|line| line.strip_prefix(family)?.strip_prefix(' '))
            .collect();
        if !of_family.is_empty() {
            failed = run(&["ip", family, "-force", "-batch", "-"], &of_family)
                .err()
                .or(failed);
        }
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// Waits until the local route of each IPv6 address is there: the kernel adds it in a task of
/// its own (addrconf_dad_work, addrconf.c).
pub(crate) fn settle() -> Result<(), WorldError> {
    let read = |file: &str| {
        let path = format!("/proc/thread-self/net/{file}");
        fs::read_to_string(&path).map_err(WorldError::system(format!("read {path}")))
    };
    for _ in 0..400 {
        let routes = read("ipv6_route")?;
        let is_there = |line: &str| {
            let addr = line.split(' ').next().unwrap_or_default();
            // An address has a route of its prefix too: the local one has RTF_LOCAL.
            let is_local = |line: &str| {
                let flags = line.split_whitespace().nth(8).unwrap_or_default();
                line.starts_with(addr) && flags.starts_with('8')
            };
            routes.lines().any(is_local)
        };
        if read("if_inet6")?.lines().all(is_there) {
            return Ok(());
        }
        // There is no event to wait for but the route's own, which may be past already.
        nix::poll::poll(&mut [], 5u8)
            .map_err(|errno| WorldError::system("wait for addresses")(errno.into()))?;
    }
    let source = io::Error::from(io::ErrorKind::TimedOut);
    Err(WorldError::system("wait for addresses")(source))
}

/// Sets kernel settings of the calling thread's namespace.
///
/// # Errors
/// Where one is not there or refuses the value.
fn sysctls<N: AsRef<str>, V: AsRef<str>>(settings: &[(N, V)]) -> Result<(), WorldError> {
    for (name, value) in settings {
        let (name, value) = (name.as_ref(), value.as_ref());
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        fs::write(&path, value).map_err(WorldError::system(format!("set {name} to {value}")))?;
    }
    Ok(())
}

fn mac_text(side: &Side, peer: bool) -> String {
    mac_of(side, peer)
        .map(|byte| format!("{byte:02x}"))
        .join(":")
}

/// The other namespaces. Each answers over the link that the address it answers from is on,
/// so that an answer's way is known: `eth1` of the client has a routing table of its own.
fn peer_lines(place: Place) -> String {
    let mut lines = String::from("link set lo up\n");
    for side in LINKS.iter().filter(|side| side.place == place) {
        let link = side.peer_link;
        let (v4, v6) = side.net;
        let table = if side.node_link == "eth1" { 103 } else { 254 };
        let _ = writeln!(lines, "link set {link} up");
        for (position, addr) in peer_addrs(side).iter().enumerate() {
            let (len, more) = if addr.is_ipv4() {
                (24, "")
            } else {
                (64, "nodad")
            };
            let _ = match position {
                0..4 => writeln!(
                    lines,
                    "addr add {addr}/{len} dev {link} noprefixroute {more}"
                ),
                _ => writeln!(lines, "addr add {addr} dev lo {more}"),
            };
            if table == 103 {
                let family = if addr.is_ipv4() { "-4" } else { "-6" };
                let _ = writeln!(lines, "{family} rule add from {addr} lookup 103");
            }
        }
        for (gateway, family, net) in [(v4, "-4", "0/24"), (v6, "-6", "/64")] {
            // The gateway, and an address that the node may have beside it.
            for host in [1, 9] {
                let _ = writeln!(
                    lines,
                    "neigh replace {gateway}{host} lladdr {} dev {link} nud permanent",
                    mac_text(side, false)
                );
            }
            let _ = writeln!(
                lines,
                "{family} route add {gateway}{net} dev {link} table {table}"
            );
            let _ = writeln!(
                lines,
                "{family} route add default via {gateway}1 dev {link} table {table}"
            );
        }
    }
    if place == Place::Client {
        for (mark, table) in [(3, "103"), (1, "main")] {
            for family in ["-4", "-6"] {
                let _ = writeln!(lines, "{family} rule add fwmark {mark} lookup {table}");
            }
        }
    }
    lines
}
